package user

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/hook"
)

// How a port's own protocol stack is kept from seeing data frames: the first of
// these that can be had.
const (
	// ShieldTCX is an eBPF program at the port's tcx ingress, behind the packet
	// sockets, that drops all but the frames that stay on the port.
	ShieldTCX = string(hook.TCX)
	// ShieldClsact is the same program as the first filter of the port's clsact
	// qdisc. That of a killed process stays, and keeps the port deaf, until the
	// next AddPort or hook.Detach of ShieldProgram.
	ShieldClsact = string(hook.Clsact)
	// ShieldSettings is the port's settings: no ARP, no IPv6, and for IPv4 the
	// reverse path filter, which drops packets from addresses that are reached
	// through agrN. A packet from an address without route, or with
	// net.ipv4.conf.all.rp_filter=2 any, still gets through.
	ShieldSettings = "settings"
)

// ShieldProgram is the name of the shield's program at a port.
const ShieldProgram = "agr_shield"

// shield protects ports: all in the same way, but for those that came before it
// turned out that there is no such way.
type shield struct {
	log  *slog.Logger
	prog *ebpf.Program // nil: not loaded
	used string        // the way for the next port
	// links are the descriptors, by the ports' interface index, that keep a program
	// where it is; where there is none something else does.
	links map[int]int
}

func newShield(log *slog.Logger) *shield {
	return &shield{log: log, used: ShieldTCX, links: make(map[int]int)}
}

// protect keeps data frames from the port's own stack until undo. What can be had
// shows with the first port.
func (s *shield) protect(p datapath.Port) (undo func() error, err error) {
	for s.used != ShieldSettings {
		undo, err = s.protectByProgram(p.Index)
		if !errors.Is(err, hook.ErrNotSupported) {
			return undo, err
		}
		s.fallBack(err)
	}
	undo, err = protectBySettings(p.Index)
	if err != nil {
		return nil, fmt.Errorf("shield: %w", err)
	}
	return undo, nil
}

// fallBack goes on to the next way.
func (s *shield) fallBack(reason error) {
	if s.used == ShieldTCX && s.prog != nil {
		s.used = ShieldClsact
		s.log.Info("ports are shielded by a filter of a clsact qdisc", "reason", reason)
		return
	}
	s.used = ShieldSettings
	s.log.Warn("ports are shielded by settings only", "reason", reason)
}

// protectByProgram fails with hook.ErrNotSupported where there is no eBPF, or not
// at the hook that is to be used.
func (s *shield) protectByProgram(ifindex int) (undo func() error, err error) {
	if s.prog == nil {
		if s.prog, err = loadShield(); err != nil {
			return nil, err
		}
	}
	held, err := hook.Hold(ifindex, s.prog, hook.Kind(s.used))
	if err != nil {
		return nil, fmt.Errorf("shield: %w", unavailable(err))
	}
	if l, ok := held.(interface{ FD() int }); ok {
		s.links[ifindex] = l.FD()
	}
	return func() error { delete(s.links, ifindex); return held.Close() }, nil
}

func (s *shield) close() error {
	if s.prog == nil {
		return nil
	}
	err := s.prog.Close()
	s.prog = nil
	return err
}
