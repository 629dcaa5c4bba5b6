package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// R1: INITIALIZE, PORT_DISABLED, EXPIRED for three seconds at the fast rate,
// DEFAULTED.
func TestRx_6_4_12_NobodyThere(t *testing.T) {
	b := newBench(t, lacp.Config{}, lacp.Link{})
	if got := b.port(1); got.Receive != "PORT_DISABLED" || len(b.sent) != 0 {
		t.Fatalf("without link: %s, %d LACPDUs", got.Receive, len(b.sent))
	}
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	first := b.last(1)
	if want := slow.Activity | slow.Aggregation | slow.Expired | slow.Defaulted; first.Actor.State != want {
		t.Errorf("first state %v, want %v", first.Actor.State, want)
	}
	if !first.Partner.State.Has(slow.Timeout) || first.Partner.State.Has(slow.Synchronization) {
		t.Errorf("first partner state %v, want TIMEOUT and no SYNC", first.Partner.State)
	}
	b.wait(3*time.Second - 1)
	if got := b.port(1).Receive; got != "EXPIRED" {
		t.Errorf("before 3 s: %s", got)
	}
	b.wait(1)
	if d := cmp.Diff([]string{
		"INITIALIZE>PORT_DISABLED", "PORT_DISABLED>EXPIRED", "EXPIRED>DEFAULTED",
	}, b.machine(1, "receive")); d != "" {
		t.Error(d)
	}
	want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}
	if d := cmp.Diff(want, b.times(1)); d != "" {
		t.Error(d)
	}
	state := b.last(1).Actor.State
	if state.Has(slow.Expired) || !state.Has(slow.Defaulted) {
		t.Errorf("state in DEFAULTED is %v", state)
	}
}

// R2: a LACPDU leads to CURRENT from EXPIRED and from DEFAULTED.
func TestRx_6_4_12_Current(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration
		from string
	}{
		{"from EXPIRED", time.Second, "EXPIRED"},
		{"from DEFAULTED", 4 * time.Second, "DEFAULTED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.wait(tt.wait)
			if got := b.port(1).Receive; got != tt.from {
				t.Fatalf("is %s before", got)
			}
			b.hear(1)
			p := b.port(1)
			if p.Receive != "CURRENT" || p.Actor.State&(slow.Expired|slow.Defaulted) != 0 {
				t.Errorf("%s with %v", p.Receive, p.Actor.State)
			}
		})
	}
}

// R3, R4: what we asked for decides when the partner expires, and three more
// seconds lead to the default partner.
func TestRx_6_4_12_Silence(t *testing.T) {
	for _, tt := range []struct {
		name    string
		short   bool
		timeout time.Duration
	}{
		{"short timeout", true, 3 * time.Second},
		{"long timeout", false, 90 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{ShortTimeout: tt.short}, gigabit)
			b.up(1)
			b.wait(tt.timeout - 1)
			b.wants(1, "DISTRIBUTING")
			b.wait(1)
			p := b.port(1)
			if p.Receive != "EXPIRED" || p.Mux != "ATTACHED" {
				t.Errorf("%s, %s", p.Receive, p.Mux)
			}
			want := willing.With(slow.Synchronization, false).With(slow.Timeout, true)
			if p.Partner.State != want || p.Partner.System != farSystem {
				t.Errorf("partner %+v", p.Partner)
			}
			b.wait(lacp.ShortTimeoutTime - 1)
			if got := b.port(1).Receive; got != "EXPIRED" {
				t.Errorf("%s before three seconds", got)
			}
			b.wait(1)
			if got := b.port(1); got.Receive != "DEFAULTED" || got.Partner.State != defaults {
				t.Errorf("%s, %v", got.Receive, got.Partner.State)
			}
		})
	}
}

// R5: the loss of the link keeps partner and selection, but stops frames at once;
// the same partner is used again without a new selection.
func TestRx_6_4_12_PortDisabledRemembers(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	before := b.port(1)
	b.forget()
	b.step(lacp.LinkChange{Number: 1})
	p := b.port(1)
	if p.Receive != "PORT_DISABLED" || p.Mux != "ATTACHED" || p.Collecting || p.Distributing {
		t.Errorf("%s, %s", p.Receive, p.Mux)
	}
	if p.Selected != "SELECTED" || p.Aggregator != before.Aggregator || p.Partner.System != farSystem {
		t.Errorf("%s in %d, partner %+v", p.Selected, p.Aggregator, p.Partner)
	}
	if d := cmp.Diff([]lacp.MuxChange{{Port: 1}}, b.mux); d != "" {
		t.Error(d)
	}
	b.wait(time.Hour)
	if len(b.sent) != 0 {
		t.Errorf("%d LACPDUs without a link", len(b.sent))
	}
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	if got := b.port(1).Receive; got != "EXPIRED" {
		t.Errorf("%s when the link is back", got)
	}
	b.hear(1)
	b.wants(1, "DISTRIBUTING")
	if got := b.machine(1, "selected"); got != nil {
		t.Errorf("selected again: %v", got)
	}
}

// V10: a LACPDU that was in a queue when the link went changes nothing, and is not
// kept for later.
func TestRx_6_4_12_DisabledPortIsDeaf(t *testing.T) {
	b := newBench(t, lacp.Config{}, lacp.Link{Speed: 1000})
	before := b.port(1)
	b.hear(1)
	if d := cmp.Diff(before, b.port(1)); d != "" {
		t.Error(d)
	}
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	if got := b.port(1).Receive; got != "EXPIRED" {
		t.Errorf("%s when the link is there", got)
	}
}

// R6: another partner, or another port of it, needs a new selection: the next
// LACPDU has no Synchronization.
func TestRx_6_4_9_UpdateSelected(t *testing.T) {
	tests := []struct {
		name     string
		edit     func(*slow.LACPDU)
		reselect bool
	}{
		{"nothing", func(*slow.LACPDU) {}, false},
		{"key", partnerKey(8), true},
		{"system", partnerSystem(otherSystem), true},
		{"system priority", func(p *slow.LACPDU) { p.Actor.System.Priority++ }, true},
		{"port", func(p *slow.LACPDU) { p.Actor.Port++ }, true},
		{"port priority", func(p *slow.LACPDU) { p.Actor.Priority++ }, true},
		{"aggregation", partnerState(willing &^ slow.Aggregation), true},
		{"timeout", partnerState(willing | slow.Timeout), false},
		{"activity", partnerState(willing &^ slow.Activity), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.wait(time.Second)
			b.hear(1, tt.edit)
			if !tt.reselect {
				b.wants(1, "DISTRIBUTING")
				return
			}
			b.wants(1, "WAITING")
			const flags = slow.Synchronization | slow.Collecting | slow.Distributing
			if got := b.last(1).Actor.State; got&flags != 0 {
				t.Errorf("next LACPDU says %v", got)
			}
		})
	}
}

// P1, P2: Synchronization counts only if it is meant for us as we are, and a
// partner with a wrong picture is answered at once.
func TestRx_6_4_9_RecordPDU(t *testing.T) {
	tests := []struct {
		name      string
		edit      func(*slow.LACPDU)
		sync, ntt bool
	}{
		{"right", func(*slow.LACPDU) {}, true, false},
		{"port", func(p *slow.LACPDU) { p.Partner.Port++ }, false, true},
		{"port priority", func(p *slow.LACPDU) { p.Partner.Priority++ }, false, true},
		{"system", func(p *slow.LACPDU) { p.Partner.System.Addr[5]++ }, false, true},
		{"system priority", func(p *slow.LACPDU) { p.Partner.System.Priority++ }, false, true},
		{"key", func(p *slow.LACPDU) { p.Partner.Key++ }, false, true},
		{"aggregation", func(p *slow.LACPDU) { p.Partner.State ^= slow.Aggregation }, false, true},
		{"activity", func(p *slow.LACPDU) { p.Partner.State ^= slow.Activity }, true, true},
		{"timeout", func(p *slow.LACPDU) { p.Partner.State ^= slow.Timeout }, true, true},
		{"synchronization", func(p *slow.LACPDU) { p.Partner.State ^= slow.Synchronization }, true, true},
		{"collecting", func(p *slow.LACPDU) { p.Partner.State ^= slow.Collecting }, true, false},
		{"distributing", func(p *slow.LACPDU) { p.Partner.State ^= slow.Distributing }, true, false},
		{"partner clears it", partnerState(willing &^ slow.Synchronization), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.wait(2 * time.Second)
			b.hear(1)
			b.forget()
			b.hear(1, tt.edit)
			if got := b.port(1).Partner.State.Has(slow.Synchronization); got != tt.sync {
				t.Errorf("partner's SYNC is %v, want %v", got, tt.sync)
			}
			// Losing SYNC makes the mux transmit as well.
			if got := len(b.sent) > 0; got != (tt.ntt || !tt.sync) {
				t.Errorf("answered: %v, want %v", got, tt.ntt)
			}
		})
	}
}

// A LACPDU that repeats the last one octet for octet counts as any other: it keeps
// the partner alive, and is compared with what we are by now.
func TestRx_6_4_9_SameAgain(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit)
	b.up(1)
	again := lacp.Received{Number: 1, PDU: b.pdu(1)}
	for range 5 {
		b.wait(lacp.ShortTimeoutTime - time.Second)
		b.step(again)
	}
	b.wants(1, "DISTRIBUTING")
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, ShortTimeout: true, Key: 9}})
	b.wait(lacp.TransmitWindow)
	b.forget()
	b.step(again)
	if p := b.port(1); p.Partner.State.Has(slow.Synchronization) || len(b.sent) == 0 {
		t.Errorf("partner %v, and %d LACPDUs after one that was right before", p.Partner.State, len(b.sent))
	}
}

// P3: an individual partner need not know us.
func TestRx_6_4_9_IndividualPartner(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1, strangers, partnerState(willing&^slow.Aggregation))
	if got := b.port(1).Partner.State; !got.Has(slow.Synchronization) {
		t.Errorf("partner %v", got)
	}
	b.wait(lacp.AggregateWaitTime + lacp.SyncGraceTime)
	b.wants(1, "DISTRIBUTING")
}

// P4: Synchronization holds only while one end keeps the protocol going.
func TestRx_6_4_9_Active(t *testing.T) {
	tests := []struct {
		name              string
		passive           bool
		theirs, theirView slow.State // of Activity
		want              bool
	}{
		{"both active", false, slow.Activity, slow.Activity, true},
		{"partner active", true, slow.Activity, 0, true},
		{"we are, and it knows", false, 0, slow.Activity, true},
		{"we are, and it does not know", false, 0, 0, false},
		{"neither", true, 0, 0, false},
		{"neither, but it believes we are", true, 0, slow.Activity, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{Passive: tt.passive}, gigabit)
			b.hear(1, func(p *slow.LACPDU) {
				p.Actor.State = willing&^slow.Activity | tt.theirs
				p.Partner.State = p.Partner.State&^slow.Activity | tt.theirView
			})
			if got := b.port(1).Partner.State.Has(slow.Synchronization); got != tt.want {
				t.Errorf("partner's SYNC is %v, want %v", got, tt.want)
			}
		})
	}
}

// The default partner of agr(4), and the strict one of design D5.
func TestRx_6_4_9_RecordDefault(t *testing.T) {
	tests := []struct {
		name  string
		cfg   lacp.Config
		state slow.State
		mux   string
	}{
		{"optimistic", lacp.Config{}, defaults, "DISTRIBUTING"},
		{"strict", lacp.Config{Fallback: lacp.FallbackNone}, slow.Aggregation, "WAITING"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.cfg, gigabit)
			b.wait(10 * time.Second)
			want := slow.PortInfo{
				System: slow.System{Priority: 0xffff}, Priority: 0xffff, State: tt.state,
			}
			p := b.port(1)
			if d := cmp.Diff(want, p.Partner); d != "" {
				t.Error(d)
			}
			if p.Mux != tt.mux {
				t.Errorf("%s (%s), want %s", p.Mux, p.Reason, tt.mux)
			}
		})
	}
}

// port_moved: a disabled port forgets a partner that turns up at another port.
func TestRx_6_4_8_PortMoved(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*slow.LACPDU)
		forget bool
	}{
		{"the same partner port", func(p *slow.LACPDU) { p.Actor.Port = 101 }, true},
		{"another port of it", func(*slow.LACPDU) {}, false},
		{"the same number of another system", func(p *slow.LACPDU) {
			p.Actor.System, p.Actor.Port = otherSystem, 101
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, gigabit)
			b.up(1)
			b.step(lacp.LinkChange{Number: 1})
			b.hear(2, tt.edit)
			p := b.port(1)
			if got := p.Actor.State.Has(slow.Defaulted); got != tt.forget {
				t.Errorf("forgot its partner: %v, want %v", got, tt.forget)
			}
			if p.Receive != "PORT_DISABLED" {
				t.Errorf("is %s", p.Receive)
			}
		})
	}
}

// R7: half duplex is LACP_DISABLED: individual, silent and deaf, but it forwards
// with the default partner; full duplex starts LACP again.
func TestRx_6_4_12_LACPDisabled(t *testing.T) {
	half := lacp.Link{Up: true, Speed: 1000, HalfDuplex: true}
	b := newBench(t, lacp.Config{}, half)
	b.hear(1)
	b.wait(lacp.AggregateWaitTime)
	p := b.port(1)
	if p.Receive != "LACP_DISABLED" || p.Mux != "DISTRIBUTING" || len(b.sent) != 0 {
		t.Errorf("%s, %s, %d LACPDUs", p.Receive, p.Mux, len(b.sent))
	}
	if p.Actor.Key != 0x8001 || (p.Actor.State | p.Partner.State).Has(slow.Aggregation) {
		t.Errorf("key %#x, %v, partner %v", p.Actor.Key, p.Actor.State, p.Partner.State)
	}
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	p = b.port(1)
	if p.Receive != "EXPIRED" || !p.Actor.State.Has(slow.Aggregation) || p.Collecting || len(b.sent) != 1 {
		t.Errorf("full duplex: %s, %v, %d LACPDUs", p.Receive, p.Actor.State, len(b.sent))
	}
	b.up(1)
	b.forget()
	b.step(lacp.LinkChange{Number: 1, Link: half})
	if got := b.port(1); got.Receive != "LACP_DISABLED" || got.Collecting || len(b.sent) != 0 {
		t.Errorf("half duplex again: %s, %s, %d LACPDUs", got.Receive, got.Mux, len(b.sent))
	}
}

// A system that would forward without a partner forwards on no half-duplex link
// when it is strict.
func TestRx_6_4_12_LACPDisabledStrict(t *testing.T) {
	strict := lacp.Config{System: ownSystem, Fallback: lacp.FallbackNone}
	b := newBench(t, strict, lacp.Link{Up: true, Speed: 100, HalfDuplex: true})
	for range 2 {
		b.wait(time.Minute)
		if p := b.port(1); p.Collecting || p.Reason != "no LACP partner" {
			t.Errorf("%s, reason %q", p.Mux, p.Reason)
		}
		b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
		b.wait(lacp.AggregateWaitTime)
		b.wants(1, "DISTRIBUTING")
		b.step(lacp.Configure{Config: strict})
	}
}

// A LACPDU that waited in a queue while the timer ran out keeps the partner alive.
func TestRx_LateProcessing(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit)
	b.up(1)
	b.now = b.now.Add(5 * time.Second)
	b.hear(1)
	b.sys.Advance(b.now)
	b.collect()
	b.wants(1, "DISTRIBUTING")
}

// V1: no version of a LACPDU is a reason to do anything else with it, and neither is
// a collector's delay.
func TestRx_6_4_12_Version(t *testing.T) {
	for _, version := range []uint8{0, 1, 2, 255} {
		b := newBench(t, lacp.Config{}, gigabit)
		edit := func(p *slow.LACPDU) { p.Version, p.CollectorMaxDelay = version, 0xffff }
		b.talk(4*time.Second, []uint16{1}, edit)
		if p := b.port(1); p.Receive != "CURRENT" || !p.Distributing {
			t.Errorf("version %d: %s, %s", version, p.Receive, p.Mux)
		}
	}
}

// EXPIRED is left after 3 s, however long the partner's time was, and says so in
// Expired and nothing else.
func TestRx_6_4_12_ExpiredSays(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	b.wait(time.Second)
	before := b.last(1).Actor.State
	b.wait(lacp.LongTimeoutTime)
	said := b.last(1).Actor.State
	if want := before&^(slow.Collecting|slow.Distributing) | slow.Expired; said != want {
		t.Errorf("says %v, want %v", said, want)
	}
}
