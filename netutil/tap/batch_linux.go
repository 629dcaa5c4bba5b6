package tap

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxFrame is the longest frame with its virtio_net_hdr, in octets, that a TAP
// device hands out: 64 KB of IP packet, with room for its link headers.
const MaxFrame = 70000

// Batch is room for frames that the host sends. It belongs to one goroutine.
type Batch struct {
	bufs   [][]byte
	frames [][]byte
}

// NewBatch makes room for up to size frames of MaxFrame octets. The memory is
// touched, and so taken, only as far as frames need it.
func NewBatch(size int) *Batch {
	b := &Batch{bufs: make([][]byte, size), frames: make([][]byte, 0, size)}
	all := make([]byte, size*MaxFrame)
	for i := range b.bufs {
		b.bufs[i] = all[i*MaxFrame : (i+1)*MaxFrame : (i+1)*MaxFrame]
	}
	return b
}

// Frames are what the last Read got: each its virtio_net_hdr and frame. They are
// good until the next Read.
func (b *Batch) Frames() [][]byte { return b.frames }

// Reader reads what the host sends through a device. It belongs to one goroutine.
type Reader struct {
	raw   syscall.RawConn
	f     func(fd uintptr) bool // one closure for all calls
	batch *Batch
	err   error
}

// NewReader makes the device's reader; more than one would share its frames.
func (d *Device) NewReader() *Reader {
	r := &Reader{raw: d.raw}
	r.f = r.try
	return r
}

// Read waits for frames and takes as many as are there and b has room for. It
// fails with os.ErrClosed after the device's Close, and with an error that wraps
// os.ErrNotExist when the interface was deleted.
func (r *Reader) Read(b *Batch) error {
	r.batch = b
	if err := r.raw.Read(r.f); err != nil {
		return os.ErrClosed
	}
	return r.err
}

// try reports false when there is nothing yet: then the poller waits.
func (r *Reader) try(fd uintptr) bool {
	b := r.batch
	b.frames, r.err = b.frames[:0], nil
	for _, buf := range b.bufs {
		n, err := unix.Read(int(fd), buf)
		switch err {
		case nil:
			b.frames = append(b.frames, buf[:n])
			continue
		case unix.EINTR:
			continue
		case unix.EAGAIN:
		case unix.EBADFD, unix.EFAULT:
			r.err = fmt.Errorf("tap read: interface deleted: %w", os.ErrNotExist)
		default:
			r.err = fmt.Errorf("tap read: %w", err)
		}
		break
	}
	return len(b.frames) > 0 || r.err != nil
}

// Writer hands frames to the host. It belongs to one goroutine; a device may
// have several.
type Writer struct {
	raw     syscall.RawConn
	f       func(fd uintptr)
	frames  [][]byte
	written Written
}

// Written is what Write got rid of.
type Written struct {
	Frames int
	Octets int // of frames without their virtio_net_hdr
}

// NewWriter makes a writer.
func (d *Device) NewWriter() *Writer {
	w := &Writer{raw: d.raw}
	w.f = w.try
	return w
}

// Write hands frames over, each with its virtio_net_hdr, and tells how many the
// host took. One that it does not take, because the interface is down or gone
// or the header makes no sense, never stops the others.
func (w *Writer) Write(frames [][]byte) Written {
	w.frames, w.written = frames, Written{}
	_ = w.raw.Control(w.f) // after Close nothing is written
	return w.written
}

func (w *Writer) try(fd uintptr) {
	for _, frame := range w.frames {
		if _, err := unix.Write(int(fd), frame); err == nil {
			w.written.Frames++
			w.written.Octets += len(frame) - HeaderLen
		}
	}
}
