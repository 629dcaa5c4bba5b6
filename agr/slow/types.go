package slow

import (
	"strings"

	"ifagr/netutil/ether"
)

// Subtypes of the slow protocols (IEEE 802.3 table 57A-3).
const (
	SubtypeLACP   = 1
	SubtypeMarker = 2
)

// FrameLen is the length of every frame that this package makes: 124 octets
// without FCS.
const FrameLen = 124

// State is the state octet of an Actor or Partner (IEEE 802.1AX-2014 6.4.2.3).
type State uint8

// Bits of State, in the order of the standard.
const (
	Activity        State = 1 << iota // LACP_Activity: 1 = active
	Timeout                           // LACP_Timeout: 1 = short
	Aggregation                       // 0 = individual link
	Synchronization                   // in the right aggregator
	Collecting
	Distributing
	Defaulted // the partner information is administrative
	Expired   // the receive machine is in EXPIRED
)

var stateNames = [...]string{
	"ACTIVITY", "TIMEOUT", "AGGREGATION", "SYNC",
	"COLLECTING", "DISTRIBUTING", "DEFAULTED", "EXPIRED",
}

// Has reports whether all bits of mask are set.
func (s State) Has(mask State) bool { return s&mask == mask }

// With returns s with the bits of mask set or cleared.
func (s State) With(mask State, on bool) State {
	if on {
		return s | mask
	}
	return s &^ mask
}

// Names lists the set bits by the names that NetBSD's lagg(4) prints, in
// ascending bit order.
func (s State) Names() []string {
	var n []string
	for i, name := range stateNames {
		if s&(1<<i) != 0 {
			n = append(n, name)
		}
	}
	return n
}

// String is the names joined with commas.
func (s State) String() string { return strings.Join(s.Names(), ",") }

// System is a system identifier: a numerically lower one is the better.
type System struct {
	Priority uint16     `json:"priority"`
	Addr     ether.Addr `json:"addr"`
}

// PortInfo is what one end of a link says of itself in a LACPDU: the Actor's
// information, or what the Actor believes to be its Partner's.
type PortInfo struct {
	System   System `json:"system"`
	Key      uint16 `json:"key"`
	Priority uint16 `json:"priority"` // port priority
	Port     uint16 `json:"port"`     // port number
	State    State  `json:"state"`
}

// LACPDU is a Link Aggregation Control PDU. Version is what was received (any
// value is accepted) and is always sent as 1.
type LACPDU struct {
	Version           uint8
	Actor             PortInfo
	Partner           PortInfo
	CollectorMaxDelay uint16 // in tens of microseconds
}

// Marker TLV types (IEEE 802.1AX-2014 6.5.3.2).
const (
	MarkerInformation = 1
	MarkerResponse    = 2
)

// Marker is a Marker PDU or a Marker Response PDU.
type Marker struct {
	Type            uint8 // MarkerInformation or MarkerResponse
	RequesterPort   uint16
	RequesterSystem ether.Addr
	TransactionID   uint32
}
