package marker

import (
	"time"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// How long a Flush waits. The standard leaves these to the implementation (IEEE
// 802.1AX-2014 6.5.2, 6.2.7.2 c).
const (
	// QueueWait is how long it waits for the port's own queue to be empty before
	// it asks anyway.
	QueueWait = 500 * time.Millisecond
	// QueueLook is how often that queue is looked at.
	QueueLook = time.Millisecond
	// RingWait is how long frames that have left the queue of an interface may
	// still wait in its hardware, where a Marker could overtake them.
	RingWait = time.Millisecond
	// AskAgain is when a Marker that has not been answered is sent once more; each
	// further one waits twice as long, which keeps to the budget of a slow protocol.
	AskAgain = 30 * time.Millisecond
	// Patience is how long an answer is waited for.
	Patience = 250 * time.Millisecond
	// Settle is how long frames may be on their way to a Collector that does not
	// speak the Marker protocol, besides what it takes for itself.
	Settle = 10 * time.Millisecond
)

// FlushConfig is what a Flush needs to know.
type FlushConfig struct {
	Source        ether.Addr // of the frames: the port's own address
	System        ether.Addr // of ours: Requester_System
	Port          uint16     // LACP port number: Requester_Port
	TransactionID uint32     // of the first Marker; those that follow count on
	// MaxDelay is the partner's CollectorMaxDelay: how long it may keep a frame
	// before it hands it over.
	MaxDelay time.Duration
	// Queues says that frames may wait in the port's transmit queue or its
	// hardware.
	Queues bool
	// Silent says that the far end does not answer Markers: only time tells.
	Silent bool
}

// flushState is where a Flush is.
type flushState uint8

const (
	emptying flushState = iota // frames may still wait in our own queue
	emptied                    // they may still wait in the hardware
	asked                      // the Marker is behind them
	over
)

// Flush finds out when everything that was sent through a port so far has been
// handed over by the far end, so that what follows may be sent through another
// port (IEEE 802.1AX-2014 6.5.2). Whoever uses it sends nothing through the port
// meanwhile but what Advance gives him.
//
//	queue empty -> Marker -> Marker Response, or the time in which one is never answered
//
// A port that does not answer is taken to have handed everything over after
// Patience, or after its CollectorMaxDelay if that is longer: so no order is lost
// even then, since the link itself delays nothing.
type Flush struct {
	cfg      FlushConfig
	state    flushState
	answered bool
	sent     int
	begun    time.Duration
	next     time.Duration // when Advance has something to do
	end      time.Duration // when it is over without an answer
}

// BeginFlush begins at the monotonic time now, behind the last frame.
func BeginFlush(cfg FlushConfig, now time.Duration) *Flush {
	f := &Flush{cfg: cfg, begun: now, next: now}
	if !cfg.Queues {
		f.state = emptied
	}
	return f
}

// WantsQueue reports whether the transmit queue of the port has to be looked at:
// when it is empty, QueueEmpty is to be called.
func (f *Flush) WantsQueue() bool { return f.state == emptying }

// QueueEmpty says that the port's transmit queue was empty at the time now.
func (f *Flush) QueueEmpty(now time.Duration) {
	if f.state == emptying {
		f.state, f.next = emptied, now+RingWait
	}
}

// Received takes a Marker Response of the port, and reports whether it answers
// one of the Markers that were sent.
func (f *Flush) Received(m slow.Marker) bool {
	if f.state != asked || m.Type != slow.MarkerResponse || m.RequesterSystem != f.cfg.System ||
		m.RequesterPort != f.cfg.Port || m.TransactionID-f.cfg.TransactionID >= uint32(f.sent) {
		return false
	}
	f.state, f.answered = over, true
	return true
}

// Advance does what is due at the time now and appends to dst the frame of the
// Marker that has to be sent, if there is one.
func (f *Flush) Advance(dst []byte, now time.Duration) []byte {
	if now < f.next || f.state == over {
		return dst
	}
	switch f.state {
	case emptying:
		if now-f.begun < QueueWait {
			f.next = now + QueueLook
			return dst
		}
		return f.ask(dst, now)
	case emptied:
		return f.ask(dst, now)
	default:
		if now >= f.end {
			f.state = over
			return dst
		}
		return f.mark(dst, now)
	}
}

// ask sends the first Marker, or where nobody answers begins to wait.
func (f *Flush) ask(dst []byte, now time.Duration) []byte {
	f.state = asked
	if f.cfg.Silent {
		f.end = now + f.cfg.MaxDelay + Settle
		f.next = f.end
		return dst
	}
	f.end = now + max(Patience, f.cfg.MaxDelay+Settle)
	return f.mark(dst, now)
}

func (f *Flush) mark(dst []byte, now time.Duration) []byte {
	m := slow.Marker{
		Type: slow.MarkerInformation, RequesterPort: f.cfg.Port, RequesterSystem: f.cfg.System,
		TransactionID: f.cfg.TransactionID + uint32(f.sent),
	}
	f.next = min(now+AskAgain<<f.sent, f.end)
	f.sent++
	return slow.AppendMarker(dst, f.cfg.Source, m)
}

// Deadline is when Advance has something to do next, and false when it is over.
func (f *Flush) Deadline() (time.Duration, bool) { return f.next, f.state != over }

// Over reports whether everything has been handed over.
func (f *Flush) Over() bool { return f.state == over }

// Asked reports whether a Marker was sent.
func (f *Flush) Asked() bool { return f.sent > 0 }

// Answered reports whether the far end has said so itself.
func (f *Flush) Answered() bool { return f.answered }
