package sim

import (
	"fmt"
	"slices"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/marker"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// node is a System that lives: its protocol, and what a driver makes of it. While
// it is paused its frames go on to move, as in a kernel.
type node struct {
	w     *world
	index int
	name  string
	spec  *System

	cfg    lacp.Config
	system *lacp.System // nil while it is dead
	status lacp.Status  // after the last step
	ports  []*port
	watch  lacptest.Watch
	dist   distribution
	seen   []memory // what has come from each system

	waiting  bool // for the deadline, which is one of the world's clock
	deadline lacp.Instant
	skew     time.Duration // the node's clock is ahead by
	pauses   int           // that are not over
	backlog  []func()      // what has happened meanwhile

	succession *succession // its daemon is dead, and will have a successor

	misled      bool // about how long a far end keeps frames
	lateMarkers time.Duration
	noMarkers   bool
	bursting    bool
}

// port is a port of a node, attached or not, and the end of a segment that is
// plugged into it.
type port struct {
	number, priority uint16
	name             string
	seg              *segment
	end              int
	attached         bool

	collecting, distributing bool // as the driver was told
	departure                *departure
	flush                    *marker.Flush
	flushed                  bool // nothing is on its way
	unanswered               int
	markers                  marker.Limiter
	maxDelay                 time.Duration // of the partner's Collector
	heard                    slow.LACPDU   // the last one
	kept                     lacp.Instant  // until then the own Collector keeps frames
}

// departure is a port's way out in order.
type departure struct {
	said bool // the farewell
	end  lacp.Instant
}

func newNode(w *world, index int, spec *System) *node {
	return &node{
		w: w, index: index, name: systemName(index), spec: spec, cfg: spec.Config,
		seen: make([]memory, len(w.sc.Systems)),
	}
}

// plug gives the node a port, before it starts.
func (d *node) plug(number, priority uint16, s *segment, end int) {
	d.ports = append(d.ports, &port{
		number: number, priority: priority, name: fmt.Sprintf("%s/%d", d.name, number),
		seg: s, end: end, attached: true,
	})
}

func (d *node) port(number uint16) *port {
	for _, p := range d.ports {
		if p.number == number {
			return p
		}
	}
	return nil
}

// mac is the address of a port.
func (d *node) mac(number uint16) ether.Addr {
	a := address(d.index)
	a[3], a[4] = byte(number>>8), byte(number)
	return a
}

// now is the time by the node's clock.
func (d *node) now() lacp.Instant { return d.w.now.Add(d.skew) }

// start starts a system that has forgotten everything.
func (d *node) start() {
	d.stop()
	d.system = lacp.New(d.cfg)
	d.watch = lacptest.Watch{}
	for _, p := range d.ports {
		if p.attached {
			d.addPort(p)
		}
	}
}

// stop ends the system without a word; with it goes what moves frames.
func (d *node) stop() {
	d.system, d.backlog, d.waiting, d.succession = nil, nil, false, nil
	d.status = lacp.Status{}
	d.dist = distribution{}
	for _, p := range d.ports {
		p.forget()
	}
}

// forget makes the port a new one.
func (p *port) forget() {
	*p = port{
		number: p.number, priority: p.priority, name: p.name, seg: p.seg, end: p.end, attached: p.attached,
		kept: p.kept,
	}
}

func (d *node) addPort(p *port) {
	p.forget()
	p.attached = true
	d.step(lacp.AddPort{Number: p.number, Priority: p.priority, Name: p.name, Link: p.seg.state(p.end)})
}

// soon does something now, or when the pause is over.
func (d *node) soon(f func()) {
	if d.pauses > 0 {
		d.backlog = append(d.backlog, f)
		return
	}
	f()
}

// step gives the node's system an event.
func (d *node) step(e lacp.Event) {
	if d.pauses > 0 {
		d.backlog = append(d.backlog, func() { d.step(e) })
		return
	}
	if d.system == nil {
		return
	}
	d.system.Step(d.now(), e)
	d.collect()
}

// advance does what is due.
func (d *node) advance() {
	if at, ok := d.system.Deadline(); ok && at <= d.now() {
		d.system.Advance(d.now())
		d.collect()
	}
	d.flushes()
	d.departures()
	d.plan()
}

// resume ends a pause: what has happened meanwhile is learned first, in order.
func (d *node) resume() {
	if d.pauses--; d.pauses > 0 {
		return
	}
	late := d.backlog
	d.backlog = nil
	if d.succession != nil {
		d.succeed()
	}
	for _, f := range late {
		f()
	}
	d.plan()
}

// plan finds out when the node has something to do next.
func (d *node) plan() {
	d.waiting = false
	if d.system == nil || d.pauses > 0 {
		return
	}
	sooner := func(at lacp.Instant) {
		if !d.waiting || at < d.deadline {
			d.waiting, d.deadline = true, at
		}
	}
	if at, ok := d.system.Deadline(); ok {
		sooner(at.Add(-d.skew))
	}
	for _, p := range d.ports {
		if p.flush != nil {
			if at, ok := p.flush.Deadline(); ok {
				sooner(lacp.Instant(at))
			}
		}
		if p.departure != nil && p.flush == nil {
			sooner(p.departure.end)
		}
	}
}

// collect takes what the system wants done, does it, and checks what must hold. A
// driver carries out what ports may do before it sends.
func (d *node) collect() {
	for d.system != nil {
		r := d.system.Ready()
		d.notes(&r)
		d.status = d.system.Status()
		d.take(r.Mux)
		if err := d.watch.Observe(d.now(), r, d.status); err != nil {
			d.w.fail("state", "%s: %v", d.name, err)
		}
		d.checkHeard()
		failed := false
		for i := range r.Send {
			failed = !d.send(&r.Send[i]) || failed
		}
		if !failed {
			break
		}
	}
	d.plan()
}

// notes keeps what has changed.
func (d *node) notes(r *lacp.Ready) {
	for i := range r.Transitions {
		t := &r.Transitions[i]
		if t.Machine == "actor churn" || t.Machine == "partner churn" {
			continue
		}
		d.w.stats.Transitions++
		d.w.note("%s %s %s: %s -> %s (%s)", d.name, t.Name, t.Machine, t.From, t.To, t.Reason)
		d.w.moves(d, t)
	}
}

// send sends a LACPDU, and reports whether that worked. When it did not the system
// is told.
func (d *node) send(t *lacp.Transmit) bool {
	p := d.port(t.Port)
	if p == nil {
		d.w.fail("state", "%s: LACPDU on port %d, which is not there", d.name, t.Port)
		return true
	}
	d.w.stats.LACPDUs++
	if d.w.trace != nil {
		d.w.note("%s sends %s | %s%s", p.name, endText(t.PDU.Actor), endText(t.PDU.Partner), map[bool]string{true: " farewell"}[t.Farewell])
	}
	if y := &p.seg.ends[p.end].way; y.sendFails > 0 && d.w.chance(y.sendFails) {
		d.w.note("%s: not sent", p.name)
		d.system.Step(d.now(), lacp.NotSent{Number: t.Port})
		return false
	}
	p.seg.sendLACPDU(p.end, t.PDU)
	return true
}

// linkChanged is what a port sees of its segment.
func (d *node) linkChanged(number uint16, l lacp.Link) {
	d.w.note("%s/%d link is %+v", d.name, number, l)
	if p := d.port(number); p != nil && !l.Up {
		p.unanswered = 0 // another switch may be at its end when it comes back
	}
	if d.succession != nil {
		return // the successor looks itself
	}
	d.step(lacp.LinkChange{Number: number, Link: l})
	d.soon(d.program)
}

// receiveLACPDU is what a port does with a LACPDU.
func (d *node) receiveLACPDU(p *port, pdu slow.LACPDU) {
	if d.system == nil || !p.attached {
		return
	}
	if d.succession != nil {
		d.overhear(p, pdu)
		return
	}
	if d.pauses > 0 {
		d.backlog = append(d.backlog, func() { d.receiveLACPDU(p, pdu) })
		return
	}
	p.maxDelay = time.Duration(pdu.CollectorMaxDelay) * 10 * time.Microsecond
	for _, e := range p.seg.ends {
		d.misled = d.misled || e.node != d && p.maxDelay < e.node.spec.CollectorDelay.Truncate(10*time.Microsecond)
	}
	if !d.cfg.Static {
		p.heard = pdu
	}
	d.step(lacp.Received{Number: p.number, PDU: pdu})
	if e := p.departure; e != nil && e.said && !pdu.Actor.State.Has(slow.Distributing) {
		e.end = min(e.end, d.w.now.Add(lastWait))
		d.plan()
	}
}

// receiveOctets is what a port does with a frame of a slow protocol. Only a damaged
// one may be something else.
func (d *node) receiveOctets(p *port, frame []byte, damaged bool) {
	if d.system == nil || !p.attached {
		return
	}
	if !damaged && !ether.StaysOnPort(frame) {
		d.w.fail("slow protocol on agr0", "%s: %x", p.name, frame)
	}
	subtype, ok := slow.Subtype(frame)
	switch {
	case !ok:
	case subtype == slow.SubtypeLACP:
		pdu, err := slow.ParseLACPDU(frame)
		if err == nil {
			d.receiveLACPDU(p, pdu)
		} else if !damaged {
			d.w.fail("codec", "%s: %v", p.name, err)
		}
	case subtype == slow.SubtypeMarker && d.succession == nil:
		d.soon(func() { d.receiveMarker(p, slices.Clone(frame)) })
	}
}

// endText is an end's system, key, port and state.
func endText(i slow.PortInfo) string {
	const letters = "ATGSCDFE"
	b := []byte("........")
	for n := range b {
		if i.State&(1<<n) != 0 {
			b[n] = letters[n]
		}
	}
	return fmt.Sprintf("%04x,%s key %d port %d %s", i.System.Priority, i.System.Addr, i.Key, i.Port, b)
}
