package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// The way up and what is said on it (IEEE 802.1AX-2014 6.4.15, independent
// control).
func TestMux_6_4_15_WayUp(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	steps := []struct {
		name    string
		partner slow.State
		wait    time.Duration
		mux     string
		says    slow.State // of SYNC, COLLECTING, DISTRIBUTING, in the last LACPDU
	}{
		{"selected", slow.Activity | slow.Aggregation, 0, "WAITING", 0},
		{"not yet", slow.Activity | slow.Aggregation, 2*time.Second - 1, "WAITING", 0},
		{"ready", slow.Activity | slow.Aggregation, 1, "ATTACHED", slow.Synchronization},
		{"partner in sync", inSync, 0, "COLLECTING", slow.Synchronization | slow.Collecting},
		// Nothing needs to be said: the partner has no use for the bit.
		{
			"partner collects", inSync | slow.Collecting, 0, "DISTRIBUTING",
			slow.Synchronization | slow.Collecting,
		},
	}
	for _, s := range steps {
		b.hear(1, partnerState(s.partner))
		b.wait(s.wait)
		b.wants(1, s.mux)
		const flags = slow.Synchronization | slow.Collecting | slow.Distributing
		if got := b.last(1).Actor.State & flags; got != s.says {
			t.Errorf("%s: last LACPDU says %v, want %v", s.name, got, s.says)
		}
	}
	want := []lacp.MuxChange{
		{Port: 1, Collecting: true},
		{Port: 1, Collecting: true, Distributing: true},
	}
	if d := cmp.Diff(want, b.mux); d != "" {
		t.Error(d)
	}
}

// S6, S8, S9: the way down, at once.
func TestMux_6_4_15_WayDown(t *testing.T) {
	tests := []struct {
		name    string
		partner slow.State
		mux     string
		want    []lacp.MuxChange
	}{
		{"partner stops collecting", inSync, "COLLECTING", []lacp.MuxChange{{Port: 1, Collecting: true}}},
		{"partner drops sync", willing &^ slow.Synchronization, "ATTACHED", []lacp.MuxChange{{Port: 1}}},
		{"partner is another", willing &^ slow.Aggregation, "WAITING", []lacp.MuxChange{{Port: 1}}},
		{"partner only distributes less", willing &^ slow.Distributing, "DISTRIBUTING", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.wait(time.Second)
			b.forget()
			b.hear(1, partnerState(tt.partner))
			b.wants(1, tt.mux)
			if d := cmp.Diff(tt.want, b.mux); d != "" {
				t.Error(d)
			}
			said := len(b.sent) > 0
			if said != (tt.want != nil) {
				t.Errorf("said something: %v", said)
			}
		})
	}
}

// S1: Ready is common to all ports of an aggregator: they attach together, two
// seconds after the last one.
func TestMux_6_4_14_Ready(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.hear(1)
	b.wait(1500 * time.Millisecond)
	b.hear(2)
	b.wait(1999 * time.Millisecond)
	b.wants(1, "WAITING")
	b.wants(2, "WAITING")
	b.wait(time.Millisecond)
	b.wants(1, "DISTRIBUTING")
	b.wants(2, "DISTRIBUTING")
}

// A port that joins a running aggregator does not disturb the others.
func TestMux_6_4_14_LateJoiner(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.forget()
	b.step(lacp.AddPort{Number: 2, Priority: 0x80, Link: gigabit})
	b.up(2)
	want := []lacp.MuxChange{{Port: 2, Collecting: true, Distributing: true}}
	if d := cmp.Diff(want, b.mux); d != "" {
		t.Error(d)
	}
	if a, c := b.port(1).Aggregator, b.port(2).Aggregator; a != c {
		t.Errorf("in %d and %d", a, c)
	}
}

// A waiting port that leaves holds up nobody.
func TestMux_6_4_14_WaitingPortLeaves(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.hear(1)
	b.wait(time.Second)
	b.hear(2)
	b.wait(time.Second)
	b.wants(1, "WAITING")
	b.step(lacp.RemovePort{Number: 2})
	b.wants(1, "DISTRIBUTING")
}
