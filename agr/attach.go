package agr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/lacp"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// refusal is why a port cannot be attached.
func refusal(errno ctl.Errno, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errno)...)
}

// check is what agr(4) looks at before it changes anything, in its order, as far
// as it concerns this aggregate. That the port exists, is nobody's port and is
// no agr interface was checked before.
func (a *aggregate) check(l rtnl.Link) error {
	addrs, err := a.os.Addrs(l.Index, unix.AF_UNSPEC)
	if err != nil {
		return asErrno(err)
	}
	if len(addrs) > 0 {
		return refusal(ctl.EBUSY, "%s has %s", l.Name, describeAddr(addrs[0], l.Name))
	}
	if l.Type != unix.ARPHRD_ETHER {
		if len(a.ports) == 0 {
			return refusal(ctl.EPROTONOSUPPORT, "%s is not an Ethernet interface", l.Name)
		}
		return refusal(ctl.EINVAL, "%s is not an Ethernet interface", l.Name)
	}
	if l.Master != 0 {
		return refusal(ctl.EBUSY, "%s already belongs to another interface", l.Name)
	}
	mtu := a.mtu
	if len(a.ports) == 0 {
		mtu = firstMTU
	}
	if mtu < l.MinMTU || l.MaxMTU > 0 && mtu > l.MaxMTU {
		return refusal(ctl.EINVAL, "%s takes an mtu of %d to %d, %s has %d", l.Name, l.MinMTU, l.MaxMTU, a.name, mtu)
	}
	return nil
}

// describeAddr names an address as ifconfig would.
func describeAddr(addr rtnl.Addr, name string) string {
	if addr.IP.Is4() {
		return "inet " + addr.IP.String()
	}
	ip := addr.IP
	if ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(name)
	}
	return "inet6 " + ip.String()
}

// attach makes an interface a port: all of it, or nothing and an error.
func (a *aggregate) attach(l rtnl.Link) error {
	if err := a.check(l); err != nil {
		return err
	}
	number, err := a.freeNumber(a.systemWith(l))
	if err != nil {
		return err
	}
	undo, err := a.remember(l)
	if err != nil {
		return asErrno(err)
	}
	p := newPort(l, number, undo)
	if len(a.ports) == 0 {
		return a.attachFirst(p, l)
	}
	return a.join(p, l)
}

// remember is what a port will get back.
func (a *aggregate) remember(l rtnl.Link) (state.Undo, error) {
	s, err := a.os.Settings(l.Name)
	return state.Undo{
		MAC: l.Addr, MTU: l.MTU, AddrGenMode: uint8(l.AddrGenMode),
		NoARP: l.Flags&unix.IFF_NOARP != 0, RPFilter: s.RPFilter, DisableIPv6: s.DisableIPv6,
	}, err
}

// firstMTU is what agrN's MTU becomes with its first port (agr(4)).
const firstMTU = 1500

// systemWith is what the LACP system id is with one more port.
func (a *aggregate) systemWith(l rtnl.Link) ether.Addr {
	switch {
	case len(a.ports) > 0:
		return a.system
	case a.opts.MACPolicy == macFixed:
		return a.opts.FixedMAC
	default:
		return l.Addr
	}
}

// attachFirst gives agrN the address of its first port, or the fixed one, which
// becomes the LACP system id, and an MTU of 1500, and attaches that port.
func (a *aggregate) attachFirst(p *port, l rtnl.Link) error {
	mac, mtu := a.mac, a.mtu
	addr := a.systemWith(l)
	if err := a.os.SetAddr(a.dev.Index(), addr); err != nil {
		return asErrno(err)
	}
	err := a.os.SetMTU(a.dev.Index(), firstMTU)
	if err == nil {
		a.mac, a.mtu, a.system = addr, firstMTU, addr
		a.step(lacp.Configure{Config: a.config()})
		err = a.join(p, l)
	}
	if err == nil {
		return nil
	}
	a.mac, a.mtu, a.system = mac, mtu, ether.Addr{}
	a.step(lacp.Configure{Config: a.config()})
	a.ledger.note(a.record())
	return errors.Join(asErrno(err), a.os.SetAddr(a.dev.Index(), mac), a.os.SetMTU(a.dev.Index(), mtu))
}

// freeNumber is the lowest LACP port number that no port of this LACP system has.
// Another agr interface may be the same system: the one whose first port has become
// this one's.
func (a *aggregate) freeNumber(system ether.Addr) (uint16, error) {
	taken := a.ledger.numbers(system)
	for _, p := range a.record().Ports {
		taken[p.Number] = true
	}
	for n := uint16(1); n != 0; n++ {
		if !taken[n] {
			return n, nil
		}
	}
	return 0, refusal(ctl.ENOMEM, "%s has 65535 ports", a.name)
}

// join does what makes an interface a port, and takes everything back if a step
// fails.
func (a *aggregate) join(p *port, l rtnl.Link) error {
	var u undo
	if err := a.joinSteps(p, l, &u); err != nil {
		if uerr := u.run(); uerr != nil {
			a.log.Error("undo of a failed agrport", "agr", a.name, "port", p.name, "err", uerr)
		}
		a.forget(p)
		a.giveBack(p)
		a.ledger.stage(a.record())
		if !p.resumed { // else it is not the only one, and still on record
			a.ledger.flush()
		}
		return asErrno(err)
	}
	a.readLink(p, l)
	if !a.resuming { // else the protocol gets all of them at once
		a.step(p.lacp())
	}
	a.transition(p.name, "agr", "", portAttached, fmt.Sprintf("port %d of %s", p.number, a.name))
	if !p.up {
		a.log.Warn("port is down", "agr", a.name, "port", p.name)
	}
	a.program()
	return nil
}

// joinSteps does the steps, each with its undo. The ledger knows what the port
// was before anything of it changes.
func (a *aggregate) joinSteps(p *port, l rtnl.Link, u *undo) error {
	p.mac = a.mac
	a.ports = append(a.ports, p)
	if !p.resumed { // of a resumed one, and of those behind it, the ledger knows
		if err := a.ledger.put(a.record()); err != nil {
			return err
		}
	}
	if err := a.takeSettings(p, l); err != nil {
		return err
	}
	if err := a.open(p); err != nil {
		return err
	}
	u.add(p.close)
	port := datapath.Port{
		Number: p.number, Index: p.index, Name: p.name, MAC: a.mac, Marker: a.orderedMarkers(p),
		Programs: p.programs, Note: func(program uint32) error { return a.noteProgram(p, program) },
	}
	if err := a.dev.AddPort(port); err != nil {
		return err
	}
	u.add(func() error { return a.dev.RemovePort(p.number) })
	return nil
}

// noteProgram writes down a program before it is put at a port's ingress, where it
// stays when this daemon is killed, unless it is on record since it was loaded. Not
// every daemon may ask the kernel whose program that is. A port that forwards already
// goes on, whether there is room for that or not.
func (a *aggregate) noteProgram(p *port, program uint32) error {
	had := p.programs
	p.programs = append(slices.Clone(had), program)
	if n, ok := a.loaded[p.number]; ok && n == program {
		return nil
	}
	if p.resumed {
		a.ledger.note(a.record())
		return nil
	}
	if err := a.ledger.put(a.record()); err != nil {
		p.programs = had
		return err
	}
	return nil
}

// open opens the port's slow-protocol connection and its filter, and starts to
// read. What fails leaves nothing open.
func (a *aggregate) open(p *port) error {
	conn, err := a.os.Slow(p.index)
	if err != nil {
		return err
	}
	filter, err := a.os.Filter(p.index)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.slow, p.filter, p.cancel, p.reader = conn, filter, cancel, make(chan struct{})
	go a.read(ctx, p, conn)
	return nil
}

// forget takes a port off the list.
func (a *aggregate) forget(p *port) {
	for i, q := range a.ports {
		if q == p {
			a.ports = append(a.ports[:i:i], a.ports[i+1:]...)
			return
		}
	}
}
