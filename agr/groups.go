package agr

import (
	"errors"
	"slices"

	"ifagr/netutil/ether"
)

// What a port's filter lets in ends with the daemon's sockets. Where frames are
// forwarded without the daemon, the groups that agrN receives are asked for without a
// socket as well, so that a NIC goes on to let them in:
//
//	group of agrN -> ledger -> port; agrN leaves it, or the port does -> port -> ledger
//
// An interface has such a group once. One that it has already is somebody else's, and
// stays when the port leaves.

// keepGroups makes the ports receive agrN's groups whatever becomes of this process.
// What interfaces have without a socket may be old.
func (a *aggregate) keepGroups(want []ether.Addr, there map[int][]ether.Addr) {
	if !a.dev.Info().Outlives {
		return
	}
	missing := slices.ContainsFunc(a.ports, func(p *port) bool { return !containsAll(p.asked, want) })
	if missing {
		a.askGroups(want, there)
	}
	left := false
	for _, p := range a.ports {
		p.asked = slices.DeleteFunc(p.asked, func(g ether.Addr) bool { return !slices.Contains(want, g) })
		drop := slices.DeleteFunc(slices.Clone(p.groups), func(g ether.Addr) bool { return slices.Contains(want, g) })
		left = left || len(drop) > 0
		if err := a.dropGroups(p, drop); err != nil {
			a.log.Warn("groups not dropped; it is tried again", "agr", a.name, "port", p.name, "err", err)
		}
	}
	if left {
		a.ledger.note(a.record())
	}
}

// askGroups asks for those of agrN's groups that were not asked for yet. They are on
// record before; otherwise it is tried again.
func (a *aggregate) askGroups(want []ether.Addr, there map[int][]ether.Addr) {
	if a.haveOthers(want, there) { // which may have been ours, and given back since
		var err error
		if _, there, err = a.os.Groups(); err != nil {
			a.log.Warn("groups not read", "agr", a.name, "err", err)
			return
		}
	}
	had := make(map[*port][]ether.Addr)
	news := false
	for _, p := range a.ports {
		had[p] = p.groups
		for _, g := range a.unasked(p, want) {
			if !slices.Contains(there[p.index], g) {
				p.groups, news = append(slices.Clone(p.groups), g), true
			}
		}
	}
	if news && !a.recordGroups(had) {
		return
	}
	for _, p := range a.ports {
		a.askOf(p, want)
	}
}

// unasked are those groups that a port is to have, and that are not on record as ours
// nor known to be somebody else's.
func (a *aggregate) unasked(p *port, want []ether.Addr) []ether.Addr {
	return without(without(want, p.groups), p.asked)
}

// haveOthers reports whether a port has such a group already.
func (a *aggregate) haveOthers(want []ether.Addr, there map[int][]ether.Addr) bool {
	return slices.ContainsFunc(a.ports, func(p *port) bool {
		return slices.ContainsFunc(a.unasked(p, want), func(g ether.Addr) bool { return slices.Contains(there[p.index], g) })
	})
}

// recordGroups writes down the groups that the ports are to have. All aggregates do so
// at about the same time when a daemon begins: what they have staged while one of them
// writes is written at once. After a failure the ports have what they had.
func (a *aggregate) recordGroups(had map[*port][]ether.Addr) bool {
	a.ledger.stage(a.record())
	err := a.ledger.sync()
	if err == nil {
		return true
	}
	a.log.Warn("groups not asked for; it is tried again", "agr", a.name, "err", err)
	for p, groups := range had {
		p.groups = groups
	}
	a.ledger.stage(a.record())
	return false
}

// askOf asks for a port's groups on record, which a predecessor may have written down
// and not come to ask for. What is refused is not tried again.
func (a *aggregate) askOf(p *port, want []ether.Addr) {
	for _, g := range p.groups {
		if slices.Contains(p.asked, g) || !slices.Contains(want, g) {
			continue
		}
		if err := a.os.SetStaticGroup(p.index, g, true); err != nil {
			a.log.Warn("without a daemon, a group may not come in", "agr", a.name, "port", p.name, "group", g, "err", err)
		}
	}
	p.asked = slices.Clone(want)
}

// dropGroups takes groups back that a port was made to receive.
func (a *aggregate) dropGroups(p *port, groups []ether.Addr) error {
	var errs []error
	for _, g := range slices.Clone(groups) {
		err := a.os.SetStaticGroup(p.index, g, false)
		if err == nil {
			p.groups = without(p.groups, []ether.Addr{g})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func containsAll(all, some []ether.Addr) bool {
	return !slices.ContainsFunc(some, func(g ether.Addr) bool { return !slices.Contains(all, g) })
}

// without is a copy of groups without some.
func without(groups, some []ether.Addr) []ether.Addr {
	return slices.DeleteFunc(slices.Clone(groups), func(g ether.Addr) bool { return slices.Contains(some, g) })
}
