package nettest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	minFrame = 8                      // octets of payload that hold a number
	quiet    = 300 * time.Millisecond // after which nothing is under way any more
)

// StreamConfig says what numbered traffic is wanted.
type StreamConfig struct {
	From, To *NS
	Addr     netip.Addr // an address of To
	Rate     int        // datagrams a second; 0: 1000
	Size     int        // octets of payload, at least 8
}

// Stream sends numbered UDP datagrams from one namespace to another and notes
// which arrive.
type Stream struct {
	cfg  StreamConfig
	out  *net.UDPConn
	in   *net.UDPConn
	dest netip.AddrPort
	stop chan struct{}
	done sync.WaitGroup // sender and receiver

	sent, errors atomic.Uint64
	received     atomic.Uint64
	arrivals     arrivals // the receiver's until it has ended
	once         sync.Once
}

// StartStream starts to send. Stop it to learn what happened.
func StartStream(t testing.TB, cfg StreamConfig) *Stream {
	t.Helper()
	if cfg.Rate == 0 {
		cfg.Rate = 1000
	}
	cfg.Size = max(cfg.Size, minFrame)
	s := &Stream{cfg: cfg, stop: make(chan struct{})}
	s.in = listen(t, cfg.To)
	s.out = listen(t, cfg.From)
	s.dest = netip.AddrPortFrom(cfg.Addr, s.in.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	s.done.Add(2)
	go s.receive()
	go s.send()
	t.Cleanup(func() { s.Stop() })
	return s
}

func listen(t testing.TB, n *NS) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	var err error
	n.Do(func() { c, err = net.ListenUDP("udp", nil) })
	if err == nil {
		err = c.SetReadBuffer(4 << 20)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Port is the UDP port that the stream is sent to.
func (s *Stream) Port() uint16 { return s.dest.Port() }

// Received is how many datagrams have arrived so far.
func (s *Stream) Received() uint64 { return s.received.Load() }

// Sent is how many numbers have been used so far.
func (s *Stream) Sent() uint64 { return s.sent.Load() }

// Stop ends the stream, waits for what is still under way, and reports.
func (s *Stream) Stop() Report {
	s.once.Do(func() {
		close(s.stop)
		for last := ^uint64(0); last != s.received.Load(); {
			last = s.received.Load()
			pause(quiet)
		}
		_ = s.out.Close()
		_ = s.in.Close()
		s.done.Wait()
	})
	r := s.arrivals.report(s.sent.Load(), time.Second/time.Duration(s.cfg.Rate))
	r.SendErrors = s.errors.Load()
	return r
}

// send catches up with the clock at each tick. A datagram that the kernel
// refuses has used its number and counts as lost.
func (s *Stream) send() {
	defer s.done.Done()
	tick := time.NewTicker(max(time.Millisecond, time.Second/time.Duration(s.cfg.Rate)))
	defer tick.Stop()
	b := make([]byte, s.cfg.Size)
	for start := time.Now(); ; {
		due := uint64(time.Since(start).Seconds() * float64(s.cfg.Rate))
		for n := s.sent.Load(); n < due; n++ {
			binary.BigEndian.PutUint64(b, n)
			if _, err := s.out.WriteToUDPAddrPort(b, s.dest); err != nil {
				s.errors.Add(1)
			}
			s.sent.Store(n + 1)
		}
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

func (s *Stream) receive() {
	defer s.done.Done()
	b := make([]byte, 1<<16)
	for {
		n, _, err := s.in.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if n >= minFrame {
			s.arrivals.add(binary.BigEndian.Uint64(b))
			s.received.Add(1)
		}
	}
}

// Report is what became of a stream.
type Report struct {
	Sent       uint64
	Received   uint64 // without duplicates
	Lost       uint64
	Duplicated uint64 // copies beyond the first
	Reordered  uint64 // arrived after one with a higher number
	SendErrors uint64 // of the lost ones, those that the kernel refused
	Runs       []Run  // of lost ones, in order
}

// Run is a number of successive datagrams that were lost.
type Run struct {
	First uint64
	Count uint64
	Lasts time.Duration // Count at the stream's rate
}

// String is the report on one line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d received, %d lost (%d refused), %d duplicated, %d reordered",
		r.Sent, r.Received, r.Lost, r.SendErrors, r.Duplicated, r.Reordered)
	for _, run := range r.Runs {
		fmt.Fprintf(&b, "; lost %d from %d on (%v)", run.Count, run.First, run.Lasts)
	}
	return b.String()
}

// arrivals is what a receiver notes of the numbers that it gets.
type arrivals struct {
	seen       []bool // by number
	duplicated uint64
	reordered  uint64
}

// maxNumber is beyond what a test sends; a number above it is not ours.
const maxNumber = 1 << 28

func (a *arrivals) add(n uint64) {
	switch {
	case n >= maxNumber:
		return
	case n >= uint64(len(a.seen)):
		a.seen = append(a.seen, make([]bool, n+1-uint64(len(a.seen)))...)
	case a.seen[n]:
		a.duplicated++
		return
	default:
		a.reordered++
	}
	a.seen[n] = true
}

// report counts up to the number of datagrams sent, one each interval.
func (a *arrivals) report(sent uint64, interval time.Duration) Report {
	r := Report{Sent: sent, Duplicated: a.duplicated, Reordered: a.reordered}
	for n := range sent {
		if n < uint64(len(a.seen)) && a.seen[n] {
			r.Received++
			continue
		}
		r.Lost++
		if last := len(r.Runs) - 1; last >= 0 && r.Runs[last].First+r.Runs[last].Count == n {
			r.Runs[last].Count++
			r.Runs[last].Lasts += interval
			continue
		}
		r.Runs = append(r.Runs, Run{First: n, Count: 1, Lasts: interval})
	}
	return r
}
