package user

import (
	"math/bits"
	"sync/atomic"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/tap"
)

// releaseWait is how long frames that were held wait for a port whose buffer is
// full. They are many at a time, and nobody was told to slow down meanwhile.
const releaseWait = 100 * time.Millisecond

// conversation is what the outbound remembers of one: its frames go to port
// until it may move. Others may read the atomic fields.
type conversation struct {
	port   *port
	last   time.Duration // when its last frame had been sent, on the outbound's clock
	placed atomic.Uint32 // port's number, 0: none
	frames atomic.Uint64
	octets atomic.Uint64
}

// source is where the host's frames come from, which tap.Device implements.
type source interface {
	Read(*tap.Batch) error
}

var _ source = (*tap.Device)(nil)

// outbound distributes the host's frames. Its fields belong to its goroutine,
// but for the atomic ones.
type outbound struct {
	source  source
	program *atomic.Pointer[program]
	now     func() time.Duration // its clock, for everybody
	drops   atomic.Uint64        // frames that no port, or no room, was there for

	current *program // that it works by
	batch   *tap.Batch
	conv    [dist.Conversations]conversation
	held    held
	touched dist.Set // conversations with frames in pending
	turn    uint32   // of round robin
	pending []*port  // those with frames in their queue
}

func newOutbound(s source, prog *atomic.Pointer[program]) *outbound {
	start := time.Now()
	return &outbound{
		source:  s,
		program: prog,
		current: prog.Load(),
		now:     func() time.Duration { return time.Since(start) },
		batch:   tap.NewBatch(batchSize),
	}
}

// move sends the frames that wait at the source. Without one it still looks for
// a new program.
func (o *outbound) move() error {
	err := o.source.Read(o.batch)
	o.dispatch(o.batch.Frames())
	return err
}

// dispatch sends a batch of frames, each behind its virtio_net_hdr.
func (o *outbound) dispatch(frames [][]byte) {
	now := o.now()
	if p := o.program.Load(); p != o.current {
		o.adopt(p, now)
	}
	if len(frames) == 0 {
		return
	}
	dropped := uint64(0)
	for _, f := range frames {
		if !o.forward(f, now) {
			dropped++
		}
	}
	if dropped != 0 {
		o.drops.Add(dropped)
	}
	o.flush(sendWait)
}

// adopt makes a program the one to work by. Nothing is queued anywhere: whoever
// waits for adopted knows that no frame is under way that an older program sent.
func (o *outbound) adopt(p *program, now time.Duration) {
	released := o.current.hold
	o.current = p
	for c := range o.conv {
		conv := &o.conv[c]
		if _, ok := p.state[conv.port]; !ok {
			conv.place(nil) // it was removed
		}
		if released.Has(uint8(c)) && !p.hold.Has(uint8(c)) && p.want[c] != nil {
			conv.place(p.want[c])
		}
	}
	close(p.adopted)
	o.release(now)
}

// forward queues, keeps or drops a frame, and reports whether it did not drop it.
func (o *outbound) forward(f []byte, now time.Duration) bool {
	if len(f) < tap.HeaderLen || ether.StaysOnPort(f[tap.HeaderLen:]) {
		return false
	}
	p := o.current
	if p.roundRobin {
		return o.queue(o.next(), f)
	}
	c := p.hash.Conversation(f[tap.HeaderLen:])
	if p.hold.Has(c) {
		return o.held.keep(c, f)
	}
	return o.queue(o.route(c, f, now), f)
}

// release sends the frames that are not to be held any more.
func (o *outbound) release(now time.Duration) {
	o.held.release(&o.current.hold, func(h heldFrame) {
		var to *port
		if o.current.roundRobin {
			to = o.next()
		} else {
			to = o.route(h.conversation, h.frame, now)
		}
		if !o.queue(to, h.frame) {
			o.drops.Add(1)
		}
	})
	o.flush(releaseWait)
}

// queue puts a frame into the queue of the port that it leaves through, and
// reports whether there is one. Only frames that were held can fill it.
func (o *outbound) queue(to *port, f []byte) bool {
	if to == nil {
		return false
	}
	if to.queue.Len() == 0 {
		o.pending = append(o.pending, to)
	}
	if to.queue.Add(f) {
		return true
	}
	to.flush(releaseWait)
	return to.queue.Add(f)
}

// flush sends what is queued, and notes when that was done: a conversation is
// idle from then on, and not from when its frame was read.
func (o *outbound) flush(wait time.Duration) {
	if len(o.pending) == 0 {
		return
	}
	for i, port := range o.pending {
		port.flush(wait)
		o.pending[i] = nil
	}
	o.pending = o.pending[:0]
	now := o.now()
	for i, word := range o.touched {
		for ; word != 0; word &= word - 1 {
			o.conv[i*64+bits.TrailingZeros64(word)].last = now
		}
		o.touched[i] = 0
	}
}

// next is the port whose turn it is (link0).
func (o *outbound) next() *port {
	ring := o.current.ring
	if len(ring) == 0 {
		return nil
	}
	to := ring[o.turn%uint32(len(ring))]
	o.turn++
	return to
}

// route is the port of a conversation's next frame, nil for none.
func (o *outbound) route(c uint8, f []byte, now time.Duration) *port {
	conv, want := &o.conv[c], o.current.want[c]
	if want == nil {
		return nil
	}
	if conv.port != want && conv.mayLeave(o.current, now) {
		conv.place(want)
	}
	conv.last = now
	conv.frames.Add(1)
	conv.octets.Add(uint64(len(f) - tap.HeaderLen))
	o.touched.Add(c)
	return conv.port
}

// mayLeave reports whether a frame that is sent to another port cannot overtake
// the last one: after a pause, when the old port's queue was seen empty if it has
// one, or when the old port takes no frames any more, so that its last one is
// lost or known to have arrived (design D7).
//
// Whoever sees a queue empty tells so a little later, and a frame may have been
// sent in between: so the pause must have been over by then.
func (c *conversation) mayLeave(p *program, now time.Duration) bool {
	if !p.distributes(c.port) {
		return true
	}
	if p.state[c.port].Queues {
		now = time.Duration(c.port.empty.Load())
	}
	return now-c.last >= p.idle
}

// place gives a conversation to a port, or to none.
func (c *conversation) place(to *port) {
	c.port = to
	number := uint16(0)
	if to != nil {
		number = to.Number
	}
	c.placed.Store(uint32(number))
}

// stats reads the counters of a conversation.
func (c *conversation) stats() datapath.ConversationStats {
	return datapath.ConversationStats{Frames: c.frames.Load(), Bytes: c.octets.Load()}
}
