package ifagr_test

import (
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/eth"
	"ifagr/netutil/nettest"
	"ifagr/netutil/tap"
)

// receiveCases are those of the receive machine and of what it records.
func receiveCases() []wireCase {
	return []wireCase{
		{id: "R1", cables: 1, run: wireLinkUp},
		{id: "R2", cables: 2, run: wireHeard},
		{id: "R3", cables: 1, words: []string{"lacptimeout slow", "lacptimeout fast"}, long: true, run: wireSilence},
		{id: "R4", cables: 1, words: []string{"lacptimeout fast"}, run: wireExpiredShows},
		{id: "R5", cables: 2, run: wireLinkBack},
		{id: "R6", cables: 6, run: wirePartnerChanges},
		{id: "R7", cables: 1, run: wireNoLACP},
		{id: "P1", cables: 6, run: wireWrongView},
		{id: "P2", cables: 3, run: wireStaleView},
		{id: "P3", cables: 1, run: wireIndividualSync},
		{id: "P4", cables: 1, run: wireNobodyActive},
	}
}

// R1: a link that comes up. What is said first is Expired, each second; three
// seconds later it is Defaulted.
func wireLinkUp(t *testing.T, w *wire) {
	e := w.ends[0]
	e.first(t)
	e.set(w, "down")
	w.untilShown(t, 0, settle, "disabled", func(p ctl.PortStatus) bool { return p.Receive == "PORT_DISABLED" })
	begin := time.Now()
	e.set(w, "up")
	up := e.await(t, "Expired", begin, late, has(slow.Expired, forwarding))
	if !up.Partner.State.Has(slow.Timeout) {
		t.Errorf("the partner is not taken to want LACPDUs each second: %v", up)
	}
	after := e.await(t, "Defaulted", up.at, 3*fast+late, has(slow.Defaulted, slow.Expired))
	took(t, "EXPIRED", up.at, after.at, 3*fast)
	if n := len(e.since(begin)); n < 4 { // at 0, 1 and 2 s, and Defaulted
		t.Errorf("only %d LACPDUs before DEFAULTED: %v", n-1, e.since(begin))
	}
	w.says(t, "receive=DEFAULTED periodic=SLOW_PERIODIC")
}

// R2: a LACPDU ends Expired, and Defaulted.
func wireHeard(t *testing.T, w *wire) {
	for i, state := range []string{"EXPIRED", "DEFAULTED"} {
		e := w.ends[i]
		w.untilShown(t, i, settle, state, func(p ctl.PortStatus) bool { return p.Receive == state })
		begin := time.Now()
		w.partner(t, i)
		p := e.await(t, "an answer", begin, atOnce+fast, func(p pdu) bool { return p.Partner.Key == 7 })
		if p.Actor.State&(slow.Expired|slow.Defaulted) != 0 {
			t.Errorf("after a LACPDU: %v", p)
		}
	}
}

// R3: silence. What we asked the partner for decides when it has expired, and
// always three seconds later the default one takes its place.
func wireSilence(t *testing.T, w *wire) {
	p := w.partner(t, 0)
	w.distribute(t, 0)
	patience := 90 * time.Second
	if slow.State(w.shows(0).Actor.State).Has(slow.Timeout) {
		patience = 3 * fast
	}
	p.silence()
	silent := p.end.lastSaid(t)
	gone := p.end.await(t, "Expired", silent, patience+late, has(slow.Expired, 0))
	took(t, "until EXPIRED", silent, gone.at, patience)
	after := p.end.await(t, "Defaulted", gone.at, 3*fast+late, has(slow.Defaulted, slow.Expired))
	took(t, "until DEFAULTED", gone.at, after.at, 3*fast)
}

// R4: who has expired is said, and shown, to be out of sync and to want a LACPDU
// each second.
func wireExpiredShows(t *testing.T, w *wire) {
	p := w.partner(t, 0)
	w.distribute(t, 0)
	p.silence()
	gone := p.end.await(t, "Expired", p.end.lastSaid(t), 3*fast+late, has(slow.Expired, 0))
	want := slow.Activity | slow.Aggregation | slow.Collecting | slow.Distributing | slow.Timeout
	if gone.Partner.State != want || gone.Partner.Key != 7 {
		t.Errorf("said: %v, want %v", gone.Partner, want)
	}
	if got := w.shows(0); got.Receive != "EXPIRED" || slow.State(got.Partner.State) != want {
		t.Errorf("shown: %s, %v, want %v", got.Receive, slow.State(got.Partner.State), want)
	}
	w.says(t, "reason: partner has fallen silent")
}

// R5: a link that returns to the same partner is as it was: not detached, so all
// that we say has Synchronization.
func wireLinkBack(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0, 1)
	e := w.ends[1]
	before := w.shows(1)
	e.set(w, "down")
	gone := w.untilShown(t, 1, settle, "disabled", func(p ctl.PortStatus) bool { return p.Receive == "PORT_DISABLED" })
	kept := before.Partner
	kept.State &^= uint8(slow.Synchronization)
	if gone.Partner != kept {
		t.Errorf("without link the partner is %+v, want %+v", gone.Partner, kept)
	}
	begin := time.Now()
	e.set(w, "up")
	w.distribute(t, 0, 1)
	for _, p := range e.since(begin) {
		if !p.Actor.State.Has(slow.Synchronization) {
			t.Errorf("after the link has come back: %v", p)
		}
	}
	for _, c := range w.shows(1).History[len(before.History):] {
		if c.To == "DETACHED" || c.To == "WAITING" || c.To == "UNSELECTED" {
			t.Errorf("selected anew: %+v", c)
		}
	}
}

// views are the parts of what one end says of itself that the other one must have
// right, each made wrong.
func views() []func(*slow.PortInfo) {
	return []func(*slow.PortInfo){
		func(i *slow.PortInfo) { i.System.Addr[5] ^= 0x40 },
		func(i *slow.PortInfo) { i.System.Priority ^= 0x40 },
		func(i *slow.PortInfo) { i.Key ^= 0x40 },
		func(i *slow.PortInfo) { i.Priority ^= 0x40 },
		func(i *slow.PortInfo) { i.Port ^= 0x40 },
		func(i *slow.PortInfo) { i.State ^= slow.Aggregation },
	}
}

// R6: whatever changes of the partner, the next thing it hears is that we are not
// in sync with it any more.
func wirePartnerChanges(t *testing.T, w *wire) {
	all := w.partners(t)
	w.distribute(t, 0, 1, 2, 3, 4, 5)
	passes(t, 2*fast) // the limit has room again
	for i, other := range views() {
		begin := time.Now()
		all[i].change(func(p *partner) { other(&p.says.Actor) })
		p := all[i].end.await(t, "the next", begin, atOnce+fast, anyPDU)
		if p.Actor.State&forwarding != 0 {
			t.Errorf("view %d: the next LACPDU is %v", i, p)
		}
	}
}

// R7: an interface that is half duplex speaks no LACP; its partner is individual
// and so is it. Beside a port with a partner it is not used.
func wireNoLACP(t *testing.T, w *wire) {
	w.partner(t, 0)
	w.distribute(t, 0)
	var dev *tap.Device
	var err error
	w.Do(func() {
		if dev, err = tap.Create("half0", tap.Options{Transient: true}); err != nil {
			return
		}
		var tool *eth.Tool
		if tool, err = eth.OpenTool(); err == nil {
			err = tool.SetLink("half0", eth.LinkChange{Speed: 100, Duplex: eth.HalfDuplex})
			tool.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	if err := dev.SetCarrier(true); err != nil {
		t.Fatal(err)
	}
	w.port("half0")
	out := nettest.Sniff(t, w.NS, "half0", func(f nettest.Frame) bool { _, ok := slow.Subtype(f.Data); return ok })
	w.ifconfig("agr0", "agrport", "half0")
	p := w.untilShown(t, 1, settle, "individual", func(p ctl.PortStatus) bool { return p.Receive == "LACP_DISABLED" })
	if slow.State(p.Partner.State).Has(slow.Aggregation) || slow.State(p.Actor.State).Has(slow.Aggregation) {
		t.Errorf("actor %v, partner %v", slow.State(p.Actor.State), slow.State(p.Partner.State))
	}
	passes(t, 2*fast)
	w.distribute(t, 0)
	if n := out.Count(true); n != 0 {
		t.Errorf("%d slow-protocol frames", n)
	}
	w.says(t, "reason: standby: an individual link cannot be aggregated")
}

// P1: a partner with a wrong picture of us is not in sync, and is told each time.
func wireWrongView(t *testing.T, w *wire) {
	var all []*partner
	for i, wrong := range views() {
		all = append(all, w.partner(t, i, func(p *partner) { p.twist = func(l *slow.LACPDU) { wrong(&l.Partner) } }))
	}
	passes(t, 3*fast) // past the wait
	for _, p := range all {
		begin := time.Now()
		p.change(func(*partner) {})
		got := p.end.await(t, "an answer", begin, atOnce, anyPDU)
		if got.Partner.State.Has(slow.Synchronization) {
			t.Errorf("said: %v", got)
		}
		if s := w.shows(p.end.number); slow.State(s.Partner.State).Has(slow.Synchronization) || s.Flags != 0 {
			t.Errorf("shown: %v, flags %d", slow.State(s.Partner.State), s.Flags)
		}
	}
	for _, p := range all {
		p.change(func(p *partner) { p.twist = nil })
	}
	w.distribute(t, 0, 1, 2, 3, 4, 5)
}

// P2: one that is wrong about a bit that may change at any time is told as well,
// and may be in sync.
func wireStaleView(t *testing.T, w *wire) {
	var all []*partner
	for i, bit := range []slow.State{slow.Activity, slow.Timeout, slow.Synchronization} {
		all = append(all, w.partner(t, i, func(p *partner) {
			p.twist = func(l *slow.LACPDU) { l.Partner.State ^= bit }
		}))
	}
	w.distribute(t, 0, 1, 2)
	for _, p := range all {
		for range 2 {
			passes(t, fast/2) // past what was on its way, and within the limit
			begin := time.Now()
			p.change(func(*partner) {})
			got := p.end.await(t, "an answer", begin, atOnce, anyPDU)
			if !got.Partner.State.Has(slow.Synchronization) {
				t.Errorf("said: %v", got)
			}
		}
	}
}

// P3: an individual partner is in sync when it says so, whatever it knows of us.
func wireIndividualSync(t *testing.T, w *wire) {
	p := w.partner(t, 0, func(p *partner) {
		p.says.Actor.State &^= slow.Aggregation
		p.twist = func(l *slow.LACPDU) { l.Partner = slow.PortInfo{} }
	})
	p.end.await(t, "of a partner in sync", time.Now(), 2*settle, func(p pdu) bool {
		return p.Partner.State.Has(slow.Synchronization) && !p.Partner.State.Has(slow.Aggregation)
	})
	w.distribute(t, 0)
}

// P4: between two ends that both say that they are passive nobody keeps the
// protocol going, so there is no Synchronization; when one is active there is.
func wireNobodyActive(t *testing.T, w *wire) {
	p := w.partner(t, 0, func(p *partner) {
		p.says.Actor.State &^= slow.Activity
		p.twist = func(l *slow.LACPDU) { l.Partner.State &^= slow.Activity }
	})
	passes(t, 3*fast)
	begin := time.Now()
	p.change(func(*partner) {})
	if got := p.end.await(t, "an answer", begin, atOnce, anyPDU); got.Partner.State.Has(slow.Synchronization) {
		t.Errorf("said: %v", got)
	}
	if s := w.shows(0); slow.State(s.Partner.State).Has(slow.Synchronization) || s.Flags != 0 {
		t.Errorf("shown: %v, flags %d", slow.State(s.Partner.State), s.Flags)
	}
	p.change(func(p *partner) { p.twist = nil }) // it knows now that we are active
	w.distribute(t, 0)
}
