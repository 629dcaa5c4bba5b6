package kernel_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ifagr/agr/datapath"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// through tells the port that a frame took: the one whose counter has changed.
func (s *side) through(before datapath.Stats) uint16 {
	for number, p := range s.dev.Stats().Ports {
		if p.TxFrames != before.Ports[number].TxFrames {
			return number
		}
	}
	return 0
}

// sendOne sends a frame to the other side, waits for it, and tells the port that
// it took.
func (s *side) sendOne(b *side) uint16 {
	s.t.Helper()
	in, out := s.tap("agr0"), b.tap("agr0")
	before := s.dev.Stats()
	transmit(s.t, in, frame(toB, nil, lastFrame))
	receiveUntil(s.t, out, lastFrame)
	return s.through(before)
}

// conversation is the one that sendOne's frames belong to.
func (s *side) conversation() uint8 {
	return s.prog.Hash.Conversation(frame(toB, nil, lastFrame))
}

// TestMovesWhenIdle: a conversation stays where it is while its old port lives and
// it has not been silent for long enough; then it moves.
func TestMovesWhenIdle(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Idle = time.Hour
	a.prog.Table = all(1)
	a.reprogram()
	if got := a.sendOne(b); got != 1 {
		t.Fatalf("through port %d, want 1", got)
	}
	a.prog.Table = all(2)
	a.reprogram()
	if got := a.sendOne(b); got != 1 {
		t.Errorf("not idle: through port %d, want 1", got)
	}
	if got := a.dev.Placed()[a.conversation()]; got != 1 {
		t.Errorf("not idle: placed at %d, want 1", got)
	}
	a.prog.Idle = 0
	a.reprogram()
	if got := a.dev.Placed()[a.conversation()]; got != 2 {
		t.Errorf("idle: placed at %d, want 2", got)
	}
	if got := a.sendOne(b); got != 2 {
		t.Errorf("idle: through port %d, want 2", got)
	}
}

// TestMovesAtOnce: it does not wait for a port that does not distribute any more,
// or is dead.
func TestMovesAtOnce(t *testing.T) {
	for name, state := range map[string]datapath.PortState{
		"stopped": {Number: 1, Collecting: true},
		"dead":    {Number: 1, Collecting: true, Distributing: true, Dead: true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, hook.TCX)
			a.prog.Idle = time.Hour
			a.prog.Table = all(1)
			a.reprogram()
			a.sendOne(b)
			a.prog.Table = all(2)
			a.prog.Ports[0] = state
			a.reprogram()
			if got := a.dev.Placed()[a.conversation()]; got != 2 {
				t.Errorf("placed at %d, want 2", got)
			}
			if got := a.sendOne(b); got != 2 {
				t.Errorf("through port %d, want 2", got)
			}
		})
	}
}

// TestMovesWhenQueueEmpty: from a port with a queue a conversation moves when that
// was seen empty after its last frame. The first of two calls says nothing of
// what was sent between the look and the call.
func TestMovesWhenQueueEmpty(t *testing.T) {
	a, b := pair(t, hook.TCX)
	for i := range a.prog.Ports {
		a.prog.Ports[i].Queues = true
	}
	a.prog.Idle = 0
	a.prog.Table = all(1)
	a.reprogram()
	a.sendOne(b)
	a.prog.Table = all(2)
	a.reprogram()
	if got := a.sendOne(b); got != 1 {
		t.Fatalf("nobody looked at the queue: through port %d, want 1", got)
	}
	a.dev.QueueEmpty(1)
	if got := a.dev.Placed()[a.conversation()]; got != 1 {
		t.Errorf("seen empty before: placed at %d, want 1", got)
	}
	a.dev.QueueEmpty(1)
	if got := a.sendOne(b); got != 2 {
		t.Errorf("seen empty: through port %d, want 2", got)
	}
	a.dev.QueueEmpty(9) // nobody's
}

// TestSamePlan: a program that says the same again changes nothing: the time that
// a conversation has to be silent does not begin anew.
func TestSamePlan(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Idle = time.Hour
	a.prog.Table = all(1)
	a.reprogram()
	a.sendOne(b)
	a.prog.Table = all(2)
	a.reprogram()
	a.prog.Idle = 100 * time.Millisecond
	nettest.Eventually(t, 10*time.Second, func() error {
		a.reprogram()
		if got := a.dev.Placed()[a.conversation()]; got != 2 {
			return fmt.Errorf("placed at %d", got)
		}
		return nil
	})
}

// TestPortGoes deletes a link under traffic. The spare takes over before anybody
// is told; what the daemon does then changes nothing any more.
func TestPortGoes(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		a.prog.Table, b.prog.Table = all(1), all(1)
		a.reprogram()
		b.reprogram()
		s := stream(a, b, 2000)
		flows(t, s, 200)
		a.Run("ip", "link", "delete", "re0")
		flows(t, s, 1000)
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
		flows(t, s, 1000)
		r := s.Stop()
		t.Log(r)
		// What was on the wire when it was cut cannot be had back.
		if r.Duplicated != 0 || r.Reordered != 0 || r.Lost > 20 {
			t.Error("too much lost, or out of order")
		}
	})
}

// TestPortMoved moves a port to another namespace. There it is no port any more,
// as soon as the daemon has let it go: its program does nothing.
func TestPortMoved(t *testing.T) {
	a, b := pair(t, hook.TCX)
	away := nettest.New(t)
	away.Run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
	away.Run("ip", "link", "set", "other0", "up")
	away.Run("ip", "link", "set", "other1", "up")
	a.Run("ip", "link", "set", "re0", "netns", away.Name)
	a.program(good(2), datapath.PortState{Number: 1, Dead: true})
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Error(err)
		}
	})
	moved := &side{NS: away, t: t}
	away.Run("ip", "link", "set", "re0", "up")
	moved.waitUp("re0")
	other, here := moved.tap("other1"), moved.tap("re0")
	transmit(t, b.tap("re0"), frame(broadcast, nil, lastFrame))
	receiveUntil(t, here, lastFrame)
	transmit(t, moved.tap("other0"), frame(toB, nil, lastFrame))
	if n := len(receiveUntil(t, other, lastFrame)); n != 1 {
		t.Errorf("%d frames at an unrelated interface, want 1", n)
	}
	if got := a.sendOne(b); got != 2 {
		t.Errorf("through port %d, want 2", got)
	}
}

// TestMovedPortStaysAsleep: a port that was moved to another namespace is none
// there even when a successor has a port of the same number.
func TestMovedPortStaysAsleep(t *testing.T) {
	a, b := pair(t, hook.TCX)
	away := &side{NS: nettest.New(t), t: t}
	a.Run("ip", "link", "set", "re0", "netns", away.Name)
	a.program(good(2), datapath.PortState{Number: 1, Dead: true})
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Error(err)
		}
	})
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	a.Run("ip", "link", "add", "re5", "type", "veth", "peer", "name", "re6")
	a.Run("ip", "link", "set", "re5", "up")
	a.ports[0] = datapath.Port{Number: 1, Index: a.index("re5"), Name: "re5"}
	a.start()
	a.program(good(1), good(2))
	away.Run("ip", "link", "set", "re0", "up")
	away.Run("ip", "addr", "add", "198.51.100.1/24", "dev", "re0")
	away.waitUp("re0")
	b.Do(func() {
		if err := b.dev.RemovePort(1); err != nil {
			t.Error(err)
		}
	})
	b.Run("ip", "addr", "add", "198.51.100.2/24", "dev", "re0")
	b.Run("ping", "-c", "1", "-W", "2", "198.51.100.1")
}

// TestSlotsAreNotReusedAtOnce: a new port does not get what conversations
// remember of one that has left.
func TestSlotsAreNotReusedAtOnce(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Idle = time.Hour
	a.prog.Table = all(1)
	a.reprogram()
	a.sendOne(b)
	a.prog.Table = all(2)
	a.prog.Ports = []datapath.PortState{good(2)}
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Fatal(err)
		}
	})
	a.reprogram()
	a.ports[0].Number = 7
	a.Do(func() {
		if err := a.dev.AddPort(a.ports[0]); err != nil {
			t.Fatal(err)
		}
	})
	a.prog.Ports = []datapath.PortState{good(2), good(7)}
	a.reprogram()
	if got := a.sendOne(b); got != 2 {
		t.Errorf("through port %d, want 2", got)
	}
}
