package lacp

import (
	"encoding/binary"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// What the exhaustive check needs of a System: to write its state down and to make
// a System of it again, and to let a timer fire by its name rather than its time.
// Time stands still meanwhile: a timer runs, has expired or neither.

// Abstract is a System without time.
type Abstract struct {
	*System
	Churn bool // the churn machines run; they only watch the others
	Calm  bool // the times for giving up a partner or other ports are never over
}

// timeless forgets what counts time or events, but for what a machine looks at.
func (a Abstract) timeless() {
	for _, p := range a.ports {
		if !a.Churn {
			p.actorChurn, p.partnerChurn = churn{}, churn{}
		}
		p.window, p.notBefore = window{}, 0
		p.flaps.recent, p.flaps.total, p.flaps.back = 0, 0, 0
		p.muxSince, p.changes, p.sent = 0, 0, 0
		p.actorChurn.count, p.partnerChurn.count = 0, 0
	}
}

// Take gives an event, and what the System wants done then.
func (a Abstract) Take(e Event) Ready {
	a.Step(a.now, e)
	return a.take()
}

// take is Ready, but what it returns is good until the next event only.
func (a Abstract) take() Ready {
	a.timeless()
	r := a.out
	a.out = Ready{Send: r.Send[:0], Mux: r.Mux[:0], Transitions: r.Transitions[:0]}
	return r
}

// Current reports whether the receive machine of the port with an index is there.
func (a Abstract) Current(i int) bool { return a.ports[i].receive == current }

// Churns appends the states of the ports' churn machines: actor, partner.
func (a Abstract) Churns(states []string) []string {
	for _, p := range a.ports {
		states = append(states, p.actorChurn.state.String(), p.partnerChurn.state.String())
	}
	return states
}

// TimerNames names the timers of a port, in the order of port.timers.
var TimerNames = []string{
	"current_while", "fallback", "refusal", "hold", "wait_while", "twice wait_while", "grace", "periodic_timer",
	"actor_churn_timer", "partner_churn_timer",
}

// Like is another System with the same ports, for Unpack.
func (a Abstract) Like() Abstract {
	s := &System{now: a.now}
	for _, like := range a.ports {
		s.ports = append(s.ports, &port{
			sys: s, number: like.number, priority: like.priority, name: like.name, link: like.link, actor: like.actor,
		})
	}
	a.System = s
	return a
}

// Running appends the timers that could fire: the System's own is number 0, those of
// the first port follow, and so on.
func (a Abstract) Running(numbers []int) []int {
	if a.patience.running && !a.Calm {
		numbers = append(numbers, 0)
	}
	for i, p := range a.ports {
		for j, t := range p.timers() {
			late := t == &p.waitMost && (p.waitWhile.running || a.Calm) // wait_while is the shorter one
			if t.running && !late {
				numbers = append(numbers, 1+i*len(TimerNames)+j)
			}
		}
	}
	return numbers
}

// TimerName is the name of a timer's number.
func TimerName(number int) string {
	if number == 0 {
		return "patience"
	}
	return TimerNames[(number-1)%len(TimerNames)]
}

// Fire lets one timer fire.
func (a Abstract) Fire(number int) Ready {
	t := &a.patience
	if number > 0 {
		t = a.ports[(number-1)/len(TimerNames)].timers()[(number-1)%len(TimerNames)]
	}
	t.running, t.expired = false, true
	a.run()
	return a.take()
}

// Pack appends all of the state that the machines look at to b.
func (a Abstract) Pack(b []byte, systems []slow.System) []byte {
	active := byte(0xff)
	for i, g := range a.aggs {
		if g == a.active {
			active = byte(i)
		}
	}
	b = append(b, active, packTimer(&a.patience)|packBit(a.enough, 2)|packBit(a.left, 3)|byte(a.links)<<4, byte(len(a.aggs)))
	for _, g := range a.aggs {
		b = append(b, packSystem(g.partner.System, systems), packBit(g.individual, 7)|byte(len(g.ports)))
		b = binary.BigEndian.AppendUint16(b, g.partner.Key)
		b = binary.BigEndian.AppendUint16(b, g.actor.Key)
		for _, p := range g.ports {
			b = append(b, byte(p.number))
		}
	}
	for _, p := range a.ports {
		b = p.pack(b, systems)
	}
	return b
}

func packBit(on bool, n int) byte {
	if on {
		return 1 << n
	}
	return 0
}

func packTimer(t *timer) byte { return packBit(t.running, 0) | packBit(t.expired, 1) }

// packSystem is the number of one of the systems; others come behind them.
func packSystem(id slow.System, systems []slow.System) byte {
	for i, s := range systems {
		if s == id {
			return byte(i)
		}
	}
	if id.Addr.IsZero() && id.Priority == 0xffff {
		return 0xfe
	}
	return 0xff
}

func unpackSystem(n byte, systems []slow.System) slow.System {
	switch n {
	case 0xfe:
		return slow.System{Priority: 0xffff, Addr: ether.Addr{}}
	case 0xff:
		return slow.System{}
	default:
		return systems[n]
	}
}

// looksAt is what the machines look at of the partner's state. Of what is recorded
// that is neither Distributing nor Defaulted nor Expired.
func (p *port) looksAt() slow.State {
	if p.receive == defaulted || p.receive == lacpDisabled {
		return p.partner.State
	}
	return p.partner.State &^ (slow.Distributing | slow.Defaulted | slow.Expired)
}

func (p *port) pack(b []byte, systems []slow.System) []byte {
	b = append(b,
		byte(p.receive)|byte(p.mux)<<4,
		byte(p.selected)|byte(p.periodic)<<2|byte(p.actorChurn.state)<<4|byte(p.partnerChurn.state)<<6,
		byte(p.actor.State), byte(p.looksAt()), packSystem(p.partner.System, systems), byte(p.partner.Port),
		byte(p.partner.Key>>8), byte(p.partner.Key), byte(p.partner.Priority>>8), byte(p.partner.Priority),
		packBit(p.loopback, 0)|packBit(p.moved, 1)|packBit(p.passedOver, 2)|packBit(p.echoed, 3)|
			packBit(p.ntt, 4)|packBit(p.link.Up, 5)|packBit(p.link.HalfDuplex, 6))
	ts := p.timers()
	for i := 0; i < len(ts); i += 2 {
		b = append(b, packTimer(ts[i])|packTimer(ts[i+1])<<4)
	}
	return b
}

// Unpack gives the System, one that Like has made, a configuration and what Pack has
// written, and returns the rest.
func (a Abstract) Unpack(b []byte, systems []slow.System, cfg Config) []byte {
	s := a.System
	active, bits, aggs := b[0], b[1], int(b[2])
	*s = System{cfg: cfg, now: s.now, ports: s.ports, aggs: s.aggs[:0], out: s.out, lastID: aggs}
	for _, p := range s.ports {
		*p = port{sys: s, number: p.number, priority: p.priority, name: p.name, link: p.link, actor: p.actor}
	}
	s.patience = unpackTimer(bits, s.now)
	s.enough, s.left, s.links = bits&4 != 0, bits&8 != 0, int(bits>>4)
	b = b[3:]
	for i := range aggs {
		b = s.unpackAggregator(b, i, systems)
	}
	if active != 0xff {
		s.active = s.aggs[active]
		s.activeID = s.active.id
	}
	for _, p := range s.ports {
		b = p.unpack(b, systems)
	}
	return b
}

func (s *System) unpackAggregator(b []byte, i int, systems []slow.System) []byte {
	g := s.nextAggregator()
	*g = aggregator{id: i + 1, individual: b[1]&0x80 != 0, ports: g.ports[:0]}
	g.partner = LAGEnd{System: unpackSystem(b[0], systems), Key: binary.BigEndian.Uint16(b[2:])}
	g.actor = LAGEnd{System: s.cfg.System, Key: binary.BigEndian.Uint16(b[4:])}
	n := int(b[1] & 0x7f)
	for _, number := range b[6 : 6+n] {
		p := s.port(uint16(number))
		p.aggregator = g
		g.ports = append(g.ports, p)
	}
	return b[6+n:]
}

// nextAggregator adds one, which an earlier state may have had.
func (s *System) nextAggregator() *aggregator {
	n := len(s.aggs)
	if n < cap(s.aggs) && s.aggs[:n+1][n] != nil {
		s.aggs = s.aggs[:n+1]
	} else {
		s.aggs = append(s.aggs, &aggregator{})
	}
	return s.aggs[n]
}

func (p *port) unpack(b []byte, systems []slow.System) []byte {
	p.receive, p.mux = receiveState(b[0]&15), muxState(b[0]>>4)
	p.selected, p.periodic = selection(b[1]&3), periodicState(b[1]>>2&3)
	p.actorChurn.state, p.partnerChurn.state = churnState(b[1]>>4&3), churnState(b[1]>>6)
	p.actor.State, p.partner.State = slow.State(b[2]), slow.State(b[3])
	p.partner.System, p.partner.Port = unpackSystem(b[4], systems), uint16(b[5])
	p.partner.Key, p.partner.Priority = binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[8:])
	bit := func(n int) bool { return b[10]&(1<<n) != 0 }
	p.loopback, p.moved, p.passedOver, p.echoed = bit(0), bit(1), bit(2), bit(3)
	p.ntt, p.link.Up, p.link.HalfDuplex = bit(4), bit(5), bit(6)
	p.told = MuxChange{
		Port: p.number, Collecting: p.actor.State.Has(slow.Collecting), Distributing: p.actor.State.Has(slow.Distributing),
	}
	p.actor.Key = p.key()
	b = b[11:]
	for i, t := range p.timers() {
		*t = unpackTimer(b[i/2]>>(4*(i%2)), p.sys.now)
	}
	return b[len(p.timers())/2:]
}

func unpackTimer(b byte, now Instant) timer {
	t := timer{running: b&1 != 0, expired: b&2 != 0}
	if t.running {
		t.at = now + 1
	}
	return t
}
