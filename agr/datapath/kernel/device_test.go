package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// kinds are both places that the programs may sit at.
var kinds = []hook.Kind{hook.TCX, hook.Clsact}

// each runs a test with both.
func each(t *testing.T, f func(t *testing.T, kind hook.Kind)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { f(t, kind) })
	}
}

// TestTags sends every kind of tag across: what goes in comes out.
func TestTags(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		in, out := a.tap("agr0"), b.tap("agr0")
		for _, want := range [][]byte{
			frame(toB, nil, 0),
			frame(toB, []byte{0x81, 0, 0, 5}, 1),
			frame(toB, []byte{0x81, 0, 0xa0, 0}, 2),
			frame(toB, []byte{0x88, 0xa8, 0x20, 7}, 3),
			frame(toB, []byte{0x88, 0xa8, 0x20, 7, 0x81, 0, 0, 5}, 4),
			frame(broadcast, []byte{0x81, 0, 0, 5}, 5),
			frame(ether.Addr{0x01, 0x80, 0xc2, 0, 0, 0}, nil, 6), // spanning tree crosses
		} {
			transmit(t, in, want)
			if diff := cmp.Diff([][]byte{want}, receiveUntil(t, out, want[len(want)-1])); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	})
}

// TestOnce: each datagram arrives exactly once, and ARP gets exactly one answer.
func TestOnce(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		want := datapath.Info{Kind: "kernel", Shield: string(kind), Outlives: true, Keeps: true}
		if got := a.dev.Info(); got != want {
			t.Errorf("info %+v, want %+v", got, want)
		}
		s := stream(a, b, 2000)
		flows(t, s, 1000)
		whole(t, s)
		in, out := a.tap("agr0"), b.tap("agr0")
		transmit(t, in, frame(broadcast, nil, 1), frame(broadcast, nil, 2), frame(broadcast, nil, lastFrame))
		if n := len(receiveUntil(t, out, lastFrame)); n != 3 {
			t.Errorf("%d broadcasts arrived, want 3", n)
		}
	})
}

// TestStaysOnPort: slow protocols cross in neither direction, and reach who
// listens on the port, but not when they have a tag.
func TestStaysOnPort(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		slow := func(tags ...byte) []byte {
			f := append(ether.SlowProtocols[:], 0x02, 0xa9, 0, 0, 0, 1)
			return append(append(f, tags...), append([]byte{0x88, 0x09, 1, 1, 0x88, 0xb5}, make([]byte, 60)...)...)
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
		for _, from := range []string{"agr0", "re0"} {
			last := frame(toB, nil, lastFrame)
			transmit(t, a.tap(from), slow(0x81, 0, 0xe0, 0), slow(), last)
			if diff := cmp.Diff([][]byte{last}, receiveUntil(t, out, lastFrame)); diff != "" {
				t.Errorf("sent to %s: -want +got at agr0\n%s", from, diff)
			}
		}
		if err := listener.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 256)
		n, err := listener.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], slow()) {
			t.Errorf("the port got % x (%v)", buf[:n], err)
		}
		if err := listener.SetDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		if n, err := listener.Read(buf); err == nil {
			t.Errorf("a second one, which had a tag: % x", buf[:n])
		}
	})
}

// TestBothDirectionsShow: agr0 counts, and an AF_PACKET socket there sees, what
// comes and what goes.
func TestBothDirectionsShow(t *testing.T) {
	a, b := pair(t, hook.TCX)
	out, back := b.tap("agr0"), a.tap("agr0")
	transmit(t, back, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
	transmit(t, out, frame(ether.Addr{0x02, 0xa9, 0, 0, 0, 1}, nil, lastFrame))
	receiveUntil(t, back, lastFrame)
	for _, s := range []*side{a, b} {
		rx, tx := s.counters("agr0")
		if rx == 0 || tx == 0 {
			t.Errorf("agr0 received %d and sent %d frames", rx, tx)
		}
	}
}

// TestJumbo sends frames of 9000 octets, and more than agr0 takes.
func TestJumbo(t *testing.T) {
	a, b := pair(t, hook.TCX)
	for _, s := range []*side{a, b} {
		for _, name := range []string{"re0", "re1", "agr0"} {
			s.Run("ip", "link", "set", name, "mtu", "9000")
		}
	}
	a.Run("ping", "-c", "3", "-i", "0.01", "-M", "do", "-s", "8972", b.addr.String())
	b.Run("ip", "link", "set", "agr0", "mtu", "1500")
	long, last := append(frame(toB, nil, 1), make([]byte, 8000)...), frame(toB, nil, lastFrame)
	in, out := a.tap("agr0"), b.tap("agr0")
	transmit(t, in, long, last)
	if diff := cmp.Diff([][]byte{last}, receiveUntil(t, out, lastFrame)); diff != "" {
		t.Errorf("agr0 with mtu 1500 received: -want +got\n%s", diff)
	}
}

// TestNotCollecting: frames to a port that does not collect are dropped there.
func TestNotCollecting(t *testing.T) {
	a, b := pair(t, hook.TCX)
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

// TestCounters: what one side says that it sent through a port the other says
// that it received there, and the conversations have all of it.
func TestCounters(t *testing.T) {
	a, b := pair(t, hook.TCX)
	in, out := a.tap("agr0"), b.tap("agr0")
	const n = 100
	for i := range byte(n) {
		transmit(t, in, frame(ether.Addr{0x02, 0xa9, 0, 0, i, 2}, nil, i))
	}
	transmit(t, in, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
	sent, got := a.dev.Stats(), b.dev.Stats()
	var frames uint64
	for _, number := range []uint16{1, 2} {
		if s, r := sent.Ports[number], got.Ports[number]; s.TxFrames != r.RxFrames || s.TxBytes != r.RxBytes || s.TxFrames == 0 {
			t.Errorf("port %d: sent %+v, received %+v", number, s, r)
		}
		frames += sent.Ports[number].TxFrames
	}
	var conversations uint64
	for _, c := range sent.Conversations {
		conversations += c.Frames
	}
	if conversations != frames || frames < n+1 {
		t.Errorf("%d frames in conversations, %d through ports, want %d or more", conversations, frames, n+1)
	}
	a.program(datapath.PortState{Number: 1}, datapath.PortState{Number: 2})
	transmit(t, in, frame(toB, nil, 1))
	if got := a.dev.Stats().Drops - sent.Drops; got < 1 {
		t.Error("a frame without port was not counted")
	}
}

// TestRoundRobin sends successive frames on successive ports.
func TestRoundRobin(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.RoundRobin = true
	a.reprogram()
	in, out := a.tap("agr0"), b.tap("agr0")
	before := a.dev.Stats()
	for i := range byte(99) {
		transmit(t, in, frame(toB, nil, i))
	}
	transmit(t, in, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
	after := a.dev.Stats()
	for _, number := range []uint16{1, 2} {
		if n := after.Ports[number].TxFrames - before.Ports[number].TxFrames; n < 49 || n > 60 {
			t.Errorf("%d of 100 frames through port %d", n, number)
		}
	}
}

// TestProgramErrors: a program of an unknown port changes nothing.
func TestProgramErrors(t *testing.T) {
	a, b := pair(t, hook.TCX)
	bad := a.prog
	bad.Ports = append(bad.Ports[:1:1], good(9))
	bad.Table = all(9)
	if err := a.dev.Program(bad); !errors.Is(err, datapath.ErrNoPort) {
		t.Errorf("%v, want ErrNoPort", err)
	}
	if err := a.dev.AddPort(a.ports[0]); !errors.Is(err, datapath.ErrPortNumber) {
		t.Errorf("a number twice: %v", err)
	}
	if err := a.dev.RemovePort(9); !errors.Is(err, datapath.ErrNoPort) {
		t.Errorf("remove: %v", err)
	}
	in, out := a.tap("agr0"), b.tap("agr0")
	transmit(t, in, frame(toB, nil, lastFrame))
	receiveUntil(t, out, lastFrame)
}

// TestUndo wants everything back as it was.
func TestUndo(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, _ := cables(t, kind)
		look := func() string {
			return a.Output("ip", "-d", "link", "show") + a.Output("tc", "qdisc", "show")
		}
		before := look()
		a.start()
		a.program(good(1), good(2))
		if before == look() {
			t.Error("nothing to undo")
		}
		if err := a.stop(true); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, look()); diff != "" {
			t.Errorf("-before +after\n%s", diff)
		}
		for _, p := range a.ports {
			a.Do(func() {
				if left, err := hook.List(p.Index); err != nil || len(left) > 0 {
					t.Errorf("%s: %v %v", p.Name, left, err)
				}
			})
		}
	})
}
