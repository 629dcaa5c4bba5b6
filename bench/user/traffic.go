package main

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sinkPort = 7700
	streams  = 4
	tcpChunk = 128 << 10
	udpBatch = 32
	udpSize  = 18 // octets of payload: with all headers the least Ethernet frame
	recvSize = 4 << 20
)

// Traffic goes through plain blocking sockets, so that what is measured is the
// kernel and the datapath rather than the runtime's poller.

// tcpSource sends as much as it can through several connections, to the address
// args[0] for the time args[1].
func tcpSource(args []string) error {
	conns, end, err := dial(unix.SOCK_STREAM, args)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, fd := range conns {
		wg.Go(func() { pump(fd, end) })
	}
	wg.Wait()
	return nil
}

// udpSource sends datagrams from several ports in turn.
func udpSource(args []string) error {
	conns, end, err := dial(unix.SOCK_DGRAM, args)
	if err != nil {
		return err
	}
	m := newMessages(udpBatch, udpSize)
	for n := 0; time.Now().Before(end); n++ {
		_, _ = m.call(unix.SYS_SENDMMSG, conns[n%len(conns)]) // what is refused is lost
	}
	return nil
}

// dial opens the sockets, and tells when to stop.
func dial(typ int, args []string) (conns []int, end time.Time, err error) {
	addr, d, err := parse(args)
	if err != nil {
		return nil, end, err
	}
	for range streams {
		fd, err := unix.Socket(unix.AF_INET, typ, 0)
		if err != nil {
			return nil, end, err
		}
		if err := unix.Connect(fd, addr); err != nil {
			return nil, end, err
		}
		conns = append(conns, fd)
	}
	return conns, time.Now().Add(d), nil
}

// pump writes to a connection until it is time, or until the sink closes it.
func pump(fd int, end time.Time) {
	b := make([]byte, tcpChunk)
	for time.Now().Before(end) {
		if err := unix.Send(fd, b, unix.MSG_NOSIGNAL); err != nil {
			return
		}
	}
}

// tcpSink counts the octets that arrive through all connections.
func tcpSink(args []string) error {
	addr, d, err := parse(args)
	if err != nil {
		return err
	}
	fd, err := listen(unix.SOCK_STREAM, addr)
	if err == nil {
		err = unix.Listen(fd, streams)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var total atomic.Uint64
	for range streams {
		c, _, err := unix.Accept(fd)
		if err != nil {
			return err
		}
		go drain(c, &total)
	}
	return report(&total, d)
}

// udpSink counts datagrams.
func udpSink(args []string) error {
	addr, d, err := parse(args)
	if err != nil {
		return err
	}
	fd, err := listen(unix.SOCK_DGRAM, addr)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	m := newMessages(udpBatch, udpSize)
	if _, err := m.call(unix.SYS_RECVMMSG, fd); err != nil {
		return err
	}
	var total atomic.Uint64
	go func() {
		for {
			n, err := m.call(unix.SYS_RECVMMSG, fd)
			if err != nil {
				return
			}
			total.Add(uint64(n))
		}
	}()
	return report(&total, d)
}

func listen(typ int, addr unix.Sockaddr) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, typ, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if typ == unix.SOCK_DGRAM {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, recvSize); err != nil {
			return -1, err
		}
	}
	return fd, unix.Bind(fd, addr)
}

// drain reads from a connection until the source closes it.
func drain(fd int, total *atomic.Uint64) {
	b := make([]byte, tcpChunk)
	for {
		n, err := unix.Read(fd, b)
		if err != nil || n == 0 {
			return
		}
		total.Add(uint64(n))
	}
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

// call is sendmmsg(2) or recvmmsg(2), which waits for the first datagram only.
func (m *messages) call(trap uintptr, fd int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs[0])),
			uintptr(len(m.msgs)), unix.MSG_WAITFORONE, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// report prints how much a second was counted in the middle three quarters of
// the time that the source sends.
func report(total *atomic.Uint64, d time.Duration) error {
	time.Sleep(d / 8)
	before, start := total.Load(), time.Now()
	time.Sleep(d * 3 / 4)
	n, took := total.Load()-before, time.Since(start)
	fmt.Println(float64(n) / took.Seconds())
	return nil
}

// parse reads the sink's address and the duration.
func parse(args []string) (*unix.SockaddrInet4, time.Duration, error) {
	ip := net.ParseIP(args[0]).To4()
	if ip == nil {
		return nil, 0, fmt.Errorf("%q is no IPv4 address", args[0])
	}
	d, err := time.ParseDuration(args[1])
	return &unix.SockaddrInet4{Port: sinkPort, Addr: [4]byte(ip)}, d, err
}
