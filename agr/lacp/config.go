package lacp

import (
	"time"

	"ifagr/agr/slow"
)

// Config is what an administrator decides about a System. The zero value is an
// active system with the long timeout and agr(4)'s optimistic default partner.
// Everything may change at any time, by Configure. What the partner does not see
// takes effect at once and stops no port that may go on.
type Config struct {
	// System is the system identifier. While its address is zero there is none
	// and nothing is sent.
	System slow.System
	// Passive clears LACP_Activity: speak only when spoken to.
	Passive bool
	// ShortTimeout sets LACP_Timeout: the partner is asked for a LACPDU every
	// second and expires after three.
	ShortTimeout bool
	// Static neither sends nor processes LACPDUs (agr(4)'s link1): every port
	// has the optimistic default partner, whatever Fallback says.
	Static bool
	// Coupled selects the mux machine with coupled control: a port collects and
	// distributes as soon as its partner is in sync.
	Coupled bool
	// KeyBase is bits 5 to 14 of the operational key, 0..1023. The bits below
	// are the class of the port's speed.
	KeyBase uint16
	// Key, unless it is 0, is the key of every full-duplex port, 1..32767.
	Key uint16
	// MinLinks is how many ports it takes before any of them carries frames.
	MinLinks MinLinks
	// MaxPorts, unless it is 0, is how many ports of the active aggregator are
	// SELECTED at most. The others are STANDBY and take over.
	MaxPorts int
	// Fallback says which ports without LACP partner carry frames.
	Fallback Fallback
	// FallbackAfter is how long a port is in DEFAULTED before that; 0 = at once.
	FallbackAfter time.Duration
	// WaitToRestore keeps ports out whose links flap.
	WaitToRestore WaitToRestore
}

// MinLinks are thresholds for the number of ports that are attached with their
// partner in sync (design D9). Such ports are counted, and not those that
// distribute, because two ends that both waited for that would wait for ever.
type MinLinks struct {
	Up   int // so many it takes to begin; 0 = 1
	Down int // with fewer all of them stop; 0, or more than Up = Up
}

// thresholds are the numbers that hold.
func (m MinLinks) thresholds() (up, down int) {
	up = max(m.Up, 1)
	if m.Down < 1 || m.Down > up {
		return up, up
	}
	return up, m.Down
}

// Fallback says what becomes of ports that hear no LACPDU. While the active
// aggregator is one of such ports, MinLinks counts as 1. It ends with the first
// LACPDU of another system on any port.
type Fallback uint8

const (
	// FallbackAll gives all of them the optimistic default partner, as agr(4)
	// does: they forward.
	FallbackAll Fallback = iota
	// FallbackSingle does so, and lets one of them forward: the one with the
	// numerically lowest priority, then number.
	FallbackSingle
	// FallbackNone lets no port forward that has no LACP partner.
	FallbackNone
)

// String is the word for it.
func (f Fallback) String() string { return [...]string{"all", "single", "none"}[f] }

// WaitToRestore keeps a port STANDBY for some time after its link has come back,
// with Synchronization clear, so that the partner knows. A port that is needed
// because no other can carry frames is not kept out.
type WaitToRestore struct {
	Min time.Duration // after the first loss of the link; 0 = off
	Max time.Duration // it doubles with each loss up to this; less than Min = Min
}

// after is how long a port is kept out that has lost its link so many times.
func (w WaitToRestore) after(flaps int) time.Duration {
	if w.Min <= 0 || flaps == 0 {
		return 0
	}
	d := w.Min
	for i := 1; i < flaps && d < w.Max; i++ {
		d *= 2
	}
	return max(w.Min, min(d, w.Max))
}
