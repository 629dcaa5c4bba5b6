package nettest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	minFrame   = 8                      // octets of payload that hold a flow and a number
	numberBits = 48                     // of them, for the number
	quiet      = 300 * time.Millisecond // after which nothing is under way any more
	minTick    = 100 * time.Microsecond // how often a sender looks at the clock, at most
	// receiveBuffer is what a receiver may be late, in octets as the kernel
	// counts them: about 20,000 small datagrams.
	receiveBuffer = 16 << 20
)

// Flow is one conversation of numbered traffic.
type Flow struct {
	Addr netip.Addr // an address of the receiver
	Rate int        // datagrams a second; 0: 1000
}

// StreamConfig says what numbered traffic is wanted: one flow, or Flows.
type StreamConfig struct {
	From, To *NS
	Addr     netip.Addr // an address of To
	Rate     int        // datagrams a second; 0: 1000
	Size     int        // octets of payload, at least 8
	// Flows, when there are any, stand for Addr and Rate. Each has numbers of its
	// own. They share their UDP ports, so that flows are told apart by address.
	Flows []Flow
}

// Stream sends numbered UDP datagrams from one namespace to another and notes
// which arrive.
type Stream struct {
	out  *net.UDPConn
	in   *net.UDPConn
	size int
	stop chan struct{}
	done sync.WaitGroup // sender and receiver

	flows    []*flow
	received atomic.Uint64
	pause    time.Duration // longest of the sender; its own until it has ended
	overflow uint64        // datagrams for which the receiving socket had no room
	once     sync.Once
}

// flow is the state of one flow. The arrivals are the receiver's until it has
// ended.
type flow struct {
	dest     netip.AddrPort
	rate     int
	sent     atomic.Uint64
	errors   atomic.Uint64
	arrivals arrivals
}

// StartStream starts to send. Stop it to learn what happened.
func StartStream(t testing.TB, cfg StreamConfig) *Stream {
	t.Helper()
	if len(cfg.Flows) == 0 {
		cfg.Flows = []Flow{{Addr: cfg.Addr, Rate: cfg.Rate}}
	}
	s := &Stream{size: max(cfg.Size, minFrame), stop: make(chan struct{})}
	s.in = listen(t, cfg.To)
	s.out = listen(t, cfg.From)
	port := s.in.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for _, f := range cfg.Flows {
		if f.Rate == 0 {
			f.Rate = 1000
		}
		s.flows = append(s.flows, &flow{dest: netip.AddrPortFrom(f.Addr, port), rate: f.Rate})
	}
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
		err = control(c, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// control calls f with a connection's descriptor.
func control(c *net.UDPConn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = f(int(fd)) })
	return errors.Join(err, inner)
}

// Port is the UDP port that the stream is sent to.
func (s *Stream) Port() uint16 { return s.flows[0].dest.Port() }

// Received is how many datagrams have arrived so far.
func (s *Stream) Received() uint64 { return s.received.Load() }

// Sent is how many numbers have been used so far, by all flows.
func (s *Stream) Sent() uint64 {
	var n uint64
	for _, f := range s.flows {
		n += f.sent.Load()
	}
	return n
}

// Stop ends the stream, waits for what is still under way, and reports.
func (s *Stream) Stop() Report {
	s.once.Do(func() {
		close(s.stop)
		for last := ^uint64(0); last != s.received.Load(); {
			last = s.received.Load()
			pause(quiet)
		}
		_ = control(s.in, func(fd int) (err error) { s.overflow, err = Overflow(fd); return err })
		_ = s.out.Close()
		_ = s.in.Close()
		s.done.Wait()
	})
	reports := make([]Report, len(s.flows))
	for i, f := range s.flows {
		reports[i] = f.arrivals.report(f.sent.Load(), time.Second/time.Duration(f.rate))
		reports[i].SendErrors = f.errors.Load()
	}
	r := total(reports)
	r.Overflow, r.Pause = s.overflow, s.pause
	return r
}

// maxCatchUp is how much of a pause that a busy machine has forced on it a stream
// makes up for. More at once is a flood, which fills queues that the rate never would.
const maxCatchUp = 200 * time.Millisecond

// send catches up with the clock at each tick. It has a thread of its own that
// the kernel wakes on time, because the runtime's timers are a millisecond late,
// which is as long as the pause in which a conversation may move.
func (s *Stream) send() {
	defer s.done.Done()
	runtime.LockOSThread() // and ends with the goroutine, for its timer slack
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	fastest := slices.MaxFunc(s.flows, func(a, b *flow) int { return a.rate - b.rate })
	tick := max(minTick, time.Second/time.Duration(fastest.rate))
	b := make([]byte, s.size)
	start := time.Now()
	for last := start; ; {
		now := time.Now()
		pause := now.Sub(last)
		s.pause = max(s.pause, pause)
		last = now
		start = start.Add(max(0, pause-maxCatchUp))
		for i, f := range s.flows {
			s.catchUp(i, f, now.Sub(start), b)
		}
		select {
		case <-s.stop:
			return
		default:
		}
		sleep(tick - time.Since(start)%tick)
	}
}

// catchUp sends what a flow should have sent by now. A datagram that the kernel
// refuses has used its number and counts as lost.
func (s *Stream) catchUp(index int, f *flow, elapsed time.Duration, b []byte) {
	due := uint64(elapsed.Seconds() * float64(f.rate))
	for n := f.sent.Load(); n < due; n++ {
		binary.BigEndian.PutUint64(b, uint64(index)<<numberBits|n)
		if _, err := s.out.WriteToUDPAddrPort(b, f.dest); err != nil {
			f.errors.Add(1)
		}
		f.sent.Store(n + 1)
	}
}

// sleep is clock_nanosleep(2).
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil)
}

func (s *Stream) receive() {
	defer s.done.Done()
	b := make([]byte, 1<<16)
	for {
		n, _, err := s.in.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if n < minFrame {
			continue
		}
		v := binary.BigEndian.Uint64(b)
		if i := int(v >> numberBits); i < len(s.flows) {
			s.flows[i].arrivals.add(v & (1<<numberBits - 1))
			s.received.Add(1)
		}
	}
}
