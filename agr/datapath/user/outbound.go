package user

import (
	"sync/atomic"
	"time"

	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/tap"
)

// conversation is what the outbound remembers of one: its frames go to port
// until it may move.
type conversation struct {
	port *port
	last time.Duration // when its last frame was sent, on the outbound's clock
}

// source is where the host's frames come from, which tap.Device implements.
type source interface {
	Read(*tap.Batch) error
}

var _ source = (*tap.Device)(nil)

// outbound distributes the host's frames. Its fields belong to its goroutine,
// but for the two atomic ones.
type outbound struct {
	source  source
	program *atomic.Pointer[program]
	drops   atomic.Uint64 // frames that no port was there for

	start   time.Time // of its clock
	batch   *tap.Batch
	conv    [dist.Conversations]conversation
	turn    uint32  // of round robin
	pending []*port // those with frames in their queue
}

func newOutbound(s source, prog *atomic.Pointer[program]) *outbound {
	return &outbound{source: s, program: prog, start: time.Now(), batch: tap.NewBatch(batchSize)}
}

// move sends the frames that wait at the source.
func (o *outbound) move() error {
	if err := o.source.Read(o.batch); err != nil {
		return err
	}
	o.dispatch(o.batch.Frames(), time.Since(o.start))
	return nil
}

// dispatch sends a batch of frames, each behind its virtio_net_hdr, at a time.
func (o *outbound) dispatch(frames [][]byte, now time.Duration) {
	p := o.program.Load()
	dropped := uint64(0)
	for _, f := range frames {
		if !o.queue(p, f, now) {
			dropped++
		}
	}
	if dropped != 0 {
		o.drops.Add(dropped)
	}
	for i, port := range o.pending {
		port.flush()
		o.pending[i] = nil
	}
	o.pending = o.pending[:0]
}

// queue puts a frame into the queue of the port that it leaves through, and
// reports whether there is one.
func (o *outbound) queue(p *program, f []byte, now time.Duration) bool {
	if len(f) < tap.HeaderLen || ether.StaysOnPort(f[tap.HeaderLen:]) {
		return false
	}
	var to *port
	if p.roundRobin {
		to = o.next(p)
	} else {
		c := p.hash.Conversation(f[tap.HeaderLen:])
		to = o.conv[c].route(p, p.want[c], now)
	}
	if to == nil {
		return false
	}
	if to.queue.Len() == 0 {
		o.pending = append(o.pending, to)
	}
	return to.queue.Add(f)
}

// next is the port whose turn it is (link0).
func (o *outbound) next(p *program) *port {
	if len(p.ring) == 0 {
		return nil
	}
	to := p.ring[o.turn%uint32(len(p.ring))]
	o.turn++
	return to
}

// route is the port of a conversation's next frame, when the program wants it
// sent to want. A frame sent to another port than the last one could overtake
// it; not so after a pause, nor when the old port is lost anyway (design D7).
func (c *conversation) route(p *program, want *port, now time.Duration) *port {
	if c.port != want && (want == nil || now-c.last >= p.idle || !p.distributes(c.port)) {
		c.port = want
	}
	c.last = now
	return c.port
}
