package ifagr_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// validationCases are those of what is taken for a LACPDU.
func validationCases() []wireCase {
	return []wireCase{
		{id: "V1", cables: 1, run: wireVersions},
		{id: "V2", cables: 1, run: wireReserved},
		{id: "V3", cables: 1, run: wireTypes},
		{id: "V4", cables: 1, run: wireLengths},
		{id: "V5", cables: 1, run: wireShort},
		{id: "V6", cables: 1, run: wireLong},
		{id: "V7", cables: 1, run: wireSubtypes},
		{id: "V8", cables: 1, both: true, run: wireTagged},
		{id: "V9", cables: 1, both: true, run: wireUnicast},
		{id: "V10", cables: 1, run: wireNoLink},
	}
}

// stranger makes a good LACPDU of a system that can be told by its key, and edits
// it.
func (e *cableEnd) stranger(key uint16, edits ...func([]byte) []byte) []byte {
	f := slow.AppendLACPDU(nil, e.addr, slow.LACPDU{Actor: slow.PortInfo{
		System: slow.System{Priority: 0x9000, Addr: ether.Addr{0x02, 0xbb, 0, 0, 0, 2}}, Key: key, Port: 9,
		State: slow.Activity | slow.Aggregation,
	}})
	for _, edit := range edits {
		f = edit(f)
	}
	return f
}

// put is an edit: octets at an offset.
func put(off int, octets ...byte) func([]byte) []byte {
	return func(f []byte) []byte { copy(f[off:], octets); return f }
}

// accepts sends LACPDUs, one after the other, each of which must be taken for one,
// and be answered with what it said.
func (w *wire) accepts(t *testing.T, edits map[string]func([]byte) []byte) {
	t.Helper()
	e, key := w.ends[0], uint16(100)
	for what, edit := range edits {
		key++
		begin := time.Now()
		e.send(e.stranger(key, edit))
		e.await(t, "an answer to "+what, begin, fast+late, func(p pdu) bool { return p.Partner.Key == key })
	}
	p := w.untilShown(t, 0, settle, "current", func(p ctl.PortStatus) bool { return p.Receive == "CURRENT" && p.Partner.Key == key })
	if n := p.Counters.LACPRx; n != uint64(len(edits)) || p.Counters.LACPBad.Total() != 0 {
		t.Errorf("%d LACPDUs of %d were received, and refused %+v", n, len(edits), p.Counters.LACPBad)
	}
}

// ignores sends frames and then a good LACPDU, the only one that may be recorded.
// It returns what is shown then.
func (w *wire) ignores(t *testing.T, frames ...[]byte) ctl.PortStatus {
	t.Helper()
	e := w.ends[0]
	e.first(t)
	before := w.shows(0)
	if before.Receive == "CURRENT" {
		t.Fatalf("there is a partner before anybody has spoken: %+v", before.Partner)
	}
	e.send(frames...)
	const good = 99
	begin := time.Now()
	e.send(e.stranger(good))
	e.await(t, "an answer", begin, fast+late, func(p pdu) bool { return p.Partner.Key == good })
	for _, p := range e.heard() {
		if p.Partner.Key != 0 && p.Partner.Key != good {
			t.Errorf("recorded: %v", p)
		}
	}
	after := w.shows(0)
	if after.Receive != "CURRENT" || after.Counters.LACPRx != 1 {
		t.Errorf("%s, and %d LACPDUs were received, want 1", after.Receive, after.Counters.LACPRx)
	}
	return after
}

// V1: the version does not matter.
func wireVersions(t *testing.T, w *wire) {
	edits := map[string]func([]byte) []byte{}
	for _, v := range []byte{0, 2, 255} {
		edits[fmt.Sprint("version ", v)] = put(versionOff, v)
	}
	w.accepts(t, edits)
}

// V2: nor do reserved octets.
func wireReserved(t *testing.T, w *wire) {
	ones := bytes.Repeat([]byte{0xff}, lacpduLen)
	edits := map[string]func([]byte) []byte{}
	for off, n := range map[int]int{actorOff + 17: 3, partnerOff + 17: 3, collectorOff + 4: 12, endOff + 2: 50} {
		edits[fmt.Sprint("octet ", off)] = put(off, ones[:n]...)
	}
	w.accepts(t, edits)
}

// V3: nor do the types of the TLVs.
func wireTypes(t *testing.T, w *wire) {
	edits := map[string]func([]byte) []byte{}
	for _, off := range []int{actorOff, partnerOff, collectorOff} {
		for _, v := range []byte{0, 0x7f, 0xff} {
			edits[fmt.Sprintf("type %d at %d", v, off)] = put(off, v)
		}
	}
	w.accepts(t, edits)
}

// V4: a TLV of another length is refused, counted, and does no harm.
func wireLengths(t *testing.T, w *wire) {
	e := w.ends[0]
	var frames [][]byte
	for _, off := range []int{actorOff, partnerOff, collectorOff} {
		for _, n := range []byte{0, 1, 19, 21, 255} {
			frames = append(frames, e.stranger(5, put(off+1, n)))
		}
	}
	if got := w.ignores(t, frames...).Counters.LACPBad.Length; got != uint64(len(frames)) {
		t.Errorf("%d were counted, want %d", got, len(frames))
	}
	w.says(t, fmt.Sprintf("%d bad (%d wrong length)", len(frames), len(frames)))
}

// says checks that ifconfig -v has a text.
func (w *wire) says(t *testing.T, text string) {
	t.Helper()
	if got := w.ifconfig("-v", "agr0"); !strings.Contains(got, text) {
		t.Errorf("ifconfig -v does not say %q:\n%s", text, got)
	}
}

// V5: one that is cut short is refused and counted.
func wireShort(t *testing.T, w *wire) {
	e := w.ends[0]
	lengths := []int{versionOff, actorOff + 3, 60, endOff, 109, lacpduLen - 1}
	var frames [][]byte
	for _, n := range lengths {
		frames = append(frames, e.stranger(5)[:n])
	}
	if got := w.ignores(t, frames...).Counters.LACPBad.Short; got != uint64(len(frames)) {
		t.Errorf("%d were counted, want %d", got, len(frames))
	}
	w.says(t, fmt.Sprintf("%d bad (%d short)", len(frames), len(frames)))
}

// V6: one that is longer is taken: version 2 with its TLVs, and whatever fits.
func wireLong(t *testing.T, w *wire) {
	lengthen := func(n int) func([]byte) []byte {
		return func(f []byte) []byte { return append(f, bytes.Repeat([]byte{0xa5}, n)...) }
	}
	second := func(f []byte) []byte {
		f[versionOff] = 2
		f = f[:endOff]
		for _, tlv := range []struct{ kind, length byte }{{4, 6}, {5, 20}, {6, 131}, {7, 130}, {8, 130}, {9, 130}, {10, 20}, {0, 0}} {
			v := append([]byte{tlv.kind, tlv.length}, bytes.Repeat([]byte{0x5a}, max(int(tlv.length)-2, 0))...)
			f = append(f, v...)
		}
		return append(f, make([]byte, 50)...)
	}
	w.accepts(t, map[string]func([]byte) []byte{
		"one octet more": lengthen(1), "1,514 octets": lengthen(1514 - lacpduLen), "version 2": second,
	})
}

// V7: every other subtype is not LACP. They are counted, and those that are too
// many for a second are counted as that.
func wireSubtypes(t *testing.T, w *wire) {
	e := w.ends[0]
	var frames [][]byte
	for v := range 256 {
		if v != slow.SubtypeLACP && v != slow.SubtypeMarker {
			frames = append(frames, e.stranger(5, put(subtypeOff, byte(v))))
		}
	}
	few := frames[:10]
	if got := w.ignores(t, few...).Counters.UnknownRx; got != uint64(len(few)) {
		t.Errorf("%d were counted, want %d", got, len(few))
	}
	for some := range slices.Chunk(frames[10:], 80) { // more in a second are a flood, which the kernel sifts
		e.send(some...)
		passes(t, time.Second+early)
	}
	p := w.untilShown(t, 0, settle, "heard", func(p ctl.PortStatus) bool {
		return p.Counters.UnknownRx+p.Counters.SlowDropped == uint64(len(frames))
	})
	if p.Counters.LACPRx != 1 || p.Counters.LACPBad.Total() != 0 || p.Counters.MarkerRx != 0 {
		t.Errorf("other protocols are taken for ours: %+v", p.Counters)
	}
}

// V8: a tag makes a frame data: LACPDUs with one are not LACP.
func wireTagged(t *testing.T, w *wire) {
	e := w.ends[0]
	var frames [][]byte
	for _, tg := range []tag{{0x8100, 0}, {0x8100, 7 << 13}, {0x8100, 5}, {0x88a8, 0}, {0x88a8, 5}} {
		octets := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tg.tpid), tg.tci)
		frames = append(frames, slices.Insert(e.stranger(5), 2*ether.AddrLen, octets...))
	}
	p := w.ignores(t, frames...)
	if p.Counters.UnknownRx != 0 || p.Counters.LACPBad.Total() != 0 {
		t.Errorf("tagged frames were looked at: %+v", p.Counters)
	}
}

// V9: one that is not addressed to the group is no LACPDU (a later edition of the
// standard allows other addresses; design D8 does not), and never crosses agr0.
func wireUnicast(t *testing.T, w *wire) {
	e := w.ends[0]
	up := nettest.Sniff(t, w.NS, "agr0", func(f nettest.Frame) bool { return !f.Out && bytes.Contains(f.Data, []byte{0x88, 0x09}) })
	var frames [][]byte
	for _, to := range []ether.Addr{e.own, broadcast, {0x01, 0x80, 0xc2, 0, 0, 0}, {0x01, 0x80, 0xc2, 0, 0, 3}} {
		frames = append(frames, e.stranger(5, put(0, to[:]...)))
	}
	w.ignores(t, frames...)
	w.partner(t, 0)
	w.distribute(t, 0)
	e.send(frames[:2]...)
	last := frameOf(e.own, e.addr, localExperimental, 1)
	arrived := nettest.Sniff(t, w.NS, "agr0", marked)
	e.send(last)
	sees(t, "agr0", arrived, last)
	if n := up.Count(false); n != 0 {
		t.Errorf("%d of them crossed agr0", n)
	}
	if p := w.shows(0); p.Partner.Key != 7 {
		t.Errorf("recorded: %+v", p.Partner)
	}
}

// V10: without a link nothing is heard. The cable itself brings nothing to an
// interface that is down; what the daemon may still have is of no use either.
func wireNoLink(t *testing.T, w *wire) {
	e := w.ends[0]
	w.partner(t, 0)
	w.distribute(t, 0)
	for _, down := range []func(state string){
		func(state string) { w.ifconfig(e.port, state) },
		func(state string) { e.set(w, state) },
	} {
		e.send(e.stranger(5))
		down("down")
		e.send(e.stranger(6), e.stranger(7))
		p := w.untilShown(t, 0, settle, "disabled", func(p ctl.PortStatus) bool { return p.Receive == "PORT_DISABLED" })
		e.send(e.stranger(8))
		passes(t, fast/2)
		if q := w.shows(0); q.Receive != "PORT_DISABLED" || q.Counters.LACPRx != p.Counters.LACPRx || slow.State(q.Partner.State).Has(slow.Synchronization) {
			t.Errorf("without link: %+v", q)
		}
		down("up")
		w.distribute(t, 0)
	}
}
