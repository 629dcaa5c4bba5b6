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
	b.wants(1, "COLLECTING")
	b.wants(2, "COLLECTING")
}

// Ports that never come to rest, because their partner is another one every second,
// hold a third up for no more than twice the time.
func TestMux_6_4_14_RestlessPorts(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit, gigabit)
	b.hear(1)
	partnerPort := [2]uint16{200, 300}
	for half := range 8 {
		k := half % 2
		partnerPort[k] ^= 1
		b.hear(uint16(2+k), func(p *slow.LACPDU) { p.Actor.Port = partnerPort[k] })
		b.wants(1, "WAITING")
		b.wait(lacp.AggregateWaitTime / 4)
	}
	b.wants(1, "COLLECTING")
	b.wants(2, "WAITING")
	b.wants(3, "WAITING")
}

// A port that joins a running aggregator does not disturb the others.
func TestMux_6_4_14_LateJoiner(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.forget()
	b.step(lacp.AddPort{Number: 2, Priority: 0x80, Link: gigabit})
	b.up(2)
	want := []lacp.MuxChange{
		{Port: 2, Collecting: true},
		{Port: 2, Collecting: true, Distributing: true},
	}
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
	b.wants(1, "COLLECTING")
}

// Open vSwitch says Synchronization, Collecting and Distributing from the start and
// drops our frames until it has processed our Synchronization. So we distribute when
// it echoes that, or a moment after it was sent.
func TestMux_6_4_15_PartnerKnows(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1)
	b.wait(lacp.AggregateWaitTime)
	b.wants(1, "COLLECTING")
	if got := b.last(1).Actor.State; !got.Has(slow.Synchronization) {
		t.Errorf("says %v", got)
	}
	b.wait(lacp.SyncGraceTime / 2)
	b.hear(1, echoes(0)) // an answer that tells of it again gives no more time
	b.wait(lacp.SyncGraceTime/2 - 1)
	b.wants(1, "COLLECTING")
	b.wait(1)
	b.wants(1, "DISTRIBUTING")
	// What it knows it need not be told again when it only stops for a while.
	b.hear(1, partnerState(inSync), echoes(0))
	b.wants(1, "COLLECTING")
	b.hear(1, echoes(0))
	b.wants(1, "DISTRIBUTING")
}

// An echo says that the partner knows, until the port is detached or loses its link.
func TestMux_6_4_15_Echo(t *testing.T) {
	flap := func(b *bench) {
		b.step(lacp.LinkChange{Number: 1})
		b.step(lacp.LinkChange{Number: 1, Link: gigabit})
		b.hear(1, echoes(0))
	}
	reselect := func(b *bench) {
		for range 2 { // late echoes of what we said before
			b.hear(1, partnerKey(8), echoes(slow.Synchronization))
		}
		b.wait(lacp.AggregateWaitTime)
	}
	standby := func(b *bench) {
		b.step(lacp.AddPort{Number: 2, Link: speed(10_000)})
		b.up(2)
		b.wait(lacp.AggregateWaitTime)
		b.step(lacp.LinkChange{Number: 2})
	}
	for name, lose := range map[string]func(*bench){"link": flap, "selection": reselect, "turn": standby} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.wait(time.Minute)
			lose(b)
			b.wants(1, "COLLECTING")
			b.hear(1, partnerKey(b.port(1).Partner.Key))
			b.wants(1, "DISTRIBUTING")
		})
	}
}

// Time counts from the LACPDU that told of it, not from when the limit held it back.
func TestMux_6_4_15_PartnerKnowsLate(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1)
	b.wait(lacp.AggregateWaitTime - time.Millisecond)
	for range lacp.TransmitLimit {
		b.hear(1, strangers)
	}
	b.wait(time.Millisecond)
	b.hear(1, echoes(0))
	b.wait(lacp.TransmitWindow - 2*time.Millisecond + lacp.SyncGraceTime)
	b.wants(1, "COLLECTING")
	b.wait(time.Millisecond)
	b.wants(1, "DISTRIBUTING")
}

// S7: with coupled control a port collects and distributes as soon as its partner is
// in sync, and both end with it.
func TestMux_6_4_15_Coupled(t *testing.T) {
	const both = slow.Synchronization | slow.Collecting | slow.Distributing
	b := newBench(t, lacp.Config{Coupled: true}, gigabit)
	b.hear(1, refuse)
	b.wait(lacp.AggregateWaitTime)
	b.wants(1, "ATTACHED")
	b.forget()
	b.hear(1, partnerState(inSync))
	b.wants(1, "COLLECTING_DISTRIBUTING")
	if got := b.last(1).Actor.State; !got.Has(both) {
		t.Errorf("says %v", got)
	}
	b.hear(1)
	b.hear(1, partnerState(inSync)) // Collecting is not looked at
	b.wants(1, "COLLECTING_DISTRIBUTING")
	b.hear(1, refuse)
	b.wants(1, "ATTACHED")
	if got := b.last(1).Actor.State & both; got != slow.Synchronization {
		t.Errorf("says %v", got)
	}
	want := []lacp.MuxChange{{Port: 1, Collecting: true, Distributing: true}, {Port: 1}}
	if d := cmp.Diff(want, b.mux); d != "" {
		t.Error(d)
	}
}

// Control becomes coupled, or independent again, without a stop for a port that may
// go on.
func TestMux_6_4_15_CoupledSwitch(t *testing.T) {
	coupled, independent := lacp.Config{System: ownSystem, Coupled: true}, lacp.Config{System: ownSystem}
	tests := []struct {
		name     string
		from, to lacp.Config
		partner  slow.State
		want     string
		mux      []lacp.MuxChange
	}{
		{"coupled, distributing", independent, coupled, willing, "COLLECTING_DISTRIBUTING", nil},
		{
			"coupled, collecting", independent, coupled, inSync, "COLLECTING_DISTRIBUTING",
			[]lacp.MuxChange{{Port: 1, Collecting: true, Distributing: true}},
		},
		{"independent, partner collects", coupled, independent, willing, "DISTRIBUTING", nil},
		{
			"independent, partner does not", coupled, independent, inSync, "COLLECTING",
			[]lacp.MuxChange{{Port: 1, Collecting: true}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.from, gigabit)
			b.talk(4*time.Second, []uint16{1}, partnerState(tt.partner))
			b.forget()
			b.step(lacp.Configure{Config: tt.to})
			b.wants(1, tt.want)
			if d := cmp.Diff(tt.mux, b.mux); d != "" {
				t.Error(d)
			}
		})
	}
}

// A port that distributes without knowing whether its partner has seen that it is in
// sync goes on when control becomes independent.
func TestMux_6_4_15_CoupledGoesOn(t *testing.T) {
	b := newBench(t, lacp.Config{Coupled: true}, gigabit)
	b.hear(1, echoes(0))
	b.wait(lacp.AggregateWaitTime)
	b.wants(1, "COLLECTING_DISTRIBUTING")
	b.forget()
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
	b.wants(1, "DISTRIBUTING")
	if len(b.mux) != 0 {
		t.Errorf("changes: %v", b.mux)
	}
}
