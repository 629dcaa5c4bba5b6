package user

import (
	"errors"
	"fmt"
	"log/slog"

	"ifagr/agr/datapath"
)

// How a port's own protocol stack is kept from seeing data frames.
const (
	// ShieldTCX is an eBPF program at the port's tcx ingress, behind the packet
	// sockets, that drops all but the frames that stay on the port.
	ShieldTCX = "tcx"
	// ShieldSettings is the port's settings: no ARP, no IPv6, and for IPv4 the
	// reverse path filter, which drops packets from addresses that are reached
	// through agrN. A packet from an address without route, or with
	// net.ipv4.conf.all.rp_filter=2 any, still gets through.
	ShieldSettings = "settings"
)

// errNoTCX says that this kernel, or what this process may do, has no tcx.
var errNoTCX = errors.New("no tcx (needs Linux 6.6 and CAP_BPF)")

// shield protects ports, by tcx where it can be had and by settings elsewhere.
type shield struct {
	log  *slog.Logger
	tcx  *tcxProgram // nil: not loaded
	used string      // ShieldTCX until it turns out that there is none
}

func newShield(log *slog.Logger) *shield { return &shield{log: log, used: ShieldTCX} }

// protect keeps data frames from the port's own stack until undo. Whether tcx is
// there shows with the first port.
func (s *shield) protect(p datapath.Port) (undo func() error, err error) {
	if s.used == ShieldTCX {
		undo, err = s.protectByTCX(p.Index)
		if !errors.Is(err, errNoTCX) {
			return undo, err
		}
		s.log.Warn("ports are shielded by settings only", "reason", err)
		s.used = ShieldSettings
	}
	undo, err = protectBySettings(p.Index)
	if err != nil {
		return nil, fmt.Errorf("shield: %w", err)
	}
	return undo, nil
}

func (s *shield) protectByTCX(ifindex int) (undo func() error, err error) {
	if s.tcx == nil {
		if s.tcx, err = loadTCX(); err != nil {
			return nil, err
		}
	}
	return s.tcx.attach(ifindex)
}

func (s *shield) close() error {
	if s.tcx == nil {
		return nil
	}
	err := s.tcx.close()
	s.tcx = nil
	return err
}
