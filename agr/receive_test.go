package agr

import (
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// lacpdu is a LACPDU of a system's port.
func lacpdu(system byte, port uint16) []byte {
	id := ether.Addr{2, 0xdd, 0, 0, 0, system}
	return slow.AppendLACPDU(nil, id, slow.LACPDU{Actor: slow.PortInfo{System: slow.System{Addr: id}, Port: port}})
}

// Each kind of frame has a budget of its own, and so has the known partner.
func TestAdmission(t *testing.T) {
	var p port
	d := newAdmission(&p.known)
	now := time.Unix(0, 0)
	count := func(frame []byte) (n int) {
		for range 1000 {
			if d.take(frame, now) {
				n++
			}
		}
		return n
	}
	p.known.Store(&identity{slow.System{Addr: ether.Addr{2, 0xdd, 0, 0, 0, 1}}, 7})
	marker := slow.AppendMarker(nil, mac0, slow.Marker{Type: slow.MarkerInformation})
	for _, tt := range []struct {
		name  string
		frame []byte
		want  int
	}{
		{"strangers", lacpdu(2, 7), lacpBudget},
		{"another port of the partner's system", lacpdu(1, 8), 0}, // strangers, too
		{"Markers", marker, otherBudget},
		{"a LACPDU that is none", lacpdu(1, 7)[:60], 0},
		{"the partner", lacpdu(1, 7), partnerBudget},
	} {
		if got := count(tt.frame); got != tt.want {
			t.Errorf("%s: %d of 1000 in a second, want %d", tt.name, got, tt.want)
		}
	}
	now = now.Add(time.Second)
	if !d.take(lacpdu(1, 7), now) || !d.take(lacpdu(2, 7), now) {
		t.Error("nothing is let in in the next second")
	}
}

// A flood of strangers on the cable does not keep the partner's LACPDUs out: each
// of them arrives, and the port is back as soon as the flood is over.
func TestFloodDoesNotStarveThePartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		near.must(near.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutFast)))
		pass(5 * time.Second)
		theirs := far.fake.slow(11)
		before, sent := near.statusOf().Ports[1].Counters, len(theirs.frames())
		const flooded = 10 // seconds
		for range flooded {
			for i := range 1000 {
				near.fake.slow(11).in <- lacpdu(byte(i), uint16(i))
				if i%100 == 0 {
					pass(time.Millisecond)
				}
			}
			pass(time.Second - 10*time.Millisecond)
		}
		after, spoken := near.statusOf().Ports[1].Counters, 0
		for _, frame := range theirs.frames()[sent:] {
			if frame[14] == slow.SubtypeLACP {
				spoken++
			}
		}
		strangers := uint64(flooded * lacpBudget)
		if got := after.LACPRx - before.LACPRx; spoken < flooded || got < strangers+uint64(spoken) {
			t.Errorf("%d LACPDUs came in, want %d of strangers and all %d of the partner", got, strangers, spoken)
		}
		if got := after.LACPTx - before.LACPTx; got > 3*flooded+3 {
			t.Errorf("%d LACPDUs were sent in %d seconds", got, flooded)
		}
		if after.SlowDropped == before.SlowDropped {
			t.Error("no frame was dropped")
		}
		pass(5 * time.Second)
		if near.distributing() != "re0 re1" || far.distributing() != "re0 re1" {
			t.Errorf("afterwards %s and %s distribute", near.distributing(), far.distributing())
		}
	})
}

// Markers that ask and Markers that answer share what a slow protocol may send.
func TestMarkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		conn, refusal := near.fake.slow(11), outOfSync(t, far)
		for i := range 200 {
			m := slow.Marker{Type: slow.MarkerInformation, TransactionID: uint32(i)}
			conn.in <- slow.AppendMarker(nil, mac2, m)
			if i%20 == 10 {
				conn.in <- refusal
			}
			pass(5 * time.Millisecond)
		}
		if got := near.statusOf().Ports[1].Counters; got.MarkerTx > 11 || got.MarkerTx < 8 {
			t.Errorf("%d Markers were sent in a second", got.MarkerTx)
		}
	})
}

// PDUs that are refused are counted by what is wrong with them, and other slow
// protocols apart.
func TestBadPDUsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		edit := func(frame []byte, at int, with byte) []byte { frame[at] = with; return frame }
		marker := func() []byte { return slow.AppendMarker(nil, mac2, slow.Marker{Type: slow.MarkerInformation}) }
		for _, frame := range [][]byte{
			lacpdu(1, 1)[:60], lacpdu(1, 1)[:123], edit(lacpdu(1, 1), 17, 19),
			marker()[:60], edit(marker(), 16, 9), edit(lacpdu(1, 1), 14, 10), lacpdu(1, 1),
		} {
			w.fake.slow(10).in <- frame
			synctest.Wait()
		}
		got := w.statusOf().Ports[0].Counters
		got.LACPTx, got.StateChanges = 0, 0
		want := ctl.Counters{
			LACPRx: 1, LACPBad: ctl.Bad{Short: 2, Length: 1}, MarkerBad: ctl.Bad{Short: 1, Type: 1}, UnknownRx: 1,
		}
		if d := diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if p := w.statusOf().Ports[0]; p.LastPartner == nil || p.LastPartner.System != (ether.Addr{2, 0xdd, 0, 0, 0, 1}) || p.LastPartner.Port != 1 {
			t.Errorf("the last partner is %+v", p.LastPartner)
		}
	})
}

// The last transitions of a port are kept, with when and why, in their order.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		for range 20 {
			for _, on := range []bool{false, true} {
				near.fake.edit(11, func(l *rtnl.Link) { l.Carrier = on })
				near.look()
				pass(5 * time.Second)
			}
		}
		last := time.Time{}
		history := near.statusOf().Ports[1].History
		for _, c := range history {
			if c.Time.Before(last) || c.Machine == "" || c.To == "" || c.Reason == "" {
				t.Errorf("%+v after %v", c, last)
			}
			last = c.Time
		}
		if n := len(history); n != ctl.HistoryLength {
			t.Errorf("%d transitions, the last one %+v", n, history[n-1])
		}
		if got := near.statusOf().Ports[0].History; len(got) >= ctl.HistoryLength || len(got) == 0 || got[0].Machine != "receive" {
			t.Errorf("the other port has %+v", got)
		}
	})
}
