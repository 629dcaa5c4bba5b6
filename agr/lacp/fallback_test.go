package lacp_test

import (
	"fmt"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// What each mode makes of three ports that hear nothing (6.4.9, recordDefault).
func TestFallback_6_4_9_Modes(t *testing.T) {
	tests := []struct {
		mode lacp.Fallback
		want []uint16
	}{
		{lacp.FallbackAll, []uint16{1, 2, 3}},
		{lacp.FallbackSingle, []uint16{1}},
		{lacp.FallbackNone, nil},
	}
	for _, tt := range tests {
		t.Run(tt.mode.String(), func(t *testing.T) {
			// Without LACP one port is enough, whatever min-links asks for.
			cfg := lacp.Config{Fallback: tt.mode, MinLinks: lacp.MinLinks{Up: 4}}
			b := newBench(t, cfg, gigabit, gigabit, gigabit)
			b.wait(lacp.ShortTimeoutTime)
			b.carries(tt.want...)
			b.wait(time.Hour)
			b.carries(tt.want...)
			// The first LACPDU on any port ends it, and min-links counts again.
			b.hear(3)
			b.carries()
			b.talk(10*time.Second, []uint16{3}) // partner agrees, one link of four
			b.carries()
		})
	}
}

// One port is chosen by priority, then number, whichever is the faster or came
// first, and another one takes over when it goes.
func TestFallbackSingle_Which(t *testing.T) {
	tests := []struct {
		name     string
		links    []lacp.Link
		priority map[uint16]uint16
		want     []uint16 // ports that carry, each after the one before has lost its link
	}{
		{"number", []lacp.Link{gigabit, gigabit, gigabit}, nil, []uint16{1, 2, 3}},
		{"priority", []lacp.Link{gigabit, gigabit, gigabit}, map[uint16]uint16{3: 1, 2: 2}, []uint16{3, 2, 1}},
		{"speed does not count", []lacp.Link{speed(100), speed(10_000), gigabit}, nil, []uint16{1, 2, 3}},
		{
			"duplex does not count",
			[]lacp.Link{{Up: true, Speed: 10, HalfDuplex: true}, gigabit, gigabit},
			nil,
			[]uint16{1, 2, 3},
		},
		{"priority before speed", []lacp.Link{speed(100), speed(10_000)}, map[uint16]uint16{2: 1}, []uint16{2, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{Fallback: lacp.FallbackSingle}, tt.links...)
			for n, priority := range tt.priority {
				b.step(lacp.PortPriority{Number: n, Priority: priority})
			}
			b.wait(10 * time.Second)
			for _, n := range tt.want {
				b.carries(n)
				b.step(lacp.LinkChange{Number: n})
			}
			// The best one is back: it is used again once it is clear that nobody
			// speaks on it, and not before.
			last, first := tt.want[len(tt.want)-1], tt.want[0]
			b.step(lacp.LinkChange{Number: last, Link: tt.links[last-1]})
			b.wait(10 * time.Second)
			b.carries(last)
			b.step(lacp.LinkChange{Number: first, Link: tt.links[first-1]})
			if tt.links[first-1].HalfDuplex {
				b.wait(lacp.AggregateWaitTime) // nobody can speak on it
			} else {
				b.wait(lacp.ShortTimeoutTime - 1)
				b.carries(last)
				b.wait(1)
			}
			b.carries(first)
		})
	}
}

// A port that does not carry says why.
func TestFallbackSingle_Reason(t *testing.T) {
	b := newBench(t, lacp.Config{Fallback: lacp.FallbackSingle}, gigabit, gigabit, speed(100))
	b.wait(10 * time.Second)
	for n := uint16(2); n <= 3; n++ {
		if got, want := b.port(n).Reason, "fallback single: standby behind p1"; got != want {
			t.Errorf("port %d: reason %q, want %q", n, got, want)
		}
	}
	if st := b.sys.Status(); !st.Fallback {
		t.Error("fallback is not shown")
	}
	b.hear(2)
	if st := b.sys.Status(); st.Fallback {
		t.Error("fallback has not ended")
	}
}

// A better port waits for its own time before it takes the place of another one.
func TestFallbackSingle_After(t *testing.T) {
	for name, link := range map[string]lacp.Link{"same speed": gigabit, "other speed": speed(100)} {
		t.Run(name, func(t *testing.T) {
			cfg := lacp.Config{Fallback: lacp.FallbackSingle, FallbackAfter: 20 * time.Second}
			b := newBench(t, cfg, lacp.Link{Speed: 1000}, gigabit)
			b.wait(time.Minute)
			b.carries(2)
			b.step(lacp.LinkChange{Number: 1, Link: link})
			b.wait(lacp.ShortTimeoutTime + 20*time.Second - 1)
			b.carries(2)
			b.wait(1)
			b.carries(1)
		})
	}
}

// Ports that have a partner are not in fallback while they have no link: what they
// remember is used again without a new selection (R5).
func TestFallbackSingle_Remembers(t *testing.T) {
	b := newBench(t, lacp.Config{Fallback: lacp.FallbackSingle}, gigabit, gigabit)
	b.up(1, 2)
	b.forget()
	for n := uint16(1); n <= 2; n++ {
		b.step(lacp.LinkChange{Number: n})
	}
	b.wait(time.Minute)
	for n := uint16(1); n <= 2; n++ {
		b.step(lacp.LinkChange{Number: n, Link: gigabit})
		b.hear(n)
		if got := b.machine(n, "selected"); got != nil {
			t.Errorf("port %d selected again: %v", n, got)
		}
	}
	b.carries(1, 2)
}

// A port falls back when it has been in DEFAULTED for the time that was set.
func TestFallbackAfter(t *testing.T) {
	const after = 30 * time.Second
	b := newBench(t, lacp.Config{FallbackAfter: after, ShortTimeout: true}, gigabit, gigabit)
	b.wait(lacp.ShortTimeoutTime)
	if got, want := b.port(1).Reason, "fallback: waiting 30 s for a LACPDU"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	b.wait(after/2 + time.Millisecond)
	b.sys.Advance(b.now)
	p := b.port(1)
	if p.Reason != "fallback: waiting 15 s for a LACPDU" || p.Partner.State.Has(slow.Synchronization) {
		t.Errorf("reason %q, partner %v", p.Reason, p.Partner.State)
	}
	if want := lacp.Instant(lacp.ShortTimeoutTime + after); p.Until != want {
		t.Errorf("until %v, want %v", p.Until, want)
	}
	b.wait(after/2 - 2*time.Millisecond)
	b.carries()
	b.wait(time.Millisecond)
	b.carries(1, 2)
	// A partner that has gone counts as one that never was, from DEFAULTED on.
	b.talk(4*time.Second, []uint16{1, 2})
	b.carries(1, 2)
	b.wait(2*lacp.ShortTimeoutTime + after - time.Second)
	b.carries()
	b.hear(1, refuse)
	if got := b.port(1); got.Reason != "waiting for the ports to settle" || got.Until != 0 {
		t.Errorf("reason %q until %v", got.Reason, got.Until)
	}
}

// Nobody can be waited for where LACP cannot be spoken.
func TestFallbackAfter_NotWithoutLACP(t *testing.T) {
	half := lacp.Link{Up: true, Speed: 1000, HalfDuplex: true}
	for name, b := range map[string]*bench{
		"half duplex": newBench(t, lacp.Config{FallbackAfter: time.Hour}, half),
		"static":      newBench(t, lacp.Config{FallbackAfter: time.Hour, Static: true}, gigabit),
	} {
		b.wait(lacp.AggregateWaitTime)
		if got := b.port(1); got.Mux != "DISTRIBUTING" {
			t.Errorf("%s: %s (%s)", name, got.Mux, got.Reason)
		}
	}
}

// The mode and the time may change at any time; a port that forwards goes on where
// the new mode lets it.
func TestFallback_Configure(t *testing.T) {
	modes := []lacp.Fallback{lacp.FallbackAll, lacp.FallbackSingle, lacp.FallbackNone}
	want := map[lacp.Fallback]int{lacp.FallbackAll: 3, lacp.FallbackSingle: 1}
	for _, from := range modes {
		for _, to := range modes {
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				b := newBench(t, lacp.Config{Fallback: from}, gigabit, gigabit, gigabit)
				b.wait(10 * time.Second)
				stays := b.port(1).Distributing && to != lacp.FallbackNone
				b.forget()
				b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, Fallback: to, FallbackAfter: time.Hour}})
				if got := b.machine(1, "mux"); stays && got != nil {
					t.Errorf("port 1: %v", got)
				}
				b.wait(lacp.AggregateWaitTime)
				if got := distributing(b); got != want[to] {
					t.Errorf("%d ports distribute, want %d", got, want[to])
				}
			})
		}
	}
}

// A time that runs is made longer or shorter.
func TestFallbackAfter_Configure(t *testing.T) {
	for _, tt := range []struct{ from, to, want time.Duration }{
		{time.Minute, 20 * time.Second, 20 * time.Second},
		{20 * time.Second, time.Minute, time.Minute},
		{time.Minute, 0, 10 * time.Second}, // that is when it is told
	} {
		t.Run(fmt.Sprint(tt.from, " to ", tt.to), func(t *testing.T) {
			b := newBench(t, lacp.Config{FallbackAfter: tt.from}, gigabit)
			b.wait(lacp.ShortTimeoutTime + 10*time.Second)
			b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, FallbackAfter: tt.to}})
			b.wait(tt.want - 10*time.Second - 1)
			if tt.to != 0 {
				b.carries()
			}
			b.wait(1)
			b.carries(1)
		})
	}
}
