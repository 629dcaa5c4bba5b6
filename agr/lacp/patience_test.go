package lacp_test

import (
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// refuse is what a partner says that speaks LACP and agrees to nothing.
var refuse = partnerState(slow.Activity | slow.Aggregation)

// outage lets time pass and returns for how much of it no port distributed. The
// partners speak once a second.
func outage(b *bench, d time.Duration, speak func(second int)) time.Duration {
	const step = 10 * time.Millisecond
	out := time.Duration(0)
	for i := range int(d / step) {
		if i%int(time.Second/step) == 0 {
			speak(i / int(time.Second/step))
		}
		b.wait(step)
		if distributing(b) == 0 {
			out += step
		}
	}
	return out
}

// moment is how long a port may need to forward after it was given its turn.
const moment = lacp.SyncGraceTime + 20*time.Millisecond

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
			b.hear(1, partnerSystem(tt.partner), refuse)
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
			b.hear(1, partnerSystem(tt.partner), refuse)
			b.wants(2, "DISTRIBUTING")
			// Its partner has come round: the greater bandwidth counts again.
			b.hear(1, partnerSystem(tt.partner))
			b.wait(moment)
			b.wants(1, "DISTRIBUTING")
		})
	}
}

// Time begins anew whenever the partner agrees in between; and without another
// aggregator whose partner agrees there is nothing to give way to.
func TestActive_PatienceStays(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(10_000), speed(1000))
	b.hear(1, refuse)
	b.hear(2, partnerKey(9))
	for range 10 {
		b.wait(5 * time.Second)
		b.hear(1)
		b.hear(1, refuse)
	}
	if got := b.port(1).Selected; got != "SELECTED" {
		t.Errorf("port 1 is %s although its partner agreed in between", got)
	}
	b.hear(2, partnerKey(9), refuse)
	b.wait(time.Minute)
	if got := b.port(1).Selected; got != "SELECTED" {
		t.Errorf("port 1 is %s although nobody else would agree", got)
	}
	b.hear(2, partnerKey(9))
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s although time was over long ago", got)
	}
}

// Time goes on when another refused aggregator becomes the active one: whoever waits
// for frames does not care which of them it is.
func TestActive_PatienceGoesOn(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(1000), speed(100))
	b.hear(1, refuse)
	b.hear(2)
	b.wait(lacp.PatienceBetter - 3*time.Second)
	b.step(lacp.AddPort{Number: 3, Link: speed(10_000)})
	b.hear(3, partnerKey(9), refuse)
	b.wait(3*time.Second - 1)
	if got := b.port(3).Selected; got != "SELECTED" {
		t.Errorf("port 3 is %s before the time is over", got)
	}
	b.wait(1)
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s after the time", got)
	}
}

// While the active aggregator has no link nobody refuses it, so its time begins when
// its partner is back.
func TestActive_PatienceNeedsPartner(t *testing.T) {
	b := newBench(t, lacp.Config{}, speed(10_000))
	b.hear(1, refuse)
	b.step(lacp.LinkChange{Number: 1})
	b.wait(time.Hour + lacp.PatienceBetter/2)
	b.step(lacp.LinkChange{Number: 1, Link: speed(10_000)})
	b.hear(1, refuse)
	b.step(lacp.AddPort{Number: 2, Link: gigabit})
	b.hear(2)
	b.wait(lacp.PatienceBetter - 1)
	if got := b.port(1).Selected; got != "SELECTED" {
		t.Errorf("port 1 is %s before its time is over", got)
	}
	b.wait(1)
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s when it should be", got)
	}
}

// A faster port whose partner never agrees costs the others that time once, however
// often the partner changes what selection depends on.
func TestActive_RefusingPartner(t *testing.T) {
	tests := []struct {
		name  string
		every int // seconds between changes of the partner's key
	}{
		{"5 s", 5},
		{"11 s", 11},
		{"20 s", 20},
		{"60 s", 60},
		{"never", 1 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit)
			b.up(1)
			b.step(lacp.AddPort{Number: 2, Link: speed(10_000)})
			out := outage(b, 10*time.Minute, func(second int) {
				b.hear(1)
				b.hear(2, refuse, partnerKey(uint16(100+second/tt.every)))
			})
			if out > lacp.PatienceBetter+moment {
				t.Errorf("nothing distributes for %v", out)
			}
			b.wants(1, "DISTRIBUTING")
		})
	}
}

// Ports with the default partner are an alternative as well: one port whose partner
// speaks and never agrees, or spoke once, does not stop them for longer.
func TestActive_RefusingBesideStaticSwitch(t *testing.T) {
	tests := []struct {
		name  string
		every int // seconds between LACPDUs
	}{
		{"always", 1},
		{"a stray LACPDU now and then", 100},
		{"a stray LACPDU", 1 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, gigabit, gigabit)
			b.wait(10 * time.Second)
			out := outage(b, 10*time.Minute, func(second int) {
				if second%tt.every == 0 {
					b.hear(3, refuse)
				}
			})
			if out > lacp.PatienceBetter+moment {
				t.Errorf("nothing distributes for %v", out)
			}
			b.wants(1, "DISTRIBUTING")
			b.wants(2, "DISTRIBUTING")
		})
	}
}

// A port that had no partner when others were passed over has its time before it.
func TestActive_PassedOverOnlyRefused(t *testing.T) {
	fast := speed(25_000)
	down := lacp.Link{Speed: fast.Speed}
	tests := []struct {
		name          string
		before, after func(*bench)
	}{
		{
			"no link",
			func(b *bench) { b.hear(3, refuse); b.step(lacp.LinkChange{Number: 3, Link: down}) },
			func(b *bench) { b.step(lacp.LinkChange{Number: 3, Link: fast}) },
		},
		{
			"not heard yet",
			func(b *bench) {
				b.step(lacp.RemovePort{Number: 3})
				b.wait(lacp.PatienceBetter - time.Second)
				b.step(lacp.AddPort{Number: 3, Link: fast})
			},
			func(*bench) {},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, speed(10_000), gigabit, fast)
			b.hear(1, refuse)
			b.hear(2)
			tt.before(b)
			b.wait(lacp.PatienceBetter - time.Duration(b.now))
			if got := b.port(2); got.Selected != "SELECTED" {
				t.Fatalf("port 2 is %s (%s)", got.Selected, got.Reason)
			}
			tt.after(b)
			b.hear(3, refuse)
			b.wait(lacp.AggregateWaitTime)
			if got := b.port(3); got.Selected != "SELECTED" {
				t.Errorf("port 3 is %s (%s)", got.Selected, got.Reason)
			}
		})
	}
}

// Where nobody agrees whoever comes anew is tried, and given up in turn.
func TestActive_PassedOverAll(t *testing.T) {
	b := newBench(t, lacp.Config{Fallback: lacp.FallbackNone}, speed(10_000))
	b.hear(1, refuse)
	b.wait(lacp.LongTimeoutTime / 2)
	b.hear(1, refuse)
	b.step(lacp.AddPort{Number: 2, Link: gigabit})
	b.hear(2, refuse)
	if got := b.port(2); got.Selected != "SELECTED" {
		t.Errorf("port 2 is %s (%s)", got.Selected, got.Reason)
	}
	for minute := range 60 {
		b.wait(time.Minute)
		b.hear(1, refuse)
		b.hear(2, refuse)
		if minute == 1 { // a minute of refusal is churn
			b.forget()
		}
	}
	if got := b.port(1); got.Selected != "SELECTED" || len(b.log) != 0 {
		t.Errorf("port 1 is %s (%s), changes: %v", got.Selected, got.Reason, b.log)
	}
}

// What a partner said that is no more does not count against the default one.
func TestActive_PassedOverPartnerGone(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, speed(10_000))
	b.hear(2, refuse)
	b.wait(lacp.PatienceBetter + lacp.AggregateWaitTime)
	b.wants(1, "DISTRIBUTING")
	b.wait(lacp.LongTimeoutTime)
	b.wants(2, "DISTRIBUTING")
}

// A port that was passed over gets another chance with its link, and its aggregator
// does when a port joins that has not been tried.
func TestActive_PassedOverForgiven(t *testing.T) {
	tests := []struct {
		name string
		do   func(*bench)
		want string
	}{
		{"nothing happens", func(*bench) {}, "STANDBY"},
		{"the key changes", func(b *bench) { b.hear(1, refuse, partnerKey(8)) }, "STANDBY"},
		{"a port leaves", func(b *bench) { b.step(lacp.RemovePort{Number: 2}) }, "STANDBY"},
		{"a port joins", func(b *bench) {
			b.step(lacp.AddPort{Number: 4, Link: speed(10_000)})
			b.hear(4, refuse)
		}, "SELECTED"},
		{"a new link", func(b *bench) {
			b.step(lacp.LinkChange{Number: 1})
			b.step(lacp.LinkChange{Number: 1, Link: speed(10_000)})
			b.hear(1, refuse)
		}, "SELECTED"},
		{"the partner agrees", func(b *bench) { b.hear(1) }, "SELECTED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, speed(10_000), speed(10_000), speed(1000))
			b.hear(1, refuse)
			b.hear(2, refuse)
			b.hear(3)
			b.wait(lacp.PatienceBetter + lacp.AggregateWaitTime)
			b.wants(3, "DISTRIBUTING")
			tt.do(b)
			b.wait(lacp.AggregateWaitTime)
			if got := b.port(1); got.Selected != tt.want {
				t.Errorf("port 1 is %s (%s), want %s", got.Selected, got.Reason, tt.want)
			}
		})
	}
}
