package pkt

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// MaxFrame is the longest frame with its virtio_net_hdr that a data socket takes,
// in octets: the largest unit that segmentation offload makes by default, 64 KB
// of IP packet, with room for its link headers. A longer one (BIG TCP) is lost.
const MaxFrame = 70000

// batchOctets is how much a receive batch asks for, when frames are as long as
// those of the batch before. Frames of 64 KB are copied out of the kernel and
// back in; more of them would have left the processor's second-level cache
// before they are written.
const batchOctets = 192 << 10

// mmsghdr is the kernel's struct of that name: one message of recvmmsg(2) and
// sendmmsg(2), and how long it was.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// RecvBatch is room for frames to be received. It belongs to one goroutine.
type RecvBatch struct {
	bufs      [][]byte // each: room for a tag, virtio_net_hdr, frame
	oobs      []byte
	iovs      []unix.Iovec
	msgs      []mmsghdr
	frames    [][]byte // what the last call received
	truncated int      // how many of it were longer than MaxFrame
	mean      int      // octets of a frame in the last batch that had any
}

// NewRecvBatch makes room for up to size frames of MaxFrame octets. The memory
// is touched, and so taken, only as far as frames need it.
func NewRecvBatch(size int) *RecvBatch {
	const bufLen = ether.TagLen + MaxFrame
	b := &RecvBatch{
		bufs:   make([][]byte, size),
		oobs:   make([]byte, size*auxdataSpace),
		iovs:   make([]unix.Iovec, size),
		msgs:   make([]mmsghdr, size),
		frames: make([][]byte, 0, size),
	}
	all := make([]byte, size*bufLen)
	for i := range b.bufs {
		b.bufs[i] = all[i*bufLen : (i+1)*bufLen : (i+1)*bufLen]
		b.iovs[i].Base = &b.bufs[i][ether.TagLen]
		b.iovs[i].SetLen(MaxFrame)
		h := &b.msgs[i].hdr
		h.Iov = &b.iovs[i]
		h.SetIovlen(1)
		h.Control = &b.oobs[i*auxdataSpace]
		h.SetControllen(auxdataSpace)
	}
	return b
}

// Frames are what the last Receive got: virtio_net_hdr and frame, as it was on
// the wire with its tags. They are good until the next Receive.
func (b *RecvBatch) Frames() [][]byte { return b.frames }

// Truncated is how many frames of the last Receive were lost for being longer
// than MaxFrame.
func (b *RecvBatch) Truncated() int { return b.truncated }

// room is what the next call is to fill.
func (b *RecvBatch) room() []mmsghdr {
	return b.msgs[:min(max(batchOctets/max(b.mean, 1), 1), len(b.msgs))]
}

// take turns the first n messages into frames and makes them ready for the next
// call, which would otherwise find the control messages' room used up.
func (b *RecvBatch) take(n int) {
	b.frames, b.truncated = b.frames[:0], 0
	octets := 0
	for i := range b.msgs[:n] {
		m := &b.msgs[i]
		oob := b.oobs[i*auxdataSpace:][:m.hdr.Controllen]
		end := ether.TagLen + int(m.len)
		frame := b.bufs[i][ether.TagLen:end]
		if tpid, tci, ok := vlanTag(oob); ok && putBackTag(b.bufs[i][:end], tpid, tci) {
			frame = b.bufs[i][:end]
		}
		if m.hdr.Flags&unix.MSG_TRUNC != 0 {
			b.truncated++
		} else {
			b.frames = append(b.frames, frame)
		}
		octets += int(m.len)
		m.hdr.SetControllen(auxdataSpace)
	}
	if n > 0 {
		b.mean = octets / n
	}
}

// SendBatch is a queue of frames to be sent. It belongs to one goroutine, and
// refers to the frames' memory until they are sent or Reset.
type SendBatch struct {
	iovs       []unix.Iovec
	msgs       []mmsghdr
	head, tail int
}

// NewSendBatch makes room for up to size frames.
func NewSendBatch(size int) *SendBatch {
	b := &SendBatch{iovs: make([]unix.Iovec, size), msgs: make([]mmsghdr, size)}
	for i := range b.msgs {
		b.msgs[i].hdr.Iov = &b.iovs[i]
		b.msgs[i].hdr.SetIovlen(1)
	}
	return b
}

// Add queues a frame with its virtio_net_hdr, which is not copied. It reports
// false when the batch is full or the frame empty.
func (b *SendBatch) Add(frame []byte) bool {
	if b.tail == len(b.msgs) || len(frame) == 0 {
		return false
	}
	b.iovs[b.tail].Base = &frame[0]
	b.iovs[b.tail].SetLen(len(frame))
	b.tail++
	return true
}

// Len is how many frames wait.
func (b *SendBatch) Len() int { return b.tail - b.head }

// First is the frame that would be sent next, with its header. Len must not be 0.
func (b *SendBatch) First() []byte {
	v := &b.iovs[b.head]
	return unsafe.Slice(v.Base, v.Len)
}

// Skip takes up to n of the frames that would be sent next out of the batch and
// gives their length together, without their headers.
func (b *SendBatch) Skip(n int) (octets int) {
	end := min(b.head+n, b.tail)
	for ; b.head < end; b.head++ {
		octets += int(b.iovs[b.head].Len) - HeaderLen
	}
	return octets
}

// Reset empties the batch.
func (b *SendBatch) Reset() { b.head, b.tail = 0, 0 }
