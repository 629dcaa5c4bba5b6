package lacp

import (
	"cmp"
	"fmt"
	"slices"

	"ifagr/agr/slow"
)

// Resume gives a System without ports those that another one had, with what that
// one had in mind. A port that the memory does not know, or of which it tells what
// cannot be, begins as with AddPort. What has changed since, the links for one,
// is taken in as if it had happened now. Each port tells its partner at once what
// the partner has been told before.
type Resume struct {
	Memory Memory
	Ports  []AddPort
	// Since is what is known of the partners by the numbers of the ports, and newer than
	// the memory. A partner of which nothing is counts as heard now, in the state that
	// the memory has.
	Since map[uint16]Since
}

// Since is what a partner has said since a memory was written.
type Since struct {
	// Heard is when it was heard last.
	Heard Instant
	// State is the one that it had in its last LACPDU, if Spoke: if there was one at all.
	State slow.State
	Spoke bool
	// Stopped says that the last LACPDU, whoever sent it, was not one of a partner that
	// is in sync with this port.
	Stopped bool
}

func (e Resume) apply(s *System) {
	if s.left || len(s.ports) > 0 {
		return
	}
	s.lastID = max(0, e.Memory.LastID)
	back := make(map[*port]AddPort, len(e.Ports))
	for _, add := range e.Ports {
		if p := s.recall(add, &e.Memory); p != nil {
			back[p] = add
		}
	}
	s.recallActive(&e.Memory)
	for _, add := range e.Ports {
		p := s.port(add.Number)
		if _, ok := back[p]; !ok {
			add.apply(s)
			continue
		}
		if since, ok := e.Since[p.number]; ok {
			p.hearSince(since)
		}
		p.catchUp(add)
	}
}

// recall makes a port from memory, or none if there is no memory of it that could
// be true.
func (s *System) recall(add AddPort, m *Memory) *port {
	i := slices.IndexFunc(m.Ports, func(m PortMemory) bool { return m.Number == add.Number })
	if i < 0 || add.Number == 0 || s.port(add.Number) != nil || m.Static != s.cfg.Static {
		return nil
	}
	pm := &m.Ports[i]
	p := &port{sys: s, number: add.Number, priority: pm.Actor.Priority, name: add.Name, link: pm.Link}
	if !p.recallStates(pm) || !s.recallAggregator(p, pm.Aggregator) {
		return nil
	}
	p.recallRest(pm)
	s.ports = append(s.ports, p)
	return p
}

// recallStates takes over what the machines were in, and reports whether that can
// be: what is at rest is in an aggregator if, and only if, it has selected one.
func (p *port) recallStates(m *PortMemory) bool {
	var ok [3]bool
	p.receive, ok[0] = named(m.Receive, current)
	p.mux, ok[1] = named(m.Mux, collectingDistributing)
	p.selected, ok[2] = named(m.Selected, selected)
	p.actor, p.partner = m.Actor, m.Partner
	p.loopback = p.hasPartner() && p.isOwnSystem(p.partner.System)
	chosen := p.selected != unselected
	return ok == [3]bool{true, true, true} && p.receive != initialize && p.saysWhatItIs() &&
		chosen == (m.Aggregator > 0) && (chosen || p.mux == detached) && !(chosen && p.loopback)
}

// saysWhatItIs reports whether the Actor's state is that of the machines.
func (p *port) saysWhatItIs() bool {
	said := p.actor.State
	return said.Has(slow.Synchronization) == (p.mux >= attached) &&
		said.Has(slow.Collecting) == (p.mux >= collecting) &&
		said.Has(slow.Distributing) == (p.mux >= distributing) &&
		p.saysWhatItHears()
}

// saysWhatItHears is that for the receive machine. Without a link it says what it
// said before.
func (p *port) saysWhatItHears() bool {
	silent, alone := p.actor.State.Has(slow.Expired), p.actor.State.Has(slow.Defaulted)
	switch p.receive {
	case expired:
		return silent
	case current:
		return !silent && !alone
	case defaulted, lacpDisabled:
		return !silent && alone && identity(p.partner) == identity(p.defaultPartner())
	case initialize, portDisabled:
	}
	return true
}

// named finds the state with the standard's name, of those up to the last one.
func named[S interface {
	~uint8
	fmt.Stringer
}](name string, last S) (s S, ok bool) {
	for s = 0; s <= last; s++ {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// recallAggregator puts the port into the aggregator with that number, which begins
// to exist with its first port, and reports whether the port can be in it.
func (s *System) recallAggregator(p *port, id int) bool {
	if id == 0 {
		return true
	}
	individual := !(p.actor.State & p.partner.State).Has(slow.Aggregation)
	actor, partner := endOf(p.actor), endOf(p.partner)
	i, found := slices.BinarySearchFunc(s.aggs, id, func(a *aggregator, id int) int { return cmp.Compare(a.id, id) })
	if !found {
		a := &aggregator{id: id, actor: actor, partner: partner, individual: individual}
		s.aggs = slices.Insert(s.aggs, i, a)
		s.lastID = max(s.lastID, id)
	}
	a := s.aggs[i]
	if a.actor != actor || a.partner != partner || found && (individual || a.individual) {
		return false
	}
	a.ports = append(a.ports, p)
	p.aggregator = a
	return true
}

// recallRest takes over what needs no thought.
func (p *port) recallRest(m *PortMemory) {
	p.passedOver, p.echoed = m.PassedOver, m.Echoed
	p.muxSince, p.changes = m.MuxSince, m.Changes
	p.flaps.total, p.flaps.recent, p.flaps.back = m.Flaps, max(0, m.Recent), m.Back
	for i, t := range p.remembered() {
		*t = m.timers()[i].timer()
	}
	p.actorChurn.recall(&m.ActorChurn)
	p.partnerChurn.recall(&m.PartnerChurn)
	if p.mayTransmit() { // it goes on to transmit, which is no news
		p.periodic = slowPeriodic
		if p.partner.State.Has(slow.Timeout) {
			p.periodic = fastPeriodic
		}
		p.setPeriodic(p.periodic, "resumed")
	}
	switch p.receive {
	case current:
		p.currentWhile.start(p.sys.now.Add(p.timeout()))
	case expired:
		p.setPartnerState(slow.Synchronization, false)
		p.currentWhile.start(p.sys.now.Add(ShortTimeoutTime))
	case portDisabled:
		p.setPartnerState(slow.Synchronization, false)
	case initialize, lacpDisabled, defaulted:
	}
}

// recall takes over a churn machine. One whose time runs is in the second of the
// two states that are called MONITOR.
func (c *churn) recall(m *ChurnMemory) {
	c.count, c.timer = m.Count, m.Timer.timer()
	c.state, _ = named(m.State, churned)
	if c.timer != (timer{}) {
		c.state = churnMonitor
	}
}

// recallActive makes the aggregator the active one that was it.
func (s *System) recallActive(m *Memory) {
	i := slices.IndexFunc(s.aggs, func(a *aggregator) bool { return a.id == m.Active })
	if i < 0 {
		return
	}
	s.active, s.activeReason = s.aggs[i], cmp.Or(m.Reason, "resumed")
	s.enough = m.Enough
	s.patience = m.Patience.timer()
}

// hearSince takes in what a partner said that was believed when the memory was
// written, as far as recordPDU and update_Selected of 6.4.9 would have. That it has
// come to be in sync meanwhile it will say again: the first LACPDU of this System says
// that it is not, which its update_NTT answers.
func (p *port) hearSince(s Since) {
	if p.receive != current {
		return
	}
	p.currentWhile.start(min(s.Heard, p.sys.now).Add(p.timeout()))
	had := p.partner
	if s.Spoke {
		p.partner.State = s.State
	}
	p.setPartnerState(slow.Synchronization,
		(had.State&p.partner.State).Has(slow.Synchronization) && !s.Stopped)
	p.echoed = p.echoed && !s.Stopped
	if identity(p.partner) != identity(had) {
		p.unselect("partner changed")
	}
}

// catchUp takes in what has changed since the memory was written.
func (p *port) catchUp(now AddPort) {
	p.priority = now.Priority
	p.setLink(now.Link)
	p.ntt = true
}
