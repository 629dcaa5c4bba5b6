package sim

import (
	"slices"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// segment is a Segment that lives.
type segment struct {
	w     *world
	index int
	delay time.Duration
	ends  []*end
	up    bool
	epoch int // frames of an earlier one are lost
}

// end is an end of a segment, the port that is plugged into it, and what happens to
// the frames that it sends.
type end struct {
	node  *node
	port  uint16
	speed uint64
	half  bool
	way   direction
}

// direction is what is wrong with the frames of one end. Ratios are 0 to 1.
type direction struct {
	loss, duplicate, corrupt, sendFails float64
	delay, jitter                       time.Duration
	cut, reflect                        bool
	neverSync, clearAgg, slowTalk       bool
	spoke                               lacp.Instant // when a slow talker last did
	forge                               *slow.System
}

// clean reports whether the direction keeps frames in order and does not double
// them: only then conversations are promised to keep theirs.
func (y *direction) clean() bool {
	return y.duplicate == 0 && y.delay == 0 && y.jitter == 0 && !y.reflect
}

func newSegment(w *world, index int, spec *Segment) *segment {
	s := &segment{w: w, index: index, delay: spec.Delay, up: true}
	for i, e := range spec.Ends {
		s.ends = append(s.ends, &end{node: w.nodes[e.System], port: e.Port, speed: e.Speed})
		s.ends[i].node.plug(e.Port, e.Priority, s, i)
	}
	return s
}

func (s *segment) hub() bool { return len(s.ends) > 2 }

// state is what one end sees.
func (s *segment) state(i int) lacp.Link {
	return lacp.Link{Up: s.up, Speed: s.ends[i].speed, HalfDuplex: s.ends[i].half}
}

// setCarrier gives all ends a carrier or takes it.
func (s *segment) setCarrier(up bool) {
	if s.up && !up {
		s.epoch++
	}
	s.up = up
	s.tell()
}

// tell lets all ends know what the segment is like.
func (s *segment) tell() {
	for i, e := range s.ends {
		e.node.linkChanged(e.port, s.state(i))
	}
}

// sendLACPDU sends what a port says, as far as its end lets it.
func (s *segment) sendLACPDU(from int, pdu slow.LACPDU) {
	w, e := s.w, s.ends[from]
	if !s.edit(e, &pdu) || s.loses(&e.way) {
		w.stats.LACPDUsLost++
		return
	}
	// Most LACPDUs need not go through octets to be what they are.
	kind, frame := lacpdu, []byte(nil)
	if e.way.corrupt > 0 || w.stats.LACPDUs%64 == 0 {
		kind, frame = octets, slow.AppendLACPDU(nil, e.node.mac(e.port), pdu)
	}
	s.deliver(from, func(v *event) { v.kind, v.pdu, v.frame = kind, pdu, frame })
}

// sendOctets sends a Marker.
func (s *segment) sendOctets(from int, frame []byte) {
	if s.loses(&s.ends[from].way) {
		return
	}
	s.deliver(from, func(v *event) { v.kind, v.frame = octets, frame })
}

// sendData sends a data frame. Nobody sees a damaged one.
func (s *segment) sendData(from int, d data) {
	y := &s.ends[from].way
	if s.loses(y) || s.w.chance(y.corrupt) {
		return
	}
	d.loose = d.loose || s.hub() || !y.clean()
	s.deliver(from, func(v *event) { v.kind, v.data = frame, d })
}

// edit is what makes an end a sloppy partner, or its system one.
func (s *segment) edit(e *end, p *slow.LACPDU) bool {
	y, state := &e.way, &p.Actor.State
	spec := e.node.spec
	p.CollectorMaxDelay = uint16(spec.CollectorDelay / (10 * time.Microsecond))
	if y.neverSync || spec.Character == Refuses {
		*state = state.With(slow.Synchronization|slow.Collecting|slow.Distributing, false)
	}
	if (y.clearAgg || spec.Character == Forgets) && !state.Has(slow.Synchronization) {
		*state = state.With(slow.Aggregation, false)
	}
	if y.forge != nil {
		p.Actor.System = *y.forge
	}
	if y.slowTalk {
		if s.w.now < y.spoke.Add(29*time.Second) {
			return false
		}
		y.spoke = s.w.now
	}
	return true
}

// loses decides about one frame.
func (s *segment) loses(y *direction) bool { return !s.up || y.cut || s.w.chance(y.loss) }

// deliver lets what fill describes arrive at all other ends after a while, at its
// own as well if that end hears itself, and twice if frames are doubled.
func (s *segment) deliver(from int, fill func(*event)) {
	y := &s.ends[from].way
	for to := range s.ends {
		if to == from && !y.reflect {
			continue
		}
		s.schedule(y, to, fill)
		if s.w.chance(y.duplicate) {
			s.schedule(y, to, fill)
		}
	}
}

func (s *segment) schedule(y *direction, to int, fill func(*event)) {
	w := s.w
	delay := s.delay + y.delay
	if y.jitter > 0 {
		delay += time.Duration(w.random.Int64N(int64(y.jitter)))
	}
	e := w.queue.fresh()
	fill(e)
	e.at, e.seg, e.end, e.epoch = w.now.Add(delay), s, to, s.epoch
	if e.kind == octets && w.chance(y.corrupt) {
		e.kind, e.frame = damaged, damage(w, e.frame)
	}
	w.queue.push(e)
}

// damage changes one bit.
func damage(w *world, frame []byte) []byte {
	frame = slices.Clone(frame)
	frame[w.random.IntN(len(frame))] ^= 1 << w.random.IntN(8)
	return frame
}

// arrive is the arrival of a frame, unless the carrier has gone meanwhile.
func (s *segment) arrive(e *event) {
	if e.epoch != s.epoch {
		return
	}
	to := s.ends[e.end]
	d, p := to.node, to.node.port(to.port)
	if p == nil || p.seg != s {
		return
	}
	switch e.kind {
	case lacpdu:
		d.receiveLACPDU(p, e.pdu)
	case octets, damaged:
		d.receiveOctets(p, e.frame, e.kind == damaged)
	case frame:
		d.receiveData(p, e.data)
	case nothing:
	}
}

// swap exchanges the last ends of two segments. What is on its way is lost.
func swap(a, b *segment) {
	if a == b || a.hub() || b.hub() {
		return
	}
	i := len(a.ends) - 1
	a.ends[i], b.ends[i] = b.ends[i], a.ends[i]
	for _, s := range []*segment{a, b} {
		s.epoch++
		if p := s.ends[i].node.port(s.ends[i].port); p != nil {
			p.seg, p.end = s, i
		}
	}
	for _, s := range []*segment{a, b} {
		e := s.ends[i]
		e.node.linkChanged(e.port, s.state(i))
	}
}

// stranger is a LACPDU of a system that is not there.
func stranger(w *world) slow.LACPDU {
	return slow.LACPDU{Version: 1, Actor: slow.PortInfo{
		System: slow.System{Priority: 0x8000, Addr: ether.Addr{2, 0xff, 0, 0, 0, byte(w.random.IntN(3))}},
		Key:    uint16(w.random.IntN(3)), Port: uint16(1 + w.random.IntN(3)), State: slow.State(w.random.IntN(256)),
	}}
}
