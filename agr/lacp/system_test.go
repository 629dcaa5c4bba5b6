package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// agr(4)'s link1: not a LACPDU in either direction, the default partner at once.
func TestStatic(t *testing.T) {
	for _, fallback := range []lacp.Fallback{lacp.FallbackAll, lacp.FallbackSingle, lacp.FallbackNone} {
		b := newBench(t, lacp.Config{Static: true, Fallback: fallback}, gigabit, gigabit)
		if got := b.port(1); got.Receive != "DEFAULTED" || got.Mux != "WAITING" {
			t.Errorf("fallback %v: %s, %s", fallback, got.Receive, got.Mux)
		}
		b.wait(2 * time.Second)
		b.wants(1, "DISTRIBUTING")
		before := b.port(1)
		b.hear(1, partnerKey(8))
		if d := cmp.Diff(before, b.port(1)); d != "" {
			t.Errorf("a LACPDU changed: %s", d)
		}
		b.step(lacp.LinkChange{Number: 1})
		b.wants(1, "ATTACHED")
		b.step(lacp.LinkChange{Number: 1, Link: gigabit})
		b.wants(1, "DISTRIBUTING")
		b.wait(time.Hour)
		b.step(lacp.RemovePort{Number: 1, Farewell: true})
		b.step(lacp.Leave{})
		if len(b.sent) != 0 {
			t.Errorf("fallback %v: %d LACPDUs", fallback, len(b.sent))
		}
	}
}

// Switching static mode starts every port again at once.
func TestStatic_Switch(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(time.Second)
	b.forget()
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, Static: true}})
	b.wants(1, "WAITING")
	if p := b.port(1); p.Receive != "DEFAULTED" || p.Partner.State != defaults || p.Periodic != "NO_PERIODIC" {
		t.Errorf("%s, %v, %s", p.Receive, p.Partner.State, p.Periodic)
	}
	b.wait(2 * time.Second)
	b.wants(1, "DISTRIBUTING")
	b.wait(time.Hour)
	if len(b.sent) != 0 {
		t.Errorf("%d LACPDUs in static mode", len(b.sent))
	}
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
	if p := b.port(1); p.Receive != "EXPIRED" || p.Collecting || len(b.sent) != 1 {
		t.Errorf("%s, %s, %d LACPDUs", p.Receive, p.Mux, len(b.sent))
	}
	b.up(1)
}

// A change of configuration is told at once; one of the LAG ID needs a new
// selection, any other does not disturb.
func TestConfigure(t *testing.T) {
	tests := []struct {
		name   string
		change lacp.Config
		mux    string
	}{
		{"nothing", lacp.Config{System: ownSystem}, "DISTRIBUTING"},
		{"short timeout", lacp.Config{System: ownSystem, ShortTimeout: true}, "DISTRIBUTING"},
		{"passive", lacp.Config{System: ownSystem, Passive: true}, "DISTRIBUTING"},
		{"strict", lacp.Config{System: ownSystem, Fallback: lacp.FallbackNone}, "DISTRIBUTING"},
		{"key", lacp.Config{System: ownSystem, Key: 9}, "WAITING"},
		{"key base", lacp.Config{System: ownSystem, KeyBase: 9}, "WAITING"},
		{"system", lacp.Config{System: otherSystem}, "WAITING"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.wait(2 * time.Second)
			b.forget()
			b.step(lacp.Configure{Config: tt.change})
			b.wants(1, tt.mux)
			if len(b.sent) != 1 {
				t.Fatalf("%d LACPDUs, want 1", len(b.sent))
			}
			if d := cmp.Diff(b.port(1).Actor, b.sent[0].PDU.Actor); d != "" {
				t.Error(d)
			}
			// The partner's SYNC was meant for the old LAG ID.
			b.wait(2 * time.Second)
			if tt.mux == "WAITING" {
				b.wants(1, "ATTACHED")
				b.hear(1)
			}
			b.wants(1, "DISTRIBUTING")
		})
	}
}

// The default partner changes under a port that lives on it.
func TestConfigure_Strict(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.wait(5 * time.Second)
	b.wants(1, "DISTRIBUTING")
	b.forget()
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, Fallback: lacp.FallbackNone}})
	if d := cmp.Diff([]lacp.MuxChange{{Port: 1}}, b.mux); d != "" {
		t.Error(d)
	}
	b.wait(time.Minute)
	if p := b.port(1); p.Collecting || p.Reason != "no LACP partner" {
		t.Errorf("%s, %q", p.Mux, p.Reason)
	}
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
	b.wait(2 * time.Second)
	b.wants(1, "DISTRIBUTING")
}

// A system identifier that turns out to be the partner's is a loop.
func TestConfigure_SystemIsPartners(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.step(lacp.Configure{Config: lacp.Config{System: farSystem}})
	b.wait(5 * time.Second)
	if p := b.port(1); !p.Loopback || p.Collecting {
		t.Errorf("loopback %v, %s", p.Loopback, p.Mux)
	}
}

// Events about ports that are not there, or there already, change nothing.
func TestStep_UnknownPorts(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.forget()
	before := b.sys.Status()
	for _, e := range []lacp.Event{
		lacp.AddPort{Number: 0, Link: gigabit},
		lacp.AddPort{Number: 1, Link: lacp.Link{}},
		lacp.RemovePort{Number: 2, Farewell: true},
		lacp.LinkChange{Number: 2, Link: gigabit},
		lacp.Received{Number: 2, PDU: slow.LACPDU{}},
	} {
		b.step(e)
	}
	if d := cmp.Diff(before, b.sys.Status()); d != "" {
		t.Error(d)
	}
	if len(b.sent)+len(b.mux)+len(b.log) != 0 {
		t.Errorf("%v %v %v", b.sent, b.mux, b.log)
	}
}

// Time does not run backwards.
func TestStep_ClockGoesBack(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.wait(2900 * time.Millisecond)
	b.sys.Advance(b.now)
	b.now = 0
	b.hear(1)
	b.now = lacp.Instant(4800 * time.Millisecond)
	b.sys.Advance(b.now)
	b.wants(1, "WAITING")
	b.now = lacp.Instant(4900 * time.Millisecond)
	b.sys.Advance(b.now)
	b.wants(1, "COLLECTING")
}

// A caller that comes very late gets one LACPDU for all the periods that it
// missed, not one for each.
func TestAdvance_Late(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(time.Second)
	b.hear(1, partnerState(willing|slow.Timeout))
	b.forget()
	b.now = b.now.Add(60 * time.Second)
	b.sys.Advance(b.now)
	b.collect()
	if len(b.sent) != 1 {
		t.Errorf("%d LACPDUs", len(b.sent))
	}
}

// Status tells what the machines are at.
func TestStatus(t *testing.T) {
	b := newBench(t, lacp.Config{KeyBase: 2}, gigabit, speed(100))
	b.up(1)
	want := lacp.Status{
		System: ownSystem,
		Config: lacp.Config{System: ownSystem, KeyBase: 2},
		Active: 3, Links: 1, Enough: true,
		Aggregators: []lacp.AggregatorStatus{
			{
				ID: 2, Actor: lacp.LAGEnd{System: ownSystem, Key: 2<<5 | 6},
				Partner: lacp.LAGEnd{System: slow.System{Priority: 0xffff}}, Speed: 100, Ports: []uint16{2},
			},
			{
				ID: 3, Active: true, Actor: lacp.LAGEnd{System: ownSystem, Key: 2<<5 | 16},
				Partner: lacp.LAGEnd{System: farSystem, Key: 7}, Speed: 1000, Ports: []uint16{1},
			},
		},
	}
	got := b.sys.Status()
	ports := got.Ports
	got.Ports = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wantPort := lacp.PortStatus{
		Number: 1, Name: "p1", Link: gigabit, Aggregator: 3,
		Selected: "SELECTED", Receive: "CURRENT", Mux: "DISTRIBUTING", Periodic: "SLOW_PERIODIC",
		Actor: slow.PortInfo{
			System: ownSystem, Key: 2<<5 | 16, Priority: 0x80, Port: 1, State: willing,
		},
		Partner:    slow.PortInfo{System: farSystem, Key: 7, Priority: 0x90, Port: 101, State: willing},
		Collecting: true, Distributing: true,
		MuxSince: lacp.Instant(2 * time.Second), Sent: 3, StateChanges: 6,
		ActorChurn: "NO_CHURN", PartnerChurn: "NO_CHURN",
	}
	if d := cmp.Diff(wantPort, ports[0]); d != "" {
		t.Error(d)
	}
}

// An instant prints as the time since its origin.
func TestInstant(t *testing.T) {
	if got := lacp.Instant(0).Add(1500 * time.Millisecond).String(); got != "1.5s" {
		t.Errorf("got %s", got)
	}
}
