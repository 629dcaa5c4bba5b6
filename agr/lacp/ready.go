package lacp

import "ifagr/agr/slow"

// Ready is what there is to do. Each list is in the order in which it arose; the
// three have no order in common. A driver carries out all of Mux before it sends
// anything of Send: a LACPDU may not say that a port collects before it does, nor
// that it has stopped while frames still leave.
type Ready struct {
	Send          []Transmit
	Mux           []MuxChange
	Transitions   []Transition
	ActiveChanged bool // another aggregator is active now, or none
}

// Transmit is a LACPDU to send on a port.
type Transmit struct {
	Port     uint16
	PDU      slow.LACPDU
	Farewell bool    // the last one of this port
	Made     Instant // when; it leaves a little later
}

// MuxChange says what a port may do from now on.
type MuxChange struct {
	Port         uint16
	Collecting   bool // frames received on it may be delivered
	Distributing bool // frames may be sent on it
}

// Transition is a change of a state, for logs and people.
type Transition struct {
	Port    uint16 // 0: the System itself
	Name    string // the port's
	Machine string // receive, periodic, mux, selected, aggregator, link
	From    string
	To      string
	Reason  string // in words, lower case
}

// Ready takes what has accumulated since the last call.
func (s *System) Ready() Ready {
	r := s.out
	s.out = Ready{}
	return r
}
