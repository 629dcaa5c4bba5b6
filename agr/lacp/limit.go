package lacp

import (
	"cmp"
	"slices"

	"ifagr/agr/slow"
)

// How many ports of the active aggregator carry frames: not before there are enough
// of them (MinLinks), and not more than there may be (MaxPorts, FallbackSingle).
// The others are STANDBY, as IEEE 802.1AX-2014 6.4.14.1 has it for systems that
// cannot aggregate all ports of a LAG ID.

// single reports whether only one port may forward without LACP partner.
func (s *System) single() bool { return !s.cfg.Static && s.cfg.Fallback == FallbackSingle }

// limit is how many ports of the aggregator may be SELECTED.
func (a *aggregator) limit() int {
	s := a.ports[0].sys
	switch {
	case s.single() && a.partnerless():
		return 1
	case s.cfg.MaxPorts > 0:
		return s.cfg.MaxPorts
	default:
		return len(a.ports)
	}
}

// decides reports whether the port priorities of this end decide: those of the
// system with the numerically lower identifier do, so that both ends choose the
// same ports. Without partner there is only this end.
func (a *aggregator) decides() bool {
	return a.partnerless() || !a.partner.System.Less(a.actor.System)
}

// ranked are the ports, the best first: those that could carry frames before those
// that could not, a partner's refusal counting against a port, then by priority and
// number at the end that decides. Where all of them may be SELECTED their order does
// not matter. The slice is not the caller's to change.
func (a *aggregator) ranked() []*port {
	if a.limit() >= len(a.ports) {
		return a.ports
	}
	ports := slices.Clone(a.ports)
	decides := a.decides()
	slices.SortStableFunc(ports, func(p, q *port) int {
		return cmp.Or(
			falseFirst(!p.counts(), !q.counts()),
			falseFirst(p.passedOver, q.passedOver),
			compareRank(p, q, decides),
		)
	})
	return ports
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// compareRank compares two ports by priority, then number, as this end has them or
// the partner.
func compareRank(p, q *port, own bool) int {
	a, b := p.partner, q.partner
	if own {
		a, b = p.actor, q.actor
	}
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Port, b.Port))
}

// best is the port that would be the only one, of those that count.
func (a *aggregator) best() *port {
	return a.ranked()[0]
}

// betterThan compares ports without partner.
func (p *port) betterThan(q *port) bool { return compareRank(p, q, true) < 0 }

// chosen are the ports of the active aggregator that are to be SELECTED. A port
// that would still have to wait, for time to pass or for its partner, displaces
// none that is attached: it takes over when it can do so at once.
func (s *System) chosen() []*port {
	if s.active == nil {
		return nil
	}
	ranked := slices.DeleteFunc(slices.Clone(s.active.ranked()), (*port).held)
	n := min(s.active.limit(), len(ranked))
	chosen, rest := ranked[:n], ranked[n:]
	for i := n - 1; i >= 0; i-- {
		if chosen[i].selected == selected || chosen[i].settled() {
			continue
		}
		if j := slices.IndexFunc(rest, (*port).works); j >= 0 {
			chosen[i], rest[j] = rest[j], chosen[i]
		}
	}
	return chosen
}

// works reports whether the port is attached: another one takes its place only
// without delay.
func (p *port) works() bool {
	return p.selected == selected && p.mux >= attached && p.counts()
}

// settled reports whether the port could be attached at once, and whoever is at
// the far end would use it: the end that decides may begin, the other one waits
// until its partner says so.
func (p *port) settled() bool {
	willing := !p.hasPartner() || p.aggregator.decides() || p.partner.State.Has(slow.Synchronization)
	return p.waitWhile.expired && p.known() && willing
}

// watchRefusal lets time run while a SELECTED port is refused by its partner and
// another one stands by for it. When it is over the port is passed over, so that
// it blocks no place for ever. It reports whether that is so now and was not.
func (p *port) watchRefusal() bool {
	a := p.aggregator
	switch {
	case p.selected != selected || p.mux < attached || !p.refused() || len(a.ports) <= a.limit():
		p.refusal.stop()
	case p.refusal.expired && !p.passedOver:
		p.passedOver = true
		return true
	case !p.refusal.expired && !p.refusal.running:
		p.refusal.start(p.sys.now.Add(p.sys.patienceWith(a)))
	}
	return false
}

// countLinks counts the ports of the active aggregator that are attached with
// their partner in sync, and reports whether that changes what they may do.
func (s *System) countLinks() bool {
	links := 0
	if s.active != nil {
		for _, p := range s.active.ports {
			if p.selected == selected && p.mux >= attached && p.partner.State.Has(slow.Synchronization) {
				links++
			}
		}
	}
	enough := s.active != nil && s.active.suffices(links)
	changed := enough != s.enough
	s.links, s.enough = links, enough
	return changed
}

// suffices reports whether so many ports are enough. It takes more to begin than to
// go on, and without LACP partner one is enough, but not where LACP is off.
func (a *aggregator) suffices(links int) bool {
	s := a.ports[0].sys
	up, down := a.thresholds()
	return links >= up || s.active == a && s.enough && links >= down
}

// thresholds are those of MinLinks.
func (a *aggregator) thresholds() (up, down int) {
	if a.fallback() {
		return 1, 1
	}
	return a.ports[0].sys.cfg.MinLinks.thresholds()
}

// fallback reports whether the ports forward, if they do, for want of a partner and
// not because LACP is off.
func (a *aggregator) fallback() bool { return a.partnerless() && !a.ports[0].sys.cfg.Static }

// reachesMinLinks reports whether there would be enough ports if all that could
// carry frames did.
func (a *aggregator) reachesMinLinks() bool {
	links := 0
	for _, p := range a.ports {
		if p.counts() {
			links++
		}
	}
	return a.suffices(min(links, a.limit()))
}
