package lacp

import (
	"fmt"

	"ifagr/agr/slow"
)

// Status is a picture of a System.
type Status struct {
	System      slow.System
	Active      int                // id of the active aggregator, 0 = none
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
	Reason       string  // in words, why it does not distribute; "" if it does
	MuxSince     Instant // when the mux state was entered
	Sent         uint64  // LACPDUs given out by Ready, the farewell included
	StateChanges uint64  // of the mux
}

// Status is a picture of the System as the last event left it. It shares no
// memory with the System.
func (s *System) Status() Status {
	st := Status{System: s.cfg.System}
	if s.active != nil {
		st.Active = s.active.id
	}
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
	st := PortStatus{
		Number: p.number, Name: p.name, Link: p.link,
		Selected: p.selected.String(), Receive: p.receive.String(),
		Mux: p.mux.String(), Periodic: p.periodic.String(),
		Actor: p.actor, Partner: p.partner, Loopback: p.loopback,
		Collecting:   p.actor.State.Has(slow.Collecting),
		Distributing: p.actor.State.Has(slow.Distributing),
		Reason:       p.reason(),
		MuxSince:     p.muxSince, Sent: p.sent, StateChanges: p.changes,
	}
	if p.aggregator != nil {
		st.Aggregator = p.aggregator.id
	}
	return st
}

// reason says in words why the port does not distribute: the first obstacle on
// the way that a port takes.
func (p *port) reason() string {
	switch {
	case p.mux == distributing:
		return ""
	case p.sys.left:
		return "stopped"
	case !p.link.Up:
		return "no link"
	case p.loopback:
		return "loopback: the far end is this system"
	case !p.hasPartner() && !p.sys.optimistic():
		return "no LACP partner"
	case p.selected == standby:
		return p.standbyReason()
	case p.mux == waiting:
		return "waiting for the ports to settle"
	case p.receive == expired && p.hasPartner():
		return "partner has fallen silent"
	case p.receive == expired:
		return "waiting for a LACP partner"
	case !p.partner.State.Has(slow.Synchronization):
		return "partner is not in sync"
	case !p.partnerKnows():
		return "partner may not know yet that we are in sync"
	default:
		return "partner does not collect"
	}
}

// standbyReason says in what way the port's aggregator differs from the active
// one.
func (p *port) standbyReason() string {
	own, active := p.aggregator, p.sys.active
	switch {
	case active == nil:
		return "standby: no aggregator is active"
	case p.passedOver && p.hasPartner():
		return "standby: the partner did not agree in time"
	case own.individual:
		return "standby: an individual link cannot be aggregated"
	case !p.hasPartner() && active.hasPartner():
		return "standby: no LACP partner, unlike the active aggregator"
	case own.partner.System != active.partner.System:
		return fmt.Sprintf("standby: partner system %s, the active aggregator's is %s",
			systemName(own.partner.System), systemName(active.partner.System))
	case own.partner.Key != active.partner.Key:
		return fmt.Sprintf("standby: partner key %d, the active aggregator's is %d",
			own.partner.Key, active.partner.Key)
	default:
		return fmt.Sprintf("standby: key %d (by speed), the active aggregator's is %d",
			own.actor.Key, active.actor.Key)
	}
}

func systemName(id slow.System) string { return fmt.Sprintf("%04x,%s", id.Priority, id.Addr) }
