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
			cfg:  lacp.Config{Fallback: lacp.FallbackNone},
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
// one have waited long ago (IEEE 802.1AX-2014 6.4.15) and are attached at once.
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
	b.wants(2, "COLLECTING")
	b.hear(2, partnerKey(8))
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

// What works is not stopped for a greater bandwidth whose ports would still have to
// wait, for time to pass or for somebody to speak.
func TestActive_SettlesFirst(t *testing.T) {
	tests := []struct {
		name string
		cfg  lacp.Config
		lacp bool          // the ports have partners that speak it
		want time.Duration // until the faster port takes over
	}{
		{"LACP partners", lacp.Config{}, true, lacp.AggregateWaitTime},
		{"LACP partners, strict", lacp.Config{Fallback: lacp.FallbackNone}, true, lacp.AggregateWaitTime},
		{"static switch", lacp.Config{}, false, lacp.ShortTimeoutTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.cfg, gigabit)
			talk := func(number uint16) {
				if tt.lacp {
					b.hear(number)
				}
			}
			talk(1)
			b.wait(10 * time.Second)
			b.step(lacp.AddPort{Number: 2, Link: speed(10_000)})
			talk(2)
			b.wait(tt.want - 1)
			b.wants(1, "DISTRIBUTING")
			b.wait(1)
			talk(2)
			b.wants(1, "WAITING")
			b.wants(2, "DISTRIBUTING")
		})
	}
}

// An aggregator that stands by does not take over while a port has only just joined
// it: that would hold the others up.
func TestActive_SettlesWithNewcomer(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(3000), gigabit, gigabit)
	b.hear(2, partnerKey(8))
	b.hear(3, partnerKey(8))
	b.up(1)
	b.wait(time.Minute)
	for n := uint16(4); n <= 5; n++ {
		b.step(lacp.AddPort{Number: n, Link: gigabit})
		b.hear(n, partnerKey(8))
	}
	b.wait(lacp.AggregateWaitTime - 1)
	b.wants(1, "DISTRIBUTING")
	b.wait(1)
	for n := uint16(2); n <= 5; n++ {
		b.wants(n, "COLLECTING")
	}
}

// A partner that is only remembered takes nothing from ports that work: it may be
// gone, and until it speaks nobody knows.
func TestActive_Remembered(t *testing.T) {
	tests := []choice{
		{
			name:  "beside a static switch",
			links: []lacp.Link{gigabit, gigabit, gigabit},
			want:  []uint16{1, 2},
		},
		{
			name:  "slower ports beside a static switch",
			links: []lacp.Link{gigabit, gigabit, speed(10_000)},
			want:  []uint16{1, 2},
		},
		{
			name:  "beside a LACP partner",
			links: []lacp.Link{gigabit, gigabit, speed(10_000)},
			do:    func(b *bench) { b.hear(1); b.hear(2) },
			want:  []uint16{1, 2},
		},
		{
			name:  "strict",
			cfg:   lacp.Config{Fallback: lacp.FallbackNone},
			links: []lacp.Link{gigabit, gigabit, speed(10_000)},
			do:    func(b *bench) { b.hear(1); b.hear(2) },
			want:  []uint16{1, 2},
		},
	}
	for _, tt := range tests {
		back := lacp.LinkChange{Number: 3, Link: tt.links[2]}
		others := tt.do
		tt.do = func(b *bench) {
			b.hear(3)
			b.step(lacp.LinkChange{Number: 3})
			b.wait(10 * time.Second)
			if others != nil {
				others(b)
			}
			b.wait(10 * time.Second)
			b.forget()
			b.step(back)
			if got := b.machine(0, "aggregator"); got != nil {
				b.t.Errorf("active aggregator changed: %v", got)
			}
		}
		t.Run(tt.name, tt.run)
	}
}

// Nor does it take the place of an incumbent that has gone, before it has spoken.
func TestActive_RememberedAlone(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.hear(2, partnerKey(8))
	b.step(lacp.LinkChange{Number: 2})
	b.up(1)
	b.step(lacp.LinkChange{Number: 2, Link: gigabit})
	b.step(lacp.RemovePort{Number: 1})
	want := "standby: no aggregator is active"
	if got := b.port(2); got.Selected != "STANDBY" || got.Reason != want {
		t.Errorf("port 2 is %s (%s)", got.Selected, got.Reason)
	}
	b.hear(2, partnerKey(8))
	b.wants(2, "COLLECTING")
}
