package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/bench/lab"
)

// echoTimeout is after which a request counts as lost.
const echoTimeout = 200 * time.Millisecond

// echo sends one ICMP echo request after the other, each as soon as the reply to
// the one before has come, as ping(8) -f does.
func echo(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want an address: %q", args)
	}
	addr, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	e, err := newEchoer(addr)
	if err != nil {
		return err
	}
	var s sending
	failed := make(chan error, 1)
	s.senders.Go(func() {
		if err := e.run(&s); err != nil {
			failed <- err
		}
	})
	return lab.Serve(e.counts, func(line string) error {
		s.stopped.Store(line == Stop)
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	})
}

// echoer measures round trips to one address.
type echoer struct {
	fd    int
	reply [256]byte

	mu                sync.Mutex
	requests, replies uint64
	trips             lab.Series // in nanoseconds, since the last reading
}

func newEchoer(addr netip.Addr) (*echoer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, err
	}
	e := &echoer{fd: fd}
	timeout := unix.NsecToTimeval(echoTimeout.Nanoseconds())
	return e, errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout), unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.As4()}))
}

// counts are requests, replies, and the median round trip since it was asked
// last, in nanoseconds.
func (e *echoer) counts() []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	median := uint64(0)
	if len(e.trips) > 0 {
		median = uint64(e.trips.Median())
	}
	e.trips = e.trips[:0]
	return []uint64{e.requests, e.replies, median}
}

func (e *echoer) run(s *sending) error {
	for n := uint16(0); !s.stopped.Load(); n++ {
		start := time.Now()
		replied, err := e.trip(n)
		if err != nil {
			return err
		}
		e.note(replied, time.Since(start))
	}
	return nil
}

func (e *echoer) note(replied bool, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests++
	if replied {
		e.replies++
		e.trips = append(e.trips, float64(d.Nanoseconds()))
	}
}

// trip sends a request and waits for its reply; false means that none came.
func (e *echoer) trip(n uint16) (bool, error) {
	req := [16]byte{0: 8} // type, code, sum, identifier, number
	binary.BigEndian.PutUint16(req[4:], uint16(e.fd))
	binary.BigEndian.PutUint16(req[6:], n)
	binary.BigEndian.PutUint16(req[2:], checksum(req[:]))
	if err := unix.Send(e.fd, req[:], 0); err != nil {
		return false, fmt.Errorf("echo request: %w", err)
	}
	b := e.reply[:]
	for {
		size, err := unix.Read(e.fd, b)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, fmt.Errorf("echo reply: %w", err)
		}
		// A reply is type 0; before it is the IP header.
		if ip := int(b[0]&15) * 4; size >= ip+8 && b[ip] == 0 && binary.BigEndian.Uint16(b[ip+6:]) == n {
			return true, nil
		}
	}
}

// checksum is the Internet checksum (RFC 1071) of an even number of octets.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
