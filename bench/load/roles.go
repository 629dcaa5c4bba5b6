package load

import (
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ifagr/bench/lab"
)

const (
	sinkPort = 7700
	// Addresses is how many successive addresses of the sink traffic may use.
	Addresses = 250
)

// Roles are what a process may be, by the first argument of its command line.
func Roles() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		"tcp-source": tcpSource,
		"tcp-sink":   tcpSink,
		"udp-source": udpSource,
		"udp-sink":   udpSink,
		"echo":       echo,
	}
}

// sending is what the sources share: until when, and how much.
type sending struct {
	stopped atomic.Bool
	senders sync.WaitGroup
	sent    atomic.Uint64
	refused atomic.Uint64
}

// serve answers the benchmark until it closes the standard input.
func (s *sending) serve() error {
	counts := func() []uint64 { return []uint64{s.sent.Load(), s.refused.Load()} }
	return lab.Serve(counts, func(line string) error {
		if line == Stop {
			s.stopped.Store(true)
			s.senders.Wait()
		}
		return nil
	})
}

// Stop is the line that ends the sending of a source; its answer has the last
// counts.
const Stop = "stop"

// dial opens sockets to successive addresses.
func dial(typ int, args []string) ([]int, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("want an address and a number: %q", args)
	}
	addr, err := netip.ParseAddr(args[0])
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	var conns []int
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		to := &unix.SockaddrInet4{Port: sinkPort, Addr: After(addr, i%Addresses).As4()}
		if err := unix.Connect(fd, to); err != nil {
			return nil, fmt.Errorf("connect to %v: %w", netip.AddrFrom4(to.Addr), err)
		}
		conns = append(conns, fd)
	}
	return conns, nil
}

// After is the n-th address after a.
func After(a netip.Addr, n int) netip.Addr {
	for range n {
		a = a.Next()
	}
	return a
}

// listen opens a socket that takes what comes for any address.
func listen(typ int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrInet4{Port: sinkPort})
}
