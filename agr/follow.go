package agr

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// minMTU is the least MTU that agrN takes, what IPv4 needs.
const minMTU = 68

// follow makes the ports follow what was done to agrN: its MTU, promiscuity,
// groups and address.
func (a *aggregate) follow(dev rtnl.Link, v *view) {
	a.followMTU(dev.MTU)
	if dev.Addr != a.mac {
		a.log.Warn("another tool changed the interface's address; its LACP system id stays", "agr", a.name, "mac", dev.Addr)
		a.mac = dev.Addr
	}
	a.followFilters(dev, v.groups[dev.Index], v.static)
}

// followMTU gives the ports the MTU that another tool gave agrN. A port that
// does not take it keeps its own, which is logged; frames that are too long for
// it are lost there.
func (a *aggregate) followMTU(mtu int) {
	if mtu == a.mtu {
		return
	}
	a.mtu = mtu
	for _, p := range a.ports {
		if err := a.os.SetMTU(p.index, mtu); err != nil {
			a.log.Error("mtu not set", "agr", a.name, "port", p.name, "mtu", mtu, "err", err)
		}
	}
}

// followFilters makes every port let in what agrN wants to receive: its groups,
// everything when it is promiscuous, and its own address where that is not the
// port's. Static are the groups that interfaces have without a socket.
func (a *aggregate) followFilters(dev rtnl.Link, groups []ether.Addr, static map[int][]ether.Addr) {
	want := slices.Clone(groups)
	for _, p := range a.ports {
		if dev.Addr != p.mac {
			want = append(want, dev.Addr)
			break
		}
	}
	for _, p := range a.ports {
		if err := p.admit(want, dev.Promiscuity > 0 || dev.Flags&unix.IFF_PROMISC != 0); err != nil {
			a.log.Error("receive filter not set", "agr", a.name, "port", p.name, "err", err)
		}
	}
	a.keepGroups(groups, static)
}

// admit makes the port's filter let in exactly these addresses, or everything.
// What fails is tried again with the next call.
func (p *port) admit(want []ether.Addr, promisc bool) error {
	var errs []error
	for _, addr := range want {
		if slices.Contains(p.admitted, addr) {
			continue
		}
		if err := p.filter.Add(addr); err != nil {
			errs = append(errs, err)
			continue
		}
		p.admitted = append(p.admitted, addr)
	}
	p.admitted = slices.DeleteFunc(p.admitted, func(addr ether.Addr) bool {
		if slices.Contains(want, addr) {
			return false
		}
		err := p.filter.Drop(addr)
		errs = append(errs, err)
		return err == nil
	})
	if promisc != p.promisc {
		err := p.filter.SetPromisc(promisc)
		errs = append(errs, err)
		if err == nil {
			p.promisc = promisc
		}
	}
	return errors.Join(errs...)
}

// setMTU sets agrN's MTU and its ports', or nothing: EINVAL below 68 octets or
// above what the least capable port takes.
func (a *aggregate) setMTU(mtu int) error {
	if mtu < minMTU {
		return refusal(ctl.EINVAL, "mtu %d is less than %d", mtu, minMTU)
	}
	for _, p := range a.ports {
		l, err := a.os.LinkByIndex(p.index)
		if err != nil {
			return asErrno(err)
		}
		if l.MaxMTU > 0 && mtu > l.MaxMTU || mtu < l.MinMTU {
			return refusal(ctl.EINVAL, "%s takes an mtu of %d to %d", p.name, l.MinMTU, l.MaxMTU)
		}
	}
	var u undo
	for _, index := range a.mtuOrder(mtu) {
		old := a.mtu
		if err := a.os.SetMTU(index, mtu); err != nil {
			return errors.Join(asErrno(err), u.run())
		}
		u.add(func() error { return a.os.SetMTU(index, old) })
	}
	a.mtu = mtu
	return nil
}

// mtuOrder lists the interfaces so that agrN's MTU never exceeds a port's: the
// ports first when it grows, last when it shrinks.
func (a *aggregate) mtuOrder(mtu int) []int {
	var order []int
	for _, p := range a.ports {
		order = append(order, p.index)
	}
	if mtu > a.mtu {
		return append(order, a.dev.Index())
	}
	return append([]int{a.dev.Index()}, order...)
}

// setAddr changes agrN's address. The ports keep theirs and let the new one in
// as well (agr(4): a link-layer address set on agr changes agr only), and the
// system id stays (design D10).
func (a *aggregate) setAddr(addr ether.Addr) error {
	if len(a.ports) == 0 {
		return refusal(ctl.EINVAL, "%s has no ports", a.name)
	}
	if addr.IsGroup() || addr.IsZero() {
		return refusal(ctl.EINVAL, "%s cannot be the address of an interface", addr)
	}
	old := a.opts.FixedMAC
	if a.opts.MACPolicy == macFixed { // this is the one that is fixed, from now on
		a.opts.FixedMAC = addr
		if err := a.ledger.put(a.record()); err != nil {
			a.opts.FixedMAC = old
			return err
		}
	}
	if err := a.os.SetAddr(a.dev.Index(), addr); err != nil {
		a.opts.FixedMAC = old
		a.ledger.note(a.record())
		return asErrno(err)
	}
	a.mac = addr
	return a.look()
}

// look reads agrN and lets the ports follow it now, instead of at the next
// event.
func (a *aggregate) look() error {
	dev, err := a.os.LinkByIndex(a.dev.Index())
	if err != nil {
		return asErrno(err)
	}
	groups, static, err := a.os.Groups()
	if err != nil {
		return asErrno(err)
	}
	a.followFilters(dev, groups[dev.Index], static)
	return nil
}
