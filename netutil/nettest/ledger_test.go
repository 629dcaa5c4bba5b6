package nettest

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

// What relay does to the first flow, by the number of a datagram modulo 100.
const (
	dropped = 10
	doubled = 20
	overdue = 30 // sent behind the next one
)

// TestLedger sends two flows through a relay that loses, doubles and reorders
// datagrams of one of them, and wants to be told exactly that.
func TestLedger(t *testing.T) {
	a, m, b := New(t), New(t), New(t)
	Veth(a, "p0", m, "m0", NoIPv6)
	Veth(m, "m1", b, "p0", NoIPv6)
	a.NoOffload("p0") // what the relay reads must have its checksum
	a.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "p0")
	b.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "p0")
	b.Run("ip", "addr", "add", "192.0.2.3/24", "dev", "p0")
	for _, addr := range []string{"192.0.2.2", "192.0.2.3"} {
		a.Run("ip", "neigh", "add", addr, "lladdr", b.LinkAddr(0).String(), "dev", "p0")
	}
	relay(t, m, "m0", "m1")
	s := StartStream(t, StreamConfig{From: a, To: b, Flows: []Flow{
		{Addr: netip.MustParseAddr("192.0.2.2"), Rate: 2000},
		{Addr: netip.MustParseAddr("192.0.2.3"), Rate: 500},
	}})
	Eventually(t, 10*time.Second, func() error {
		if n := s.Received(); n < 2000 {
			return fmt.Errorf("%d received", n)
		}
		return nil
	})
	r := s.Stop()
	first := r.Flows[0]
	want := Report{
		Sent: first.Sent, Lost: below(first.Sent, dropped), Duplicated: below(first.Sent, doubled), Reordered: below(first.Sent, overdue),
	}
	if first.Sent%100 == overdue+1 { // nothing came that would have sent it
		want.Lost++
		want.Reordered--
	}
	want.Received = want.Sent - want.Lost
	first.Runs = nil
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("flow through a bad relay: -want +got\n%s", diff)
	}
	other := r.Flows[1]
	if diff := cmp.Diff(Report{Sent: other.Sent, Received: other.Sent}, other); diff != "" {
		t.Errorf("flow that the relay leaves alone: -want +got\n%s", diff)
	}
	if sum := (Report{
		Sent: first.Sent + other.Sent, Received: first.Received + other.Received,
		Lost: want.Lost, Duplicated: want.Duplicated, Reordered: want.Reordered,
	}); r.Sent != sum.Sent || r.Received != sum.Received || r.Lost != sum.Lost ||
		r.Duplicated != sum.Duplicated || r.Reordered != sum.Reordered || r.Pause == 0 {
		t.Errorf("the sum is %v (pause %v), want %v", r, r.Pause, sum)
	}
}

// below is how many numbers below n leave the rest when divided by 100.
func below(n, rest uint64) uint64 { return (n + 99 - rest) / 100 }

// relay carries IPv4 frames from one interface of a namespace to another, and
// treats the first flow badly.
func relay(t *testing.T, n *NS, from, to string) {
	t.Helper()
	in, out := rawSocket(t, n, from), rawSocket(t, n, to)
	var stopped atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		b := make([]byte, 2048)
		var late []byte
		for !stopped.Load() {
			size, err := unix.Read(in, b)
			if err != nil {
				continue
			}
			for _, frame := range treat(b[:size], &late) {
				_, _ = unix.Write(out, frame)
			}
		}
	})
	t.Cleanup(func() {
		stopped.Store(true)
		done.Wait()
	})
}

// treat is what the relay sends for a frame.
func treat(frame []byte, late *[]byte) [][]byte {
	const payload = 14 + 20 + 8
	if len(frame) < payload+minFrame {
		return nil
	}
	v := binary.BigEndian.Uint64(frame[payload:])
	if v>>numberBits != 0 {
		return [][]byte{frame}
	}
	var send [][]byte
	switch v % 100 {
	case dropped:
	case doubled:
		send = [][]byte{frame, frame}
	case overdue:
		*late = append([]byte(nil), frame...)
		return nil
	default:
		send = [][]byte{frame}
	}
	if *late != nil {
		send = append(send, *late)
		*late = nil
	}
	return send
}

// rawSocket is a packet socket for the IPv4 frames of an interface.
func rawSocket(t *testing.T, n *NS, name string) (fd int) {
	t.Helper()
	proto := bits.ReverseBytes16(unix.ETH_P_IP)
	n.Do(func() {
		var err error
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(proto)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: ifindex(t, name)}); err != nil {
			t.Fatal(err)
		}
	})
	short := unix.Timeval{Usec: 100_000}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &short); err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestOverflow lets a socket with hardly any buffer overflow, and wants every
// datagram to be either read or counted.
func TestOverflow(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	to, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 100
	for range sent {
		if err := unix.Sendto(fd, make([]byte, 100), 0, to); err != nil {
			t.Fatal(err)
		}
	}
	var got uint64
	for b := make([]byte, 100); ; got++ {
		if _, err := unix.Read(fd, b); err != nil {
			break
		}
	}
	lost, err := Overflow(fd)
	if err != nil || lost == 0 || got+lost != sent {
		t.Errorf("%d read, %d found no room (%v), want %d together", got, lost, err, sent)
	}
}

// ifindex is the index of an interface of the calling thread's namespace.
func ifindex(t *testing.T, name string) int {
	t.Helper()
	c, err := rtnl.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, err := c.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l.Index
}
