package lacp_test

import (
	"fmt"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

var (
	ownSystem   = slow.System{Priority: 0x8000, Addr: ether.Addr{0x02, 0xaa, 0, 0, 0, 1}}
	farSystem   = slow.System{Priority: 0x8000, Addr: ether.Addr{0x02, 0xbb, 0, 0, 0, 1}}
	otherSystem = slow.System{Priority: 0x8000, Addr: ether.Addr{0x02, 0xcc, 0, 0, 0, 1}}
)

// State octets.
const (
	inSync   = slow.Activity | slow.Aggregation | slow.Synchronization
	willing  = inSync | slow.Collecting | slow.Distributing // a partner that wants all
	defaults = slow.Aggregation | slow.Synchronization | slow.Collecting | slow.Distributing
)

// gigabit is the link of most ports in the tests.
var gigabit = lacp.Link{Up: true, Speed: 1000}

// bench is one System on a virtual clock, with a partner that says what the test
// wants.
type bench struct {
	t    *testing.T
	sys  *lacp.System
	now  lacp.Instant
	sent []sent
	mux  []lacp.MuxChange
	log  []string // "port machine FROM>TO"

	watch lacptest.Watch
	err   error // the first that the watch has found
}

// sent is a LACPDU and when it was sent.
type sent struct {
	at time.Duration
	lacp.Transmit
}

// newBench returns a System with as many ports as there are links.
func newBench(t *testing.T, cfg lacp.Config, links ...lacp.Link) *bench {
	t.Helper()
	if cfg.System == (slow.System{}) {
		cfg.System = ownSystem
	}
	b := &bench{t: t, sys: lacp.New(cfg)}
	t.Cleanup(func() {
		if b.err != nil {
			t.Error(b.err)
		}
	})
	for i, l := range links {
		b.step(lacp.AddPort{Number: uint16(i + 1), Priority: 0x80, Name: fmt.Sprint("p", i+1), Link: l})
	}
	return b
}

// step gives the System an event.
func (b *bench) step(e lacp.Event) {
	b.sys.Step(b.now, e)
	b.collect()
}

func (b *bench) collect() {
	r := b.sys.Ready()
	if b.err == nil {
		b.err = b.watch.Observe(b.now, r, b.sys.Status())
	}
	for _, s := range r.Send {
		b.sent = append(b.sent, sent{time.Duration(b.now), s})
	}
	b.mux = append(b.mux, r.Mux...)
	for _, t := range r.Transitions {
		b.log = append(b.log, fmt.Sprintf("%d %s %s>%s", t.Port, t.Machine, t.From, t.To))
	}
}

// wait lets time pass; every timer fires when it is due.
func (b *bench) wait(d time.Duration) {
	b.t.Helper()
	end := b.now.Add(d)
	for range 100_000 {
		at, ok := b.sys.Deadline()
		if !ok || at > end {
			b.now = end
			return
		}
		b.now = max(b.now, at)
		b.sys.Advance(b.now)
		b.collect()
	}
	b.t.Fatalf("at %v the deadlines do not end", b.now)
}

// forget drops what was recorded so far.
func (b *bench) forget() { b.sent, b.mux, b.log = nil, nil, nil }

// port is a port's status.
func (b *bench) port(number uint16) lacp.PortStatus {
	b.t.Helper()
	for _, p := range b.sys.Status().Ports {
		if p.Number == number {
			return p
		}
	}
	b.t.Fatalf("no port %d", number)
	return lacp.PortStatus{}
}

// pdu is what a willing partner that knows the port as it is sends to it.
func (b *bench) pdu(number uint16) slow.LACPDU {
	b.t.Helper()
	return slow.LACPDU{
		Version: 1,
		Actor:   slow.PortInfo{System: farSystem, Key: 7, Priority: 0x90, Port: 100 + number, State: willing},
		Partner: b.port(number).Actor,
	}
}

// hear gives a port the partner's LACPDU, with changes.
func (b *bench) hear(number uint16, edits ...func(*slow.LACPDU)) {
	b.t.Helper()
	p := b.pdu(number)
	for _, edit := range edits {
		edit(&p)
	}
	b.step(lacp.Received{Number: number, PDU: p})
}

// up brings ports into DISTRIBUTING with a willing partner.
func (b *bench) up(numbers ...uint16) {
	b.t.Helper()
	for _, n := range numbers {
		b.hear(n)
	}
	b.wait(lacp.AggregateWaitTime)
	for _, n := range numbers {
		b.hear(n) // meant for the key and state that the port has now
		b.wants(n, "DISTRIBUTING")
	}
}

// wants fails unless the mux of a port is in a state.
func (b *bench) wants(number uint16, mux string) {
	b.t.Helper()
	if p := b.port(number); p.Mux != mux {
		b.t.Errorf("at %v: port %d is %s (%s), want %s", b.now, number, p.Mux, p.Reason, mux)
	}
}

// last is the LACPDU sent last on a port.
func (b *bench) last(number uint16) slow.LACPDU {
	b.t.Helper()
	for i := len(b.sent) - 1; i >= 0; i-- {
		if b.sent[i].Port == number {
			return b.sent[i].PDU
		}
	}
	b.t.Fatalf("nothing sent on port %d", number)
	return slow.LACPDU{}
}

// times is when LACPDUs were sent on a port.
func (b *bench) times(number uint16) []time.Duration {
	var at []time.Duration
	for _, s := range b.sent {
		if s.Port == number {
			at = append(at, s.at)
		}
	}
	return at
}

// machine is the recorded transitions of one machine of one port.
func (b *bench) machine(number uint16, machine string) []string {
	prefix := fmt.Sprintf("%d %s ", number, machine)
	var got []string
	for _, line := range b.log {
		if len(line) > len(prefix) && line[:len(prefix)] == prefix {
			got = append(got, line[len(prefix):])
		}
	}
	return got
}

// Edits of a partner's LACPDU.

func partnerState(s slow.State) func(*slow.LACPDU) {
	return func(p *slow.LACPDU) { p.Actor.State = s }
}

func partnerKey(key uint16) func(*slow.LACPDU) {
	return func(p *slow.LACPDU) { p.Actor.Key = key }
}

func partnerSystem(id slow.System) func(*slow.LACPDU) {
	return func(p *slow.LACPDU) { p.Actor.System = id }
}

// echoes makes the partner see that state of ours.
func echoes(s slow.State) func(*slow.LACPDU) {
	return func(p *slow.LACPDU) { p.Partner.State = s | slow.Aggregation }
}

func strangers(p *slow.LACPDU) { p.Partner = slow.PortInfo{} }
