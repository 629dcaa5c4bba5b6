package sim

import (
	"time"

	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/marker"
	"ifagr/agr/slow"
)

// What a driver makes of the protocol (design D7): which port a conversation is
// sent through, which conversations are held until a Marker is answered, and how a
// port leaves in order. It is the drivers' logic without their sockets.

const (
	minIdle      = time.Millisecond // a pause after which a conversation may move
	silentAfter  = 2                // unanswered flushes, then no Marker is sent any more
	farewellWait = 250 * time.Millisecond
	lastWait     = 50 * time.Millisecond
	mostHeld     = 1024
)

// data is a data frame.
type data struct {
	from         int // the system
	conversation uint8
	serial       uint32 // in its conversation
	loose        bool   // a segment may have disturbed its order
}

// distribution is what a node does with the frames of its host.
type distribution struct {
	table        dist.Table
	hold         dist.Set
	idle         time.Duration
	conversation [dist.Conversations]conversation
	held         []data
}

// conversation is where frames of one were sent, and when the last one.
type conversation struct {
	port *port
	last lacp.Instant
}

// take carries out what ports may do.
func (d *node) take(changes []lacp.MuxChange) {
	for _, m := range changes {
		if p := d.port(m.Port); p != nil {
			p.collecting, p.distributing = m.Collecting, m.Distributing
		}
	}
	if len(changes) > 0 {
		d.program()
		d.rush()
	}
}

// sends reports whether the port takes new frames.
func (p *port) sends() bool { return p.attached && p.distributing && p.departure == nil }

// dead reports whether what is sent through the port is lost.
func (p *port) dead() bool { return !p.attached || !p.seg.up }

// program is what the driver does when anything has changed.
func (d *node) program() {
	if d.system == nil {
		return
	}
	x := &d.dist
	x.idle = minIdle
	var shares []dist.Share
	for _, p := range d.ports {
		if p.sends() {
			shares = append(shares, dist.Share{Port: p.number, Weight: p.seg.ends[p.end].speed})
			x.idle = max(x.idle, minIdle+p.maxDelay)
		}
	}
	x.table = dist.Rebalance(x.table, shares)
	d.adopt(d.holds())
	d.plan()
}

// holds is which conversations wait, and begins the flushes that they wait for. They
// wait as well while there is no port that they could go on through: there may soon
// be one. Those that were on their way to another port go on waiting when their own
// sends again, unless they stay on it.
func (d *node) holds() (hold dist.Set) {
	for _, p := range d.ports {
		switch {
		case p.dead():
			p.flush, p.flushed = nil, !p.sends()
		case p.sends() && p.flush == nil:
			p.flushed = false
		case p.flushed:
		default:
			d.holdPort(p, &hold)
		}
	}
	return hold
}

// holdPort holds the conversations of a port that are to leave it, if there are any.
// One that was not held while the port has sent is not: it leaves after a pause. What
// was sent behind the Marker needs another one.
func (d *node) holdPort(p *port, hold *dist.Set) {
	x := &d.dist
	found, late := false, false
	for c := range x.conversation {
		waits := x.hold.Has(uint8(c))
		if x.conversation[c].port != p || x.table[c] == p.number || p.sends() && !waits {
			continue
		}
		hold.Add(uint8(c))
		found, late = true, late || !waits
	}
	switch {
	case !found:
		p.flush, p.flushed = nil, !p.sends()
	case p.flush == nil || late:
		p.flush = d.newFlush(p)
		d.w.note("%s is flushed", p.name)
	}
}

func (d *node) newFlush(p *port) *marker.Flush {
	return marker.BeginFlush(marker.FlushConfig{
		Source: d.mac(p.number), System: d.cfg.System.Addr, Port: p.number,
		TransactionID: d.w.random.Uint32(), MaxDelay: p.maxDelay,
		Silent: d.cfg.Static || !d.hasPartner(p) || p.unanswered >= silentAfter,
	}, time.Duration(d.w.now))
}

// hasPartner reports whether there is a LACP partner at the far end of a port.
func (d *node) hasPartner(p *port) bool {
	for i := range d.status.Ports {
		if d.status.Ports[i].Number == p.number {
			return d.status.Ports[i].Receive == "CURRENT"
		}
	}
	return false
}

// adopt lets conversations go on that are not held any more, held frames first.
func (d *node) adopt(hold dist.Set) {
	x := &d.dist
	for c := range x.conversation {
		at := &x.conversation[c]
		if at.port != nil && !at.port.attached {
			at.port = nil
		}
		if to := d.port(x.table[c]); x.hold.Has(uint8(c)) && !hold.Has(uint8(c)) && to != nil {
			at.port = to
		}
	}
	x.hold = hold
	late := x.held
	x.held = nil
	for _, f := range late {
		if hold.Has(f.conversation) {
			x.held = append(x.held, f)
			continue
		}
		d.sendData(f)
	}
}

// sendData holds a frame, sends it through the port of its conversation, or drops it.
func (d *node) sendData(f data) {
	x := &d.dist
	switch to := d.route(f.conversation); {
	case x.hold.Has(f.conversation):
		if len(x.held) < mostHeld {
			x.held = append(x.held, f)
			d.w.stats.FramesHeld++
		}
	case to != nil:
		x.conversation[f.conversation].last = d.w.now
		d.w.note("%s sends frame %d of %d", to.name, f.serial, f.conversation)
		d.w.stats.FramesSent++
		to.seg.sendData(to.end, f)
	}
}

// route is the port of a conversation's next frame. It moves away from a port that
// goes on after a pause only.
func (d *node) route(c uint8) *port {
	x := &d.dist
	at, want := &x.conversation[c], d.port(x.table[c])
	if want == nil || x.hold.Has(c) {
		return nil
	}
	if at.port != want && (at.port == nil || !at.port.sends() || d.w.now-at.last >= lacp.Instant(x.idle)) {
		at.port = want
	}
	return at.port
}

// flushes does what is due for the ports' flushes.
func (d *node) flushes() {
	now, released := time.Duration(d.w.now), false
	for _, p := range d.ports {
		if p.flush == nil {
			continue
		}
		if frame := p.flush.Advance(nil, now); frame != nil && p.markers.Allow(now) {
			d.w.stats.Markers++
			d.w.note("%s asks by a Marker", p.name)
			p.seg.sendOctets(p.end, frame)
		}
		released = d.flushOver(p) || released
	}
	if released {
		d.program()
	}
}

// flushOver ends a port's flush when it is over, and reports whether it is.
func (d *node) flushOver(p *port) bool {
	if !p.flush.Over() {
		return false
	}
	switch {
	case p.flush.Answered():
		p.unanswered = 0
	case p.flush.Asked():
		p.unanswered++
	}
	d.w.note("%s is flushed, answered: %v", p.name, p.flush.Answered())
	p.flush, p.flushed = nil, true
	return true
}

// receiveMarker answers a Marker when all frames before it have been handed over,
// or takes the answer to one of ours.
func (d *node) receiveMarker(p *port, frame []byte) {
	if d.system == nil || !p.attached || d.cfg.Static {
		return
	}
	m, err := slow.ParseMarker(frame)
	if err != nil {
		return
	}
	if m.Type == slow.MarkerResponse {
		if p.flush != nil && p.flush.Received(m) && d.flushOver(p) {
			d.program()
		}
		return
	}
	if d.noMarkers || d.spec.Character == Silent || !p.markers.Allow(time.Duration(d.w.now)) {
		return
	}
	reply, ok := marker.Respond(nil, frame, d.mac(p.number), d.cfg.System.Addr)
	if !ok {
		return
	}
	at := max(d.w.now, p.kept).Add(d.lateMarkers)
	d.w.at(at, func() {
		if p.attached && d.system != nil {
			d.w.note("%s answers a Marker", p.name)
			p.seg.sendOctets(p.end, reply)
		}
	})
}

// leave begins a port's way out in order: its conversations are flushed and move,
// the far end is told and stops, the port is taken out. One that carries nothing goes
// at once.
func (d *node) leave(p *port) {
	if d.system == nil || !p.attached || p.departure != nil {
		return
	}
	d.w.note("%s leaves in order", p.name)
	if !p.distributing && p.flush == nil || !p.seg.up {
		d.step(lacp.RemovePort{Number: p.number, Farewell: true})
		d.takeOut(p)
		return
	}
	p.departure = &departure{}
	d.program()
	d.departures()
	d.plan()
}

// departures advances the ports that are on their way out.
func (d *node) departures() {
	for _, p := range d.ports {
		e := p.departure
		switch {
		case e == nil || p.flush != nil:
		case !e.said:
			e.said, e.end = true, d.w.now
			if !d.cfg.Static && d.hasPartner(p) {
				e.end = d.w.now.Add(farewellWait)
			}
			d.step(lacp.RemovePort{Number: p.number, Farewell: true})
		case d.w.now >= e.end:
			d.takeOut(p)
		}
	}
}

// tear takes a port out at once, cable and all.
func (d *node) tear(p *port) {
	if d.system == nil || !p.attached {
		return
	}
	d.w.note("%s is torn out", p.name)
	d.step(lacp.RemovePort{Number: p.number})
	d.takeOut(p)
}

func (d *node) takeOut(p *port) {
	d.watch.Forget(p.number)
	p.forget()
	p.attached = false
	d.program()
}

// stall is for how long whoever reads a port has something else to do.
func (d *node) stall() time.Duration {
	switch d.w.random.IntN(8) {
	case 0, 1:
		return time.Duration(d.w.random.Int64N(int64(d.spec.CollectorDelay)))
	case 2:
		return d.spec.CollectorDelay
	default:
		return 0
	}
}

// receiveData gives a frame to the host, or to the Collector that keeps it for a
// while. On each port frames stay in order, and what is kept is lost with the
// carrier: for then nobody waits for it (design D7).
func (d *node) receiveData(p *port, f data) {
	switch {
	case d.system == nil || !p.attached:
		return
	case !p.collecting && p.departure == nil:
		d.w.stats.FramesIgnored++
		return
	}
	d.checkCollects(p)
	if d.spec.CollectorDelay == 0 {
		d.handOver(p, f)
		return
	}
	p.kept = max(p.kept, d.w.now.Add(d.stall()))
	if p.kept < d.w.now {
		d.handOver(p, f)
		return
	}
	seg, epoch := p.seg, p.seg.epoch
	d.w.at(p.kept, func() {
		if seg.epoch == epoch {
			d.handOver(p, f)
		}
	})
}
