package sim

import (
	"slices"
	"strings"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// hot is how many conversations carry frames.
const hot = 8

// How often a node sends a train of frames in a storm, and what that is.
const (
	burstEvery  = 250 * time.Millisecond
	mostInTrain = 10
	mostInRush  = 12
	mostGap     = 400 * time.Microsecond // between two frames
	wideGap     = 10 * time.Millisecond  // in a train that is slower
)

// memory is what has come from one system.
type memory struct {
	serial   [hot]uint32 // the next one that the other system sends
	last     [hot]uint32 // the greatest that has come
	window   [hot]uint64 // those that have come, from the greatest one down
	expected int         // probes that are under way
}

// conversationOf spreads the conversations that carry frames.
func conversationOf(i int) uint8 { return uint8(i * 256 / hot) }

// traffic sends a train of frames in one conversation, and another one later, as
// long as the storm lasts.
func (d *node) traffic() {
	if d.w.phase != storm {
		return
	}
	d.train(d.w.random.IntN(hot), 1+d.w.random.IntN(mostInTrain))
	d.w.after(d.w.about(burstEvery), d.traffic)
}

// rush lets all nodes send frames, just before something happens.
func (w *world) rush() {
	for _, d := range w.nodes {
		d.rush()
	}
}

// rush sends frames in some conversations while ports come and go.
func (d *node) rush() {
	if d.bursting || d.w.phase != storm {
		return
	}
	d.bursting = true
	first := d.w.random.IntN(hot)
	for i := range hot / 2 {
		d.train((first+i)%hot, 1+d.w.random.IntN(mostInRush))
	}
	d.w.after(2*time.Millisecond, func() { d.bursting = false })
}

// train sends so many frames in a conversation: close to each other, or so that the
// conversation may take another way between two of them.
func (d *node) train(i, frames int) {
	gap := mostGap
	if d.w.phase == storm && d.w.random.IntN(4) == 0 {
		gap = wideGap
	}
	d.frames(i, frames, gap)
}

func (d *node) frames(i, frames int, gap time.Duration) {
	d.offer(i)
	if frames > 1 {
		d.w.after(time.Duration(d.w.random.Int64N(int64(gap))), func() { d.frames(i, frames-1, gap) })
	}
}

// offer is one frame that the host sends.
func (d *node) offer(i int) {
	if d.system == nil {
		return
	}
	own := &d.seen[d.index]
	own.serial[i]++
	d.w.stats.Frames++
	d.sendData(data{from: d.index, conversation: conversationOf(i), serial: own.serial[i]})
}

// checkCollects fails unless the protocol lets a port collect.
func (d *node) checkCollects(p *port) {
	if p.departure != nil {
		return
	}
	for i := range d.status.Ports {
		if s := &d.status.Ports[i]; s.Number == p.number && s.Collecting {
			return
		}
	}
	d.w.fail("frame from a port that does not collect", "%s", p.name)
}

// checkHeard fails if a port collects although what it has heard last does not say
// that its partner is in sync, with us as we are (IEEE 802.1AX-2014 6.4.9,
// recordPDU).
func (d *node) checkHeard() {
	const identity = slow.Aggregation
	for i := range d.status.Ports {
		s := &d.status.Ports[i]
		if !s.Collecting || s.Receive != "CURRENT" {
			continue
		}
		p := d.port(s.Number)
		theirs, view, own := p.heard.Actor.State, p.heard.Partner, s.Actor
		kept := theirs.Has(slow.Activity) || (view.State & own.State).Has(slow.Activity)
		view.State &= identity
		own.State &= identity
		if !theirs.Has(slow.Synchronization) || view != own && theirs.Has(slow.Aggregation) || !kept {
			d.w.fail("collects for another partner", "%s heard %s | %s", p.name, endText(p.heard.Actor), endText(p.heard.Partner))
		}
	}
}

// handOver gives a frame to the host, who may not get it twice, nor after a later
// one of its conversation. The promise is that of a distributor: it holds where each
// of the two frames was sent on a segment that keeps order and doubles nothing, and
// was no hub, and where no stranger has told the distributor that the far end keeps
// frames for less time than it does.
func (d *node) handOver(p *port, f data) {
	w := d.w
	w.stats.FramesDelivered++
	w.note("%s hands over frame %d of %d from %s", p.name, f.serial, f.conversation, systemName(f.from))
	if f.from == d.index {
		w.stats.FramesReturned++
		if w.phase == resting && !f.loose && !d.cfg.Passive {
			w.fail("frame comes back", "%s: frame %d of %d", p.name, f.serial, f.conversation)
		}
		return
	}
	m, i := &d.seen[f.from], int(f.conversation)*hot/256
	if w.phase == resting {
		m.expected--
	}
	if f.loose || w.nodes[f.from].misled {
		return
	}
	switch ago := m.last[i] - f.serial; {
	case f.serial > m.last[i]:
		m.window[i] = m.window[i]<<min(f.serial-m.last[i], 64) | 1
		m.last[i] = f.serial
	case ago < 64 && m.window[i]&(1<<ago) != 0:
		w.fail("frame twice", "%s: frame %d of %d from %s", p.name, f.serial, f.conversation, systemName(f.from))
	default:
		w.fail("frame out of order", "%s: frame %d of %d from %s after %d",
			p.name, f.serial, f.conversation, systemName(f.from), m.last[i])
	}
}

// restless reports whether nothing can come to rest: three ends hear each other on a
// hub, and each LACPDU is another partner's. Swapped cables may connect anything with
// it.
func (w *world) restless() bool { return slices.ContainsFunc(w.segs, (*segment).hub) }

// moves is told of each change of a state of a system that should rest.
func (w *world) moves(d *node, t *lacp.Transition) {
	if w.phase == resting && !w.restless() && !(d.cfg.Passive && d.looped()) {
		w.fail("no rest", "%s %s %s: %s -> %s (%s)", d.name, t.Name, t.Machine, t.From, t.To, t.Reason)
	}
}

// looped reports whether a cable connects two ports of the node. A passive one talks
// to itself until what it has heard last has expired twice over.
func (d *node) looped() bool {
	for _, s := range d.w.segs {
		if !s.hub() && s.ends[0].node == d && s.ends[1].node == d {
			return true
		}
	}
	return false
}

// portStatus is a port's status.
func (d *node) portStatus(number uint16) lacp.PortStatus {
	for _, p := range d.status.Ports {
		if p.Number == number {
			return p
		}
	}
	return lacp.PortStatus{}
}

// checkAgreement fails unless both ends of each cable use it, or neither, and
// something is used where something can be.
func (w *world) checkAgreement() {
	if w.restless() {
		return
	}
	for _, s := range w.segs {
		if s.ends[0].node.spec.Character == Refuses || s.ends[1].node.spec.Character == Refuses {
			continue
		}
		w.checkSegment(s)
	}
	if len(w.nodes) == 2 {
		w.checkPair()
	} else {
		w.checkSomething()
	}
}

// checkSegment fails unless both ends know each other and do the same.
func (w *world) checkSegment(s *segment) {
	a, b := s.ends[0], s.ends[1]
	p, q := a.node.portStatus(a.port), b.node.portStatus(b.port)
	if a.node == b.node {
		// A passive system that hears nobody says nothing that it could hear.
		if !a.node.cfg.Passive && (p.Collecting || q.Collecting) {
			w.fail("loop", "%s %s, %s %s", p.Name, p.Mux, q.Name, q.Mux)
		}
		return
	}
	if a.node.cfg.Passive && b.node.cfg.Passive {
		return
	}
	known := p.Partner.Port == b.port && q.Partner.Port == a.port &&
		p.Partner.System == b.node.cfg.System && q.Partner.System == a.node.cfg.System
	alike := p.Distributing == q.Distributing || a.node.blindTo(b.node) || b.node.blindTo(a.node)
	if !known || !alike {
		w.fail("no agreement", "%s is %s (%s), %s is %s (%s)", p.Name, p.Mux, p.Reason, q.Name, q.Mux, q.Reason)
	}
}

// blindTo reports whether frames may be sent that a far end does not collect because it
// has too few links: coupled control looks at Synchronization only.
func (d *node) blindTo(far *node) bool { return d.cfg.Coupled && far.cfg.MinLinks.Up > 1 }

// checkPair fails unless two systems use a cable if they ask for no more, and where
// all cables are alike as many as both let be used.
func (w *world) checkPair() {
	a, b := w.nodes[0], w.nodes[1]
	if a.spec.Character == Refuses || b.spec.Character == Refuses {
		return
	}
	cables := 0
	for _, s := range w.segs {
		if s.ends[0].node != s.ends[1].node {
			cables++
		}
	}
	enough := max(a.cfg.MinLinks.Up, b.cfg.MinLinks.Up, 1)
	most := cables
	for _, limit := range []int{a.cfg.MaxPorts, b.cfg.MaxPorts} {
		if limit > 0 {
			most = min(most, limit)
		}
	}
	switch got := a.distributing(); {
	case cables > 0 && enough == 1 && got == 0:
		w.fail("no traffic", "nothing distributes:%s", w.why())
	case w.sc.Even && most >= enough && got != most:
		w.fail("no traffic", "%d ports distribute, want %d:%s", got, most, w.why())
	}
}

// checkSomething fails if no cable at all is used although each would be by two
// systems alone.
func (w *world) checkSomething() {
	possible := false
	for _, d := range w.nodes {
		if d.cfg.MinLinks.Up > 1 || d.spec.Character == Refuses {
			return
		}
	}
	for _, s := range w.segs {
		a, b := s.ends[0].node, s.ends[1].node
		possible = possible || a != b
	}
	for _, d := range w.nodes {
		if d.distributing() > 0 {
			return
		}
	}
	if possible {
		w.fail("no traffic", "nothing distributes:%s", w.why())
	}
}

// why says of each port why it does not distribute.
func (w *world) why() string {
	var b strings.Builder
	for _, d := range w.nodes {
		for _, p := range d.status.Ports {
			b.WriteString("\n\t" + p.Name + " " + p.Mux + ": " + p.Reason)
		}
	}
	return b.String()
}

func (d *node) distributing() int {
	count := 0
	for _, p := range d.status.Ports {
		if p.Distributing {
			count++
		}
	}
	return count
}

// probe sends frames from each system, of which none may be lost where both ends
// are honest.
func (w *world) probe() {
	if w.restless() {
		return
	}
	for _, d := range w.nodes {
		for i := range hot {
			d.probe(i)
		}
	}
	w.after(100*time.Millisecond, func() {
		for _, d := range w.nodes {
			for from := range d.seen {
				if n := d.seen[from].expected; n != 0 {
					w.fail("frame lost", "%s misses %d frames of %s%s", d.name, n, systemName(from), w.why())
				}
			}
		}
	})
}

// probe sends a train of frames to where its conversation goes.
func (d *node) probe(i int) {
	to := d.port(d.dist.table[conversationOf(i)])
	if d.system == nil || to == nil || !to.seg.up {
		return
	}
	end := to.seg.ends[1-to.end]
	far := end.node
	ignored := d.blindTo(far) && !far.portStatus(end.port).Collecting
	if far != d && d.hasPartner(to) && d.spec.Character != Refuses && !ignored {
		far.seen[d.index].expected += 3
	}
	d.train(i, 3)
}
