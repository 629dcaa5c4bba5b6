package lacp

import (
	"slices"

	"ifagr/agr/slow"
)

// Status is a picture of a System.
type Status struct {
	System      slow.System        // Config.System
	Config      Config             // as it was given
	Active      int                // id of the active aggregator, 0 = none
	Fallback    bool               // its ports have no LACP partner
	Links       int                // ports that count for Config.MinLinks
	Enough      bool               // there are so many that they may carry frames
	Aggregators []AggregatorStatus // in the order of their creation
	Ports       []PortStatus       // in the order of AddPort
}

// AggregatorStatus is one LAG ID that at least one port has selected.
type AggregatorStatus struct {
	ID         int // 1, 2, ...; never used again
	Active     bool
	Individual bool // has one port and takes no other
	Actor      LAGEnd
	Partner    LAGEnd
	Speed      uint64   // of the ports that could carry frames if it were active, Mb/s
	Ports      []uint16 // numbers
}

// PortStatus is one port. The states are the standard's names.
type PortStatus struct {
	Number       uint16
	Name         string
	Link         Link
	Aggregator   int // id, 0 = none
	Selected     string
	Receive      string
	Mux          string
	Periodic     string
	Actor        slow.PortInfo
	Partner      slow.PortInfo
	Loopback     bool // the far end is this very system
	Collecting   bool
	Distributing bool
	Held         bool    // kept out because its link has flapped
	Reason       string  // in words, why it does not distribute; "" if it does
	Until        Instant // when the time is over that Reason names; 0 = it names none
	MuxSince     Instant // when the mux state was entered
	Sent         uint64  // LACPDUs given out by Ready, the farewell included
	StateChanges uint64  // of the mux
	Flaps        uint64  // losses of the link

	// Churn detection (IEEE 802.1AX-2014 6.4.17): MONITOR, NO_CHURN or CHURN, and
	// how often it was CHURN.
	ActorChurn, PartnerChurn   string
	ActorChurns, PartnerChurns uint64
}

// Status is a picture of the System as the last event left it: times in reasons
// count from there, so a caller who shows them calls Advance before. It shares no
// memory with the System.
func (s *System) Status() Status {
	st := Status{System: s.cfg.System, Config: s.cfg, Links: s.links, Enough: s.enough}
	if s.active != nil {
		st.Active = s.active.id
		st.Fallback = s.active.fallback()
	}
	st.Aggregators = slices.Grow(st.Aggregators, len(s.aggs))
	st.Ports = slices.Grow(st.Ports, len(s.ports))
	for _, a := range s.aggs {
		st.Aggregators = append(st.Aggregators, a.status(a == s.active))
	}
	for _, p := range s.ports {
		st.Ports = append(st.Ports, p.status())
	}
	return st
}

func (a *aggregator) status(active bool) AggregatorStatus {
	st := AggregatorStatus{
		ID: a.id, Active: active, Individual: a.individual,
		Actor: a.actor, Partner: a.partner, Speed: a.bandwidth(),
	}
	for _, p := range a.ports {
		st.Ports = append(st.Ports, p.number)
	}
	return st
}

func (p *port) status() PortStatus {
	reason, until := p.reason()
	st := PortStatus{
		Number: p.number, Name: p.name, Link: p.link,
		Selected: p.selected.String(), Receive: p.receive.String(),
		Mux: p.mux.String(), Periodic: p.periodic.String(),
		Actor: p.actor, Partner: p.partner, Loopback: p.loopback,
		Collecting:   p.actor.State.Has(slow.Collecting),
		Distributing: p.actor.State.Has(slow.Distributing),
		Held:         p.held(), Reason: reason, Until: until,
		MuxSince: p.muxSince, Sent: p.sent, StateChanges: p.changes, Flaps: p.flaps.total,
		ActorChurn: p.actorChurn.state.String(), ActorChurns: p.actorChurn.count,
		PartnerChurn: p.partnerChurn.state.String(), PartnerChurns: p.partnerChurn.count,
	}
	if p.aggregator != nil {
		st.Aggregator = p.aggregator.id
	}
	return st
}
