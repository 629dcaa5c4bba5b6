package ifagr_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/nettest"
)

// selectionCases are those of selection, the mux and churn.
func selectionCases() []wireCase {
	return []wireCase{
		{id: "S1", cables: 2, run: wireTogether},
		{id: "S2", cables: 2, run: wireTwoKeys},
		{id: "S3", cables: 2, run: wireTwoPriorities},
		{id: "S4", cables: 2, run: wireLoops},
		{id: "S5", cables: 2, run: wireIndividuals},
		{id: "S6", cables: 1, both: true, run: wireIndependent},
		{id: "S7", cables: 1, words: []string{"lacpcoupled"}, run: wireCoupled},
		{id: "S8", cables: 1, both: true, run: wireSyncLost},
		{id: "S9", cables: 2, both: true, run: wireCollectingLost},
		{id: "S10", cables: 2, words: []string{"maxports 1 lacpsyspri 1"}, run: wireStandby},
		{id: "S11", cables: 2, both: true, run: wireFarewell},
		{id: "S12", cables: 2, words: []string{"minlinks 2"}, run: wireMinLinks},
		{id: "C1", cables: 1, long: true, run: wirePartnerChurn},
		{id: "C2", cables: 2, long: true, run: wireActorChurn},
		{id: "C3", cables: 2, long: true, run: wireChurnEnds},
	}
}

// S1: ports of one LAG ID attach together, two seconds after the later one has
// found its partner.
func wireTogether(t *testing.T, w *wire) {
	w.partner(t, 0)
	passes(t, fast)
	w.partner(t, 1)
	later := w.ends[1].lastSaid(t)
	var at []time.Time
	for _, e := range w.ends {
		p := e.await(t, "in sync", later, 2*fast+late, has(slow.Synchronization, 0))
		took(t, "attaching "+e.port, later, p.at, 2*fast)
		at = append(at, p.at)
	}
	if d := at[1].Sub(at[0]).Abs(); d > fast/2 {
		t.Errorf("the ports attached %v apart", d)
	}
	for _, p := range w.ends[0].heard() {
		if p.at.Before(at[0]) && p.Actor.State&forwarding != 0 {
			t.Errorf("before that: %v", p)
		}
	}
}

// S2: partners with different keys are different aggregators, of which one carries
// frames.
func wireTwoKeys(t *testing.T, w *wire) {
	w.onlyFirst(t, func(p *partner) { p.says.Actor.Key++ })
	w.says(t, "reason: partner key 8 differs from the active aggregator's 7")
}

// S3: so are those with different system priorities and one address.
func wireTwoPriorities(t *testing.T, w *wire) {
	w.onlyFirst(t, func(p *partner) { p.says.Actor.System.Priority++ })
	w.says(t, "reason: partner system 9001,02:bb:00:00:00:01 differs from the active aggregator's 9000,02:bb:00:00:00:01")
}

// onlyFirst lets a partner speak at the first end, and another one later at the
// second, whose port must not be used.
func (w *wire) onlyFirst(t *testing.T, other func(*partner)) {
	t.Helper()
	w.partner(t, 0)
	w.distribute(t, 0)
	begin := time.Now()
	w.partner(t, 1, other)
	w.untilShown(t, 1, settle, "current", func(p ctl.PortStatus) bool { return p.Receive == "CURRENT" && p.Selected == "STANDBY" })
	passes(t, 3*fast) // longer than an aggregator waits
	w.distribute(t, 0)
	for _, p := range w.ends[1].since(begin) {
		if p.Actor.State&forwarding != 0 {
			t.Errorf("the port that is not used says %v", p)
		}
	}
	w.carries(t, 0)
}

// S4: a cable on which the port hears itself, and one between two ports of the
// host. None of the three is ever used, and the fourth port is.
func wireLoops(t *testing.T, w *wire) {
	mirror := func(frame []byte) { w.ends[0].send(frame) }
	w.ends[0].hears.Store(&mirror)
	w.partner(t, 1)
	nettest.Veth(w.NS, "re2", w.NS, "re3", nettest.NoIPv6)
	var loops []*nettest.Sniffer
	for _, port := range []string{"re2", "re3"} {
		loops = append(loops, nettest.Sniff(t, w.NS, port, nil))
		w.ifconfig("agr0", "agrport", port)
	}
	w.distribute(t, 1)
	for i, reason := range map[int]string{0: "hears itself", 2: "is our port re3", 3: "is our port re2"} {
		p := w.untilShown(t, i, settle, "loopback", func(p ctl.PortStatus) bool { return p.Loopback })
		if !strings.HasPrefix(p.Reason, "loopback: ") || !strings.HasSuffix(p.Reason, reason) {
			t.Errorf("%s: the reason is %q, want %q", p.Name, p.Reason, reason)
		}
	}
	w.carries(t, 1)
	passes(t, 3*fast) // longer than an aggregator waits
	w.distribute(t, 1)
	said := w.ends[0].heard()
	for _, s := range loops {
		for _, f := range s.Frames() {
			l, err := slow.ParseLACPDU(f.Data)
			if err != nil {
				t.Errorf("on the looped cable: %x", f.Data)
			}
			said = append(said, pdu{l, f.At, f.Data})
		}
	}
	for _, p := range said {
		if p.Actor.State&forwarding != 0 {
			t.Errorf("on a looped cable: %v", p)
		}
	}
}

// S5: an individual partner shares no aggregator, though all else is the same.
func wireIndividuals(t *testing.T, w *wire) {
	alone := starts(slow.Activity | forwarding)
	w.partner(t, 0, alone)
	w.distribute(t, 0)
	w.partner(t, 1, alone)
	p := w.untilShown(t, 1, settle, "current", func(p ctl.PortStatus) bool { return p.Receive == "CURRENT" && p.Aggregator != 0 })
	passes(t, 3*fast)
	w.distribute(t, 0)
	if other := w.shows(0); other.Aggregator == p.Aggregator {
		t.Errorf("both ports are in aggregator %d", p.Aggregator)
	}
	w.says(t, "reason: standby: an individual link cannot be aggregated")
	w.carries(t, 0)
}

// S6: a partner that is in sync and does not collect yet gets no frame, though we
// take its own; when it collects it gets them.
func wireIndependent(t *testing.T, w *wire) {
	p := w.partner(t, 0, starts(slow.Activity|slow.Aggregation|slow.Synchronization))
	begin := time.Now()
	p.end.await(t, "collecting", begin, settle, has(slow.Synchronization|slow.Collecting, slow.Distributing))
	w.untilShown(t, 0, settle, "collecting", inMux("COLLECTING"))
	w.carries(t)
	for _, p := range p.end.heard() {
		if p.Actor.State.Has(slow.Distributing) {
			t.Errorf("distributes: %v", p)
		}
	}
	w.says(t, "reason: partner does not collect")
	p.state(slow.Collecting, 0)
	w.distribute(t, 0)
	w.carries(t, 0)
}

// S7: with coupled control both bits come at once, whether the partner collects or
// not.
func wireCoupled(t *testing.T, w *wire) {
	p := w.partner(t, 0, starts(slow.Activity|slow.Aggregation|slow.Synchronization))
	p.end.await(t, "both", time.Now(), settle, has(forwarding, 0))
	for _, p := range p.end.heard() {
		if s := p.Actor.State; s.Has(slow.Collecting) != s.Has(slow.Distributing) {
			t.Errorf("one without the other: %v", p)
		}
	}
	w.distribute(t, 0)
	w.carries(t, 0)
}

// S8: a partner that is not in sync any more ends both directions at once.
func wireSyncLost(t *testing.T, w *wire) {
	p := w.stops(t, slow.Synchronization)
	w.carries(t)
	if p.Actor.State&forwarding != slow.Synchronization {
		t.Errorf("the next LACPDU is %v", p)
	}
	w.delivers(t, false)
}

// S9: one that does not collect any more ends distribution, and is still heard.
// There is a second port, because agr0 has no carrier when no port distributes
// (design D9), and then takes no frame in the kernel datapath.
func wireCollectingLost(t *testing.T, w *wire) {
	w.partner(t, 1)
	p := w.stops(t, slow.Collecting, 1)
	w.carries(t, 1)
	if p.Actor.State&forwarding != slow.Synchronization|slow.Collecting {
		t.Errorf("the next LACPDU is %v", p)
	}
	w.delivers(t, true)
}

// stops lets the partner of a port that carries frames, beside others, clear a bit
// of its state, and returns the first LACPDU after that.
func (w *wire) stops(t *testing.T, bit slow.State, others ...int) pdu {
	t.Helper()
	p := w.partner(t, 0)
	all := append([]int{0}, others...)
	w.distribute(t, all...)
	w.carries(t, all...)
	w.delivers(t, true)
	passes(t, fast) // the limit has room again
	begin := time.Now()
	p.state(0, bit)
	return p.end.await(t, "the next", begin, atOnce, anyPDU)
}

// delivers sends a frame into the first cable, which reaches agr0 or does not.
func (w *wire) delivers(t *testing.T, want bool) {
	t.Helper()
	up := nettest.Sniff(t, w.NS, "agr0", marked)
	f := frameOf(broadcast, w.ends[0].addr, localExperimental, 0x17)
	w.ends[0].send(f)
	if want {
		sees(t, "agr0", up, f)
		return
	}
	passes(t, fast/2)
	if n := up.Count(false); n != 0 {
		t.Errorf("agr0 received %d frames of a port that does not collect", n)
	}
}

// S10: a port that stands by says that it is not in sync, and takes over when the
// other one loses its link.
func wireStandby(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0)
	passes(t, 3*fast)
	w.distribute(t, 0)
	e := w.ends[1]
	for _, p := range e.heard() {
		if p.Actor.State&forwarding != 0 {
			t.Errorf("stands by: %v", p)
		}
	}
	w.says(t, "reason: max-ports 1: standby behind re0")
	begin := time.Now()
	w.ends[0].set(w, "down")
	e.await(t, "in sync", begin, 2*fast+late, has(slow.Synchronization, 0))
	w.distribute(t, 1)
	w.carries(t, 1)
}

// S11: the last word on a port is that it is not in sync, with Aggregation as it
// was. A daemon that ends says it too, but where forwarding goes on without it
// (design D11). A port that is taken down can say nothing any more: its partner sees
// that the link has gone.
func wireFarewell(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0, 1)
	ways := []struct {
		name string
		ends []int
		do   func()
	}{
		{"removed", []int{1}, func() { w.ifconfig("agr0", "-agrport", "re1") }},
		{"the last removed", []int{0}, func() { w.ifconfig("agr0", "-agrport", "re0") }},
		{"agr0 deleted", []int{0, 1}, func() {
			w.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
			w.distribute(t, 0, 1)
			w.Run("ip", "link", "del", "agr0")
		}},
		{"ended", []int{0, 1}, func() {
			w.ifconfig("agr0", "create", "agrport", "re0", "agrport", "re1", "up")
			w.distribute(t, 0, 1)
			w.endDaemonBy(unix.SIGTERM)
		}},
	}
	for _, way := range ways {
		way.do()
		passes(t, fast) // until the last word has been said
		for _, i := range way.ends {
			all := w.ends[i].heard()
			last := all[len(all)-1]
			said := last.Actor.State&forwarding == 0 && last.Actor.State.Has(slow.Aggregation|slow.Activity)
			if want := way.name != "ended" || w.datapath != "kernel"; said != want {
				t.Errorf("%s: the last word on re%d is %v", way.name, i, last)
			}
		}
	}
	w.ifconfig("re0", "down")
	nettest.Eventually(t, settle, func() error {
		if linkIn(t, w.far, "q0").Carrier {
			return errors.New("the far end has a carrier")
		}
		return nil
	})
}

// S12: too few ports are in sync and carry nothing; with another one all do.
func wireMinLinks(t *testing.T, w *wire) {
	w.partner(t, 0)
	begin := time.Now()
	e := w.ends[0]
	e.await(t, "in sync", begin, settle, has(slow.Synchronization, 0))
	passes(t, 2*fast)
	for _, p := range e.heard() {
		if p.Actor.State&(slow.Collecting|slow.Distributing) != 0 {
			t.Errorf("with one port of two: %v", p)
		}
	}
	w.says(t, "reason: min-links 2: only 1")
	w.carries(t)
	w.delivers(t, false)
	w.partner(t, 1)
	w.distribute(t, 0, 1)
	w.carries(t, 0, 1)
}

// churnTime is how long an end may be out of sync (6.4.4).
const churnTime = 60 * time.Second

// churned waits until a churn machine of a port has gone to a state, and returns
// when it did.
func (w *wire) churned(t *testing.T, i int, within time.Duration, machine, state string) time.Time {
	t.Helper()
	is := func(c ctl.Change) bool { return c.Machine == machine && c.To == state }
	p := w.untilShown(t, i, within, machine+" "+state, func(p ctl.PortStatus) bool { return slices.ContainsFunc(p.History, is) })
	return p.History[slices.IndexFunc(p.History, is)].Time
}

// C1: a partner that is never in sync is reported after a minute, and nobody else.
func wirePartnerChurn(t *testing.T, w *wire) {
	began := w.ends[0].first(t).at
	w.partner(t, 0, starts(slow.Activity|slow.Aggregation))
	passes(t, churnTime-fast)
	took(t, "partner churn", began, w.churned(t, 0, settle, "partner churn", "CHURN"), churnTime)
	w.says(t, "churn: actor=NO_CHURN partner=CHURN, 1 partner churn")
}

// C2: a port that cannot be in sync itself, because its partner's key is another
// one, is reported after a minute, and the partner is not.
func wireActorChurn(t *testing.T, w *wire) {
	began := w.ends[1].first(t).at
	w.partner(t, 0)
	w.distribute(t, 0)
	w.partner(t, 1, func(p *partner) { p.says.Actor.Key++ })
	passes(t, churnTime-fast)
	took(t, "actor churn", began, w.churned(t, 1, settle, "actor churn", "CHURN"), churnTime)
	w.says(t, "churn: actor=CHURN partner=NO_CHURN, 1 actor churn")
}

// C3: Synchronization ends both at once, and what happened is counted.
func wireChurnEnds(t *testing.T, w *wire) {
	w.partner(t, 0)
	w.distribute(t, 0)
	p := w.partner(t, 1, func(p *partner) {
		p.says.Actor.Key++
		p.says.Actor.State &^= slow.Synchronization
	})
	passes(t, churnTime)
	w.churned(t, 1, settle, "actor churn", "CHURN")
	w.churned(t, 1, settle, "partner churn", "CHURN")
	begin := time.Now()
	p.change(func(p *partner) {
		p.says.Actor.Key--
		p.says.Actor.State |= slow.Synchronization
	})
	inSync := p.end.await(t, "in sync", begin, 2*fast+late, has(slow.Synchronization, 0))
	took(t, "the end of actor churn", inSync.at, w.churned(t, 1, settle, "actor churn", "NO_CHURN"), 0)
	took(t, "the end of partner churn", begin, w.churned(t, 1, settle, "partner churn", "NO_CHURN"), 0)
	if s := w.shows(1); s.ActorChurns != 1 || s.PartnerChurns != 1 {
		t.Errorf("%d and %d were counted", s.ActorChurns, s.PartnerChurns)
	}
}
