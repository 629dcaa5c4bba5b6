package ifagr_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// formatCases are those of what is sent, and when.
func formatCases() []wireCase {
	return []wireCase{
		{id: "F1", cables: 2, run: wireAddresses},
		{id: "F2", cables: 1, run: wireForm},
		{id: "F3", cables: 2, words: []string{"lacpsyspri 4660 lacpkey 291"}, run: wireActor},
		{id: "F4", cables: 1, run: wirePartner},
		{id: "F5", cables: 3, run: wireNumbers},
		{id: "F6", cables: 1, run: wireTimeoutBit},
		{id: "F7", cables: 1, run: wireLimit},
		{id: "F8", cables: 2, words: []string{"lacptimeout slow", "lacptimeout fast"}, long: true, run: wirePeriods},
		{id: "F9", cables: 1, run: wireHurry},
		{id: "F10", cables: 1, words: []string{"lacpmode passive"}, run: wireBothPassive},
		{id: "F11", cables: 1, words: []string{"lacpmode passive"}, run: wirePassiveAnswers},
		{id: "F12", cables: 1, words: []string{"lacpmode passive"}, run: wireTurnsPassive},
	}
}

// Offsets in the frame of a LACPDU (IEEE 802.1AX-2014 6.4.2.3).
const (
	subtypeOff   = 14
	versionOff   = 15
	actorOff     = 16
	partnerOff   = 36
	collectorOff = 56
	endOff       = 72
	lacpduLen    = 124
)

// info makes the 15 octets of a TLV that describe an end.
func info(sysprio uint16, sys ether.Addr, key, prio, port uint16, state byte) []byte {
	b := append(binary.BigEndian.AppendUint16(nil, sysprio), sys[:]...)
	for _, v := range []uint16{key, prio, port} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(b, state)
}

// wireSays compares the octets of a frame from an offset on.
func wireSays(t *testing.T, what string, frame []byte, off int, want []byte) {
	t.Helper()
	if len(frame) < off+len(want) || !bytes.Equal(frame[off:off+len(want)], want) {
		t.Errorf("%s:\ngot  %x\nwant %x from octet %d on", what, frame, want, off)
	}
}

// first waits for the first LACPDU of a port.
func (e *cableEnd) first(t *testing.T) pdu {
	t.Helper()
	return e.await(t, "the first", time.Now().Add(-time.Hour), time.Hour+settle, anyPDU)
}

// F1: the second port has agr0's address, which is the first one's, and speaks from
// its own.
func wireAddresses(t *testing.T, w *wire) {
	for _, e := range w.ends {
		p := e.first(t)
		header := append(append([]byte{0x01, 0x80, 0xc2, 0, 0, 2}, e.own[:]...), 0x88, 0x09, 1)
		wireSays(t, e.port, p.frame, 0, header)
		if len(p.frame) != lacpduLen {
			t.Errorf("%s: %d octets", e.port, len(p.frame))
		}
	}
	if got := w.link("re1").Addr; got != w.ends[0].own {
		t.Errorf("as a port re1 has %s, want that of re0, %s", got, w.ends[0].own)
	}
}

// F2: every octet that has no meaning of its own, without a partner and with one.
func wireForm(t *testing.T, w *wire) {
	e := w.ends[0]
	e.first(t)
	w.partner(t, 0)
	w.distribute(t, 0)
	for _, p := range e.heard() {
		f := bytes.Clone(p.frame)
		for _, off := range []int{actorOff + 2, partnerOff + 2} {
			clear(f[off : off+15])
		}
		clear(f[collectorOff+2 : collectorOff+4])
		want := make([]byte, lacpduLen-subtypeOff)
		copy(want, []byte{1, 1})
		copy(want[actorOff-subtypeOff:], []byte{1, 20})
		copy(want[partnerOff-subtypeOff:], []byte{2, 20})
		copy(want[collectorOff-subtypeOff:], []byte{3, 16})
		wireSays(t, "without what describes the ends", f, subtypeOff, want)
	}
}

// F3: what was configured is what is said.
func wireActor(t *testing.T, w *wire) {
	w.ifconfig("agr0", "lacpportpri", "re0", "85", "lacpportpri", "re1", "86")
	const setting = byte(slow.Activity | slow.Aggregation | slow.Expired | slow.Defaulted)
	for i, e := range w.ends {
		want := info(4660, w.ends[0].own, 291, 85+uint16(i), w.shows(i).Number, setting)
		p := e.await(t, "of the new priority", time.Now().Add(-time.Hour), time.Hour+settle, func(p pdu) bool {
			return p.Actor.Priority == 85+uint16(i) && p.Actor.State.Has(slow.Expired)
		})
		wireSays(t, e.port, p.frame, actorOff+2, want)
	}
}

// F4: what the partner wireSays of itself comes back as it was, with the bits of its
// state that mean nothing to us; only Synchronization is what was made of it.
func wirePartner(t *testing.T, w *wire) {
	e := w.ends[0]
	e.first(t)
	sys := ether.Addr{0x02, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	for _, state := range []slow.State{0x00, 0x05, 0xc5, 0xff &^ slow.Synchronization, 0xff} {
		stranger := slow.LACPDU{Actor: slow.PortInfo{
			System: slow.System{Priority: 0xfedc, Addr: sys}, Key: 0xba98, Priority: 0x7654, Port: 0x3210, State: state,
		}}
		begin := time.Now()
		e.send(slow.AppendLACPDU(nil, e.addr, stranger)) // it knows nothing of us
		recorded := byte(state)
		if state.Has(slow.Aggregation) { // an individual partner need not know us
			recorded &^= byte(slow.Synchronization)
		}
		got := e.await(t, "an answer", begin, atOnce+fast, func(p pdu) bool { return p.Partner.System.Priority == 0xfedc && byte(p.Partner.State) == recorded })
		wireSays(t, "partner", got.frame, partnerOff+2, info(0xfedc, sys, 0xba98, 0x7654, 0x3210, recorded))
	}
	w.partner(t, 0)
	e.await(t, "of a partner in sync", time.Now(), 2*settle, func(p pdu) bool {
		return p.Partner.State == slow.Activity|slow.Aggregation|forwarding
	})
}

// F5: the ports of a system have different numbers, none of which is 0.
func wireNumbers(t *testing.T, w *wire) {
	seen := map[uint16]string{0: "nobody"}
	for _, e := range w.ends {
		n := e.first(t).Actor.Port
		if other, ok := seen[n]; ok {
			t.Errorf("%s has the number %d of %s", e.port, n, other)
		}
		seen[n] = e.port
	}
}

// F6: the timeout that we ask for is what was configured, and changes at once.
func wireTimeoutBit(t *testing.T, w *wire) {
	e := w.ends[0]
	if e.first(t).Actor.State.Has(slow.Timeout) {
		t.Error("the short timeout without being asked for")
	}
	w.partner(t, 0)
	w.distribute(t, 0)
	for _, step := range []struct {
		word string
		bit  slow.State
	}{{"fast", slow.Timeout}, {"slow", 0}} {
		begin := time.Now()
		w.ifconfig("agr0", "lacptimeout", step.word)
		p := e.await(t, "changed", begin, atOnce+fast, anyPDU)
		if p.Actor.State&slow.Timeout != step.bit || !p.Actor.State.Has(forwarding) {
			t.Errorf("lacptimeout %s: %v", step.word, p)
		}
	}
}

// F7: a partner that changes 20 times in a second. No second has more than three
// LACPDUs, which is exact, and what waited is not what was meant when it had to
// begin to wait.
func wireLimit(t *testing.T, w *wire) {
	e := w.ends[0]
	p := w.partner(t, 0)
	const changes, every = 80, time.Second / 20
	next := time.Now()
	for i := range uint16(changes) {
		passes(t, time.Until(next))
		p.change(func(p *partner) { p.says.Actor.Key = 1000 + i; p.says.Partner = slow.PortInfo{} })
		next = next.Add(every)
	}
	last := e.await(t, "of the last change", e.lastSaid(t).Add(-time.Millisecond), fast+late, func(p pdu) bool { return p.Partner.Key == 1000+changes-1 })
	all := e.heard()
	e.limited(t)
	said := e.lacpdus(true)
	for _, p := range all {
		for _, s := range said { // stale: an older key than what was said long before
			if d := p.at.Sub(s.at); d > early && p.Partner.Key >= 1000 && s.Actor.Key >= 1000 && p.Partner.Key < s.Actor.Key {
				t.Errorf("%v wireSays key %d, but %d was said %v before", p, p.Partner.Key, s.Actor.Key, d)
			}
		}
	}
	if n := len(all); n < 3*int(last.at.Sub(all[0].at)/time.Second)-3 {
		t.Errorf("only %d LACPDUs in %v", n, last.at.Sub(all[0].at))
	}
}

// limited checks that no second has more than three LACPDUs (6.4.16).
func (e *cableEnd) limited(t *testing.T) {
	t.Helper()
	all := e.heard()
	for i := 3; i < len(all); i++ {
		if d := all[i].at.Sub(all[i-3].at); d < time.Second {
			t.Errorf("%s: four LACPDUs within %v: %v", e.port, d, all[i-3:i+1])
		}
	}
}

// F8: the partner's timeout decides how often it hears from us, and our own does
// not. Both are asked of a host with the long timeout, and of one with the short.
func wirePeriods(t *testing.T, w *wire) {
	short := w.partner(t, 0, starts(slow.Activity|slow.Timeout|slow.Aggregation|forwarding))
	w.partner(t, 1)
	w.distribute(t, 0, 1)
	settled := time.Now()
	passes(t, 6*fast)
	fasts := short.end.since(settled)
	for i := 1; i < len(fasts); i++ {
		took(t, "a period of the partner with the short timeout", fasts[i-1].at, fasts[i].at, fast)
	}
	if len(fasts) < 4 {
		t.Errorf("%d LACPDUs in 6 s to the partner with the short timeout", len(fasts))
	}
	// The time begins when the partner wireSays that its timeout is long.
	long := w.ends[1]
	began := long.lacpdus(true)[0].at
	next := long.await(t, "periodic", settled.Add(early), slowly+late, anyPDU)
	took(t, "a period of the partner with the long timeout", began, next.at, slowly)
}

// F9: a partner that asks to hear from us each second hears from us now.
func wireHurry(t *testing.T, w *wire) {
	p := w.partner(t, 0)
	w.distribute(t, 0)
	passes(t, 2*fast) // the limit has room again
	begin := time.Now()
	p.state(slow.Timeout, 0)
	last := p.end.await(t, "at once", begin, atOnce, anyPDU)
	for range 3 {
		next := p.end.await(t, "periodic", last.at, fast+late, anyPDU)
		took(t, "a period", last.at, next.at, fast)
		last = next
	}
}

// F10: two passive ends say nothing, whatever else the partner wireSays.
func wireBothPassive(t *testing.T, w *wire) {
	passive := func(p *partner) {
		p.says.Actor.State = slow.Timeout | slow.Aggregation | forwarding
		p.says.Partner.State = slow.Aggregation
	}
	p := w.partner(t, 0, passive)
	w.untilShown(t, 0, settle, "current", func(p ctl.PortStatus) bool { return p.Receive == "CURRENT" && p.Periodic == "NO_PERIODIC" })
	passes(t, 5*fast)
	if all := p.end.heard(); len(all) > 0 {
		t.Errorf("two passive ends, and we said %v", all)
	}
}

// F11: a passive end answers an active one, and carries frames with it.
func wirePassiveAnswers(t *testing.T, w *wire) {
	passes(t, 2*fast)
	if all := w.ends[0].heard(); len(all) > 0 {
		t.Errorf("passive, and speaks first: %v", all)
	}
	begin := time.Now()
	p := w.partner(t, 0)
	if got := p.end.await(t, "an answer", begin, atOnce, anyPDU); got.Actor.State.Has(slow.Activity) {
		t.Errorf("not passive: %v", got)
	}
	w.distribute(t, 0)
}

// F12: it falls silent when the other one turns passive.
func wireTurnsPassive(t *testing.T, w *wire) {
	p := w.partner(t, 0, starts(slow.Activity|slow.Timeout|slow.Aggregation|forwarding))
	w.distribute(t, 0)
	p.end.await(t, "periodic", time.Now(), fast+late, anyPDU)
	p.state(0, slow.Activity)
	w.untilShown(t, 0, settle, "silent", func(p ctl.PortStatus) bool { return p.Periodic == "NO_PERIODIC" })
	quiet := time.Now()
	passes(t, 4*fast)
	if all := p.end.since(quiet); len(all) > 0 {
		t.Errorf("the partner is passive, and we said %v", all)
	}
}
