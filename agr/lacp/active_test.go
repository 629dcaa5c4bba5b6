package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

func speed(mbps uint64) lacp.Link { return lacp.Link{Up: true, Speed: mbps} }

// choice is what a System makes of some ports. Each port has a partner key of its
// own unless it says otherwise, so each is an aggregator.
type choice struct {
	name  string
	cfg   lacp.Config
	links []lacp.Link
	do    func(*bench)
	want  []uint16 // ports that distribute in the end
}

func (c choice) run(t *testing.T) {
	b := newBench(t, c.cfg, c.links...)
	c.do(b)
	b.wait(2500 * time.Millisecond)
	var got []uint16
	for _, p := range b.sys.Status().Ports {
		if p.Distributing {
			got = append(got, p.Number)
		}
	}
	if d := cmp.Diff(c.want, got); d != "" {
		t.Error(d)
	}
}

// Design D5: the greatest bandwidth is active, a tie changes nothing.
func TestActive_Bandwidth(t *testing.T) {
	tests := []choice{
		{
			name:  "greater speed",
			links: []lacp.Link{speed(1000), speed(10_000)},
			do:    func(b *bench) { b.hear(1); b.hear(2) },
			want:  []uint16{2},
		},
		{
			name:  "two ports outweigh one",
			links: []lacp.Link{gigabit, gigabit, gigabit},
			do:    func(b *bench) { b.hear(1, partnerKey(1)); b.hear(2); b.hear(3) },
			want:  []uint16{2, 3},
		},
		{
			name:  "a tie stays with the incumbent",
			links: []lacp.Link{gigabit, gigabit},
			do:    func(b *bench) { b.hear(2); b.hear(1, partnerKey(1)) },
			want:  []uint16{2},
		},
		{
			name:  "unknown speed counts",
			links: []lacp.Link{speed(0), speed(0), speed(0)},
			do:    func(b *bench) { b.hear(1, partnerKey(1)); b.hear(2); b.hear(3) },
			want:  []uint16{2, 3},
		},
		{
			name:  "a port without link does not count",
			links: []lacp.Link{speed(10_000), speed(100)},
			do:    func(b *bench) { b.hear(1); b.hear(2); b.step(lacp.LinkChange{Number: 1}) },
			want:  []uint16{2},
		},
		{
			name:  "a loop does not count",
			links: []lacp.Link{speed(10_000), speed(100)},
			do:    func(b *bench) { b.hear(1, partnerSystem(ownSystem)); b.hear(2) },
			want:  []uint16{2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// Design D5: an aggregator with a LACP partner goes before any without.
func TestActive_Partner(t *testing.T) {
	links := []lacp.Link{speed(10_000), speed(100)}
	tests := []choice{
		{
			name: "the first LACPDU ends the fallback",
			do:   func(b *bench) { b.wait(5 * time.Second); b.hear(2) },
			want: []uint16{2},
		},
		{
			name: "an expired partner is still one",
			cfg:  lacp.Config{ShortTimeout: true},
			do:   func(b *bench) { b.hear(2); b.wait(5 * time.Second); b.hear(2) },
			want: []uint16{2},
		},
		{
			name: "the last partner has gone",
			cfg:  lacp.Config{ShortTimeout: true},
			do:   func(b *bench) { b.hear(2); b.wait(10 * time.Second) },
			want: []uint16{1},
		},
		{
			name: "strict never falls back",
			cfg:  lacp.Config{Strict: true},
			do:   func(b *bench) { b.wait(5 * time.Second); b.hear(2) },
			want: []uint16{2},
		},
	}
	for _, tt := range tests {
		tt.links = links
		t.Run(tt.name, tt.run)
	}
}

// The ports of an aggregator that loses its turn stop at once, those of the new
// one wait two seconds.
func TestActive_Takeover(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.up(1)
	b.hear(2, partnerKey(8))
	b.wait(time.Minute)
	b.wants(1, "DISTRIBUTING")
	b.wants(2, "WAITING")
	if b.port(2).Actor.State.Has(slow.Synchronization) {
		t.Error("a STANDBY port says SYNC")
	}
	b.forget()
	b.step(lacp.LinkChange{Number: 1})
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s", got)
	}
	b.wants(1, "WAITING")
	b.wait(2*time.Second - 1)
	b.wants(2, "WAITING")
	b.wait(1)
	b.wants(2, "DISTRIBUTING")
	if got := b.machine(0, "aggregator"); len(got) != 1 {
		t.Errorf("active aggregator changed: %v", got)
	}
	// It is back, and its partner too; a tie stays with the incumbent.
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	b.hear(1)
	b.hear(2, partnerKey(8))
	b.wait(time.Minute)
	b.wants(2, "DISTRIBUTING")
}

// A link that flickers takes nothing from an aggregator that has no rival.
func TestActive_Flicker(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.up(1, 2)
	b.forget()
	for range 5 {
		b.step(lacp.LinkChange{Number: 1})
		b.step(lacp.LinkChange{Number: 2})
		b.step(lacp.LinkChange{Number: 1, Link: gigabit})
		b.step(lacp.LinkChange{Number: 2, Link: gigabit})
		b.hear(1)
		b.hear(2)
	}
	b.wants(1, "DISTRIBUTING")
	b.wants(2, "DISTRIBUTING")
	if got := b.machine(0, "aggregator"); got != nil {
		t.Errorf("active aggregator changed: %v", got)
	}
}

// An active aggregator whose partner does not agree gives way to one whose partner
// does, sooner when the partner is the better system; without an alternative it
// stays.
func TestActive_Patience(t *testing.T) {
	better, worse := farSystem, farSystem
	better.Priority, worse.Priority = 1, 0xfffe
	tests := []struct {
		name    string
		partner slow.System
		want    time.Duration
	}{
		{"partner is better", better, lacp.PatienceWorse},
		{"partner is worse", worse, lacp.PatienceBetter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, speed(10_000), speed(1000))
			refuse := func() { b.hear(1, partnerSystem(tt.partner), partnerState(slow.Activity|slow.Aggregation)) }
			refuse()
			b.hear(2, partnerSystem(tt.partner), partnerState(willing))
			b.wait(tt.want - 1)
			if got := b.port(1).Selected; got != "SELECTED" {
				t.Fatalf("port 1 is %s before its time is over", got)
			}
			b.wait(1)
			if got := b.port(2).Selected; got != "SELECTED" {
				t.Fatalf("port 2 is %s when it should be", got)
			}
			b.wait(time.Minute)
			refuse()
			b.wants(2, "DISTRIBUTING")
			// Its partner has come round: the greater bandwidth counts again.
			b.hear(1, partnerSystem(tt.partner))
			b.wait(2 * time.Second)
			b.wants(1, "DISTRIBUTING")
		})
	}
}

// Time begins anew whenever the partner agrees in between; and without another
// aggregator whose partner agrees there is nothing to give way to.
func TestActive_PatienceStays(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(10_000), speed(1000))
	refuse := func() { b.hear(1, partnerState(slow.Activity|slow.Aggregation)) }
	refuse()
	b.hear(2, partnerKey(9))
	for range 10 {
		b.wait(5 * time.Second)
		b.hear(1)
		refuse()
	}
	if got := b.port(1).Selected; got != "SELECTED" {
		t.Errorf("port 1 is %s although its partner agreed in between", got)
	}
	b.hear(2, partnerKey(9), partnerState(slow.Activity|slow.Aggregation))
	b.wait(time.Minute)
	if got := b.port(1).Selected; got != "SELECTED" {
		t.Errorf("port 1 is %s although nobody else would agree", got)
	}
	b.hear(2, partnerKey(9))
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s although time was over long ago", got)
	}
}

// The time of one aggregator is not the time of the next: a new active one has all
// of it before it.
func TestActive_PatienceIsNew(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(1000), speed(100), speed(10_000))
	refuse := partnerState(slow.Activity | slow.Aggregation)
	b.hear(1, refuse)
	b.hear(2)
	b.wait(lacp.PatienceBetter - time.Second)
	b.hear(3, partnerKey(9), refuse)
	b.wait(lacp.PatienceBetter - 1)
	if got := b.port(3).Selected; got != "SELECTED" {
		t.Errorf("port 3 is %s before its time is over", got)
	}
	b.wait(1)
	if got := b.port(3).Selected; got == "SELECTED" {
		t.Errorf("port 3 is %s after its time", got)
	}
}

// An aggregator that was passed over gets another chance when a port joins or
// leaves it.
func TestActive_PassedOverForgiven(t *testing.T) {
	tests := []struct {
		name string
		do   lacp.Event
	}{
		{"a port joins", lacp.Received{Number: 3}},
		{"a port leaves", lacp.RemovePort{Number: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, speed(10_000), speed(10_000), speed(10_000), speed(1000))
			refuse := partnerState(slow.Activity | slow.Aggregation)
			b.hear(1, refuse)
			b.hear(2, refuse)
			b.hear(3, refuse, partnerKey(8))
			b.hear(4)
			b.wait(lacp.PatienceBetter + lacp.AggregateWaitTime)
			if got := b.port(4); !got.Distributing {
				t.Fatalf("port 4 is %s (%s)", got.Mux, got.Reason)
			}
			if e, ok := tt.do.(lacp.Received); ok {
				b.hear(e.Number, refuse)
			} else {
				b.step(tt.do)
			}
			if got := b.port(1).Selected; got != "SELECTED" {
				t.Errorf("port 1 is %s", got)
			}
		})
	}
}
