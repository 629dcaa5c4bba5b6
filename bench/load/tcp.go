package load

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ifagr/bench/lab"
)

const tcpChunk = 128 << 10

// Congestion is the congestion control of every connection: one that paces, as
// bbr does, would leave a bare veth idle.
const Congestion = "cubic"

// tcpSource sends as much as it can through several connections.
func tcpSource(args []string) error {
	conns, err := dial(unix.SOCK_STREAM, args)
	if err != nil {
		return err
	}
	var s sending
	for _, fd := range conns {
		if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, Congestion); err != nil {
			return err
		}
		s.senders.Go(func() { s.pump(fd) })
	}
	return s.serve()
}

// pump writes to a connection until it is told to stop.
func (s *sending) pump(fd int) {
	defer unix.Close(fd)
	b := make([]byte, tcpChunk)
	for !s.stopped.Load() {
		n, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil {
			s.refused.Add(1)
			return
		}
		s.sent.Add(uint64(n))
	}
}

// tcpSink counts the octets that arrive through all connections.
func tcpSink([]string) error {
	fd, err := listen(unix.SOCK_STREAM)
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		return err
	}
	var total atomic.Uint64
	go func() {
		for {
			c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err != nil {
				return
			}
			go drain(c, &total)
		}
	}()
	return lab.Serve(func() []uint64 { return []uint64{total.Load()} }, nil)
}

// drain reads from a connection until the source closes it.
func drain(fd int, total *atomic.Uint64) {
	defer unix.Close(fd)
	b := make([]byte, tcpChunk)
	for {
		n, err := unix.Read(fd, b)
		if err != nil || n == 0 {
			return
		}
		total.Add(uint64(n))
	}
}
