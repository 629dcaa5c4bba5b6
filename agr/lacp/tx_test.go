package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// F7: not more than three in any second under a partner that changes its mind
// twenty times a second, and the one that was held back carries the newest state.
func TestTx_6_4_16_Limit(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	for key := range uint16(200) {
		b.hear(1, partnerKey(1000+key))
		b.wait(50 * time.Millisecond)
	}
	b.wait(time.Second)
	at := b.times(1)
	for i := range at {
		if i >= lacp.TransmitLimit && at[i]-at[i-lacp.TransmitLimit] < time.Second {
			t.Fatalf("four LACPDUs from %v to %v", at[i-lacp.TransmitLimit], at[i])
		}
	}
	if len(at) < 25 {
		t.Errorf("%d LACPDUs in ten seconds, the limit allows 30", len(at))
	}
	if got := b.last(1).Partner.Key; got != 1199 {
		t.Errorf("the last one echoes key %d, want 1199", got)
	}
}

// A LACPDU that the limit holds back is sent the moment it may be.
func TestTx_6_4_16_Deferred(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit) // one at 0
	for key := range uint16(4) {
		b.wait(100 * time.Millisecond)
		b.hear(1, partnerKey(50+key))
	}
	b.wait(time.Second)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if d := cmp.Diff([]time.Duration{0, ms(100), ms(200), ms(1000)}, b.times(1)); d != "" {
		t.Error(d)
	}
	if got := b.last(1).Partner.Key; got != 53 {
		t.Errorf("the deferred one echoes key %d, want 53", got)
	}
}

// The limit counts LACPDUs when they leave, not when they were made.
func TestTx_6_4_16_LeavesLate(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	b := newBench(t, lacp.Config{}, gigabit) // one at 0
	b.wait(ms(20))
	b.sys.Sent(b.sent[0].Transmit, b.now)
	for key := range uint16(4) {
		b.wait(ms(100))
		b.hear(1, partnerKey(50+key))
	}
	b.wait(time.Second)
	if d := cmp.Diff([]time.Duration{0, ms(120), ms(220), ms(1020)}, b.times(1)); d != "" {
		t.Error(d)
	}
}

// A LACPDU that could not be transmitted is sent again, as agr(4) does, with the
// newest state and a third of a second later; the limit counts the attempts.
func TestTx_6_4_16_NotSent(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	third := lacp.TransmitWindow / lacp.TransmitLimit
	b := newBench(t, lacp.Config{}, gigabit)
	b.step(lacp.NotSent{Number: 1})
	b.wait(ms(100))
	b.hear(1)
	b.wait(ms(400))
	if d := cmp.Diff([]time.Duration{0, third}, b.times(1)); d != "" {
		t.Error(d)
	}
	if got := b.last(1).Partner.Key; got != 7 {
		t.Errorf("the second one echoes key %d, want 7", got)
	}
	b.hear(1, partnerKey(50))
	b.step(lacp.NotSent{Number: 1})
	b.wait(ms(900))
	if d := cmp.Diff([]time.Duration{0, third, ms(500), ms(1000)}, b.times(1)); d != "" {
		t.Error(d)
	}
}

// A port that can never transmit tries no more often than the limit allows, and
// never believes that its partner knows of its Synchronization.
func TestTx_6_4_16_NeverSent(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1)
	for end := b.now.Add(10 * time.Second); b.now < end; {
		tried := len(b.sent)
		b.wait(time.Millisecond)
		if len(b.sent) > tried {
			b.step(lacp.NotSent{Number: 1})
		}
	}
	if got := len(b.sent); got < 25 || got > 32 {
		t.Errorf("%d attempts in ten seconds", got)
	}
	b.wants(1, "COLLECTING")
}

// Nothing is repeated of a port that is gone or has nothing to say.
func TestTx_NotSentSilent(t *testing.T) {
	tests := []struct {
		name string
		do   lacp.Event
	}{
		{"no such port", lacp.RemovePort{Number: 1, Farewell: true}},
		{"left", lacp.Leave{}},
		{"no link", lacp.LinkChange{Number: 1}},
		{"static", lacp.Configure{Config: lacp.Config{System: ownSystem, Static: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.step(tt.do)
			b.forget()
			b.step(lacp.NotSent{Number: 1})
			b.wait(time.Hour)
			if len(b.sent) != 0 {
				t.Errorf("sent %+v", b.sent)
			}
		})
	}
}

// What an event makes ready between two calls of Ready does not wait for a timer.
func TestDeadline_Ready(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.sys.Step(b.now, lacp.LinkChange{Number: 1})
	if at, ok := b.sys.Deadline(); !ok || at > b.now {
		t.Errorf("deadline %v, %v", at, ok)
	}
	b.collect()
	if at, ok := b.sys.Deadline(); ok && at <= b.now {
		t.Errorf("nothing is left, and the deadline is %v", at)
	}
}

// A System at rest asks for no time before its next LACPDU.
func TestDeadline_Idle(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(moment)
	sent := b.times(1)
	want := lacp.Instant(lacp.SlowPeriodicTime)
	if at, ok := b.sys.Deadline(); !ok || at != want {
		t.Errorf("deadline %v, want %v; sent at %v", at, want, sent)
	}
}

// F3 to F6: what a LACPDU says.
func TestTx_6_4_2_Contents(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true, KeyBase: 5}, gigabit, gigabit)
	b.hear(2, partnerState(slow.Activity|slow.Aggregation|slow.Expired))
	want := slow.LACPDU{
		Version: 1,
		Actor: slow.PortInfo{
			System: ownSystem, Key: 5<<5 | 16, Priority: 0x80, Port: 2,
			State: slow.Activity | slow.Timeout | slow.Aggregation,
		},
		Partner: slow.PortInfo{
			System: farSystem, Key: 7, Priority: 0x90, Port: 102,
			State: slow.Activity | slow.Aggregation | slow.Expired,
		},
	}
	if d := cmp.Diff(want, b.last(2)); d != "" {
		t.Error(d)
	}
	if got := b.last(1).Actor.Port; got != 1 {
		t.Errorf("port 1 says it is %d", got)
	}
}

// Without a system identifier there is nothing to say; with it, at once.
func TestTx_NoSystem(t *testing.T) {
	sys := lacp.New(lacp.Config{})
	sys.Step(0, lacp.AddPort{Number: 1, Link: gigabit})
	sys.Advance(lacp.Instant(2 * time.Second))
	if got := sys.Ready().Send; len(got) != 0 {
		t.Fatalf("sent %+v", got)
	}
	sys.Step(lacp.Instant(2*time.Second), lacp.Configure{Config: lacp.Config{System: ownSystem}})
	if got := sys.Ready().Send; len(got) != 1 || got[0].PDU.Actor.System != ownSystem {
		t.Errorf("sent %+v", got)
	}
}

// Design D6: the farewell says that we neither collect nor distribute, keeps
// Aggregation and is exempt from the limit.
func TestTx_Farewell(t *testing.T) {
	tests := []struct {
		name     string
		cfg      lacp.Config
		link     lacp.Link
		farewell bool
		want     int
	}{
		{"asked for", lacp.Config{}, gigabit, true, 1},
		{"not asked for", lacp.Config{}, gigabit, false, 0},
		{"static", lacp.Config{Static: true}, gigabit, true, 0},
		{"half duplex", lacp.Config{}, lacp.Link{Up: true, HalfDuplex: true}, true, 0},
		{"no link", lacp.Config{}, lacp.Link{}, true, 0},
		{"passive, unknown partner", lacp.Config{Passive: true}, gigabit, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.cfg, tt.link)
			b.wait(20 * time.Second)
			for range lacp.TransmitLimit {
				b.step(lacp.Configure{Config: withSystem(tt.cfg)})
			}
			b.forget()
			b.step(lacp.RemovePort{Number: 1, Farewell: tt.farewell})
			b.wait(time.Hour)
			if len(b.sent) != tt.want {
				t.Fatalf("%d LACPDUs, want %d", len(b.sent), tt.want)
			}
			if len(b.sys.Status().Ports)+len(b.sys.Status().Aggregators) != 0 {
				t.Errorf("left: %+v", b.sys.Status())
			}
			for _, s := range b.sent {
				want := slow.Activity | slow.Aggregation | slow.Defaulted
				if !s.Farewell || s.PDU.Actor.State != want {
					t.Errorf("farewell %v, state %v", s.Farewell, s.PDU.Actor.State)
				}
			}
		})
	}
}

func withSystem(cfg lacp.Config) lacp.Config {
	cfg.System = ownSystem
	return cfg
}

// Removing a port that forwards tells the driver to stop.
func TestTx_FarewellStopsForwarding(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.up(1, 2)
	b.forget()
	b.step(lacp.RemovePort{Number: 1, Farewell: true})
	if d := cmp.Diff([]lacp.MuxChange{{Port: 1}}, b.mux); d != "" {
		t.Error(d)
	}
	b.wants(2, "DISTRIBUTING")
}

// Leave is a farewell on every port, and silence.
func TestTx_Leave(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	b.up(1, 2)
	b.forget()
	b.step(lacp.Leave{})
	if len(b.sent) != 2 || len(b.mux) != 2 {
		t.Fatalf("%d LACPDUs, %d changes", len(b.sent), len(b.mux))
	}
	for _, s := range b.sent {
		if got := s.PDU.Actor.State; !s.Farewell || got != slow.Activity|slow.Aggregation {
			t.Errorf("farewell %v, state %v", s.Farewell, got)
		}
	}
	b.forget()
	b.hear(1)
	b.step(lacp.LinkChange{Number: 2})
	b.step(lacp.AddPort{Number: 3, Link: gigabit})
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, Static: true}})
	b.wait(time.Hour)
	b.step(lacp.RemovePort{Number: 2, Farewell: true})
	if len(b.sent)+len(b.mux) != 0 {
		t.Errorf("afterwards: %+v, %+v", b.sent, b.mux)
	}
	if got := b.port(1); got.Selected != "UNSELECTED" || got.Mux != "DETACHED" || got.Reason == "" {
		t.Errorf("%s, %s, %q", got.Selected, got.Mux, got.Reason)
	}
	if got := len(b.sys.Status().Ports); got != 1 {
		t.Errorf("%d ports are left, want 1", got)
	}
}

// F5: a port number is not 0, and not that of another port.
func TestTx_6_3_4_PortNumbers(t *testing.T) {
	b := newBench(t, lacp.Config{})
	for _, n := range []uint16{0, 7, 7, 65535} {
		b.step(lacp.AddPort{Number: n, Link: gigabit})
	}
	var got []uint16
	for _, s := range b.sent {
		got = append(got, s.PDU.Actor.Port)
	}
	if d := cmp.Diff([]uint16{7, 65535}, got); d != "" {
		t.Error(d)
	}
}

// Before a daemon ends each partner hears once more what it has been told, within the
// limit, and nothing changes. One to whom farewell was said hears nothing.
func TestTx_Repeat(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1, partnerKey(50))
	b.wait(40 * time.Second) // and has sent one by itself
	before, said := len(b.times(1)), b.last(1)
	b.step(lacp.Repeat{})
	if n := len(b.times(1)); n != before+1 {
		t.Errorf("%d LACPDUs, want one", n-before)
	}
	if d := cmp.Diff(said, b.last(1)); d != "" {
		t.Errorf("it says something else (-before +now):\n%s", d)
	}
	b.step(lacp.Leave{})
	before = len(b.times(1))
	b.step(lacp.Repeat{})
	b.wait(time.Minute)
	if n := len(b.times(1)); n != before {
		t.Errorf("%d LACPDUs after the farewell", n-before)
	}
}
