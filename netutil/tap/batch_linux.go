package tap

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxFrame is the longest frame with its virtio_net_hdr, in octets, that a TAP
// device hands out: 64 KB of IP packet, with room for its link headers.
const MaxFrame = 70000

// batchOctets ends a batch early. Frames of 64 KB are copied out of the kernel
// and back in; more of them than this would have left the processor's
// second-level cache before they are sent.
const batchOctets = 192 << 10

// ErrWouldBlock says that no frame waits.
var ErrWouldBlock error = unix.EAGAIN

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

// Read takes frames that the host sends, as many as wait and b has room for,
// until there are enough to send them on. It never waits: without a frame it
// fails with ErrWouldBlock, and with an error that wraps os.ErrNotExist when the
// interface was deleted.
func (d *Device) Read(b *Batch) error {
	b.frames = b.frames[:0]
	octets := 0
	for len(b.frames) < len(b.bufs) && octets < batchOctets {
		buf := b.bufs[len(b.frames)]
		n, err := d.call(unix.SYS_READ, buf)
		switch {
		case err == nil:
			b.frames = append(b.frames, buf[:n])
			octets += n
		case !errors.Is(err, unix.EINTR):
			return b.end(err)
		}
	}
	return nil
}

// end is what Read returns after an error: nothing if it got frames before, for
// the next Read will meet the error again.
func (b *Batch) end(err error) error {
	switch {
	case len(b.frames) > 0:
		return nil
	case errors.Is(err, unix.EAGAIN):
		return ErrWouldBlock
	case errors.Is(err, unix.EBADFD), errors.Is(err, unix.EFAULT):
		return fmt.Errorf("tap read: interface deleted: %w", os.ErrNotExist)
	}
	return fmt.Errorf("tap read: %w", err)
}

// Written is what Write got rid of.
type Written struct {
	Frames int
	Octets int // of frames without their virtio_net_hdr
}

// Write hands frames to the host, each with its virtio_net_hdr, and tells how
// many it took. One that it does not take, because the interface is down or gone
// or the header makes no sense, never stops the others.
func (d *Device) Write(frames [][]byte) Written {
	var w Written
	for _, f := range frames {
		if len(f) == 0 {
			continue
		}
		if _, err := d.call(unix.SYS_WRITE, f); err == nil {
			w.Frames++
			w.Octets += len(f) - HeaderLen
		}
	}
	return w
}

// call is read(2) or write(2) of one frame.
func (d *Device) call(trap uintptr, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(trap, uintptr(d.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
