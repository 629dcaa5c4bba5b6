package lacp

import "time"

// Instant is a point in monotonic time, measured from an origin that the caller
// chooses once for a System.
type Instant time.Duration

// Add is the instant d after i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// String formats the instant as the time since the origin.
func (i Instant) String() string { return time.Duration(i).String() }

// Times and limits of IEEE 802.1AX-2014 6.4.4 and 6.4.16.
const (
	FastPeriodicTime  = 1 * time.Second  // between LACPDUs to a partner with the short timeout
	SlowPeriodicTime  = 30 * time.Second // to one with the long timeout
	ShortTimeoutTime  = 3 * time.Second  // a partner asked for fast LACPDUs expires after
	LongTimeoutTime   = 90 * time.Second // any other expires after
	AggregateWaitTime = 2 * time.Second  // in WAITING, so that ports attach together
	TransmitWindow    = FastPeriodicTime // sliding window of the transmit limit
	TransmitLimit     = 3                // LACPDUs of a port in any such window

	ChurnDetectionTime = 60 * time.Second // out of sync for so long is churn
)

// QuietTime is how long a port must have been back, and not kept out any more,
// for WaitToRestore to forget the losses of its link.
const QuietTime = 5 * time.Minute

// A System whose active aggregator is refused by its partner for these times gives
// way to another one that is not. The end with the worse system identifier loses
// patience first, so two ends that disagree cannot swap for ever.
const (
	PatienceWorse  = 6 * time.Second
	PatienceBetter = 12 * time.Second
)

// SyncGraceTime is what a partner that does not say so is given to process our
// Synchronization before frames are sent to it.
const SyncGraceTime = 250 * time.Millisecond

// UnknownSpeed is what a port of unknown speed counts when aggregators are
// compared, in Mb/s: never nothing, so that virtual interfaces work.
const UnknownSpeed = 10

// Link is what is known of a port's link.
type Link struct {
	Up         bool   // administratively up, with carrier
	Speed      uint64 // Mb/s, 0 = unknown
	HalfDuplex bool   // such a port is individual and speaks no LACP
}

// receiveState is the state of the receive machine (IEEE 802.1AX-2014 6.4.12).
type receiveState uint8

const (
	initialize receiveState = iota
	portDisabled
	expired
	lacpDisabled
	defaulted
	current
)

// String is the standard's name.
func (s receiveState) String() string {
	return [...]string{
		"INITIALIZE", "PORT_DISABLED", "EXPIRED", "LACP_DISABLED", "DEFAULTED", "CURRENT",
	}[s]
}

// periodicState is the state of the periodic machine (IEEE 802.1AX-2014 6.4.13).
// PERIODIC_TX is left in the moment it is entered, so it is an action here
// (port.periodicTx) and no state.
type periodicState uint8

const (
	noPeriodic periodicState = iota
	fastPeriodic
	slowPeriodic
)

// String is the standard's name.
func (s periodicState) String() string {
	return [...]string{"NO_PERIODIC", "FAST_PERIODIC", "SLOW_PERIODIC"}[s]
}

// selection is the standard's variable Selected (IEEE 802.1AX-2014 6.4.8).
type selection uint8

const (
	unselected selection = iota
	standby
	selected
)

// String is the standard's name.
func (s selection) String() string {
	return [...]string{"UNSELECTED", "STANDBY", "SELECTED"}[s]
}

// muxState is the state of the mux machine (IEEE 802.1AX-2014 6.4.15): with
// independent control the first five, with coupled control the first three and
// the last.
type muxState uint8

const (
	detached muxState = iota
	waiting
	attached
	collecting
	distributing
	collectingDistributing
)

// String is the standard's name.
func (s muxState) String() string {
	return [...]string{
		"DETACHED", "WAITING", "ATTACHED", "COLLECTING", "DISTRIBUTING", "COLLECTING_DISTRIBUTING",
	}[s]
}

// churnState is the state of a churn detection machine (IEEE 802.1AX-2014 6.4.17).
type churnState uint8

const (
	churnIdle churnState = iota // MONITOR of a port that is not enabled
	churnMonitor
	noChurn
	churned
)

// String is the standard's name, which is the same for actor and partner but for
// these words.
func (s churnState) String() string {
	return [...]string{"MONITOR", "MONITOR", "NO_CHURN", "CHURN"}[s]
}

// timer is one of the standard's timers (IEEE 802.1AX-2014 6.4.10), as a
// deadline.
type timer struct {
	at      Instant
	running bool
	expired bool
}

func (t *timer) start(at Instant) { *t = timer{at: at, running: true} }

func (t *timer) stop() { *t = timer{} }

// expire marks a running timer whose time has come.
func (t *timer) expire(now Instant) {
	if t.running && t.at <= now {
		t.running, t.expired = false, true
	}
}

// earliest is the smaller of an instant and the timer's deadline.
func (t *timer) earliest(at Instant, ok bool) (Instant, bool) {
	if t.running && (!ok || t.at < at) {
		return t.at, true
	}
	return at, ok
}
