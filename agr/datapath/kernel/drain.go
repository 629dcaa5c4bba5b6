package kernel

import (
	"bytes"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/dist"
	"ifagr/netutil/tap"
)

// move takes frames that wait at the TAP device and does with them what is to be
// done. When none wait it says what has been done, and fails with unix.EAGAIN.
func (h *holder) move() error {
	err := h.tap.Read(h.batch)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.publish()
		return err
	}
	for _, f := range h.batch.Frames() {
		if len(f) > tap.HeaderLen {
			h.take(f)
		}
	}
	h.drain()
	return nil
}

// take keeps a frame, or sends it if its conversation is not held and has none
// that goes before.
func (h *holder) take(f []byte) {
	c := h.hash.Conversation(f[tap.HeaderLen:])
	conv := &h.convs[c]
	if !conv.open {
		conv.open, conv.since = true, time.Now()
	}
	if !h.held.Has(c) && len(conv.queue) == 0 {
		h.send(c, f)
		return
	}
	conv.queue = append(conv.queue, bytes.Clone(f))
	h.frames++
	h.octets += uint64(len(f) - tap.HeaderLen)
}

// drain sends what is kept of conversations that are not held.
func (h *holder) drain() {
	if h.frames == 0 {
		return
	}
	for c := range h.convs {
		conv := &h.convs[c]
		if len(conv.queue) == 0 || h.held.Has(uint8(c)) {
			continue
		}
		for _, f := range conv.queue {
			h.send(uint8(c), f)
			h.frames--
			h.octets -= uint64(len(f) - tap.HeaderLen)
		}
		conv.queue = nil
	}
}

// send sends a frame through the port of its conversation, or when that is lost
// through the spare, and is done with it in any case.
func (h *holder) send(c uint8, f []byte) {
	to := h.want[c]
	if h.way[c] != 0 {
		to = h.way[c]
	}
	conv := &h.convs[c]
	switch {
	case h.exits[to].send(f):
		conv.last = to
	case h.exits[h.spare[c]].send(f):
		conv.last = h.spare[c]
	default:
		h.drops.Add(1)
	}
	conv.sent++
	conv.dirty = true
}

// send reports whether the frame is the port's business now, even if that has
// lost it.
func (e *exit) send(f []byte) bool {
	if e == nil {
		return false
	}
	err := e.wire.Send(f)
	if errors.Is(err, unix.EAGAIN) && !e.full && e.wire.WaitWritable(sendWait) {
		err = e.wire.Send(f)
	}
	e.full = errors.Is(err, unix.EAGAIN)
	switch {
	case err == nil:
		e.port.frames.Add(1)
		e.port.bytes.Add(uint64(len(f) - tap.HeaderLen))
	case concernsOneFrame(err):
		e.port.errors.Add(1)
	default: // down or gone
		return false
	}
	return true
}

// concernsOneFrame tells the errors that say nothing about the port's next
// frame: no room in its queue, longer than its MTU, or malformed.
func concernsOneFrame(err error) bool {
	return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) ||
		errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EINVAL)
}

// publish tells the programs what the holder is done with, when the TAP device is
// empty: there is room again, and a conversation of which everything that was
// handed over has been sent goes back to the direct way.
//
// The two numbers of a conversation are not always of the same things. The kernel
// may lose a frame on its way into the TAP device, or cut one up whose
// segmentation the device does not take over (a tunnel's). So no number is told
// that is beyond the programs' own; settle finds out.
func (h *holder) publish() {
	if t, err := h.tables.totals(); err == nil {
		h.tables.config.drainedFrames.Store(t.PuntedFrames - h.frames)
		h.tables.config.drainedBytes.Store(t.PuntedBytes - h.octets)
	}
	for c := range h.convs {
		conv := &h.convs[c]
		if !conv.dirty && (!conv.open || h.held.Has(uint8(c))) {
			continue
		}
		punted, err := h.tables.punted(uint8(c))
		conv.beyond = conv.beyond || err == nil && conv.sent > punted
		if err != nil || conv.beyond {
			continue
		}
		if conv.dirty {
			h.tables.plan[c].drained.Store(conv.sent)
			conv.dirty = false
		}
		if conv.sent == punted && !h.held.Has(uint8(c)) {
			conv.open = false
		}
	}
}

// isOver settles what has been unsettled for a while, and ends the holder when
// nothing will be handed over any more: nothing was held for long, or it was told
// to end.
func (h *holder) isOver() bool {
	if h.isStuck() {
		h.settle()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	retiring := !h.retiring.IsZero()
	switch {
	case h.ordered || !h.held.Empty() || h.isOpen():
		h.quiet = time.Time{}
		h.ended = retiring && now.After(h.retiring)
	case h.quiet.IsZero() && !retiring:
		h.quiet = now
	default:
		h.ended = retiring || now.Sub(h.quiet) >= linger
	}
	return h.ended
}

// isStuck says that it is time to settle conversations that are still open.
func (h *holder) isStuck() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isOpen() || time.Since(h.busy) < settleAfter {
		return false
	}
	h.busy = time.Now()
	return true
}

// isOpen says that frames may be handed over, or be missing, of a conversation
// that is not held.
func (h *holder) isOpen() bool {
	for c := range h.convs {
		if h.convs[c].open && !h.held.Has(uint8(c)) {
			return true
		}
	}
	return false
}

// settle looks for conversations that are not held and whose numbers disagree
// although nothing is under way, and makes them agree.
//
// A frame that was counted before the barrier was in the TAP device, or lost,
// when the barrier was over, and what was in there has been sent since. If the
// count is still the same then, none has come after it either. The programs see
// to that where it has been otherwise for too long: what comes of a conversation
// during its gap is dropped, and counted, there.
func (h *holder) settle() {
	before := h.unsettled()
	if len(before) == 0 {
		return
	}
	barrier()
	h.readAll()
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, u := range before {
		now, err := h.tables.punted(c)
		if err == nil && u.over(now, h.tables.plan[c].gap.Load() != 0) {
			h.agree(c, now)
		}
		set(&h.tables.plan[c].gap, 0)
	}
}

// unsettled is a conversation that waits for frames that do not come: how many it
// was handed, and whether it got a gap.
type unsettled struct {
	punted uint64
	gap    bool
}

// over says that nothing was handed over since. A gap that is not there any more
// was ended by a hold.
func (u unsettled) over(punted uint64, gap bool) bool { return punted == u.punted || u.gap && gap }

// unsettled are the conversations to settle, where it is time with their gaps.
func (h *holder) unsettled() map[uint8]unsettled {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[uint8]unsettled)
	gaps := 0
	for c := range h.convs {
		if !h.convs[c].open || h.held.Has(uint8(c)) {
			continue
		}
		punted, err := h.tables.punted(uint8(c))
		if err != nil {
			continue
		}
		gap := time.Since(h.convs[c].since) >= gapAfter
		if gap {
			h.tables.plan[c].gap.Store(1)
			gaps++
		}
		out[uint8(c)] = unsettled{punted, gap}
	}
	if gaps > 0 {
		h.log.Info("cut off for a moment, for the numbers of held frames do not agree", "conversations", gaps)
	}
	return out
}

// agree says that everything of a conversation has been sent, if it is still to be.
func (h *holder) agree(c uint8, punted uint64) {
	conv := &h.convs[c]
	if h.held.Has(c) || len(conv.queue) > 0 {
		return
	}
	conv.sent, conv.dirty, conv.beyond, conv.open = punted, false, false, false
	h.tables.plan[c].drained.Store(punted)
}

// readAll takes what was in the TAP device when it was called. There may be no end
// to what comes after that.
func (h *holder) readAll() {
	for n := 0; n < holdQueue && h.move() == nil; n += len(h.batch.Frames()) {
	}
}

// end lets the TAP device go. The programs are told first, and what they handed
// over until then is sent.
func (h *holder) end() {
	h.mu.Lock()
	h.ended, h.held = true, dist.Set{}
	h.drain()
	h.tables.config.hold.Store(0)
	h.mu.Unlock()
	barrier()
	h.readAll()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.exits {
		if e != nil {
			_ = e.wire.Close()
		}
	}
	h.exits = [slots]*exit{}
	_, _ = h.tap.Close(), unix.Close(h.wake)
	h.wake = -1
}
