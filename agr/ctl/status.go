package ctl

import (
	"time"

	"ifagr/netutil/ether"
)

// StatusVersion is the version of the Status document; it changes only when a
// field changes its meaning or disappears.
const StatusVersion = 1

// PortFlags are NetBSD's flags of an agr(4) port.
type PortFlags uint32

// Bits of PortFlags (struct agrportinfo of NetBSD's if_agrioctl.h).
const (
	PortCollecting   PortFlags = 1 << 0
	PortDistributing PortFlags = 1 << 1
)

// PortInfo is one entry of the port list of SIOCGETAGR (struct agrportinfo).
type PortInfo struct {
	Name  string
	Flags PortFlags
}

// LinkFlags are NetBSD's driver flags of an agr interface, which Linux has not.
type LinkFlags uint16

// Bits of LinkFlags, with the values of NetBSD's IFF_LINK0, IFF_LINK1 and
// IFF_LINK2.
const (
	Link0 LinkFlags = 0x1000 // round robin
	Link1 LinkFlags = 0x2000 // static: no LACP, no Marker
	Link2 LinkFlags = 0x4000 // without meaning for agr(4)
)

// Status is everything agrd knows about one agr interface.
type Status struct {
	Version     int          `json:"version"` // StatusVersion
	Name        string       `json:"name"`
	Index       int          `json:"ifindex"`
	MAC         ether.Addr   `json:"mac"`
	Datapath    string       `json:"datapath"`     // "user" or "kernel"
	DatapathWhy string       `json:"datapath_why"` // why it is that one; empty when nobody knows any more
	Shield      string       `json:"shield"`       // what keeps data frames from the ports' own stacks
	RoundRobin  bool         `json:"round_robin"`  // link0
	Static      bool         `json:"static"`       // link1
	LinkFlags   LinkFlags    `json:"link_flags"`   // link0-2 as set
	Options     Options      `json:"options"`      // what agr(4) cannot configure
	Carrier     bool         `json:"carrier"`      // a port distributes
	Active      int          `json:"active"`       // id of the active aggregator, 0 = none
	Fallback    bool         `json:"fallback"`     // its ports have no LACP partner
	Links       int          `json:"links"`        // ports that count for min-links
	Speed       uint64       `json:"speed"`        // sum of the distributing ports, Mb/s
	Aggregators []Aggregator `json:"aggregators"`
	Ports       []PortStatus `json:"ports"`              // in the order of their agrport
	Conflict    string       `json:"conflict,omitempty"` // what another tool changed of its interfaces and was not put back
	Drops       uint64       `json:"drops"`              // frames no port could be chosen for, or no room was for while they were held
	Held        uint64       `json:"held"`               // frames that wait now until their conversation has moved

	Conversations []Conversation `json:"conversations"` // all 256, by their number
}

// Conversation is one of the 256 shares of an agr interface's frames.
type Conversation struct {
	Port   uint16 `json:"port"`           // LACP number of the port that it is sent through, 0 = none
	Next   uint16 `json:"next,omitempty"` // of the port that it moves to when it can
	Held   bool   `json:"held,omitempty"` // its frames wait until it has moved
	Frames uint64 `json:"frames"`         // sent, since the interface was made or the daemon started
	Bytes  uint64 `json:"bytes"`
}

// Aggregator is one LAG ID that at least one port has selected.
type Aggregator struct {
	ID         int    `json:"id"`
	Active     bool   `json:"active"`
	Individual bool   `json:"individual"`
	Actor      LAGEnd `json:"actor"`
	Partner    LAGEnd `json:"partner"`
	Speed      uint64 `json:"speed"` // Mb/s that it has or could have
}

// LAGEnd is one half of a LAG ID.
type LAGEnd struct {
	SystemPriority uint16     `json:"system_priority"`
	System         ether.Addr `json:"system"`
	Key            uint16     `json:"key"`
}

// PortStatus is one port of an agr interface.
type PortStatus struct {
	Name         string     `json:"name"`
	Index        int        `json:"ifindex"`
	Number       uint16     `json:"number"` // LACP port number
	Flags        PortFlags  `json:"flags"`
	OwnMAC       ether.Addr `json:"own_mac"` // the address it had before
	Up           bool       `json:"up"`      // administratively
	Carrier      bool       `json:"carrier"`
	Speed        uint64     `json:"speed"` // Mb/s, 0 = unknown
	HalfDuplex   bool       `json:"half_duplex"`
	Aggregator   int        `json:"aggregator"` // id, 0 = none
	Selected     string     `json:"selected"`   // UNSELECTED, SELECTED, STANDBY
	Receive      string     `json:"receive"`    // state of the receive machine
	Mux          string     `json:"mux"`
	Periodic     string     `json:"periodic"`
	Loopback     bool       `json:"loopback"`
	Actor        LACPEnd    `json:"actor"`
	Partner      LACPEnd    `json:"partner"`
	Reason       string     `json:"reason,omitempty"`        // why it does not distribute
	Until        time.Time  `json:"until,omitzero"`          // when the time is over that the reason names
	HeldUntil    time.Time  `json:"held_until,omitzero"`     // it is kept out because its link has flapped
	LastPartner  *Heard     `json:"last_partner,omitempty"`  // who spoke LACP last, and when
	ForeignAddrs []string   `json:"foreign_addrs,omitempty"` // addresses another tool added
	Conflict     string     `json:"conflict,omitempty"`      // a setting another tool keeps changing
	LastChange   time.Time  `json:"last_change,omitzero"`    // of the mux state
	Keepalive    bool       `json:"keepalive"`               // the kernel speaks for a daemon that is late or dead
	KeepaliveWhy string     `json:"keepalive_why,omitempty"` // why it does not
	Conversation int        `json:"conversations"`           // how many of the 256 are sent here
	Holding      int        `json:"held_conversations"`      // how many wait to move away from here
	Counters     Counters   `json:"counters"`

	// Churn detection (IEEE 802.1AX-2014 6.4.17): MONITOR, NO_CHURN or CHURN, and
	// how often it was CHURN.
	ActorChurn    string `json:"actor_churn"`
	PartnerChurn  string `json:"partner_churn"`
	ActorChurns   uint64 `json:"actor_churns"`
	PartnerChurns uint64 `json:"partner_churns"`

	History []Change `json:"history"` // the last transitions, oldest first
}

// HistoryLength is how many transitions of a port are kept.
const HistoryLength = 64

// Change is a transition of one of a port's machines.
type Change struct {
	Time    time.Time `json:"time"`
	Machine string    `json:"machine"` // as in Transition
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason"`
}

// Heard is what a partner said last of itself.
type Heard struct {
	LACPEnd
	Time time.Time `json:"time"`
}

// LACPEnd is the Actor's or the Partner's operational information.
type LACPEnd struct {
	SystemPriority uint16     `json:"system_priority"`
	System         ether.Addr `json:"system"`
	Key            uint16     `json:"key"`
	PortPriority   uint16     `json:"port_priority"`
	Port           uint16     `json:"port"`
	State          uint8      `json:"state"`
}

// Counters of one port. All count from the port's agrport on.
type Counters struct {
	LACPRx        uint64 `json:"lacp_rx"`
	LACPTx        uint64 `json:"lacp_tx"`
	LACPTxErrors  uint64 `json:"lacp_tx_errors"` // not sent, and tried again
	LACPAnswered  uint64 `json:"lacp_answered"`  // sent by the kernel for a daemon that was late or dead
	LACPBad       Bad    `json:"lacp_bad"`
	LACPStrangers uint64 `json:"lacp_strangers"` // of others than the partner, who goes on to speak; ignored
	MarkerRx      uint64 `json:"marker_rx"`
	MarkerTx      uint64 `json:"marker_tx"`
	MarkerBad     Bad    `json:"marker_bad"`
	UnknownRx     uint64 `json:"unknown_rx"`   // other slow-protocol subtypes
	SlowDropped   uint64 `json:"slow_dropped"` // slow-protocol frames over the budget of a port
	RxFrames      uint64 `json:"rx_frames"`    // handed to agr0
	RxBytes       uint64 `json:"rx_bytes"`
	RxDropped     uint64 `json:"rx_dropped"` // port not collecting
	TxFrames      uint64 `json:"tx_frames"`
	TxBytes       uint64 `json:"tx_bytes"`
	TxErrors      uint64 `json:"tx_errors"`
	Flaps         uint64 `json:"flaps"` // carrier losses
	StateChanges  uint64 `json:"state_changes"`
}

// Bad counts the PDUs that were refused, by what was wrong with them (IEEE
// 802.1AX-2014 6.4.12, 6.5.4).
type Bad struct {
	Short  uint64 `json:"short"`  // less than 124 octets
	Length uint64 `json:"length"` // of a LACPDU's TLV
	Type   uint64 `json:"type"`   // of a Marker: neither Information nor Response
}

// Total is how many there were.
func (b Bad) Total() uint64 { return b.Short + b.Length + b.Type }

// Transition is one event of the stream that `agrd monitor` shows: a change of a
// state, or one of the machines below.
type Transition struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Agr     string    `json:"agr"`
	Port    string    `json:"port,omitempty"`
	Machine string    `json:"machine"` // receive, periodic, mux, selected, actor churn, partner churn, link, aggregator, agr
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason,omitempty"`

	States map[string]string `json:"states,omitempty"` // of MachineSnapshot: the state of each machine
	Missed uint64            `json:"missed,omitempty"` // of MachineMissed: how many
}

// Machines of a Transition that is no change of a state.
const (
	// MachineSnapshot is the present state of a port, or of an agr interface. A
	// stream begins with one for each, and has them again behind MachineMissed.
	// Seq is that of the last change which it includes.
	MachineSnapshot = "snapshot"
	// MachineMissed stands for changes that a reader was too slow for. Seq is that
	// of the last of them.
	MachineMissed = "missed"
	// MachineDaemon is the daemon itself, gone or serving. No daemon sends it: a
	// reader that goes on with the next one puts it between the two. Seq is 0, and the
	// next daemon counts from 1.
	MachineDaemon = "daemon"
)
