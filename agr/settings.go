package agr

import (
	"errors"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// takeSettings changes what a port must have: no automatic addresses, agrN's
// address, agrN's MTU. restore is its undo.
func (a *aggregate) takeSettings(p *port, l rtnl.Link) error {
	if p.resumed {
		// A killed daemon may have left the settings of its shield, and the port
		// down in the middle of a change of its address.
		if err := errors.Join(a.restoreShield(p, l), a.restoreUp(p, l)); err != nil {
			return err
		}
	}
	if err := a.noAutomaticAddrs(p, l); err != nil {
		return err
	}
	if err := a.stillEmpty(p); err != nil {
		return err
	}
	if l.Addr != a.mac {
		if err := a.setPortAddr(p, l.Up(), a.mac); err != nil {
			return err
		}
	}
	if l.MTU != a.mtu {
		return a.os.SetMTU(p.index, a.mtu)
	}
	return nil
}

// noAutomaticAddrs keeps the kernel from giving a port addresses (design D3).
func (a *aggregate) noAutomaticAddrs(p *port, l rtnl.Link) error {
	if !makesAddrs(l) {
		return nil
	}
	return a.os.SetAddrGenMode(p.index, rtnl.AddrGenNone)
}

// makesAddrs reports whether the kernel gives the interface automatic addresses.
func makesAddrs(l rtnl.Link) bool {
	return l.AddrGenMode != rtnl.AddrGenUnknown && l.AddrGenMode != rtnl.AddrGenNone
}

// stillEmpty looks again, now that no address comes by itself any more: the
// kernel may have added one between the check and here.
func (a *aggregate) stillEmpty(p *port) error {
	if p.resumed {
		return nil
	}
	addrs, err := a.os.Addrs(p.index, unix.AF_UNSPEC)
	if err == nil && len(addrs) > 0 {
		err = refusal(ctl.EBUSY, "%s has %s", p.name, describeAddr(addrs[0], p.name))
	}
	return err
}

// setPortAddr changes a port's address. A driver that refuses while the
// interface is up gets it down for a moment (design D10), which is on record
// meanwhile.
func (a *aggregate) setPortAddr(p *port, up bool, addr ether.Addr) error {
	err := a.os.SetAddr(p.index, addr)
	if err == nil || !up || !errors.Is(err, unix.EBUSY) {
		return err
	}
	p.takenDown = true
	a.ledger.note(a.record())
	err = a.os.SetDown(p.index)
	if err == nil {
		err = errors.Join(a.os.SetAddr(p.index, addr), a.os.SetUp(p.index))
	}
	if err == nil {
		p.takenDown = false
		a.ledger.note(a.record())
	}
	return err
}

// restore gives a port back what it had. An interface that has gone needs
// nothing.
func (a *aggregate) restore(p *port) error {
	l, err := a.os.LinkByIndex(p.index)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	errs := []error{a.restoreShield(p, l), a.unhook(p), a.dropGroups(p, p.groups)}
	if l.MTU != p.undo.MTU {
		errs = append(errs, a.os.SetMTU(p.index, p.undo.MTU))
	}
	if l.Addr != p.undo.MAC {
		errs = append(errs, a.setPortAddr(p, l.Up(), p.undo.MAC))
	}
	if mode := rtnl.AddrGenMode(p.undo.AddrGenMode); l.AddrGenMode != mode {
		errs = append(errs, a.os.SetAddrGenMode(p.index, mode))
	}
	errs = append(errs, a.restoreUp(p, l))
	return errors.Join(errs...)
}

// unhook takes away what may be at a port's ingress, and forgets it: a port that is
// tried again and again has each time another program.
func (a *aggregate) unhook(p *port) error {
	err := a.os.Unhook(p.index, p.programs)
	if err == nil {
		p.programs = nil
	}
	return err
}

// restoreUp brings a port up that was taken down for a change of its address
// and, because that failed or the daemon was killed, not brought up again.
func (a *aggregate) restoreUp(p *port, l rtnl.Link) error {
	if !p.takenDown {
		return nil
	}
	if !l.Up() {
		if err := a.os.SetUp(p.index); err != nil {
			return err
		}
	}
	p.takenDown = false
	return nil
}

// shielded is what the user datapath's shield makes of a port's settings where
// it has no eBPF.
var shielded = Settings{RPFilter: "1", DisableIPv6: "1"}

// restoreShield puts back what a shield without eBPF has changed and a killed
// daemon could not put back. All three settings together are its mark: one or
// two of them are an administrator's.
func (a *aggregate) restoreShield(p *port, l rtnl.Link) error {
	have, err := a.os.Settings(l.Name)
	if err != nil {
		return err
	}
	was := Settings{RPFilter: p.undo.RPFilter, DisableIPv6: p.undo.DisableIPv6}
	if have != shielded || l.Flags&unix.IFF_NOARP == 0 || have == was && p.undo.NoARP {
		return nil
	}
	err = a.os.SetSettings(l.Name, was)
	if !p.undo.NoARP {
		err = errors.Join(err, a.os.SetNoARP(p.index, false))
	}
	return err
}
