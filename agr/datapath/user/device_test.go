package user

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// TestTags sends every kind of tag across: what goes in comes out.
func TestTags(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	in, out := a.tap("agr0"), b.tap("agr0")
	frames := [][]byte{
		frame(toB, nil, 0),
		frame(toB, []byte{0x81, 0, 0, 5}, 1),
		frame(toB, []byte{0x81, 0, 0xa0, 0}, 2),
		frame(toB, []byte{0x88, 0xa8, 0x20, 7}, 3),
		frame(toB, []byte{0x88, 0xa8, 0x20, 7, 0x81, 0, 0, 5}, 4),
		frame(broadcast, []byte{0x81, 0, 0, 5}, 5),
		frame(ether.Addr{0x01, 0x80, 0xc2, 0, 0, 0}, nil, 6), // spanning tree crosses
	}
	for _, want := range frames {
		transmit(t, in, want)
		if diff := cmp.Diff([][]byte{want}, receiveUntil(t, out, want[len(want)-1])); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

// TestStaysOnPort: reserved groups and slow protocols cross in neither
// direction, and reach who listens on the port.
func TestStaysOnPort(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	slow := func(dst ether.Addr, tags ...byte) []byte {
		f := append(dst[:], 0x02, 0xa9, 0, 0, 0, 1)
		return append(append(f, tags...), append([]byte{0x88, 0x09, 1, 1, 0x88, 0xb5}, make([]byte, 60)...)...)
	}
	stay := [][]byte{
		slow(ether.SlowProtocols),
		slow(toB),
		slow(ether.SlowProtocols, 0x81, 0, 0xe0, 0),
		frame(ether.Addr{0x01, 0x80, 0xc2, 0, 0, 0x0e}, nil, 1),
	}
	var listener *pkt.Slow
	b.Do(func() {
		var err error
		if listener, err = pkt.ListenSlow(b.ports[0].Index); err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = listener.Close() }()
	out := b.tap("agr0")
	for name, in := range map[string]*pkt.Data{"agr0": a.tap("agr0"), "re0": a.tap("re0")} {
		last := frame(toB, nil, lastFrame)
		transmit(t, in, append(stay, last)...)
		if diff := cmp.Diff([][]byte{last}, receiveUntil(t, out, lastFrame)); diff != "" {
			t.Errorf("sent to %s: -want +got at agr0\n%s", name, diff)
		}
	}
	if err := listener.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n, err := listener.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stay[0], buf[:n]); diff != "" {
		t.Errorf("LACPDU on the port: -want +got\n%s", diff)
	}
	if err := listener.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := listener.Read(buf); err == nil {
		t.Errorf("a second LACPDU, which was priority-tagged: % x", buf[:n])
	}
}

// TestOnce: each datagram arrives exactly once, broadcasts too, and ARP gets
// exactly one answer, agr0's, whichever shield is used.
func TestOnce(t *testing.T) {
	for _, shield := range []string{ShieldTCX, ShieldClsact, ShieldSettings} {
		t.Run(shield, func(t *testing.T) {
			a, b := pair(t, shield)
			want := datapath.Info{
				Kind: "user", Shield: shield, ChangesSettings: shield == ShieldSettings,
				CollectorDelay: collectorDelay, Markers: true,
			}
			if got := a.dev.Info(); got != want {
				t.Errorf("info %+v, want %+v", got, want)
			}
			// What waits for an ARP answer is overtaken by what comes after it.
			a.Run("ping", "-c", "1", "-W", "2", b.addr.String())
			s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: b.addr, Rate: 2000})
			nettest.Eventually(t, 5*time.Second, func() error {
				if n := s.Received(); n < 500 {
					return fmt.Errorf("%d datagrams", n)
				}
				return nil
			})
			if r := s.Stop(); r.Lost != 0 || r.Duplicated != 0 || r.Reordered != 0 {
				t.Error(r)
			}
			in, out := a.tap("agr0"), b.tap("agr0")
			transmit(t, in, frame(broadcast, nil, 1), frame(broadcast, nil, 2), frame(broadcast, nil, lastFrame))
			if n := len(receiveUntil(t, out, lastFrame)); n != 3 {
				t.Errorf("%d broadcasts arrived, want 3", n)
			}
			if n := a.arpAnswers(in, b); n != 3 {
				t.Errorf("%d answers to 3 ARP requests", n)
			}
		})
	}
}

// arpAnswers asks three times for b's address and counts the answers. Those to
// the first two have come when that to the third has.
func (s *side) arpAnswers(d *pkt.Data, b *side) (answers int) {
	s.t.Helper()
	batch := pkt.NewRecvBatch(16)
	for n := range byte(3) {
		asker := []byte{192, 0, 2, 100 + n}
		f := append(broadcast[:], 0x02, 0xa9, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0xa9, 0, 0, 0, 1)
		f = append(append(append(f, asker...), make([]byte, 6)...), b.addr.AsSlice()...)
		transmit(s.t, d, f)
		nettest.Eventually(s.t, 5*time.Second, func() error {
			came := false
			for d.Receive(batch) == nil {
				for _, f := range batch.Frames() {
					f = f[pkt.HeaderLen:]
					if !bytes.Equal(f[12:14], []byte{8, 6}) || f[21] != 2 {
						continue
					}
					answers++
					came = came || bytes.Equal(f[38:42], asker)
					if got := ether.Addr(f[22:28]); got != toB {
						s.t.Errorf("%v answered, want %v", got, toB)
					}
				}
			}
			if !came {
				return errors.New("no answer")
			}
			return nil
		})
	}
	return answers
}

// TestTCP sends 50 MB with segmentation left to whoever comes last.
func TestTCP(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	const size = 50 << 20
	var l net.Listener
	b.Do(func() {
		var err error
		if l, err = net.Listen("tcp", net.JoinHostPort(b.addr.String(), "0")); err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = l.Close() }()
	came := make(chan received, 1)
	go func() { came <- drain(l) }()
	var c net.Conn
	a.Do(func() {
		var err error
		if c, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second); err != nil {
			t.Fatal(err)
		}
	})
	h := sha256.New()
	seed := [32]byte{1}
	_, err := io.CopyN(io.MultiWriter(c, h), rand.NewChaCha8(seed), size)
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-came:
		if r.err != nil || !bytes.Equal(r.sum[:], h.Sum(nil)) {
			t.Errorf("%v, or the octets are not those that were sent", r.err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("not received within 30 s")
	}
	var frames, octets uint64
	nettest.Eventually(t, 10*time.Second, func() error { // frames are counted some time after they were handed over
		frames, octets = 0, 0
		for _, s := range b.dev.Stats().Ports {
			frames, octets = frames+s.RxFrames, octets+s.RxBytes
		}
		if octets < size {
			return fmt.Errorf("%d of %d octets", octets, size)
		}
		return nil
	})
	if octets/frames < 4000 {
		t.Errorf("%d octets in %d frames: they were not left whole", octets, frames)
	}
}

// received is what came through a connection.
type received struct {
	sum [sha256.Size]byte
	err error
}

// drain reads one connection to its end.
func drain(l net.Listener) received {
	c, err := l.Accept()
	if err != nil {
		return received{err: err}
	}
	defer func() { _ = c.Close() }()
	h := sha256.New()
	_, err = io.Copy(h, c)
	return received{[sha256.Size]byte(h.Sum(nil)), err}
}

// TestNotCollecting: frames to a port that does not collect are dropped there.
func TestNotCollecting(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	a.program(datapath.PortState{Number: 1, Distributing: true}, datapath.PortState{Number: 2})
	b.program(datapath.PortState{Number: 1, Distributing: true}, good(2))
	in, out := a.tap("agr0"), b.tap("agr0")
	transmit(t, in, frame(toB, nil, 1), frame(toB, nil, 2))
	nettest.Eventually(t, 5*time.Second, func() error {
		if n := b.dev.Stats().Ports[1].RxDropped; n < 2 {
			return fmt.Errorf("%d frames dropped", n)
		}
		return nil
	})
	b.program(good(1), good(2))
	transmit(t, in, frame(toB, nil, lastFrame))
	if n := len(receiveUntil(t, out, lastFrame)); n != 1 {
		t.Errorf("%d frames arrived, want that of after", n)
	}
}

// TestPortGoes deletes a link under traffic: what the daemon does then, telling
// the datapath and removing the port, brings the traffic back.
func TestPortGoes(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: b.addr})
	flows := func() {
		t.Helper()
		before := s.Received()
		nettest.Eventually(t, 5*time.Second, func() error {
			if n := s.Received() - before; n < 100 {
				return fmt.Errorf("%d datagrams", n)
			}
			return nil
		})
	}
	flows()
	a.Run("ip", "link", "delete", "re0")
	for _, side := range []*side{a, b} {
		side.program(datapath.PortState{Number: 1, Dead: true}, good(2))
		side.Do(func() {
			if err := side.dev.RemovePort(1); err != nil {
				t.Error(err)
			}
			if err := side.dev.RemovePort(1); !errors.Is(err, datapath.ErrNoPort) {
				t.Errorf("removed twice: %v", err)
			}
		})
		side.program(good(2))
	}
	flows()
	if r := s.Stop(); r.Duplicated != 0 {
		t.Error(r)
	}
}

// TestRemovePortReceives: what has arrived at a port is with the host when the
// port has been removed, and nothing that a port got which does not collect.
func TestRemovePortReceives(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	b.program(good(1), datapath.PortState{Number: 2})
	wires := []*pkt.Data{a.tap("re0"), a.tap("re1")}
	out := b.tap("agr0")
	const batches, size = 40, 64
	frames := make([][]byte, size)
	for i := range frames {
		frames[i] = frame(toB, nil, 1)
	}
	for range batches {
		transmit(t, wires[0], frames...)
		transmit(t, wires[1], frames...)
	}
	b.Do(func() {
		if err := errors.Join(b.dev.RemovePort(1), b.dev.RemovePort(2)); err != nil {
			t.Fatal(err)
		}
	})
	got, batch := 0, pkt.NewRecvBatch(size)
	for out.Receive(batch) == nil {
		for _, f := range batch.Frames() {
			if bytes.Equal(f[pkt.HeaderLen+12:pkt.HeaderLen+14], []byte{0x88, 0xb5}) {
				got++
			}
		}
	}
	if want := batches * size; got != want {
		t.Errorf("%d frames arrived, want %d", got, want)
	}
}

// TestHostDown takes b's agr0 down and up again.
func TestHostDown(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	in := a.tap("agr0")
	b.Run("ip", "link", "set", "agr0", "down")
	nettest.Eventually(t, 5*time.Second, func() error {
		transmit(t, in, frame(toB, nil, 1))
		for _, s := range b.dev.Stats().Ports {
			if s.RxDropped > 0 {
				return nil
			}
		}
		return errors.New("nothing dropped")
	})
	b.Run("ip", "link", "set", "agr0", "up")
	b.waitUp("agr0")
	out := b.tap("agr0")
	transmit(t, in, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
}

// TestRestart leaves agr0 to a successor.
func TestRestart(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	before := a.Output("ip", "addr", "show", "dev", "agr0")
	index := a.dev.Index()
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	a.ports = nil
	a.start(ShieldTCX)
	if !a.dev.Adopted() || b.dev.Adopted() || a.dev.Index() != index {
		t.Errorf("adopted %v, index %d; want index %d", a.dev.Adopted(), a.dev.Index(), index)
	}
	a.program(good(1), good(2))
	a.waitUp("agr0")
	after := a.Output("ip", "addr", "show", "dev", "agr0")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("agr0 is not what it was: -before +after\n%s", diff)
	}
	in, out := a.tap("agr0"), b.tap("agr0")
	transmit(t, in, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
}

// TestUndo wants everything back as it was, with each shield.
func TestUndo(t *testing.T) {
	for _, shield := range []string{ShieldTCX, ShieldClsact, ShieldSettings} {
		t.Run(shield, func(t *testing.T) {
			nettest.Require(t, nettest.TUN)
			s := &side{NS: nettest.New(t), t: t, addr: netip.MustParseAddr("192.0.2.1")}
			nettest.Veth(s.NS, "re0", s.NS, "re1")
			s.Sysctl("net/ipv4/conf/re0/rp_filter", "2")
			s.waitUp("re0")
			s.waitUp("re1")
			look := func() string {
				return s.Output("ip", "-d", "link", "show") +
					s.Output("sysctl", "net.ipv4.conf.re0.rp_filter", "net.ipv6.conf.re0.disable_ipv6",
						"net.ipv4.conf.re1.rp_filter", "net.ipv6.conf.re1.disable_ipv6")
			}
			before := look()
			s.start(shield)
			changed := s.Output("sysctl", "-n", "net.ipv4.conf.re0.rp_filter") == "1\n" &&
				strings.Contains(s.Output("ip", "link", "show", "dev", "re0"), "NOARP")
			if changed != (shield == ShieldSettings) {
				t.Errorf("settings changed: %v", changed)
			}
			if err := s.stop(true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, look()); diff != "" {
				t.Errorf("-before +after\n%s", diff)
			}
		})
	}
}

// TestErrors makes every request that must be refused, and wants nothing changed.
func TestErrors(t *testing.T) {
	nettest.Require(t, nettest.TUN)
	s := &side{NS: nettest.New(t), t: t, addr: netip.MustParseAddr("192.0.2.1")}
	nettest.Veth(s.NS, "re0", s.NS, "re1", nettest.NoIPv6)
	s.waitUp("re0")
	s.waitUp("re1")
	s.start(ShieldTCX)
	before := s.Output("ip", "-d", "link", "show")
	s.Do(func() {
		for _, tt := range []struct {
			name string
			err  error
			is   error
		}{
			{"number taken", s.dev.AddPort(s.ports[0]), datapath.ErrPortNumber},
			{"number 0", s.dev.AddPort(datapath.Port{Index: s.ports[0].Index}), datapath.ErrPortNumber},
			{"no such interface", s.dev.AddPort(datapath.Port{Number: 9, Index: 4711, Name: "re9"}), nil},
			{"program of an unknown port", s.dev.Program(datapath.Program{Ports: []datapath.PortState{good(9)}}), datapath.ErrNoPort},
			{"unknown port", s.dev.RemovePort(9), datapath.ErrNoPort},
		} {
			if tt.err == nil || tt.is != nil && !errors.Is(tt.err, tt.is) {
				t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.is)
			}
		}
		if _, err := New("agr0", ether.Addr{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("a second device for agr0")
		}
		if _, err := New("re0", ether.Addr{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("a device made of re0")
		}
	})
	if diff := cmp.Diff(before, s.Output("ip", "-d", "link", "show")); diff != "" {
		t.Errorf("something changed: -before +after\n%s", diff)
	}
}
