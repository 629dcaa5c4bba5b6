package kernel_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// settled waits until everything that was handed over has been sent.
func (s *side) settled() {
	s.t.Helper()
	nettest.Eventually(s.t, 5*time.Second, func() error {
		if !s.dev.Settled() {
			return errors.New("not settled")
		}
		return nil
	})
}

// TestReleasedMovesWhenIdle: a conversation that was released and is silent since
// moves away from its new port like any other, even if it was never sent there
// without the daemon, and long after the daemon forgot that it was held.
func TestReleasedMovesWhenIdle(t *testing.T) {
	for name, wait := range map[string]func(*side){
		"settled":   (*side).settled,
		"forgotten": (*side).directAgain,
		"held on": func(s *side) { // the next hold is others'
			s.directAgain()
			s.prog.Hold.Add(s.conversation() + 1)
			s.reprogram()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, hook.TCX)
			a.prog.Idle = time.Hour
			a.prog.Table = all(1)
			a.reprogram()
			a.sendOne(b)
			in, out := a.tap("agr0"), b.tap("agr0")
			a.hold(1, all(2))
			transmit(t, in, numbered(0), frame(toB, nil, lastFrame))
			a.release()
			receiveUntil(t, out, lastFrame)
			wait(a)
			a.prog.Ports[0].Distributing = true
			a.prog.Table = all(1)
			for range 2 {
				a.reprogram()
				if got := a.dev.Placed()[a.conversation()]; got != 2 {
					t.Errorf("placed at %d, want 2", got)
				}
			}
			if got := a.sendOne(b); got != 2 {
				t.Errorf("not idle: through port %d, want 2", got)
			}
			a.prog.Idle = 0
			a.reprogram()
			if got := a.sendOne(b); got != 1 {
				t.Errorf("idle: through port %d, want 1", got)
			}
		})
	}
}

// TestPlacedAgain: a conversation that is held again is where its frames have left
// since, though none of them took the direct way.
func TestPlacedAgain(t *testing.T) {
	for name, wait := range map[string]func(*side){
		"at once":   func(*side) {},
		"settled":   (*side).settled,
		"forgotten": (*side).directAgain,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, hook.TCX)
			a.prog.Table = all(1)
			a.reprogram()
			a.sendOne(b)
			in, out := a.tap("agr0"), b.tap("agr0")
			a.hold(1, all(2))
			transmit(t, in, frame(toB, nil, lastFrame))
			if got := a.dev.Placed()[a.conversation()]; got != 1 {
				t.Errorf("held: placed at %d, want 1", got)
			}
			a.release()
			receiveUntil(t, out, lastFrame)
			wait(a)
			a.hold(2, all(1))
			transmit(t, in, frame(toB, nil, lastFrame))
			if got := a.dev.Placed()[a.conversation()]; got != 2 {
				t.Errorf("held again: placed at %d, want 2", got)
			}
			a.release()
			receiveUntil(t, out, lastFrame)
			a.sendOne(b) // directly through port 1
			a.hold(1, all(2))
			transmit(t, in, frame(toB, nil, lastFrame))
			if got := a.dev.Placed()[a.conversation()]; got != 1 {
				t.Errorf("held after a direct frame: placed at %d, want 1", got)
			}
		})
	}
}

// TestBusyIsDirectAgain: a conversation that is never silent leaves the daemon
// though the numbers of its frames there do not agree. It keeps its order.
func TestBusyIsDirectAgain(t *testing.T) {
	for name, spoil := range map[string]func(a, b *side, s *nettest.Stream){
		"some are lost": func(a, _ *side, s *nettest.Stream) {
			a.Run("ip", "link", "set", "agr0h", "down")
			sends(a.t, s, 20)
			a.Run("ip", "link", "set", "agr0h", "up")
		},
		"one becomes many": func(a, b *side, _ *nettest.Stream) {
			for range 5 { // which nobody has counted
				transmit(a.t, a.tap("agr0h"), oneMore(a, b))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, hook.TCX)
			a.prog.Hash = dist.Hash{Mode: dist.L3}
			a.prog.Table = all(1)
			a.reprogram()
			s := stream(a, b, 5000)
			flows(t, s, 200)
			before := a.dev.Stats().Drops
			from, to := uint16(1), uint16(2)
			nettest.Eventually(t, time.Minute, func() error {
				a.hold(from, all(to))
				sends(t, s, 20)
				spoil(a, b, s)
				sends(t, s, 20)
				a.release()
				a.directAgain()
				flows(t, s, 200)
				from, to = to, from
				if a.dev.Stats().Drops == before {
					return errors.New("it was silent, on a busy machine, when a frame's absence was looked for")
				}
				return nil
			})
			r := s.Stop()
			dropped := a.dev.Stats().Drops - before
			t.Logf("%v, %d dropped", r, dropped)
			if r.Reordered != 0 || r.Duplicated != 0 || r.Lost < dropped {
				t.Error("reordered or duplicated, or more was dropped than is missing")
			}
		})
	}
}

// oneMore is a frame of the stream's conversation that nobody at its end takes.
func oneMore(from, to *side) []byte {
	f := frame(toB, nil, 0)
	src, dst := from.addr.As4(), to.addr.As4()
	copy(f[12:], []byte{0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17})
	copy(f[26:], src[:])
	copy(f[30:], dst[:])
	return f
}

// sends waits for a stream to send that many datagrams more.
func sends(t *testing.T, s *nettest.Stream, n uint64) {
	t.Helper()
	before := s.Sent()
	nettest.Eventually(t, 5*time.Second, func() error {
		if sent := s.Sent() - before; sent < n {
			return fmt.Errorf("%d sent", sent)
		}
		return nil
	})
}

// TestDeadDoesNotWait: the conversations of a dead port move even when a hold of
// others cannot begin.
func TestDeadDoesNotWait(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Idle = time.Hour
	a.prog.Table = all(1)
	a.reprogram()
	a.sendOne(b)
	a.Run("ip", "link", "add", "agr0h", "type", "bridge")
	a.prog.Ports[0] = datapath.PortState{Number: 1, Dead: true}
	a.prog.Table = all(2)
	a.prog.Hold.Add(a.conversation() + 1)
	a.Do(func() {
		if err := a.dev.Program(a.prog); err == nil {
			t.Error("held without a place for it")
		}
	})
	if got := a.dev.Placed()[a.conversation()]; got != 2 {
		t.Errorf("placed at %d, want 2", got)
	}
	if got := a.sendOne(b); got != 2 {
		t.Errorf("through port %d, want 2", got)
	}
}
