package datapath

import "time"

// AliveEvery is how often a process that has something kept says that it lives.
// After five times as long without a sign it is taken for dead.
const AliveEvery = 200 * time.Millisecond

// Keep is what a device that forwards without this process does on a port with an
// LACP partner while this process is late, stopped or dead (design D11). It
// answers the partner's LACPDUs, so that the partner does not give the link up,
// and leaves the port out of the distribution when the partner is silent for too
// long or wants no frames any more.
//
// Answered is a LACPDU of 124 octets that agrees with LACPDU: its Actor is what
// LACPDU has for the Partner, in every bit of the state but Distributing, which a
// partner does not announce, and its Partner is what LACPDU has for the Actor, in
// Activity, Timeout, Aggregation and Synchronization. The answer is LACPDU with
// the partner's state as it is now.
// There are at most three answers in a second (IEEE 802.1AX-2014 6.4.16). What is
// answered reaches the port's own packet sockets as it came.
//
// A carrier that goes while this process is dead is not seen: the LACPDUs stop,
// and the port is left out after Old. Where that is so of every port, everything
// stays where it is: it may be the far end's daemon that is dead.
type Keep struct {
	// LACPDU is the frame, from its destination address on, that this process
	// would send now (IEEE 802.1AX-2014 6.4.2.3). Empty: nothing is kept.
	LACPDU []byte
	// Late is how long nothing may have been sent on the port before the partner
	// is answered in place of this process. With the partner's period it must be
	// less than the time in which the partner gives up.
	Late time.Duration
	// Old is how long a LACPDU of the partner is good for, 0 for ever. It counts
	// from the last one that agrees in who sends it, or from the last change of
	// Keep, and only while there is no sign of life.
	Old time.Duration
	// Grace is for how long after the last sign of life the partner is answered;
	// 0: never.
	Grace time.Duration
	// Need are the bits of the partner's state without which no frames may be sent
	// there: Synchronization, and with independent control Collecting.
	Need uint8
}

// Kept is what happened on a port with a Keep.
type Kept struct {
	// Since is when the Keep was last changed; zero: nothing is kept, or the partner was
	// not heard since something is, and nothing else but Answered is known. It has a
	// monotonic reading, as has Heard.
	Since time.Time
	// Heard is when the partner's last LACPDU came after that; zero: none did.
	Heard time.Time
	// State is the partner's in that LACPDU.
	State uint8
	// Together says that it meant this port as it is, or that it aggregates with nobody
	// (6.4.9 recordPDU).
	Together bool
	// Stopped says that the last LACPDU, the partner's or another system's, leaves
	// no room for frames: the port is not used while this process is dead.
	Stopped bool
	// Answered counts the LACPDUs that were answered for this process, or for one
	// before it.
	Answered uint64
}
