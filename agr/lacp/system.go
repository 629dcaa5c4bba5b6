package lacp

import (
	"fmt"

	"ifagr/agr/slow"
)

// System is one end of a link aggregation: its ports, its aggregators, of which
// one is active, and their machines. It is not safe for concurrent use.
type System struct {
	cfg      Config
	now      Instant
	left     bool
	ports    []*port       // in the order of AddPort
	aggs     []*aggregator // in the order of their creation
	lastID   int           // of the aggregator created last
	active   *aggregator
	patience timer // while the active aggregator is refused
	links    int   // of its ports are attached with their partner in sync
	enough   bool  // there are so many that they may carry frames

	out          Ready
	activeID     int    // the active aggregator that out has told of
	activeReason string // why it is the one
}

// New returns a System without ports.
func New(cfg Config) *System { return &System{cfg: cfg} }

// Step takes in one event at the time now. It fires no timer, so that an event
// that waited in a queue counts before the timers that ran out meanwhile. A now
// before the latest one counts as the latest one.
func (s *System) Step(now Instant, e Event) {
	s.clock(now)
	e.apply(s)
	s.run()
}

// Advance fires the timers that are due at the time now.
func (s *System) Advance(now Instant) {
	s.clock(now)
	s.patience.expire(s.now)
	for _, p := range s.ports {
		for _, t := range p.timers() {
			t.expire(s.now)
		}
	}
	s.run()
}

// Deadline is when Advance must be called next, and false when nothing is
// waiting for time to pass. What Ready has to give does not wait.
func (s *System) Deadline() (Instant, bool) {
	if len(s.out.Send)+len(s.out.Mux)+len(s.out.Transitions) > 0 {
		return s.now, true
	}
	if s.left {
		return 0, false
	}
	at, ok := s.patience.earliest(0, false)
	for _, p := range s.ports {
		for _, t := range p.timers() {
			at, ok = t.earliest(at, ok)
		}
		if next := p.nextTransmit(); p.ntt && (!ok || next < at) {
			at, ok = next, true
		}
	}
	return at, ok
}

func (s *System) clock(now Instant) { s.now = max(s.now, now) }

// port finds a port by its number, or nil.
func (s *System) port(number uint16) *port {
	for _, p := range s.ports {
		if p.number == number {
			return p
		}
	}
	return nil
}

// run evaluates all machines until nothing changes, then transmits: a LACPDU
// thus carries the state in which the event has left its port.
func (s *System) run() {
	for !s.left && s.evaluate() {
	}
	for _, p := range s.ports {
		p.received = false
		p.runChurn()
		p.runPeriodic()
		p.transmit()
		s.report(p)
	}
	s.reportActive()
}

// evaluate lets each machine move once to where it rests, and reports whether
// one of them moved. The mux goes before selection because a port takes a new
// aggregator only after it has been detached from the old one.
func (s *System) evaluate() bool {
	moved := false
	for _, p := range s.ports {
		moved = p.runReceive() || moved
	}
	for _, p := range s.ports {
		moved = p.runMux() || moved
	}
	moved = s.placePorts() || moved
	moved = s.arbitrate() || moved
	return s.countLinks() || moved
}

// dismiss detaches a port for good and says farewell, if the port has a voice:
// Synchronization, Collecting and Distributing are clear, Aggregation is as it
// was, because some partners shut down a port whose Aggregation vanishes.
// The farewell is exempt from the transmit limit (design D6).
func (s *System) dismiss(p *port, farewell bool, reason string) {
	voice := p.periodic != noPeriodic
	p.unselect(reason)
	p.runMux()
	if voice && farewell {
		p.send(true)
	}
	p.setPeriodic(noPeriodic, reason)
	p.currentWhile.stop()
	p.ntt = false
	s.report(p)
}

// report tells the driver what a port may do when that has changed.
func (s *System) report(p *port) {
	m := MuxChange{
		Port:         p.number,
		Collecting:   p.actor.State.Has(slow.Collecting),
		Distributing: p.actor.State.Has(slow.Distributing),
	}
	if m.Collecting != p.told.Collecting || m.Distributing != p.told.Distributing {
		p.told = m
		s.out.Mux = append(s.out.Mux, m)
	}
}

// reportActive tells the driver that another aggregator is active.
func (s *System) reportActive() {
	id := 0
	if s.active != nil {
		id = s.active.id
	}
	if id == s.activeID {
		return
	}
	s.out.ActiveChanged = true
	s.out.Transitions = append(s.out.Transitions, Transition{
		Machine: "aggregator",
		From:    aggregatorName(s.activeID),
		To:      aggregatorName(id),
		Reason:  s.activeReason,
	})
	s.activeID = id
}

func aggregatorName(id int) string {
	if id == 0 {
		return "none"
	}
	return fmt.Sprint(id)
}
