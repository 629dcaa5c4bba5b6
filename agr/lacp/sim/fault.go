package sim

import (
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// strike lets a fault happen, and ends it later. The end of the storm ends all.
func (w *world) strike(f *Fault) {
	w.note("fault: %s", f.text())
	w.stats.Faults[f.Kind]++
	undo := w.begin(f)
	if undo == nil {
		return
	}
	cycle := w.cycles
	w.after(f.For, func() {
		if w.cycles == cycle {
			w.note("over: %s", f.text())
			undo()
		}
	})
}

// begin begins a fault and returns what ends it.
func (w *world) begin(f *Fault) (undo func()) {
	s := w.segs[f.Segment]
	e := s.ends[f.End%len(s.ends)]
	if f.ofSystem() {
		return w.nodes[f.System].suffer(f)
	}
	switch f.Kind {
	case Flap:
		s.setCarrier(false)
		return func() { s.setCarrier(true) }
	case Speed:
		old := e.speed
		e.speed = f.Number
		s.tell()
		return func() { e.speed = old; s.tell() }
	case HalfDuplex:
		e.half = true
		s.tell()
		return func() { e.half = false; s.tell() }
	case Swap:
		swap(s, w.segs[f.Other])
		return nil
	case Priority:
		e.node.setPriority(e.port, uint16(f.Number))
		return nil
	case RemoveInOrder, RemoveAtOnce:
		return e.remove(s, f.Kind)
	case Strangers:
		w.strangers(s, f)
		return nil
	default:
		return e.way.spoil(w, f)
	}
}

// spoil makes a direction a bad one.
func (y *direction) spoil(w *world, f *Fault) (undo func()) {
	switch f.Kind {
	case Loss:
		y.loss = f.Ratio
		return func() { y.loss = 0 }
	case Duplicate:
		y.duplicate = f.Ratio
		return func() { y.duplicate = 0 }
	case Corrupt:
		y.corrupt = f.Ratio
		return func() { y.corrupt = 0 }
	case SendFails:
		y.sendFails = f.Ratio
		return func() { y.sendFails = 0 }
	case Delay:
		y.delay = f.Delay
		return func() { y.delay = 0 }
	case Jitter:
		y.jitter = f.Delay
		return func() { y.jitter = 0 }
	case Cut:
		y.cut = true
		return func() { y.cut = false }
	case Reflect:
		y.reflect = true
		return func() { y.reflect = false }
	case NeverSync:
		y.neverSync = true
		return func() { y.neverSync = false }
	case ClearAgg:
		y.clearAgg = true
		return func() { y.clearAgg = false }
	case SlowTalk:
		y.slowTalk, y.spoke = true, w.now
		return func() { y.slowTalk = false }
	case Forge:
		id := w.nodes[f.Other].cfg.System
		y.forge = &id
		return func() { y.forge = nil }
	default:
		return nil
	}
}

// suffer is what happens to a system.
func (d *node) suffer(f *Fault) (undo func()) {
	switch f.Kind {
	case Pause:
		d.pauses++
		d.plan()
		return d.resume
	case Restart:
		d.stop()
		return d.start
	case Succeed:
		return d.die(f.Number > 0)
	case Leave:
		d.step(lacp.Leave{})
		d.program()
		return d.start
	case Jump:
		d.skew += f.Delay
		d.plan()
		return nil
	case Options:
		d.configure(func(c *lacp.Config) { *c = *f.Config })
		return nil
	case Static:
		d.configure(func(c *lacp.Config) { c.Static = true })
		return func() { d.configure(func(c *lacp.Config) { c.Static = false }) }
	case Fickle:
		for _, p := range d.ports {
			d.fidget(p.number, f, d.w.now.Add(f.For))
		}
		return nil
	case LateMarkers:
		d.lateMarkers = f.Delay
		return func() { d.lateMarkers = 0 }
	default:
		d.noMarkers = true
		return func() { d.noMarkers = false }
	}
}

func (d *node) configure(change func(*lacp.Config)) {
	d.soon(func() {
		change(&d.cfg)
		d.step(lacp.Configure{Config: d.cfg})
	})
}

func (d *node) setPriority(number, priority uint16) {
	if p := d.port(number); p != nil {
		p.priority = priority
	}
	d.step(lacp.PortPriority{Number: number, Priority: priority})
}

// remove takes a port out, in order or with its cable.
func (e *end) remove(s *segment, k Kind) (undo func()) {
	d, number := e.node, e.port
	if k == RemoveInOrder {
		d.soon(func() { d.leave(d.port(number)) })
		return func() { d.soon(func() { d.putBack(d.port(number)) }) }
	}
	d.soon(func() { d.tear(d.port(number)) })
	s.epoch++
	if !s.hub() {
		s.setCarrier(false)
	}
	return func() {
		d.soon(func() { d.putBack(d.port(number)) })
		s.setCarrier(true)
	}
}

// putBack attaches a port again. One that is still on its way out is taken out
// first, with what was on its way.
func (d *node) putBack(p *port) {
	if d.system == nil {
		p.attached = true
		return
	}
	if p.attached && p.departure == nil {
		return
	}
	if p.attached {
		d.tear(p)
		p.seg.epoch++
	}
	d.addPort(p)
	d.program()
}

// strangers lets an end hear LACPDUs that nobody has sent.
func (w *world) strangers(s *segment, f *Fault) {
	to := s.ends[f.End%len(s.ends)]
	for i := range f.Number {
		w.after(time.Duration(i)*20*time.Millisecond, func() {
			if p := to.node.port(to.port); p != nil && s.up && w.phase == storm {
				to.node.receiveLACPDU(p, stranger(w))
			}
		})
	}
}

// fidget lets a port send what it would say, at times without Synchronization, until
// an instant.
func (d *node) fidget(number uint16, f *Fault, until lacp.Instant) {
	w, p := d.w, d.port(number)
	if w.phase != storm || w.now >= until {
		return
	}
	if st := d.portStatus(number); st.Number != 0 && d.pauses == 0 {
		if w.random.IntN(2) == 0 {
			st.Actor.State = st.Actor.State.With(slow.Synchronization|slow.Collecting|slow.Distributing, false)
		}
		p.seg.sendLACPDU(p.end, slow.LACPDU{Version: 1, Actor: st.Actor, Partner: st.Partner})
	}
	w.after(w.about(f.Delay), func() { d.fidget(number, f, until) })
}

// repair ends all that is bad. Options, priorities and cables stay as they are.
func (w *world) repair() {
	w.cycles++
	for _, s := range w.segs {
		for i, e := range s.ends {
			e.way, e.half = direction{}, false
			e.speed = w.sc.Segments[s.index].Ends[i].Speed
		}
	}
	for _, d := range w.nodes {
		d.lateMarkers, d.noMarkers, d.misled = 0, false, false
		if d.pauses > 0 {
			d.pauses = 1
			d.resume()
		}
		if d.system == nil || d.left() {
			d.start()
		}
		for _, p := range d.ports {
			d.putBack(p)
		}
		if d.cfg.Static {
			d.configure(func(c *lacp.Config) { c.Static = false })
		}
	}
	for _, s := range w.segs {
		s.setCarrier(true)
	}
}

// left reports whether the system has said farewell.
func (d *node) left() bool {
	for _, p := range d.status.Ports {
		if p.Reason == "stopped" {
			return true
		}
	}
	return false
}
