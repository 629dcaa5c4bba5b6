package lacp

import (
	"slices"

	"ifagr/agr/slow"
)

// A System's memory is what another one needs to go on in its place: after a crash
// or an upgrade the partners must not see that anything has happened. It is written
// down whenever it has changed, so it has no part that changes with each LACPDU.
//
//	Memory -> file -> Resume -> the first LACPDU repeats what the last one said

// Memory is what a System has in mind. Instants in it are of the System that it
// was taken from: they mean something only to one with the same origin of time.
type Memory struct {
	Static   bool         `json:"static,omitempty"` // Config.Static
	LastID   int          `json:"last_id"`          // of the aggregator created last
	Active   int          `json:"active"`           // id of the active aggregator, 0 = none
	Reason   string       `json:"reason,omitempty"` // why it is the one
	Enough   bool         `json:"enough"`           // it has enough ports
	Patience Timer        `json:"patience"`
	Ports    []PortMemory `json:"ports"`
}

// PortMemory is what a System has in mind of a port. Two can be compared with ==.
type PortMemory struct {
	Number     uint16        `json:"number"`
	Link       Link          `json:"link"`
	Actor      slow.PortInfo `json:"actor"`
	Partner    slow.PortInfo `json:"partner"`
	Receive    string        `json:"receive"`
	Mux        string        `json:"mux"`
	Selected   string        `json:"selected"`
	Aggregator int           `json:"aggregator"` // id, 0 = none
	PassedOver bool          `json:"passed_over,omitempty"`
	Echoed     bool          `json:"echoed,omitempty"`
	MuxSince   Instant       `json:"mux_since"`
	Changes    uint64        `json:"changes"`
	Flaps      uint64        `json:"flaps,omitempty"`
	Recent     int           `json:"recent_flaps,omitempty"`
	Back       Instant       `json:"back,omitempty"`

	Fallback  Timer `json:"fallback"`
	Refusal   Timer `json:"refusal"`
	Hold      Timer `json:"hold"`
	WaitWhile Timer `json:"wait_while"`
	WaitMost  Timer `json:"wait_most"`
	SyncSent  Timer `json:"sync_sent"`

	ActorChurn   ChurnMemory `json:"actor_churn"`
	PartnerChurn ChurnMemory `json:"partner_churn"`
}

// Timer is one of the standard's timers. It runs, has expired or neither.
type Timer struct {
	At      Instant `json:"at,omitempty"`
	Running bool    `json:"running,omitempty"`
	Expired bool    `json:"expired,omitempty"`
}

// ChurnMemory is a churn detection machine.
type ChurnMemory struct {
	State string `json:"state"`
	Timer Timer  `json:"timer"`
	Count uint64 `json:"count,omitempty"`
}

// Equal reports whether two Systems have the same in mind.
func (m *Memory) Equal(o *Memory) bool {
	return m.Static == o.Static && m.LastID == o.LastID && m.Active == o.Active && m.Reason == o.Reason &&
		m.Enough == o.Enough && m.Patience == o.Patience && slices.Equal(m.Ports, o.Ports)
}

// Remember writes down what the System has in mind into m, whose Ports are used
// again. After Leave there is nothing worth it.
func (s *System) Remember(m *Memory) {
	*m = Memory{
		Static: s.cfg.Static, LastID: s.lastID, Reason: s.activeReason, Enough: s.enough,
		Patience: s.patience.memory(), Ports: m.Ports[:0],
	}
	if s.left {
		return
	}
	if s.active != nil {
		m.Active = s.active.id
	}
	for _, p := range s.ports {
		m.Ports = append(m.Ports, p.memory())
	}
}

func (p *port) memory() PortMemory {
	m := PortMemory{
		Number: p.number, Link: p.link, Actor: p.actor, Partner: p.partner,
		Receive: p.receive.String(), Mux: p.mux.String(), Selected: p.selected.String(),
		PassedOver: p.passedOver, Echoed: p.echoed,
		MuxSince: p.muxSince, Changes: p.changes,
		Flaps: p.flaps.total, Recent: p.flaps.recent, Back: p.flaps.back,
		ActorChurn: p.actorChurn.memory(), PartnerChurn: p.partnerChurn.memory(),
	}
	for i, t := range p.remembered() {
		*m.timers()[i] = t.memory()
	}
	if p.aggregator != nil {
		m.Aggregator = p.aggregator.id
	}
	return m
}

// remembered are the timers that go on where they were. The others start anew:
// current_while, because the partner is believed for as long as if it had just
// spoken, and periodic_timer, because a LACPDU is sent at once.
func (p *port) remembered() [6]*timer {
	return [...]*timer{&p.fallback, &p.refusal, &p.flaps.hold, &p.waitWhile, &p.waitMost, &p.syncSent}
}

// timers are the same of a memory.
func (m *PortMemory) timers() [6]*Timer {
	return [...]*Timer{&m.Fallback, &m.Refusal, &m.Hold, &m.WaitWhile, &m.WaitMost, &m.SyncSent}
}

func (t *timer) memory() Timer { return Timer{At: t.at, Running: t.running, Expired: t.expired} }

// timer is the timer of a memory; one that runs and has expired has expired.
func (t Timer) timer() timer {
	switch {
	case t.Expired:
		return timer{expired: true}
	case t.Running:
		return timer{at: t.At, running: true}
	default:
		return timer{}
	}
}

func (c *churn) memory() ChurnMemory {
	return ChurnMemory{State: c.state.String(), Timer: c.timer.memory(), Count: c.count}
}
