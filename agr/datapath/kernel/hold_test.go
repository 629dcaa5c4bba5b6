package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// everything is the set of all conversations.
var everything = dist.Set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// hold programs what the owner does when a port leaves in order: it does not
// distribute any more, and its conversations wait.
func (s *side) hold(leaves uint16, table dist.Table) {
	s.t.Helper()
	for i, p := range s.prog.Ports {
		s.prog.Ports[i].Distributing = p.Number != leaves
	}
	s.prog.Table, s.prog.Hold = table, everything
	s.reprogram()
}

// release lets them go on.
func (s *side) release() {
	s.t.Helper()
	s.prog.Hold = dist.Set{}
	s.reprogram()
}

// TestHeld: frames wait while their conversation is held, arrive in order when it
// is released, through the port that the table then says, and before any that
// follow.
func TestHeld(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Table = all(1)
	a.reprogram()
	a.sendOne(b)
	in, out := a.tap("agr0"), b.tap("agr0")
	a.hold(1, all(2))
	if got := a.dev.Placed()[a.conversation()]; got != 1 {
		t.Errorf("held: placed at %d, want 1", got)
	}
	before := a.dev.Stats()
	var want [][]byte
	for _, tags := range [][]byte{nil, {0x81, 0, 0, 5}, {0x88, 0xa8, 0x20, 7, 0x81, 0, 0, 5}} {
		for i := range byte(10) {
			want = append(want, frame(toB, tags, i))
		}
	}
	transmit(t, in, want...)
	nettest.Eventually(t, 5*time.Second, func() error {
		if held := a.dev.Stats().Held; held != uint64(len(want)) {
			return fmt.Errorf("%d frames held", held)
		}
		return nil
	})
	if got := a.through(before); got != 0 {
		t.Errorf("held, and sent through port %d", got)
	}
	a.release()
	last := frame(toB, nil, lastFrame)
	transmit(t, in, last)
	got := receiveUntil(t, out, lastFrame)
	if diff := cmp.Diff(byTag(append(want, last)), byTag(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	after := a.dev.Stats()
	if n := after.Ports[2].TxFrames - before.Ports[2].TxFrames; n != uint64(len(want)+1) || after.Held != 0 || after.Drops != before.Drops {
		t.Errorf("%d frames through port 2, %d held, %d dropped", n, after.Held, after.Drops-before.Drops)
	}
	if got := a.dev.Placed()[a.conversation()]; got != 2 {
		t.Errorf("released: placed at %d, want 2", got)
	}
}

// byTag sorts frames by what comes behind their addresses, which tells
// conversations apart here: only within one there is an order.
func byTag(frames [][]byte) map[string][][]byte {
	m := make(map[string][][]byte)
	for _, f := range frames {
		m[string(f[12:16])] = append(m[string(f[12:16])], f)
	}
	return m
}

// TestHoldKeepsOrder holds and releases all conversations a hundred times, while
// the ports take turns at leaving, under numbered traffic: nothing is lost,
// overtaken or doubled.
func TestHoldKeepsOrder(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		a.prog.Idle = time.Hour // nothing moves but by a hold
		a.prog.Table = all(1)
		a.reprogram()
		s := a.fourFlows(b)
		for round := range 100 {
			leaves := uint16(round%2 + 1)
			flows(t, s, 20)
			a.hold(leaves, all(3-leaves))
			sends(t, s, 20)
			a.release()
		}
		flows(t, s, 100)
		whole(t, s)
		st := a.dev.Stats()
		if st.Held != 0 || st.Drops != 0 {
			t.Errorf("%d held, %d dropped", st.Held, st.Drops)
		}
		for number := range st.Ports {
			t.Logf("port %d: %+v", number, st.Ports[number])
		}
		a.directAgain()
	})
}

// fourFlows is a stream to four addresses, which belong to different
// conversations.
func (s *side) fourFlows(to *side) *nettest.Stream {
	s.t.Helper()
	var all []nettest.Flow
	for i := range byte(4) {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, 10 + i})
		to.Run("ip", "addr", "add", addr.String()+"/24", "dev", "agr0")
		s.Run("ping", "-c", "1", "-W", "2", addr.String())
		all = append(all, nettest.Flow{Addr: addr, Rate: 500})
	}
	return nettest.StartStream(s.t, nettest.StreamConfig{From: s.NS, To: to.NS, Flows: all})
}

// directAgain wants the TAP device to go when nothing is held any more.
func (s *side) directAgain() {
	s.t.Helper()
	nettest.Eventually(s.t, 10*time.Second, func() error {
		if s.exists("agr0h") {
			return fmt.Errorf("agr0h is still there")
		}
		return nil
	})
}

// TestHoldWithoutTraffic: a hold that nothing met leaves nothing behind.
func TestHoldWithoutTraffic(t *testing.T) {
	a, b := pair(t, hook.TCX)
	for range 3 {
		a.hold(1, all(2))
		a.release()
		if got := a.sendOne(b); got != 2 {
			t.Errorf("through port %d, want 2", got)
		}
		a.prog.Ports[0].Distributing = true
		a.prog.Table = all(1)
		a.reprogram()
	}
	a.directAgain()
}

// TestHoldOverflow: what there is no room for is dropped and counted, nothing is
// overtaken, and afterwards everything is as it was.
func TestHoldOverflow(t *testing.T) {
	a, b := pair(t, hook.TCX)
	in, out := a.tap("agr0"), b.tap("agr0")
	a.prog.Table = all(1)
	a.reprogram()
	a.hold(1, all(2))
	before := a.dev.Stats()
	const n = 6000
	for i := range n {
		transmit(t, in, numbered(i))
	}
	held := a.dev.Stats()
	if held.Held < 4096 || held.Held > 4100 || held.Held+held.Drops-before.Drops != n {
		t.Errorf("%d held, %d dropped of %d", held.Held, held.Drops-before.Drops, n)
	}
	a.release()
	nettest.Eventually(t, 5*time.Second, func() error {
		if now := a.dev.Stats().Held; now != 0 {
			return fmt.Errorf("%d held", now)
		}
		return nil
	})
	transmit(t, in, numbered(n), frame(toB, nil, lastFrame))
	got := receiveUntil(t, out, lastFrame)
	for i, f := range got[:len(got)-2] {
		if number(f) != i {
			t.Fatalf("frame %d came as number %d", number(f), i)
		}
	}
	if len(got) != int(held.Held)+2 {
		t.Errorf("%d frames came, want %d", len(got), held.Held+2)
	}
}

// numbered is a frame with a number. Its last octet is not lastFrame.
func numbered(i int) []byte {
	f := frame(toB, nil, 0)
	f[20], f[21] = byte(i>>8), byte(i)
	return f
}

func number(f []byte) int { return int(f[20])<<8 | int(f[21]) }

// TestHeldAgain: a conversation that is held again while its frames are sent goes
// on to wait.
func TestHeldAgain(t *testing.T) {
	a, b := pair(t, hook.TCX)
	in, out := a.tap("agr0"), b.tap("agr0")
	a.prog.Table = all(1)
	a.reprogram()
	for i := range 200 {
		a.hold(uint16(i%2+1), all(uint16(2-i%2)))
		for n := range 5 {
			transmit(t, in, numbered(5*i+n))
		}
		if i%3 == 0 {
			a.release()
		}
	}
	a.release()
	nettest.Eventually(t, 5*time.Second, func() error {
		if now := a.dev.Stats().Held; now != 0 {
			return fmt.Errorf("%d held", now)
		}
		return nil
	})
	transmit(t, in, frame(toB, nil, lastFrame))
	got := receiveUntil(t, out, lastFrame)
	if len(got) != 1001 {
		t.Errorf("%d frames, want 1001", len(got))
	}
	for i, f := range got[:len(got)-1] {
		if number(f) != i {
			t.Fatalf("frame %d came as number %d", number(f), i)
		}
	}
}

// TestCountersDisagree makes the numbers of what was handed over and of what was
// sent differ: the conversations go back to the direct way nevertheless.
func TestCountersDisagree(t *testing.T) {
	for name, spoil := range map[string]func(a *side){
		"the hash changes":          func(a *side) { a.prog.Hash.Seed++ },
		"somebody uses the device":  func(a *side) { transmit(a.t, a.tap("agr0h"), numbered(7), numbered(8)) },
		"both, and they have moved": func(a *side) { a.prog.Hash.Seed++; a.prog.Table = all(1); a.prog.Ports[0] = good(1) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, hook.TCX)
			a.prog.Table = all(1)
			a.reprogram()
			in, out := a.tap("agr0"), b.tap("agr0")
			a.hold(1, all(2))
			for i := range 20 {
				transmit(t, in, numbered(i))
			}
			spoil(a)
			a.release()
			transmit(t, in, frame(toB, nil, lastFrame))
			atLeast(t, out, 21)
			a.directAgain()
			if st := a.dev.Stats(); st.Held != 0 {
				t.Errorf("%d held", st.Held)
			}
			a.sendOne(b)
		})
	}
}

// atLeast waits for that many frames of type 0x88b5, in any order.
func atLeast(t *testing.T, d *pkt.Data, want int) {
	t.Helper()
	batch := pkt.NewRecvBatch(16)
	n := 0
	nettest.Eventually(t, 5*time.Second, func() error {
		for d.Receive(batch) == nil {
			for _, f := range batch.Frames() {
				if bytes.Equal(f[pkt.HeaderLen+12:][:2], []byte{0x88, 0xb5}) {
					n++
				}
			}
		}
		if n < want {
			return fmt.Errorf("%d frames, want %d", n, want)
		}
		return nil
	})
}

// TestHoldDeviceGoes deletes the TAP device: what it has is lost, and nothing
// else; the next hold makes another one.
func TestHoldDeviceGoes(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Table = all(1)
	a.reprogram()
	for range 2 {
		a.hold(1, all(2))
		transmit(t, a.tap("agr0"), numbered(0))
		a.Run("ip", "link", "delete", "agr0h")
		a.sendOne(b)
		nettest.Eventually(t, 5*time.Second, func() error {
			if a.reprogram(); !a.exists("agr0h") {
				return errors.New("no new one")
			}
			return nil
		})
		a.release()
		if got := a.sendOne(b); got != 2 {
			t.Errorf("through port %d, want 2", got)
		}
	}
}

// TestCloseWhileHeld: a device that is given up sends what it holds.
func TestCloseWhileHeld(t *testing.T) {
	a, b := pair(t, hook.TCX)
	in, out := a.tap("agr0"), b.tap("agr0")
	a.prog.Table = all(1)
	a.reprogram()
	a.hold(1, all(2))
	for i := range 10 {
		transmit(t, in, numbered(i))
	}
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	transmit(t, in, frame(toB, nil, lastFrame))
	got := receiveUntil(t, out, lastFrame)
	if len(got) != 11 {
		t.Errorf("%d frames, want 11", len(got))
	}
	for i, f := range got[:len(got)-1] {
		if number(f) != i {
			t.Fatalf("frame %d came as number %d", number(f), i)
		}
	}
	a.open()
}

// TestKilledWhileHolding: frames that the daemon holds die with it, and those
// that follow go where they were to go.
func TestKilledWhileHolding(t *testing.T) {
	a, b := cables(t, "")
	b.start()
	b.program(good(1), good(2))
	b.address()
	a.prog = b.prog
	a.prog.Ports = []datapath.PortState{{Number: 1, Collecting: true}, good(2)}
	a.prog.Table, a.prog.Hold = all(2), everything
	first := a.daemon(childCommand(t, a.config()), "ready")
	a.address()
	in, out := a.tap("agr0"), b.tap("agr0")
	transmit(t, in, numbered(0), numbered(1))
	first.Kill()
	transmit(t, in, numbered(2), frame(toB, nil, lastFrame))
	got := receiveUntil(t, out, lastFrame)
	if len(got) != 2 || number(got[0]) != 2 {
		t.Errorf("%d frames came", len(got))
	}
	a.open()
	a.Do(func() {
		for _, p := range a.ports {
			if err := a.dev.AddPort(p); err != nil {
				t.Fatal(err)
			}
		}
	})
	if held := a.dev.Stats().Held; held != 0 {
		t.Errorf("%d held", held)
	}
	a.release()
	if got := a.sendOne(b); got != 2 {
		t.Errorf("through port %d, want 2", got)
	}
}
