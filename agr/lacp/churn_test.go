package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
)

// C1: a partner that never sets Synchronization is churn after 60 s, and C3: ends
// it at once when it does.
func TestChurn_6_4_17_Partner(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.talk(59*time.Second, []uint16{1}, refuse)
	if p := b.port(1); p.PartnerChurn != "MONITOR" || p.ActorChurn != "NO_CHURN" {
		t.Errorf("before: partner %s, actor %s", p.PartnerChurn, p.ActorChurn)
	}
	b.talk(time.Second, []uint16{1}, refuse)
	if p := b.port(1); p.PartnerChurn != "CHURN" || p.PartnerChurns != 1 || p.ActorChurns != 0 {
		t.Errorf("after 60 s: %s, %d", p.PartnerChurn, p.PartnerChurns)
	}
	b.hear(1)
	if p := b.port(1); p.PartnerChurn != "NO_CHURN" || p.PartnerChurns != 1 {
		t.Errorf("in sync: %s, %d", p.PartnerChurn, p.PartnerChurns)
	}
	// It takes another 60 s to be churn again.
	b.talk(60*time.Second, []uint16{1}, refuse)
	if p := b.port(1); p.PartnerChurn != "CHURN" || p.PartnerChurns != 2 {
		t.Errorf("again: %s, %d", p.PartnerChurn, p.PartnerChurns)
	}
	want := []string{"MONITOR>CHURN", "CHURN>NO_CHURN", "MONITOR>CHURN"}
	if d := cmp.Diff(want, b.machine(1, "partner churn")); d != "" {
		t.Error(d)
	}
}

// C2: a port of ours that is not in sync, here because its partner's key is another
// one, is churn after 60 s, and C3: no more when it is.
func TestChurn_6_4_17_Actor(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	for range 60 {
		b.hear(1)
		b.hear(2, partnerKey(9))
		b.wait(time.Second)
	}
	if p := b.port(2); p.ActorChurn != "CHURN" || p.ActorChurns != 1 || p.PartnerChurns != 0 {
		t.Errorf("after 60 s: %s, %d", p.ActorChurn, p.ActorChurns)
	}
	if p := b.port(1); p.ActorChurn != "NO_CHURN" || p.PartnerChurn != "NO_CHURN" {
		t.Errorf("the other port: %s, %s", p.ActorChurn, p.PartnerChurn)
	}
	b.hear(2)
	b.wait(lacp.AggregateWaitTime)
	if p := b.port(2); p.ActorChurn != "NO_CHURN" || p.ActorChurns != 1 {
		t.Errorf("in sync: %s, %d", p.ActorChurn, p.ActorChurns)
	}
}

// The time begins with the link, and not at all where no LACP is spoken.
func TestChurn_6_4_17_Begin(t *testing.T) {
	down, half := lacp.Link{Speed: 1000}, lacp.Link{Up: true, Speed: 1000, HalfDuplex: true}
	none := lacp.Config{Fallback: lacp.FallbackNone}
	static := lacp.Config{Static: true}
	for name, b := range map[string]*bench{
		"no link":     newBench(t, none, down),
		"half duplex": newBench(t, none, half),
		"static":      newBench(t, static, gigabit),
	} {
		b.wait(time.Hour)
		if p := b.port(1); p.ActorChurn != "MONITOR" || p.ActorChurns+p.PartnerChurns != 0 {
			t.Errorf("%s: %s, %d, %d", name, p.ActorChurn, p.ActorChurns, p.PartnerChurns)
		}
	}
	b := newBench(t, none, down)
	b.wait(time.Hour)
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	b.wait(lacp.ChurnDetectionTime - 1)
	if p := b.port(1); p.ActorChurn != "MONITOR" {
		t.Errorf("before 60 s: %s", p.ActorChurn)
	}
	b.wait(1)
	if p := b.port(1); p.ActorChurn != "CHURN" || p.PartnerChurn != "CHURN" {
		t.Errorf("nobody there for 60 s: %s, %s", p.ActorChurn, p.PartnerChurn)
	}
	b.step(lacp.LinkChange{Number: 1})
	if p := b.port(1); p.ActorChurn != "MONITOR" || p.ActorChurns != 1 {
		t.Errorf("no link: %s, %d", p.ActorChurn, p.ActorChurns)
	}
}

// Churn is no reason to transmit.
func TestChurn_6_4_17_Silent(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.hear(1, refuse)
	b.wait(45 * time.Second)
	b.hear(1, refuse)
	b.forget()
	b.wait(lacp.ChurnDetectionTime - time.Duration(b.now))
	if b.port(1).PartnerChurn != "CHURN" || len(b.sent) != 1 { // the one every 30 s
		t.Errorf("%s, %d LACPDUs", b.port(1).PartnerChurn, len(b.sent))
	}
}
