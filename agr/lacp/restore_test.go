package lacp_test

import (
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// flap takes a port's link for a moment. Its partner speaks as soon as it is back.
func flap(b *bench, number uint16) {
	b.t.Helper()
	b.step(lacp.LinkChange{Number: number})
	b.wait(10 * time.Millisecond)
	b.step(lacp.LinkChange{Number: number, Link: gigabit})
	b.hear(number)
	b.hear(number)
}

// holds measures for how long a port is kept out after a flap.
func holds(b *bench, number uint16, most time.Duration) time.Duration {
	b.t.Helper()
	flap(b, number)
	for start := b.now; ; b.talk(time.Second/2, []uint16{1, 2}) {
		d := time.Duration(b.now - start)
		if p := b.port(number); !p.Held || d > most {
			return d
		}
		if p := b.port(number); p.Selected != "STANDBY" || p.Actor.State.Has(slow.Synchronization) {
			b.t.Fatalf("at %v: %+v", b.now, p)
		}
	}
}

// A port whose link flaps is kept STANDBY, longer with each flap, and its past is
// forgotten when it has been quiet.
func TestWaitToRestore_BackOff(t *testing.T) {
	b := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: 4 * time.Second, Max: 20 * time.Second}},
		gigabit, gigabit)
	b.talk(4*time.Second, []uint16{1, 2})
	for i, want := range []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second} {
		if got := holds(b, 1, time.Minute); got != want {
			t.Errorf("flap %d: %v, want %v", i+1, got, want)
		}
		b.talk(time.Second, []uint16{1, 2})
		b.carries(1, 2)
	}
	b.talk(lacp.QuietTime-2*time.Second, []uint16{1, 2})
	if got := holds(b, 1, time.Minute); got != 20*time.Second {
		t.Errorf("before it has been quiet for long enough: %v", got)
	}
	b.talk(lacp.QuietTime, []uint16{1, 2})
	if got := holds(b, 1, time.Minute); got != 4*time.Second {
		t.Errorf("after it has been quiet: %v", got)
	}
	for range 70 {
		flap(b, 1)
	}
	if got := holds(b, 1, time.Minute); got != 20*time.Second {
		t.Errorf("after many flaps: %v", got)
	}
	if got := b.port(1).Flaps; got != 78 {
		t.Errorf("%d flaps, want 78", got)
	}
}

// A port that is kept out says so, and its partner hears it at once.
func TestWaitToRestore_Says(t *testing.T) {
	b := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: 3 * time.Second, Max: time.Minute}},
		gigabit, gigabit)
	b.talk(4*time.Second, []uint16{1, 2})
	flap(b, 1)
	flap(b, 1)
	b.step(lacp.LinkChange{Number: 1})
	if p := b.port(1); p.Held || p.Reason != "link down" {
		t.Errorf("no link: kept out %v, reason %q", p.Held, p.Reason)
	}
	b.wait(time.Second)
	b.forget()
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	for _, s := range b.sent {
		if s.Port == 1 && s.PDU.Actor.State.Has(slow.Synchronization) {
			t.Errorf("says %v", s.PDU.Actor.State)
		}
	}
	p := b.port(1)
	if want := "restored in 12 s after 3 flaps"; p.Reason != want || p.Until != b.now.Add(12*time.Second) {
		t.Errorf("reason %q until %v, want %q", p.Reason, p.Until, want)
	}
	b.carries(2)
}

// A link that has come up for the first time has not flapped, and without times
// nothing is kept out.
func TestWaitToRestore_Off(t *testing.T) {
	b := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: time.Minute}},
		lacp.Link{Speed: 1000}, gigabit)
	b.talk(4*time.Second, []uint16{2})
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	b.talk(4*time.Second, []uint16{1, 2})
	b.carries(1, 2)
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
	flap(b, 1)
	b.carries(1, 2)
}

// The last port that could carry frames is not kept out, and neither are those that
// are needed when it goes.
func TestWaitToRestore_LastPort(t *testing.T) {
	b := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: time.Minute}}, gigabit, gigabit)
	both := []uint16{1, 2}
	b.talk(4*time.Second, both)
	flap(b, 1)
	b.carries(2)
	b.step(lacp.LinkChange{Number: 2})
	b.talk(time.Second/2, both[:1])
	b.hear(1)
	b.wait(lacp.AggregateWaitTime)
	b.hear(1)
	b.carries(1)
	// Now the other one is the one that waits.
	b.step(lacp.LinkChange{Number: 2, Link: gigabit})
	b.talk(5*time.Second, both)
	b.carries(1)
	if !b.port(2).Held {
		t.Error("port 2 is not kept out")
	}
	// A machine whose only link flaps uses it as soon as it is back.
	one := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: time.Minute}}, gigabit)
	one.talk(4*time.Second, both[:1])
	flap(one, 1)
	one.carries(1)
}

// A port that flaps takes no place from one that does not.
func TestWaitToRestore_NoPreemption(t *testing.T) {
	cfg := lacp.Config{MaxPorts: 1, WaitToRestore: lacp.WaitToRestore{Min: 30 * time.Second, Max: time.Hour}}
	b := newBench(t, cfg, gigabit, gigabit)
	both := []uint16{1, 2}
	b.talk(4*time.Second, both)
	b.carries(1)
	flap(b, 1)
	b.talk(time.Second, both)
	b.carries(2)
	b.talk(28*time.Second, both)
	b.carries(2)
	b.talk(2*time.Second, both)
	b.carries(1)
}

// The times may change while a port waits.
func TestWaitToRestore_Configure(t *testing.T) {
	for _, tt := range []struct {
		name string
		to   lacp.WaitToRestore
		want time.Duration // of waiting in all
	}{
		{"the same", lacp.WaitToRestore{Min: 20 * time.Second}, 20 * time.Second},
		{"shorter", lacp.WaitToRestore{Min: 15 * time.Second}, 15 * time.Second},
		{"longer", lacp.WaitToRestore{Min: 40 * time.Second}, 40 * time.Second},
		{"over", lacp.WaitToRestore{Min: time.Second}, 10 * time.Second},
		{"off", lacp.WaitToRestore{}, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{WaitToRestore: lacp.WaitToRestore{Min: 20 * time.Second}}, gigabit, gigabit)
			both := []uint16{1, 2}
			b.talk(4*time.Second, both)
			flap(b, 1)
			start := b.now
			b.talk(10*time.Second, both)
			b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, WaitToRestore: tt.to}})
			b.wait(0)
			for b.port(1).Held {
				b.talk(time.Second/2, both)
			}
			if got := time.Duration(b.now - start); got != tt.want {
				t.Errorf("kept out for %v, want %v", got, tt.want)
			}
		})
	}
}
