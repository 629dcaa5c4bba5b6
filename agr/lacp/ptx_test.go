package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// F8: the partner's timeout sets our rate, our own does not.
func TestPtx_6_4_13_Rate(t *testing.T) {
	tests := []struct {
		name        string
		own, theirs bool // short
		want        time.Duration
	}{
		{"both long", false, false, 30 * time.Second},
		{"partner short", false, true, time.Second},
		{"own short", true, false, 30 * time.Second},
		{"both short", true, true, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{ShortTimeout: tt.own}, gigabit)
			state := willing.With(slow.Timeout, tt.theirs)
			keep := func(d time.Duration) {
				for range d / time.Second {
					b.hear(1, partnerState(state))
					b.wait(time.Second)
				}
			}
			keep(10 * time.Second)
			b.forget()
			keep(120 * time.Second)
			at := b.times(1)
			if len(at) < 3 {
				t.Fatalf("%d LACPDUs in two minutes", len(at))
			}
			for i := range at[1:] {
				if got := at[i+1] - at[i]; got != tt.want {
					t.Errorf("%v between two LACPDUs, want %v", got, tt.want)
				}
			}
		})
	}
}

// F9: a partner that changes to the short timeout hears from us at once.
func TestPtx_6_4_13_SlowToFast(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(10 * time.Second)
	b.forget()
	start := time.Duration(b.now)
	b.hear(1, partnerState(willing|slow.Timeout))
	b.wait(2 * time.Second)
	want := []time.Duration{start, start + time.Second, start + 2*time.Second}
	if d := cmp.Diff(want, b.times(1)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"SLOW_PERIODIC>FAST_PERIODIC"}, b.machine(1, "periodic")); d != "" {
		t.Error(d)
	}
}

// Without a partner the default one's long timeout holds: thirty seconds.
func TestPtx_6_4_13_Defaulted(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.wait(4 * time.Second)
	b.forget()
	b.wait(95 * time.Second)
	want := []time.Duration{33 * time.Second, 63 * time.Second, 93 * time.Second}
	if d := cmp.Diff(want, b.times(1)); d != "" {
		t.Error(d)
	}
	if got := b.last(1).Actor.State; !got.Has(slow.Defaulted | slow.Distributing) {
		t.Errorf("state %v", got)
	}
}

// F10 to F12: a passive system speaks only while its partner is active.
func TestPtx_6_4_13_Passive(t *testing.T) {
	b := newBench(t, lacp.Config{Passive: true}, gigabit)
	b.wait(time.Minute)
	b.hear(1, partnerState(willing&^slow.Activity))
	b.wait(time.Minute)
	if len(b.sent) != 0 {
		t.Fatalf("%d LACPDUs to a passive partner", len(b.sent))
	}
	b.hear(1)
	if len(b.sent) != 1 || b.sent[0].PDU.Actor.State.Has(slow.Activity) {
		t.Fatalf("to an active partner: %+v", b.sent)
	}
	b.wait(4 * time.Second)
	b.hear(1)
	b.wants(1, "DISTRIBUTING")
	b.hear(1, partnerState(willing&^slow.Activity))
	b.forget()
	b.hear(1, partnerState(willing&^slow.Activity), strangers)
	b.wait(80 * time.Second)
	if len(b.sent) != 0 || b.port(1).Periodic != "NO_PERIODIC" {
		t.Errorf("%d LACPDUs after it turned passive, %s", len(b.sent), b.port(1).Periodic)
	}
}
