package lacp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// IEEE 802.1AX-2014 6.4.14.1: ports share an aggregator exactly when both halves
// of the LAG ID are equal and neither end is individual (S2, S3, S5).
func TestSelect_6_4_14_LAGID(t *testing.T) {
	half := gigabit
	half.HalfDuplex = true
	tests := []struct {
		name   string
		second lacp.Link
		both   func(*slow.LACPDU) // in the LACPDUs of both ports
		edit   func(*slow.LACPDU) // in that of the second
		share  bool
	}{
		{name: "equal", second: gigabit, share: true},
		{name: "partner key", second: gigabit, edit: partnerKey(8)},
		{name: "partner system", second: gigabit, edit: partnerSystem(otherSystem)},
		{
			name: "partner system priority", second: gigabit,
			edit: func(p *slow.LACPDU) { p.Actor.System.Priority = 1 },
		},
		{name: "partner port priority", second: gigabit, edit: func(p *slow.LACPDU) { p.Actor.Priority = 1 }, share: true},
		{name: "individual partner", second: gigabit, edit: partnerState(willing &^ slow.Aggregation)},
		{name: "both individual", second: gigabit, both: partnerState(willing &^ slow.Aggregation)},
		{name: "own speed", second: lacp.Link{Up: true, Speed: 100}},
		{name: "half duplex", second: half},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, tt.second)
			edits := func(fs ...func(*slow.LACPDU)) func(*slow.LACPDU) {
				return func(p *slow.LACPDU) {
					for _, f := range fs {
						if f != nil {
							f(p)
						}
					}
				}
			}
			b.hear(1, edits(tt.both))
			b.hear(2, edits(tt.both, tt.edit))
			one, two := b.port(1), b.port(2)
			if got := one.Aggregator == two.Aggregator; got != tt.share {
				t.Errorf("share: %v, want %v", got, tt.share)
			}
			b.wait(10 * time.Second)
			want := 1
			if tt.share {
				want = 2
			}
			if got := distributing(b); got != want {
				t.Errorf("%d ports distribute, want %d", got, want)
			}
		})
	}
}

// distributing is how many ports distribute.
func distributing(b *bench) int {
	n := 0
	for _, p := range b.sys.Status().Ports {
		if p.Distributing {
			n++
		}
	}
	return n
}

// Without any partner all ports share the default one's aggregator, but not with
// other speeds (agr(4)).
func TestSelect_DefaultPartnerIsShared(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit, lacp.Link{Up: true, Speed: 100})
	b.wait(10 * time.Second)
	b.wants(1, "DISTRIBUTING")
	b.wants(2, "DISTRIBUTING")
	b.wants(3, "WAITING")
	if got := b.port(3); got.Selected != "STANDBY" || got.Actor.State.Has(slow.Synchronization) {
		t.Errorf("%s, %v", got.Selected, got.Actor.State)
	}
}

// One key for all makes ports of different speeds share.
func TestSelect_6_3_5_Key(t *testing.T) {
	b := newBench(t, lacp.Config{Key: 77, KeyBase: 5}, gigabit, lacp.Link{Up: true, Speed: 100})
	b.wait(10 * time.Second)
	if got := distributing(b); got != 2 || b.port(2).Actor.Key != 77 {
		t.Errorf("%d distribute, key %d", got, b.port(2).Actor.Key)
	}
}

// The classes of speed, of which 1 Gb/s is agr(4)'s.
func TestSelect_6_3_5_SpeedClasses(t *testing.T) {
	want := map[uint64]uint16{
		10: 3, 100: 6, 1000: 16, 2500: 28, 5000: 29, 10_000: 26, 20_000: 17, 25_000: 22,
		40_000: 23, 50_000: 24, 56_000: 25, 100_000: 20, 200_000: 21, 400_000: 18,
		800_000: 19, 1_600_000: 30, 3_200_000: 30, 0: 31, 1234: 31,
	}
	got := map[uint64]uint16{}
	for speed := range want {
		b := newBench(t, lacp.Config{KeyBase: 0x3ff}, lacp.Link{Up: true, Speed: speed})
		key := b.port(1).Actor.Key
		if key>>5 != 0x3ff {
			t.Errorf("speed %d: key %#x", speed, key)
		}
		got[speed] = key & 0x1f
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A change of speed is a change of the key: one LACPDU without Synchronization,
// a new wait, and the partner has to agree to the new key.
func TestSelect_6_3_5_SpeedChange(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(time.Second)
	old := b.port(1)
	b.forget()
	b.step(lacp.LinkChange{Number: 1, Link: lacp.Link{Up: true, Speed: 100}})
	b.wants(1, "WAITING")
	pdu := b.last(1)
	if pdu.Actor.Key == old.Actor.Key || pdu.Actor.State.Has(slow.Synchronization) {
		t.Errorf("says %+v", pdu.Actor)
	}
	b.wait(2 * time.Second)
	b.wants(1, "ATTACHED")
	b.hear(1)
	b.wants(1, "DISTRIBUTING")
}

// While the link is down its speed means nothing and the key stays.
func TestSelect_LinkDownKeepsKey(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	key := b.port(1).Actor.Key
	b.step(lacp.LinkChange{Number: 1, Link: lacp.Link{HalfDuplex: true}})
	if got := b.port(1); got.Actor.Key != key || got.Selected != "SELECTED" {
		t.Errorf("key %d, %s", got.Actor.Key, got.Selected)
	}
}

// S4: a port that hears its own system never forwards, whatever the default
// partner is, and says why. It is free again when another system speaks, or nobody.
func TestSelect_6_4_14_Loopback(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit, gigabit)
	loop := func() { b.hear(1, partnerSystem(ownSystem)) }
	for range 20 {
		loop()
		b.wait(time.Second)
		if p := b.port(1); !p.Loopback || p.Collecting || p.Selected != "UNSELECTED" || p.Aggregator != 0 {
			t.Fatalf("at %v: %+v", b.now, p)
		}
	}
	p := b.port(1)
	if p.Receive != "CURRENT" || !strings.Contains(p.Reason, "loopback") {
		t.Errorf("%s, reason %q", p.Receive, p.Reason)
	}
	b.wants(2, "DISTRIBUTING")

	b.hear(1)
	if p := b.port(1); p.Loopback || p.Selected == "UNSELECTED" {
		t.Errorf("another system: %+v", p)
	}
	loop()
	b.wait(3*time.Second + 1) // CURRENT has timed out
	if p := b.port(1); p.Receive != "EXPIRED" || !p.Loopback || p.Selected != "UNSELECTED" {
		t.Errorf("silence: %+v", p)
	}
	b.wait(3 * time.Second)
	if p := b.port(1); p.Receive != "DEFAULTED" || p.Loopback {
		t.Errorf("more silence: %+v", p)
	}
	loop()
	b.step(lacp.LinkChange{Number: 1})
	if p := b.port(1); p.Loopback {
		t.Errorf("no link: %+v", p)
	}
}

// The same address with another priority is another system.
func TestSelect_6_4_14_NoLoopback(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	other := ownSystem
	other.Priority++
	b.hear(1, partnerSystem(other))
	b.wait(lacp.AggregateWaitTime + lacp.SyncGraceTime)
	if p := b.port(1); p.Loopback || !p.Distributing {
		t.Errorf("%+v", p)
	}
}

// A port says in what way it differs from the active aggregator.
func TestStatus_StandbyReason(t *testing.T) {
	tests := []struct {
		name   string
		second lacp.Link
		edit   func(*slow.LACPDU) // nil: nothing is heard
		want   string
	}{
		{"nobody there", gigabit, nil, "standby: no LACP partner, unlike the active aggregator"},
		{"partner key", gigabit, partnerKey(8), "partner key 8 differs from the active aggregator's 7"},
		{
			"partner system", gigabit, partnerSystem(otherSystem),
			"partner system 8000,02:cc:00:00:00:01 differs from the active aggregator's 8000,02:bb:00:00:00:01",
		},
		{
			"speed",
			lacp.Link{Up: true, Speed: 100},
			func(*slow.LACPDU) {},
			"key 6 (by speed) differs from the active aggregator's 16",
		},
		{
			"individual", gigabit, partnerState(willing &^ slow.Aggregation),
			"standby: an individual link cannot be aggregated",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, tt.second)
			b.up(1)
			if tt.edit != nil {
				b.hear(2, tt.edit)
			}
			if d := cmp.Diff(tt.want, b.port(2).Reason); d != "" {
				t.Error(d)
			}
		})
	}
}

// Every obstacle on the way up has words of its own.
func TestStatus_Reason(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, lacp.Link{Speed: 1000})
	var got []string
	look := func() { got = append(got, b.port(1).Reason) }
	look()
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	look()
	b.wait(2 * time.Second)
	look()
	b.hear(1, partnerState(slow.Activity|slow.Aggregation))
	b.wait(2 * time.Second)
	look()
	b.hear(1, partnerState(inSync))
	look()
	b.hear(1)
	look()
	b.wait(4 * time.Second)
	look()
	b.step(lacp.Leave{})
	look()
	want := []string{
		"link down", "waiting for the ports to settle", "waiting for a LACP partner",
		"waiting for partner sync", "partner does not collect", "", "partner has fallen silent", "stopped",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A partner's key 0 is a key like any other.
func TestSelect_6_4_14_PartnerKeyZero(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.talk(4*time.Second, []uint16{1, 2}, partnerKey(0))
	b.carries(1, 2)
}

// Every key of 15 bits can be set, and is what is said.
func TestSelect_6_3_5_KeyRange(t *testing.T) {
	for _, key := range []uint16{1, 1023, 1024, 32767} {
		b := newBench(t, lacp.Config{Key: key}, gigabit, speed(0))
		for n := uint16(1); n <= 2; n++ {
			if got := b.last(n).Actor.Key; got != key {
				t.Errorf("port %d says key %d, want %d", n, got, key)
			}
		}
	}
}

// Two systems of one machine may each aggregate links to the same partner system
// and key: they know nothing of each other.
func TestSelect_6_4_14_TwoSystems(t *testing.T) {
	one := newBench(t, lacp.Config{KeyBase: 1}, gigabit)
	two := newBench(t, lacp.Config{System: otherSystem, KeyBase: 2}, gigabit)
	for _, b := range []*bench{one, two} {
		b.talk(4*time.Second, []uint16{1})
		b.carries(1)
	}
}

// A port that hears itself is still one that could be aggregated elsewhere, and says
// so; it is never in sync.
func TestSelect_6_4_14_LoopbackSays(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.talk(10*time.Second, []uint16{1}, partnerSystem(ownSystem))
	const flags = slow.Aggregation | slow.Synchronization | slow.Collecting | slow.Distributing
	if got := b.last(1).Actor.State & flags; got != slow.Aggregation {
		t.Errorf("says %v", got)
	}
}
