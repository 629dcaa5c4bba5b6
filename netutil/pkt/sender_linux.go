package pkt

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Sender sends data frames of one port and receives none, which costs the port's
// own frames nothing. It may be used by several goroutines, by none during or
// after Close.
type Sender struct{ fd int }

// OpenSender makes a sender for an interface.
func OpenSender(ifindex int) (*Sender, error) {
	fd, err := openSend(ifindex)
	if err != nil {
		return nil, fmt.Errorf("pkt sender %d: %w", ifindex, err)
	}
	return &Sender{fd}, nil
}

// Send hands one frame, with its virtio_net_hdr before it, to the port's transmit
// queue. It never waits. The error is a unix.Errno: EAGAIN while the buffer is
// full, ENOBUFS when the queue had no room, EMSGSIZE for a frame that is too
// long, ENETDOWN and ENXIO when the port is down or gone.
func (s *Sender) Send(frame []byte) error {
	for {
		_, err := unix.Write(s.fd, frame)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// WaitWritable waits until the port takes frames again, at most for timeout,
// which is rounded up to milliseconds, and reports whether it does.
func (s *Sender) WaitWritable(timeout time.Duration) bool { return waitWritable(s.fd, timeout) }

// Close gives the sender up. Frames that the port has accepted are still sent.
func (s *Sender) Close() error { return unix.Close(s.fd) }
