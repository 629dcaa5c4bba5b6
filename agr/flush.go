package agr

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/marker"
)

// A port that does not distribute any more but still has its link may have frames
// on their way that must not be overtaken by those that follow through another
// port. So its conversations are held, a Marker is sent behind what it was given,
// and they go on when that is answered (design D7). A port without link has lost
// its frames: its conversations move at once.

// silentAfter is how many flushes of a port must have gone unanswered before no
// Marker is sent there any more: there are switches without a Marker responder.
const silentAfter = 2

// hold adds to a program which conversations wait, and begins the flushes that
// they wait for. They wait as well while no port distributes: one may do so soon, and
// what it is given must not overtake either.
func (a *aggregate) hold(prog *datapath.Program) {
	if prog.RoundRobin {
		a.endFlushes()
		return
	}
	var placed *dist.Table
	turning := a.turning()
	for _, s := range prog.Ports {
		p := a.port(s.Number)
		switch {
		case p == turning && !s.Dead:
			prog.Hold = everything()
			continue
		case s.Dead: // what was on its way is lost
			p.flush, p.flushed = nil, true
			continue
		case p.flush != nil: // what waits goes on waiting, even if the port distributes again
		case s.Distributing:
			p.flushed = false
			continue
		case p.flushed:
			continue
		}
		if placed == nil {
			t := a.settled(*prog, turning != nil)
			placed = &t
		}
		a.holdPort(p, s.Distributing, placed, prog)
	}
}

// settled tells where conversations are when none goes any more to a port that is about
// to stop. Until then one could begin there, or move there, after it was looked at: it
// would not be held, and what it had sent there could be overtaken. So the table comes
// first, and those that are seen there are held; then it is looked again, while the port
// may still send.
func (a *aggregate) settled(prog datapath.Program, turning bool) dist.Table {
	placed := a.dev.Placed()
	stops := make(map[uint16]bool)
	prog.Ports = slices.Clone(prog.Ports)
	for i := range prog.Ports {
		s := &prog.Ports[i]
		if p := a.port(s.Number); p.sends && !s.Distributing && !s.Dead {
			s.Distributing, stops[s.Number] = true, true
		}
	}
	if len(stops) == 0 || turning { // then everything is held
		return placed
	}
	prog.Hold, prog.Settle = a.held, true
	for c, number := range placed {
		if stops[number] {
			prog.Hold.Add(uint8(c))
		}
	}
	if err := a.dev.Program(prog); err != nil { // so will be the one that follows
		return placed
	}
	return a.dev.Placed()
}

// holdPort holds the conversations of a port that are to leave it, if there are any.
// One that the port, distributing again, has sent meanwhile does not wait: it moves
// when it is idle. When it has to after all, it was sent behind the Marker and needs
// another one.
func (a *aggregate) holdPort(p *port, distributing bool, placed *dist.Table, prog *datapath.Program) {
	found, late := false, false
	for c, number := range placed {
		waits := a.held.Has(uint8(c))
		if number != p.number || prog.Table[c] == p.number || distributing && !waits {
			continue
		}
		prog.Hold.Add(uint8(c))
		found, late = true, late || !waits
	}
	switch {
	case !found:
		p.flush, p.flushed = nil, !distributing
	case p.flush == nil || late:
		p.flush = a.newFlush(p)
	}
}

func (a *aggregate) newFlush(p *port) *marker.Flush {
	var id [4]byte
	rand.Read(id[:])
	return marker.BeginFlush(marker.FlushConfig{
		Source: p.undo.MAC, System: a.system, Port: p.number, TransactionID: binary.NativeEndian.Uint32(id[:]),
		MaxDelay: p.maxDelay, Queues: p.queues,
		Silent: a.flags&ctl.Link1 != 0 || !a.hasPartner(p) || p.unanswered >= silentAfter,
	}, a.clock())
}

// hasPartner reports whether there is an LACP partner at the far end of a port.
func (a *aggregate) hasPartner(p *port) bool {
	st, ok := portStatus(a.lacp.Status(), p.number)
	return ok && st.Receive == "CURRENT"
}

// endFlushes forgets all flushes: there is nothing that could be overtaken.
func (a *aggregate) endFlushes() {
	for _, p := range a.ports {
		p.flush, p.flushed = nil, true
	}
}

// clock is the owner's clock for package marker.
func (a *aggregate) clock() time.Duration { return time.Since(a.epoch) }

// advanceFlushes does what is due for the ports' flushes. Conversations go on
// when the flush of their port is over.
func (a *aggregate) advanceFlushes() {
	released := false
	for _, p := range a.ports {
		if p.flush != nil && a.advanceFlush(p) {
			p.flush, p.flushed = nil, true
			released = true
		}
	}
	if released {
		a.program()
	}
}

// advanceFlush does what is due for one port's flush and reports whether it is
// over.
func (a *aggregate) advanceFlush(p *port) bool {
	f := p.flush
	if f.WantsQueue() {
		if q, err := a.os.Queue(p.index); err == nil && q.Frames == 0 {
			f.QueueEmpty(a.clock())
		}
	}
	if frame := f.Advance(nil, a.clock()); frame != nil {
		a.sendMarker(p, frame)
	}
	if !f.Over() {
		return false
	}
	switch {
	case f.Answered():
		p.unanswered = 0
	case f.Asked():
		p.unanswered++
		a.log.Debug("no Marker Response", "agr", a.name, "port", p.name)
	}
	return true
}

// sendMarker sends a Marker, unless the port has sent as many Markers and
// responses in this second as a slow protocol may (IEEE 802.3 Annex 57A): the
// flush ends without an answer then.
func (a *aggregate) sendMarker(p *port, frame []byte) {
	if !p.markers.Allow(a.clock()) {
		return
	}
	if err := p.slow.Send(frame); err != nil {
		a.log.Warn("Marker not sent", "agr", a.name, "port", p.name, "err", err)
		return
	}
	p.count.MarkerTx++
}

// How often the queue of a port is looked at that conversations are to move away
// from: often at first, seldom when they are never idle.
const (
	firstQueueLook = 10 * time.Millisecond
	lastQueueLook  = time.Second
)

// queueLook says when the ports' transmit queues are looked at next.
type queueLook struct {
	at    lacp.Instant
	every time.Duration // 0: not at all
}

// expectMoves is called when the table has changed: conversations may have to
// move away from ports that go on, once their queues are seen empty.
func (a *aggregate) expectMoves() {
	a.queues = queueLook{}
	for _, p := range a.ports {
		if p.queues {
			a.queues = queueLook{at: a.now().Add(firstQueueLook), every: firstQueueLook}
		}
	}
}

// lookAtQueues tells the datapath which queues are empty, as long as a
// conversation is on another port than it should be.
func (a *aggregate) lookAtQueues() {
	if a.queues.every == 0 || a.now() < a.queues.at {
		return
	}
	placed, pending := a.dev.Placed(), make(map[uint16]bool)
	for c, number := range placed {
		if number != 0 && number != a.table[c] {
			pending[number] = true
		}
	}
	if len(pending) == 0 {
		a.queues = queueLook{}
		return
	}
	for _, p := range a.ports {
		if !p.queues || !pending[p.number] {
			continue
		}
		if q, err := a.os.Queue(p.index); err == nil && q.Frames == 0 {
			a.dev.QueueEmpty(p.number)
		}
	}
	a.queues.every = min(2*a.queues.every, lastQueueLook)
	a.queues.at = a.now().Add(a.queues.every)
}
