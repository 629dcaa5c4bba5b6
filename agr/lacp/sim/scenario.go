package sim

import (
	"fmt"
	"strings"
	"time"

	"ifagr/agr/lacp"
)

// The parts of a cycle. A scenario is a number of cycles: faults, then quiet in
// which everything has to come to rest, and to stay so.
const (
	StormTime  = 240 * time.Second // in which faults happen
	SettleTime = 150 * time.Second // after the last one everything rests
	RestTime   = 510 * time.Second // and nothing may change any more
	CycleTime  = StormTime + SettleTime + RestTime
)

// Scenario is everything that one run needs besides the code: the same scenario
// gives the same run.
type Scenario struct {
	Seed     uint64
	Cycles   int
	Even     bool // all ends have one speed
	Systems  []System
	Segments []Segment
	Faults   []Fault // in the order of their times
}

// System is one system of a scenario.
type System struct {
	Config    lacp.Config
	Character Character
	// CollectorDelay is how long the system keeps a frame that it has received at
	// most. Its LACPDUs say so.
	CollectorDelay time.Duration `json:",omitempty"`
}

// Character is what a system does as long as it lives.
type Character uint8

// Characters.
const (
	Honest  Character = iota
	Refuses           // never says Synchronization
	Silent            // never answers a Marker
	Forgets           // clears Aggregation whenever it clears Synchronization
)

// String is the character in a word.
func (c Character) String() string {
	return [...]string{"honest", "refuses", "silent", "forgets"}[c]
}

// Segment is a cable, or with three ends a hub. Frames keep their order on it and
// take Delay, as long as no fault says otherwise.
type Segment struct {
	Ends  []End
	Delay time.Duration
}

// End is a port that is plugged into a segment.
type End struct {
	System   int
	Port     uint16
	Priority uint16
	Speed    uint64
}

// hub reports whether more than two ends hear each other.
func (s *Segment) hub() bool { return len(s.Ends) > 2 }

// looped reports whether both ends of a cable are in one system.
func (s *Segment) looped() bool { return !s.hub() && s.Ends[0].System == s.Ends[1].System }

// Fault is one thing that goes wrong, or is done by somebody, At a time For a
// while. What the other fields mean depends on its kind.
type Fault struct {
	At, For time.Duration
	Kind    Kind
	System  int           `json:",omitempty"`
	Segment int           `json:",omitempty"`
	End     int           `json:",omitempty"` // of the segment: the one that sends
	Other   int           `json:",omitempty"` // a second segment or system
	Ratio   float64       `json:",omitempty"`
	Delay   time.Duration `json:",omitempty"`
	Number  uint64        `json:",omitempty"` // a speed or priority
	Config  *lacp.Config  `json:",omitempty"`
}

// Kind is a kind of fault.
type Kind uint8

// Kinds of faults. Those of a direction of a segment are about what one end sends.
const (
	Loss          Kind = iota // frames of a direction are lost
	Duplicate                 // come twice
	Delay                     // come late, all by the same time
	Jitter                    // come late by different times, so out of order
	Corrupt                   // have a wrong bit
	Cut                       // are all lost, with the carrier still there
	Flap                      // a segment has no carrier
	Speed                     // an end sees another speed
	HalfDuplex                // an end sees a half-duplex link
	Swap                      // the far ends of two segments are exchanged
	Pause                     // a system's control does nothing
	Restart                   // a system dies without a word, forgets all, returns
	Leave                     // a system says farewell, stops, returns
	Jump                      // a system's clock is set ahead
	Options                   // a system is configured anew
	Static                    // a system has LACP turned off
	Priority                  // a port gets another priority
	RemoveInOrder             // a port leaves in order, and returns
	RemoveAtOnce              // a port is torn out, and returns
	SendFails                 // a port cannot send LACPDUs
	NeverSync                 // an end never says Synchronization
	Fickle                    // a system says that it is in sync, and that it is not, often
	SlowTalk                  // an end sends a LACPDU in 30 s, whatever it is asked for
	ClearAgg                  // an end clears Aggregation whenever it is not in sync
	LateMarkers               // a system answers Markers late
	NoMarkers                 // a system does not answer Markers
	Reflect                   // an end hears what it sends
	Forge                     // an end's LACPDUs name another system
	Strangers                 // an end hears LACPDUs of systems that are not there
	Succeed                   // a system's daemon dies, and its successor remembers
	Kinds                     // how many there are
)

// String is the kind in words.
func (k Kind) String() string {
	return [...]string{
		"loss", "duplicate", "delay", "jitter", "corrupt", "one-way cut", "flap", "speed", "half duplex",
		"swap", "pause", "restart", "leave", "clock step", "options", "static", "priority",
		"remove in order", "remove at once", "send fails", "never sync", "fickle", "slow talk", "clear aggregation",
		"late markers", "no markers", "reflect", "forge", "strangers", "succeed",
	}[k]
}

// String describes the scenario, a line for each part of it.
func (sc *Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %v\n", sc.Seed, sc.length())
	for i := range sc.Systems {
		s := &sc.Systems[i]
		fmt.Fprintf(&b, "system %s: %v, keeps frames for %v, %+v\n", systemName(i), s.Character, s.CollectorDelay, s.Config)
	}
	for i := range sc.Segments {
		fmt.Fprintf(&b, "segment %d: %v", i, sc.Segments[i].Delay)
		for _, e := range sc.Segments[i].Ends {
			fmt.Fprintf(&b, ", %s/%d (priority %d, %d Mb/s)", systemName(e.System), e.Port, e.Priority, e.Speed)
		}
		b.WriteByte('\n')
	}
	for i := range sc.Faults {
		fmt.Fprintf(&b, "%s\n", sc.Faults[i].text())
	}
	return b.String()
}

// length is how long the scenario lasts.
func (sc *Scenario) length() time.Duration { return time.Duration(sc.Cycles) * CycleTime }

// text is the fault on one line.
func (f *Fault) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%10.4f for %.4f: %v", f.At.Seconds(), f.For.Seconds(), f.Kind)
	if f.ofSystem() {
		fmt.Fprintf(&b, " of system %s", systemName(f.System))
	} else {
		fmt.Fprintf(&b, " of segment %d end %d", f.Segment, f.End)
	}
	for _, p := range []struct {
		name string
		zero bool
		is   any
	}{
		{"other", f.Other == 0, f.Other},
		{"ratio", f.Ratio == 0, f.Ratio},
		{"delay", f.Delay == 0, f.Delay},
		{"number", f.Number == 0, f.Number},
	} {
		if !p.zero {
			fmt.Fprintf(&b, ", %s %v", p.name, p.is)
		}
	}
	if f.Config != nil {
		fmt.Fprintf(&b, ", %+v", *f.Config)
	}
	return b.String()
}

// ofSystem reports whether the fault is about a system rather than a segment.
func (f *Fault) ofSystem() bool {
	switch f.Kind {
	case Pause, Restart, Succeed, Leave, Jump, Options, Static, Fickle, LateMarkers, NoMarkers:
		return true
	default:
		return false
	}
}

func systemName(i int) string { return string(rune('a' + i)) }
