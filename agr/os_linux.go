package agr

import (
	"errors"
	"fmt"
	"log/slog"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/user"
	"ifagr/netutil/eth"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

// Linux opens the operating system for the network namespace of the calling
// thread, which must be the process's. The function that it returns closes it.
func Linux(log *slog.Logger) (OS, func() error, error) {
	links, err := rtnl.Open()
	if err != nil {
		return OS{}, nil, fmt.Errorf("agr: %w", err)
	}
	drivers, err := eth.Open()
	if err != nil {
		return OS{}, nil, errors.Join(fmt.Errorf("agr: %w", err), links.Close())
	}
	os := OS{
		Viewer:  linuxViewer{links},
		Changer: links,
		Medium:  linuxMedium{drivers},
		Opener:  linuxOpener{log},
	}
	closeAll := func() error { return errors.Join(links.Close(), drivers.Close()) }
	return os, closeAll, nil
}

type linuxViewer struct{ *rtnl.Conn }

func (linuxViewer) Groups() (map[int][]ether.Addr, error) { return rtnl.Multicast() }

type linuxMedium struct{ conn *eth.Conn }

func (m linuxMedium) Carrier(name string) (bool, error) { return m.conn.Carrier(name) }

func (m linuxMedium) Speed(name string) (mbps uint64, halfDuplex bool) {
	s, err := m.conn.Settings(name)
	if err != nil {
		return 0, false
	}
	return s.Speed, s.Duplex == eth.HalfDuplex
}

type linuxOpener struct{ log *slog.Logger }

func (o linuxOpener) Device(name string, mac ether.Addr) (datapath.Device, error) {
	return user.New(name, mac, o.log)
}

func (o linuxOpener) Slow(index int) (SlowConn, error) { return pkt.ListenSlow(index) }

func (o linuxOpener) Filter(index int) (Filter, error) { return pkt.OpenGroups(index) }
