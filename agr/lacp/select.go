package lacp

import (
	"slices"

	"ifagr/agr/slow"
)

// Selection, IEEE 802.1AX-2014 6.4.14: which aggregator a port belongs to, and,
// because agrN is one interface, which aggregator is the active one.

// placePorts gives each unselected port that is detached an aggregator, and
// reports whether it did. A port that hears its own system gets none: it must
// not forward whatever the default partner is (6.4.14.1 g, design D5).
func (s *System) placePorts() bool {
	placed := false
	for _, p := range s.ports {
		if p.aggregator == nil && p.mux == detached && !p.loopback {
			p.joinAggregator()
			placed = true
		}
	}
	return placed
}

// joinAggregator puts the port into the aggregator with its LAG ID, the oldest
// first, or into a new one. An individual port shares with nobody (6.4.14.1 h).
func (p *port) joinAggregator() {
	s := p.sys
	individual := !(p.actor.State & p.partner.State).Has(slow.Aggregation)
	a := s.shared(endOf(p.actor), endOf(p.partner))
	if individual || a == nil {
		s.lastID++
		a = &aggregator{
			id: s.lastID, actor: endOf(p.actor), partner: endOf(p.partner), individual: individual,
		}
		s.aggs = append(s.aggs, a)
	}
	a.ports = append(a.ports, p)
	p.aggregator = a
}

// shared finds the aggregator with a LAG ID that other ports may join, or nil.
func (s *System) shared(actor, partner LAGEnd) *aggregator {
	for _, a := range s.aggs {
		if !a.individual && a.actor == actor && a.partner == partner {
			return a
		}
	}
	return nil
}

// leaveAggregator takes the port out of its aggregator, which ends with its last
// port.
func (p *port) leaveAggregator() {
	s, a := p.sys, p.aggregator
	if a == nil {
		return
	}
	p.aggregator = nil
	a.ports = slices.DeleteFunc(a.ports, func(q *port) bool { return q == p })
	if len(a.ports) > 0 {
		return
	}
	s.aggs = slices.DeleteFunc(s.aggs, func(b *aggregator) bool { return b == a })
	if s.active == a {
		s.activate(nil, "no port left")
	}
}

// unselect makes the port select anew. While the mux is above DETACHED the port
// is still in its old aggregator; the mux takes it out.
func (p *port) unselect(reason string) {
	p.setSelected(unselected, reason)
	if p.mux == detached {
		p.leaveAggregator()
	}
}

// setSelected sets Selected. A STANDBY port that gets its turn does not wait anew:
// wait_while starts on the way into WAITING and only there (6.4.15), so an
// aggregator that has stood by for long takes over at once.
func (p *port) setSelected(to selection, reason string) {
	from := p.selected
	if from == to {
		return
	}
	p.selected = to
	p.note("selected", from.String(), to.String(), reason)
}

// arbitrate chooses the active aggregator and makes its ports SELECTED, as many as
// may be, all others STANDBY. It reports whether a port's selection changed.
func (s *System) arbitrate() bool {
	s.passOver()
	s.releaseHeld()
	if a, reason := s.choose(); a != s.active {
		s.activate(a, reason)
	}
	s.watchPatience()
	chosen := s.chosen()
	changed := false
	for _, p := range s.ports {
		if p.aggregator == nil || p.selected == unselected && p.mux != detached {
			continue
		}
		to := standby
		if slices.Contains(chosen, p) {
			to = selected
		}
		if p.selected != to {
			p.setSelected(to, p.selectionReason(to))
			changed = true
		}
		changed = p.watchRefusal() || changed
	}
	return changed
}

// selectionReason says why a port is to be SELECTED or STANDBY.
func (p *port) selectionReason(to selection) string {
	active := p.sys.active
	switch {
	case to == selected:
		return "aggregator is active"
	case active == nil:
		return "no aggregator is active"
	case p.held():
		return p.heldReason()
	case p.aggregator == active:
		return p.behindReason()
	default:
		return "another aggregator is active"
	}
}

// activate makes another aggregator the active one, or none. It has to find enough
// ports first, however many the last one had.
func (s *System) activate(a *aggregator, reason string) {
	s.active, s.activeReason = a, reason
	s.links, s.enough = 0, false
}
