package load

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

const (
	udpBatch = 32
	udpSize  = 18 // octets of payload: with all headers the least Ethernet frame
	recvSize = 8 << 20
)

// udpSource sends datagrams of several flows, a batch of each in turn.
func udpSource(args []string) error {
	conns, err := dial(unix.SOCK_DGRAM, args)
	if err != nil {
		return err
	}
	var s sending
	s.senders.Go(func() { s.blast(conns) })
	return s.serve()
}

// blast sends until it is told to stop. What the kernel refuses was not sent.
func (s *sending) blast(conns []int) {
	m := newMessages(udpBatch, udpSize)
	for i := 0; !s.stopped.Load(); i++ {
		n, err := m.call(unix.SYS_SENDMMSG, conns[i%len(conns)], 0)
		if err != nil {
			s.refused.Add(1)
			continue
		}
		s.sent.Add(uint64(n))
	}
}

// sinkPause is how long the sink sleeps when nothing is there. It does not wait
// in the socket: the sender would be charged with waking it, frame by frame or
// not at all, as luck will have it.
const sinkPause = 500 * time.Microsecond

// udpSink counts datagrams.
func udpSink([]string) error {
	fd, err := listen(unix.SOCK_DGRAM)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, recvSize)
	}
	if err != nil {
		return err
	}
	var total atomic.Uint64
	go func() {
		m := newMessages(udpBatch, udpSize)
		for {
			n, err := m.call(unix.SYS_RECVMMSG, fd, unix.MSG_DONTWAIT)
			switch {
			case err == nil:
				total.Add(uint64(n))
			case errors.Is(err, unix.EAGAIN):
				nap := unix.NsecToTimespec(sinkPause.Nanoseconds())
				_ = unix.Nanosleep(&nap, nil)
			default:
				return
			}
		}
	}()
	return lab.Serve(func() []uint64 { return []uint64{total.Load(), noRoom(fd)} }, nil)
}

// noRoom is how many datagrams found no room in the socket.
func noRoom(fd int) uint64 {
	n, err := nettest.Overflow(fd)
	if err != nil {
		return 0
	}
	return n
}

// messages are datagrams that go through one system call together, so that the
// programs at both ends are not what is measured.
type messages struct {
	iovs []unix.Iovec
	msgs []struct {
		hdr unix.Msghdr
		len uint32
	}
}

func newMessages(count, size int) *messages {
	m := &messages{iovs: make([]unix.Iovec, count)}
	m.msgs = slices.Grow(m.msgs, count)[:count]
	for i := range m.msgs {
		m.iovs[i].Base = &make([]byte, size)[0]
		m.iovs[i].SetLen(size)
		m.msgs[i].hdr.Iov = &m.iovs[i]
		m.msgs[i].hdr.SetIovlen(1)
	}
	return m
}

// call is sendmmsg(2) or recvmmsg(2).
func (m *messages) call(trap uintptr, fd, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs[0])),
			uintptr(len(m.msgs)), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
