package ifagr_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// markerCases are those of the Marker protocol.
func markerCases() []wireCase {
	return []wireCase{
		{id: "M1", cables: 2, both: true, run: wireMarker},
		{id: "M2", cables: 1, words: []string{"lacpstrict"}, both: true, run: wireMarkerStates},
		{id: "M3", cables: 1, both: true, run: wireMarkerResponse},
		{id: "M4", cables: 1, both: true, run: wireMarkerTypes},
		{id: "M5", cables: 1, both: true, run: wireMarkerOdd},
		{id: "M6", cables: 1, both: true, run: wireMarkerFlood},
		{id: "M7", cables: 2, both: true, run: wireFlush},
	}
}

// marker makes a Marker Information with a transaction of its own, and edits it.
func (e *cableEnd) marker(id uint32, edits ...func([]byte) []byte) []byte {
	f := slow.AppendMarker(nil, e.addr, slow.Marker{
		Type: slow.MarkerInformation, RequesterPort: 7, RequesterSystem: ether.Addr{0x02, 0xbb, 0, 0, 0, 1}, TransactionID: id,
	})
	for _, edit := range edits {
		f = edit(f)
	}
	return f
}

// markers are the Marker PDUs of the host since a time.
func (e *cableEnd) markers(since time.Time) (all []nettest.Frame) {
	for _, f := range e.seen.Frames() {
		if s, ok := slow.Subtype(f.Data); ok && s == slow.SubtypeMarker && !f.Out && f.At.After(since) {
			all = append(all, f)
		}
	}
	return all
}

// responses are those of them that answer: the host may ask by Markers of its own.
func (e *cableEnd) responses(since time.Time) (all []nettest.Frame) {
	for _, f := range e.markers(since) {
		if f.Data[actorOff] == slow.MarkerResponse {
			all = append(all, f)
		}
	}
	return all
}

// answers checks that to a Marker there is exactly one answer, on this cable: the
// Marker itself, with the type of a response and the port's own address.
func (w *wire) answers(t *testing.T, e *cableEnd, marker []byte) {
	t.Helper()
	begin := time.Now()
	want := bytes.Clone(marker)
	copy(want, ether.SlowProtocols[:])
	copy(want[ether.AddrLen:], e.own[:])
	want[actorOff] = slow.MarkerResponse
	e.send(marker)
	nettest.Eventually(t, atOnce, func() error {
		if len(e.responses(begin)) == 0 {
			return fmt.Errorf("%s: no answer to %x", e.port, marker)
		}
		return nil
	})
	passes(t, early)
	for _, other := range w.ends {
		all := other.responses(begin)
		if n := map[bool]int{true: 1}[other == e]; len(all) != n {
			t.Errorf("%s: %d answers, want %d", other.port, len(all), n)
		} else if n == 1 && !bytes.Equal(all[0].Data, want) {
			t.Errorf("%s: answered\n%x, want\n%x", e.port, all[0].Data, want)
		}
	}
}

// unanswered sends Markers that have no answer, and one that has.
func (w *wire) unanswered(t *testing.T, markers ...[]byte) {
	t.Helper()
	e := w.ends[0]
	e.send(markers...)
	w.answers(t, e, e.marker(99))
	if n := len(e.markers(time.Time{})); n != 1 {
		t.Errorf("%d Markers of the host, want the last one's answer only", n)
	}
}

// M1: the port that answers is the one that was asked, also the second one, which
// has agr0's address but answers from its own.
func wireMarker(t *testing.T, w *wire) {
	w.partners(t)
	w.distribute(t, 0, 1)
	fill := func(f []byte) []byte {
		random := rand.NewChaCha8([32]byte{3})
		random.Read(f[versionOff:actorOff])
		random.Read(f[actorOff+1:])
		return f
	}
	for _, e := range w.ends {
		w.answers(t, e, e.marker(0xdeadbeef))
		w.answers(t, e, e.marker(1, fill))
		w.answers(t, e, append(e.marker(2, fill), 1, 2, 3, 4, 5))
	}
}

// M2: in every state of the mux, with a partner and without.
func wireMarkerStates(t *testing.T, w *wire) {
	e := w.ends[0]
	in := func(mux string) {
		t.Helper()
		w.untilShown(t, 0, 2*settle, "in "+mux, inMux(mux))
		w.answers(t, e, e.marker(uint32(len(mux))))
	}
	w.untilShown(t, 0, settle, "without partner", func(p ctl.PortStatus) bool { return p.Receive == "DEFAULTED" })
	w.answers(t, e, e.marker(1))
	p := w.partner(t, 0, starts(slow.Activity|slow.Aggregation))
	in("WAITING")
	in("ATTACHED")
	p.state(slow.Synchronization, 0)
	in("COLLECTING")
	p.state(slow.Collecting|slow.Distributing, 0)
	in("DISTRIBUTING")
	w.ifconfig("agr0", "lacpcoupled")
	in("COLLECTING_DISTRIBUTING")
	p.silence()
	mirror := func(frame []byte) {
		if s, _ := slow.Subtype(frame); s == slow.SubtypeLACP {
			e.send(frame)
		}
	}
	e.hears.Store(&mirror)
	w.ifconfig("agr0", "lacpsyspri", "9") // lets the port speak, and hear itself
	in("DETACHED")
}

// M3: a response is no question.
func wireMarkerResponse(t *testing.T, w *wire) {
	e := w.ends[0]
	w.unanswered(t, e.marker(1, put(actorOff, slow.MarkerResponse)), e.marker(2, put(actorOff, slow.MarkerResponse)))
}

// M4: nor is a TLV of another type, which is counted.
func wireMarkerTypes(t *testing.T, w *wire) {
	e := w.ends[0]
	var frames [][]byte
	for _, kind := range []byte{0, 3, 4, 0x7f, 0xff} {
		frames = append(frames, e.marker(1, put(actorOff, kind)))
	}
	w.unanswered(t, frames...)
	if got := w.shows(0).Counters.MarkerBad.Type; got != uint64(len(frames)) {
		t.Errorf("%d were counted, want %d", got, len(frames))
	}
}

// M5: neither version, pads, length of the TLV nor what stands behind it matters.
func wireMarkerOdd(t *testing.T, w *wire) {
	e := w.ends[0]
	for _, edit := range []func([]byte) []byte{
		put(versionOff, 0), put(versionOff, 2), put(versionOff, 255),
		put(30, 0xff, 0xff), put(actorOff+1, 15), put(32, 9, 9), put(123, 7),
	} {
		w.answers(t, e, e.marker(5, edit))
	}
}

// M6: a thousand Markers in a second get ten answers, and the partner, who speaks
// on the same cable, is heard as before.
func wireMarkerFlood(t *testing.T, w *wire) {
	p := w.partner(t, 0, starts(slow.Activity|slow.Timeout|slow.Aggregation|forwarding))
	w.ifconfig("agr0", "lacptimeout", "fast")
	w.distribute(t, 0)
	before := w.shows(0)
	begin := time.Now()
	const perSecond, seconds, burst = 1000, 5, 20
	for i := range uint32(perSecond * seconds / burst) {
		for j := range uint32(burst) {
			p.end.send(p.end.marker(i*burst + j))
		}
		passes(t, time.Until(begin.Add(time.Duration(i+1)*burst*time.Second/perSecond)))
	}
	all := p.end.markers(begin)
	for i := 10; i < len(all); i++ {
		if d := all[i].At.Sub(all[i-10].At); d < time.Second-early {
			t.Errorf("eleven answers within %v", d)
		}
	}
	if len(all) < 10*(seconds-2) || len(all) > 10*(seconds+int(late/time.Second)) {
		t.Errorf("%d answers in %d s", len(all), seconds)
	}
	after := w.shows(0)
	if after.Flags != before.Flags || after.Counters.StateChanges != before.Counters.StateChanges || after.Receive != "CURRENT" {
		t.Errorf("the port was disturbed: %s, %s", after.Receive, after.Reason)
	}
	if n := len(p.end.since(begin)); n < seconds-1 {
		t.Errorf("only %d LACPDUs in %d s", n, seconds)
	}
}

// stream sends the frames of conversations into agr0, each with a number, until it
// is stopped.
type stream struct {
	stop func() (frames int)
}

// numberOff is where the number of a stream's frame stands.
const numberOff = ether.HeaderLen

// startStream sends frames of n conversations in turn, a thousand in a second.
func (w *wire) startStream(t *testing.T, n int) *stream {
	t.Helper()
	w.operates(t)
	send := w.sender(t, "agr0")
	done, ended := make(chan struct{}), make(chan int)
	go func() {
		number := 0
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f := frameOf(broadcast, ether.Addr{2, 0, 0, 0, 2, byte(number % n)}, localExperimental, 0x33)
				f = append(f, bytes.Repeat([]byte{0x33}, 8)...) // still marked
				binary.BigEndian.PutUint64(f[numberOff:], uint64(number))
				send(f)
				number++
			case <-done:
				ended <- number
				return
			}
		}
	}()
	s := &stream{stop: sync.OnceValue(func() int { close(done); return <-ended })}
	t.Cleanup(func() { s.stop() })
	return s
}

// wireNumbered is a frame of a stream and the end that it came out at.
type wireNumbered struct {
	number, end int
	at          time.Time
}

// arrived are the frames of a stream that have come out of all ports, in order of
// time.
func (w *wire) arrived() (all []wireNumbered) {
	for _, e := range w.ends {
		for _, f := range e.marks(time.Time{}) {
			all = append(all, wireNumbered{int(binary.BigEndian.Uint64(f.Data[numberOff:])), e.number, f.At})
		}
	}
	slices.SortFunc(all, func(a, b wireNumbered) int { return a.at.Compare(b.at) })
	return all
}

// ordered checks that of a stream of n conversations each has kept its order, and
// that all frames have come out once.
func (w *wire) ordered(t *testing.T, n, frames int) {
	t.Helper()
	var all []wireNumbered
	nettest.Eventually(t, settle, func() error {
		if all = w.arrived(); len(all) < frames {
			return fmt.Errorf("%d of %d frames have come out", len(all), frames)
		}
		return nil
	})
	last := map[int]wireNumbered{}
	for _, f := range all {
		was, ok := last[f.number%n]
		if ok && f.number != was.number+n {
			t.Errorf("conversation %d: number %d came out of %s after %d out of %s, %v later",
				f.number%n, f.number, w.ends[f.end].port, was.number, w.ends[was.end].port, f.at.Sub(was.at))
		}
		last[f.number%n] = f
	}
	if len(all) != frames {
		t.Errorf("%d frames came out of %d", len(all), frames)
	}
}

// mayKeep is how long the partner of M7 says that it may keep a frame. So long is its
// answer waited for, and not longer, should the answer be late.
const mayKeep = 650 * time.Millisecond

// M7: a port may not be sent to any more while its link is there. What follows waits
// for the answer to a Marker behind the last frame; answers of somebody else, to
// somebody else or to nothing do not count.
func wireFlush(t *testing.T, w *wire) {
	delay := func(p *partner) {
		p.says.CollectorMaxDelay = uint16(mayKeep / (10 * time.Microsecond))
		p.mute = true
	}
	all := w.partners(t, delay)
	w.distribute(t, 0, 1)
	const flows = 8
	s := w.startStream(t, flows)
	nettest.Eventually(t, settle, func() error {
		if len(w.ends[0].marks(time.Time{})) < 50 || len(w.ends[1].marks(time.Time{})) < 50 {
			return fmt.Errorf("nothing is sent")
		}
		return nil
	})
	old := all[0]
	begin := time.Now()
	old.state(0, slow.Collecting)
	asked := w.askedBehind(t, old.end, begin)
	answer := func(edit func(*slow.Marker)) {
		m, _ := slow.ParseMarker(asked.Data)
		m.Type = slow.MarkerResponse
		edit(&m)
		old.end.send(slow.AppendMarker(nil, old.end.addr, m))
	}
	for _, foreign := range []func(*slow.Marker){
		func(m *slow.Marker) { m.TransactionID-- },
		func(m *slow.Marker) { m.TransactionID += 1000 },
		func(m *slow.Marker) { m.RequesterPort++ },
		func(m *slow.Marker) { m.RequesterSystem[5]++ },
		func(m *slow.Marker) { m.Type = slow.MarkerInformation },
	} {
		answer(foreign)
	}
	passes(t, 300*time.Millisecond) // more than without CollectorMaxDelay, less than with it
	answered := time.Now()
	answer(func(*slow.Marker) {})
	answer(func(*slow.Marker) {}) // and once more
	w.untilMoved(t, old.end, flows)
	w.ordered(t, flows, s.stop())
	w.heldUntil(t, old.end, asked.At, answered, flows)
}

// askedBehind waits for the Marker of a port that may not be sent to any more, and
// checks that it is as it should be.
func (w *wire) askedBehind(t *testing.T, e *cableEnd, since time.Time) nettest.Frame {
	t.Helper()
	var all []nettest.Frame
	nettest.Eventually(t, settle, func() error {
		if all = e.markers(since); len(all) == 0 {
			return fmt.Errorf("%s: no Marker", e.port)
		}
		return nil
	})
	m, err := slow.ParseMarker(all[0].Data)
	p := w.shows(e.number)
	if err != nil || m.Type != slow.MarkerInformation || m.RequesterPort != p.Number || m.RequesterSystem != w.ends[0].own {
		t.Errorf("the Marker is %+v, %v", m, err)
	}
	if !bytes.Equal(all[0].Data, slow.AppendMarker(nil, e.own, m)) {
		t.Errorf("the Marker has other octets that are not zero: %x", all[0].Data)
	}
	return all[0]
}

// untilMoved waits until the conversations of a stream that went through a port go
// through others.
func (w *wire) untilMoved(t *testing.T, from *cableEnd, flows int) {
	t.Helper()
	nettest.Eventually(t, settle, func() error {
		moved := w.movedFrom(from, flows)
		for c := range flows {
			if first, ok := moved[c]; ok && first.at.IsZero() {
				return fmt.Errorf("conversation %d has not moved", c)
			}
		}
		return nil
	})
}

// movedFrom gives for each conversation that a port had the first frame of it that
// came out elsewhere.
func (w *wire) movedFrom(from *cableEnd, flows int) map[int]wireNumbered {
	moved := map[int]wireNumbered{}
	for _, f := range w.arrived() {
		c := f.number % flows
		first, had := moved[c]
		switch {
		case f.end == from.number:
			moved[c] = wireNumbered{}
		case had && first.at.IsZero():
			moved[c] = f
		}
	}
	return moved
}

// heldUntil checks that the last frame through a port came before its Marker, and
// the first one of its conversations elsewhere after the answer, or after all the time
// in which there might have been one.
func (w *wire) heldUntil(t *testing.T, from *cableEnd, asked, answered time.Time, flows int) {
	t.Helper()
	through := from.marks(time.Time{})
	if last := through[len(through)-1].At; !last.Before(asked) {
		t.Errorf("the Marker is not behind the last frame, which came %v later", last.Sub(asked))
	}
	moved := w.movedFrom(from, flows)
	if len(moved) == 0 {
		t.Error("no conversation has moved")
	}
	for c, first := range moved {
		if first.at.Before(answered.Round(0)) && first.at.Before(asked.Add(mayKeep)) {
			t.Errorf("conversation %d went on %v after the Marker, and %v before its answer", c, first.at.Sub(asked), answered.Sub(first.at))
		}
	}
}
