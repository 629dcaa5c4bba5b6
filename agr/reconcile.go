package agr

import (
	"fmt"
	"slices"
	"time"

	"ifagr/agr/lacp"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// view is one look at the interfaces of the namespace. It is not changed after
// it was made, and is shared by all aggregates.
type view struct {
	links  map[int]rtnl.Link
	addrs  map[int][]rtnl.Addr
	groups map[int][]ether.Addr
	static map[int][]ether.Addr // those of the groups that no socket asks for
	// full asks for a look at what sends no event as well (speed, duplex).
	full bool
}

// reconcile compares the interfaces as they are with what should be, and acts
// (design D12). A view may be older than what the owner did or heard since, so
// whatever it gives a reason to change is read again first.
func (a *aggregate) reconcile(v *view) {
	dev, err := a.fresh(v, a.dev.Index(), a.devAsKnown)
	switch {
	case isGone(err):
		a.log.Warn("the interface was deleted, or moved to another network namespace, by another tool", "agr", a.name)
		a.ending, a.destroy = true, true // and what is left of it goes as well
		return
	case err != nil:
		a.log.Error("interface not read", "agr", a.name, "err", err)
		return
	}
	a.mend(dev, v)
	if dev.Up() && dev.Carrier != a.link {
		a.log.Warn("another tool changed the interface's carrier; put back", "agr", a.name, "carrier", a.link)
		a.linkSet = false
		a.setCarrier(a.link)
	}
	for _, p := range slices.Clone(a.ports) {
		a.reconcilePort(p, v)
	}
	a.changed = a.changed || a.memory.failing // time to try again
	a.follow(dev, v)
	a.welcome(v)
	if v.full {
		a.pay()
	}
}

// fresh finds an interface in a view, and reads it again when it is not there or
// not as it is known.
func (a *aggregate) fresh(v *view, index int, asKnown func(rtnl.Link) bool) (rtnl.Link, error) {
	if l, ok := v.links[index]; ok && asKnown(l) {
		return l, nil
	}
	return a.os.LinkByIndex(index)
}

func (a *aggregate) devAsKnown(l rtnl.Link) bool {
	return l.Name == a.name && l.MTU == a.mtu && l.Addr == a.mac && (!l.Up() || l.Carrier == a.link)
}

func (a *aggregate) reconcilePort(p *port, v *view) {
	l, err := a.fresh(v, p.index, func(l rtnl.Link) bool {
		return l.Name == p.name && l.Master == 0 && l.Up() == p.up && l.Carrier == p.carrier &&
			l.Addr == p.mac && l.MTU == a.mtu && !makesAddrs(l)
	})
	switch why := taken(p, l, err); {
	case why != "":
		a.log.Warn("port has left", "agr", a.name, "port", p.name, "reason", why)
		if isGone(err) {
			a.miss(p)
		}
		if err := a.detach(p, !isGone(err)); err != nil {
			a.log.Error("removal of a port that has left", "agr", a.name, "port", p.name, "err", err)
		}
		return
	case err != nil:
		a.log.Error("port not read", "agr", a.name, "port", p.name, "err", err)
		return
	}
	a.updateLink(p, l, v.full)
	a.revert(p, l)
	a.revertAddrGen(p, l, v.addrs[p.index])
	a.noteForeign(p, v.addrs[p.index])
}

// taken says in words why an interface cannot be a port any more: another tool has
// deleted or renamed it, moved it to another network namespace, or made it a port
// of something else. It is empty if it still can.
func taken(p *port, l rtnl.Link, err error) string {
	switch {
	case isGone(err):
		return "the interface has gone"
	case err != nil:
		return ""
	case l.Name != p.name:
		return "the interface was renamed to " + l.Name
	case l.Master != 0:
		return "the interface was made part of another one"
	}
	return ""
}

// updateLink tells the protocol what has changed of a port's link. Speed and
// duplex are asked for when the link comes, while the driver does not know, and
// now and then.
func (a *aggregate) updateLink(p *port, l rtnl.Link, full bool) {
	before := p.link()
	p.up, p.carrier = l.Up(), l.Carrier
	if full || p.link().Up && (!before.Up || p.speed == 0) {
		p.speed, p.half = a.os.Speed(p.name)
		if a.readQueue(p) {
			a.expectMoves()
			a.program()
		}
	}
	a.linkChanged(p, before)
}

// readQueue finds out whether frames may wait in a port's transmit queue, and
// whether that is news. What cannot be read may have one.
func (a *aggregate) readQueue(p *port) (changed bool) {
	q, err := a.os.Queue(p.index)
	was := p.queues
	p.queues = err != nil || q.Exists()
	return p.queues != was
}

// readLink reads everything about a new port's link.
func (a *aggregate) readLink(p *port, l rtnl.Link) {
	p.up, p.carrier = l.Up(), l.Carrier
	p.speed, p.half = a.os.Speed(p.name)
	a.readQueue(p)
}

// readCarriers looks at the ports' carriers only, which may have changed
// although no event has come yet (design D12).
func (a *aggregate) readCarriers() {
	for _, p := range a.ports {
		on, err := a.os.Carrier(p.name)
		if err != nil || on == p.carrier {
			continue
		}
		before := p.link()
		p.carrier = on
		if on {
			p.speed, p.half = a.os.Speed(p.name)
		}
		a.linkChanged(p, before)
	}
}

func (a *aggregate) linkChanged(p *port, before lacp.Link) {
	now := p.link()
	if now == before {
		return
	}
	if before.Up && !now.Up {
		p.unanswered, p.contest = 0, contest{} // another switch may be at its end when it comes back
	}
	a.step(lacp.LinkChange{Number: p.number, Link: now})
	if now.Speed != before.Speed {
		a.program()
	}
}

// revert puts back what another tool changed of a port, at most three times a
// minute; after that the port is shown as in conflict and left alone.
func (a *aggregate) revert(p *port, l rtnl.Link) {
	want := p.mac
	if l.Addr == want && l.MTU == a.mtu {
		p.conflict = ""
		return
	}
	what := fmt.Sprintf("address %s, mtu %d", l.Addr, l.MTU)
	if !p.reverts.allow(time.Now()) {
		if p.conflict == "" {
			a.log.Error("another tool keeps changing this port; it is left alone now", "agr", a.name, "port", p.name, "has", what)
		}
		p.conflict = what
		return
	}
	p.conflict = ""
	a.log.Warn("another tool changed this port; put back", "agr", a.name, "port", p.name, "had", what)
	if l.Addr != want {
		if err := a.setPortAddr(p, p.up, want); err != nil {
			a.log.Error("address not put back", "agr", a.name, "port", p.name, "err", err)
		}
	}
	if l.MTU != a.mtu {
		if err := a.os.SetMTU(p.index, a.mtu); err != nil {
			a.log.Error("mtu not put back", "agr", a.name, "port", p.name, "err", err)
		}
	}
}

// protoKernelLL is the IFA_PROTO of an automatic link-local address.
const protoKernelLL = 3

// revertAddrGen switches automatic addresses off again. Linux forgets that they
// were when an MTU below 1280 takes the port's IPv6 away for a while, and gives
// it an address at once.
func (a *aggregate) revertAddrGen(p *port, l rtnl.Link, addrs []rtnl.Addr) {
	if !makesAddrs(l) {
		return
	}
	if err := a.os.SetAddrGenMode(p.index, rtnl.AddrGenNone); err != nil {
		a.log.Error("automatic addresses not switched off", "agr", a.name, "port", p.name, "err", err)
		return
	}
	for _, addr := range addrs {
		if addr.Proto != protoKernelLL {
			continue
		}
		if err := a.os.DelAddr(addr); err != nil {
			a.log.Error("automatic address not removed", "agr", a.name, "port", p.name, "err", err)
		}
	}
}

// noteForeign remembers and logs addresses that another tool gave a port. They
// are not deleted (design D3).
func (a *aggregate) noteForeign(p *port, addrs []rtnl.Addr) {
	var foreign []string
	for _, addr := range addrs {
		foreign = append(foreign, describeAddr(addr, p.name))
	}
	for _, f := range foreign {
		if !slices.Contains(p.foreign, f) {
			a.log.Warn("a port has an address", "agr", a.name, "port", p.name, "addr", f)
		}
	}
	p.foreign = foreign
}
