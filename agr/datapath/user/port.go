package user

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/tap"
)

// batchSize is how many frames are moved at a time at most.
const batchSize = 64

// sendWait is how long the outbound waits for a port whose buffer is full.
const sendWait = time.Millisecond

// wire is a port's pair of packet sockets, which pkt.Data implements.
type wire interface {
	FD() int
	Receive(*pkt.RecvBatch) error
	Send(*pkt.SendBatch) (pkt.Sent, error)
	WaitWritable(time.Duration) bool
	Close() error
}

// host is the way to the host's protocol stack, which tap.Device implements.
type host interface {
	Write(frames [][]byte) tap.Written
}

var (
	_ wire = (*pkt.Data)(nil)
	_ host = (*tap.Device)(nil)
)

// drainRounds is how many batches are still received from a port that is
// removed: enough for all that its socket's buffer can hold.
const drainRounds = 2048

// port is one attached port.
type port struct {
	datapath.Port
	wire wire
	host host
	loop *loop
	undo func() error // of the shield

	// sending keeps the wire open while the outbound uses it. It is taken once
	// for a batch, and nobody else wants it until the port is removed.
	sending sync.Mutex
	closed  bool

	// The inbound's.
	program *atomic.Pointer[program]
	batch   *pkt.RecvBatch

	// The outbound's.
	queue *pkt.SendBatch
	full  bool // it refused a frame, and has taken none since

	empty  atomic.Int64 // when its transmit queue was last seen empty, on the outbound's clock
	looked int64        // when QueueEmpty was last called; the owner's

	rxFrames, rxBytes, rxDropped atomic.Uint64
	txFrames, txBytes, txErrors  atomic.Uint64
}

func newPort(p datapath.Port, w wire, h host, prog *atomic.Pointer[program]) *port {
	return &port{
		Port: p, wire: w, host: h, program: prog,
		batch: pkt.NewRecvBatch(batchSize),
		queue: pkt.NewSendBatch(batchSize),
	}
}

// inbound moves the frames that wait from the port to the host.
func (p *port) inbound() error {
	if err := p.wire.Receive(p.batch); err != nil {
		return err
	}
	p.rxDropped.Add(uint64(p.batch.Truncated()))
	p.deliver(p.program.Load(), p.batch.Frames())
	return nil
}

// drain moves the frames that still wait when the port's loop has ended.
func (p *port) drain() {
	for range drainRounds {
		if p.inbound() != nil {
			return
		}
	}
}

// deliver hands a batch of received frames to the host, if the port collects. What
// belongs to the port alone is nobody's loss; a Marker is passed on when all that
// was before it is with the host. The slice is used up.
func (p *port) deliver(prog *program, frames [][]byte) {
	keep := frames[:0]
	for _, f := range frames {
		switch frame := f[pkt.HeaderLen:]; {
		case !ether.StaysOnPort(frame):
			keep = append(keep, f)
		case p.Marker != nil && isMarker(frame):
			p.hand(prog, keep)
			keep = keep[:0]
			p.Marker(frame)
		}
	}
	p.hand(prog, keep)
}

// hand gives frames to the host, if the port collects.
func (p *port) hand(prog *program, frames [][]byte) {
	if len(frames) == 0 {
		return
	}
	if !prog.collects(p) {
		p.rxDropped.Add(uint64(len(frames)))
		return
	}
	w := p.host.Write(frames)
	p.rxFrames.Add(uint64(w.Frames))
	p.rxBytes.Add(uint64(w.Octets))
	p.rxDropped.Add(uint64(len(frames) - w.Frames))
}

// markerSubtype is the slow protocol of Marker PDUs (IEEE 802.3 table 57A-3).
const markerSubtype = 2

// isMarker reports whether a frame is an untagged Marker PDU.
func isMarker(frame []byte) bool {
	return len(frame) > ether.HeaderLen && ether.Addr(frame[:ether.AddrLen]) == ether.SlowProtocols &&
		binary.BigEndian.Uint16(frame[12:]) == ether.TypeSlow && frame[ether.HeaderLen] == markerSubtype
}

// flush sends the queue. Afterwards it is empty: what the port did not take is
// lost and counted. The outbound waits for a full port once, at most for wait,
// until it has taken a whole queue again, and not for each batch: other ports
// wait for it, too.
func (p *port) flush(wait time.Duration) {
	p.sending.Lock()
	defer p.sending.Unlock()
	if p.closed {
		p.lose(p.queue.Len())
	}
	waited := p.full
	for p.queue.Len() > 0 {
		sent, err := p.wire.Send(p.queue)
		p.txFrames.Add(uint64(sent.Frames))
		p.txBytes.Add(uint64(sent.Octets))
		switch {
		case err == nil:
			p.full = false
		case errors.Is(err, unix.EAGAIN):
			if !waited && p.wire.WaitWritable(wait) {
				waited = true
				continue
			}
			p.full = true
			p.lose(p.queue.Len())
		case concernsOneFrame(err):
			p.lose(1)
		default: // down, gone or closed: the next frame would fare no better
			p.lose(p.queue.Len())
		}
	}
	p.queue.Reset()
}

func (p *port) lose(frames int) {
	p.txErrors.Add(uint64(frames))
	p.queue.Skip(frames)
}

// concernsOneFrame tells the errors after which the next frame may be sent: no
// room in the port's queue, longer than its MTU, or malformed.
func concernsOneFrame(err error) bool {
	return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EINVAL)
}

// close closes the wire when its loop has ended. An outbound that has not come to
// take the new program over loses what it still has for the port.
func (p *port) close() error {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.closed = true
	return p.wire.Close()
}

// stats reads the port's counters.
func (p *port) stats() datapath.PortStats {
	return datapath.PortStats{
		RxFrames: p.rxFrames.Load(), RxBytes: p.rxBytes.Load(), RxDropped: p.rxDropped.Load(),
		TxFrames: p.txFrames.Load(), TxBytes: p.txBytes.Load(), TxErrors: p.txErrors.Load(),
	}
}
