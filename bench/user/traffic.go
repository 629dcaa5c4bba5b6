package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sinkPort = 7700
	streams  = 4
	tcpChunk = 128 << 10
	udpSize  = 18 // octets of payload: with all headers the least Ethernet frame
	recvSize = 4 << 20
	// congestion is the kernel's own default. A machine may be set to another,
	// and one that paces (bbr) measures its timers.
	congestion = "cubic"
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
		wg.Go(func() { pump([]int{fd}, make([]byte, tcpChunk), end) })
	}
	wg.Wait()
	return nil
}

// udpSource sends one datagram a system call, as programs do, from several ports
// in turn.
func udpSource(args []string) error {
	conns, end, err := dial(unix.SOCK_DGRAM, args)
	if err != nil {
		return err
	}
	pump(conns, make([]byte, udpSize), end)
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
		if typ == unix.SOCK_STREAM {
			if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion); err != nil {
				return nil, end, err
			}
		}
		if err := unix.Connect(fd, addr); err != nil {
			return nil, end, err
		}
		conns = append(conns, fd)
	}
	return conns, time.Now().Add(d), nil
}

// pump writes to the sockets in turn until it is time. A datagram that is
// refused is lost; a connection that the sink has closed ends it.
func pump(conns []int, b []byte, end time.Time) {
	for n := 0; n%64 != 0 || time.Now().Before(end); n++ {
		if _, err := unix.SendmsgN(conns[n%len(conns)], b, nil, nil, unix.MSG_NOSIGNAL); err == unix.EPIPE || err == unix.ECONNRESET {
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
		go drain(c, make([]byte, tcpChunk), func(n int) { total.Add(uint64(n)) })
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
	var total atomic.Uint64
	first := make(chan struct{})
	once := sync.OnceFunc(func() { close(first) })
	go drain(fd, make([]byte, udpSize), func(int) { once(); total.Add(1) })
	<-first
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

// drain reads until the far end closes.
func drain(fd int, b []byte, count func(n int)) {
	for {
		n, err := unix.Read(fd, b)
		if err != nil || n == 0 {
			return
		}
		count(n)
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
