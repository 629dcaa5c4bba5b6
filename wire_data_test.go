package ifagr_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// dataCases are those of frames that are not slow protocols.
func dataCases() []wireCase {
	return []wireCase{
		{id: "D1", cables: 2, both: true, run: wireNotCollecting},
		{id: "D2", cables: 2, both: true, run: wireNotDistributing},
		{id: "D3", cables: 3, both: true, run: wireOrder},
		{id: "D4", cables: 2, words: []string{"maxports 1 lacpsyspri 1"}, both: true, run: wireBroadcast},
		{id: "D5", cables: 1, both: true, run: wireSlowStays},
		{id: "D6", cables: 2, both: true, run: wireVLANs},
		{id: "D7", cables: 1, both: true, run: wireReservedGroups},
	}
}

// D1: what comes from a port that does not collect goes nowhere, though another
// one makes agr0 work, and is counted.
func wireNotCollecting(t *testing.T, w *wire) {
	w.partner(t, 1)
	p := w.partner(t, 0, starts(slow.Activity|slow.Aggregation))
	w.distribute(t, 1)
	w.untilShown(t, 0, settle, "attached", inMux("ATTACHED"))
	before := w.shows(0).Counters
	w.delivers(t, false)
	after := w.shows(0).Counters
	if after.RxDropped == before.RxDropped || after.RxFrames != before.RxFrames {
		t.Errorf("counted: before %+v, after %+v", before, after)
	}
	p.state(forwarding, 0)
	w.distribute(t, 0, 1)
	w.delivers(t, true)
}

// D2: no frame leaves through a port that does not distribute, whether another one
// does or none.
func wireNotDistributing(t *testing.T, w *wire) {
	half := starts(slow.Activity | slow.Aggregation | slow.Synchronization)
	all := w.partners(t, half)
	collect := func(i int) { w.untilShown(t, i, settle, "collecting", inMux("COLLECTING")) }
	collect(0)
	collect(1)
	w.carries(t)
	for i, p := range all {
		p.state(slow.Collecting, 0)
		w.distribute2(t, i)
		w.carries(t, i)
		p.state(0, slow.Collecting)
		collect(i)
	}
	w.carries(t)
}

// distribute2 waits until one of two ports distributes and both collect.
func (w *wire) distribute2(t *testing.T, i int) {
	t.Helper()
	w.untilShown(t, i, settle, "distributing", inMux("DISTRIBUTING"))
	w.untilShown(t, 1-i, settle, "collecting", inMux("COLLECTING"))
}

// D3: ports leave and come back under load, one after the other. Every conversation
// keeps its order, and no frame is lost.
func wireOrder(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0, 1, 2)
	const flows = 16
	s := w.startStream(t, flows)
	for i := range 3 {
		port := w.ends[i].port
		others := slices.Delete([]int{0, 1, 2}, i, i+1)
		w.ifconfig("agr0", "-agrport", port)
		begin := time.Now()
		nettest.Eventually(t, settle, func() error {
			for _, j := range others {
				if len(w.ends[j].marks(begin)) < 50 {
					return fmt.Errorf("nothing leaves through re%d", j)
				}
			}
			return nil
		})
		w.ifconfig("agr0", "agrport", port)
		w.distribute(t, 0, 1, 2)
	}
	w.ordered(t, flows, s.stop())
}

// D4: a broadcast that the far end sends into both cables comes once, from the port
// that is used; one that we send goes into one cable.
func wireBroadcast(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0)
	w.operates(t)
	up := nettest.Sniff(t, w.NS, "agr0", marked)
	f := frameOf(broadcast, w.ends[0].addr, localExperimental, 0x77)
	w.ends[1].send(f)
	w.ends[0].send(f)
	sees(t, "agr0", up, f)
	begin := time.Now()
	out := frameOf(broadcast, w.ends[0].own, localExperimental, 0x78)
	w.sender(t, "agr0")(out)
	nettest.Eventually(t, settle, func() error {
		if len(w.ends[0].marks(begin)) == 0 {
			return fmt.Errorf("nothing has left")
		}
		return nil
	})
	passes(t, early)
	if n, m := len(w.ends[0].marks(begin)), len(w.ends[1].marks(begin)); n != 1 || m != 0 {
		t.Errorf("a broadcast left %d times through re0 and %d times through re1", n, m)
	}
	if n := up.Count(false); n != 1 {
		t.Errorf("agr0 received it %d times", n)
	}
}

// D5: nothing of a slow protocol crosses agr0: not what comes in, whatever the
// subtype, not what we say ourselves, and not what somebody sends into agr0.
func wireSlowStays(t *testing.T, w *wire) {
	e := w.ends[0]
	at := nettest.Sniff(t, w.NS, "agr0", func(f nettest.Frame) bool { return bytes.Equal(f.Data[12:14], []byte{0x88, 0x09}) })
	p := w.partner(t, 0)
	w.distribute(t, 0)
	w.operates(t)
	response := put(actorOff, slow.MarkerResponse)
	e.send(p.frame(), e.marker(1), e.marker(2, response), e.stranger(5, put(subtypeOff, 3)), e.stranger(5, put(subtypeOff, 10)))
	w.delivers(t, true) // what was before it has arrived, or never will
	for _, f := range at.Frames() {
		t.Errorf("crossed agr0: %x", f.Data)
	}
	w.sender(t, "agr0")(e.stranger(5), e.marker(3), e.stranger(5, put(0, broadcast[:]...)))
	w.carries(t, 0)
	for _, f := range e.seen.Frames() {
		if l, err := slow.ParseLACPDU(f.Data); !f.Out && (err == nil && l.Actor.Key == 5 || f.Data[0] == 0xff && f.Data[12] == 0x88 && f.Data[13] == 0x09) {
			t.Errorf("crossed agr0: %x", f.Data)
		}
	}
	for _, f := range e.markers(time.Time{}) {
		if m, err := slow.ParseMarker(f.Data); err != nil || m.TransactionID != 1 {
			t.Errorf("crossed agr0: %x", f.Data)
		}
	}
}

// D6: frames with tags cross as they are in both directions, and their VLANs spread
// over the ports.
func wireVLANs(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0, 1)
	w.operates(t)
	var frames [][]byte
	for vid := range uint16(64) {
		frames = append(frames, frameOf(broadcast, w.ends[0].own, localExperimental, byte(vid), tag{0x8100, 3<<13 | (vid + 1)}))
	}
	frames = append(frames, frameOf(broadcast, w.ends[0].own, localExperimental, 0xa1, tag{0x88a8, 100}, tag{0x8100, 5}),
		frameOf(broadcast, w.ends[0].own, localExperimental, 0xa2, tag{0x8100, 6 << 13}))
	begin := time.Now()
	w.sender(t, "agr0")(frames...)
	nettest.Eventually(t, settle, func() error {
		var got [][]byte
		for _, e := range w.ends {
			n := len(e.marks(begin))
			if n == 0 {
				return fmt.Errorf("nothing left through %s", e.port)
			}
			for _, f := range e.marks(begin) {
				got = append(got, f.Data)
			}
		}
		want := slices.SortedFunc(slices.Values(frames), bytes.Compare)
		slices.SortFunc(got, bytes.Compare)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			return fmt.Errorf("%d frames left, want %d as they were", len(got), len(want))
		}
		return nil
	})
	for _, e := range w.ends {
		up := nettest.Sniff(t, w.NS, "agr0", marked)
		e.send(frames...)
		sees(t, "agr0 from "+e.port, up, frames...)
		up.Close()
	}
}

// D7: of the reserved group addresses only that of the spanning tree crosses agr0,
// in both directions; what comes for another one is found on the port.
func wireReservedGroups(t *testing.T, w *wire) {
	e := w.ends[0]
	w.partner(t, 0)
	w.distribute(t, 0)
	w.operates(t)
	const lldp = 0x88cc
	conn := listenType(t, w.NS, e.port, lldp)
	defer conn.Close()
	up := nettest.Sniff(t, w.NS, "agr0", marked)
	frames, cross := crossing(ether.Addr{2, 0, 0, 0, 0, 0x99}, w.link("agr0").Addr)
	var want [][]byte
	for i, f := range frames {
		if cross[i] {
			want = append(want, f)
		}
	}
	e.send(frames...)
	sees(t, "agr0", up, want...)
	begin := time.Now()
	w.sender(t, "agr0")(frames...)
	nettest.Eventually(t, settle, func() error {
		var got [][]byte
		for _, f := range e.marks(begin) {
			got = append(got, f.Data)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			return fmt.Errorf("%d frames left, want %d:\n%x\nwant\n%x", len(got), len(want), got, want)
		}
		return nil
	})
	neighbour := frameOf(groupAddr(0x0e), e.addr, lldp, 1)
	e.send(neighbour)
	got := make([]byte, 2048)
	if n, _, err := conn.ReadFrom(got); err != nil || !bytes.Equal(got[:n], neighbour) {
		t.Errorf("LLDP on the port: %x, %v", got[:n], err)
	}
}
