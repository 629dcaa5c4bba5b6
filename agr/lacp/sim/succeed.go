package sim

import (
	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
)

// A daemon dies, and another one succeeds it that remembers (design D11). Frames move
// meanwhile as they were told to. LACPDUs are read by nobody; at most the kernel has
// noted what partners said.

// succession is what there is to be succeeded to.
type succession struct {
	memory lacp.Memory
	since  map[uint16]lacp.Since // nil: nobody notes what partners say
}

// die ends the daemon of a node that lives, and returns what lets the next one begin.
func (d *node) die(noted bool) (undo func()) {
	if d.system == nil || d.left() || d.pauses > 0 {
		return nil
	}
	s := &succession{}
	d.system.Remember(&s.memory)
	if noted && !d.cfg.Static {
		s.since = make(map[uint16]lacp.Since)
		for i := range d.status.Ports {
			p := &d.status.Ports[i]
			if p.Receive == "CURRENT" && !p.Loopback && d.port(p.Number).departure == nil {
				s.since[p.Number] = lacp.Since{Heard: d.now()}
			}
		}
	}
	d.succession = s
	d.pauses++
	d.plan()
	return d.resume
}

// overhear is what becomes of a LACPDU that no daemon reads.
func (d *node) overhear(p *port, pdu slow.LACPDU) {
	s, ok := d.succession.since[p.number]
	if !ok {
		return
	}
	st := d.portStatus(p.number)
	s.Stopped = !agrees(pdu, &st)
	if samePort(pdu.Actor, st.Partner) {
		s.Heard, s.State, s.Spoke = d.now(), pdu.Actor.State, true
	}
	d.succession.since[p.number] = s
	p.heard = pdu
}

// agrees reports whether a LACPDU is one of the partner of a port, with which it is in
// sync.
func agrees(pdu slow.LACPDU, st *lacp.PortStatus) bool {
	theirs, view := pdu.Actor.State, pdu.Partner
	together := samePort(view, st.Actor) && (view.State^st.Actor.State)&slow.Aggregation == 0
	return samePort(pdu.Actor, st.Partner) && theirs.Has(slow.Synchronization) &&
		(together || !theirs.Has(slow.Aggregation))
}

// samePort reports whether two ends are the same but for their states.
func samePort(a, b slow.PortInfo) bool {
	a.State, b.State = 0, 0
	return a == b
}

// succeed lets a system begin where another one has ended. Ports that were on their way
// out are out, and what was held is lost.
func (d *node) succeed() {
	s := d.succession
	d.succession = nil
	d.dist.held = nil
	resume := lacp.Resume{Memory: s.memory, Since: s.since}
	for _, p := range d.ports {
		p.flush, p.flushed, p.unanswered = nil, false, 0
		p.collecting, p.distributing = false, false // it is told so again
		if p.departure != nil {
			p.forget()
			p.attached = false
		}
		if p.attached {
			resume.Ports = append(resume.Ports, lacp.AddPort{
				Number: p.number, Priority: p.priority, Name: p.name, Link: p.seg.state(p.end),
			})
		}
	}
	d.w.note("%s succeeds", d.name)
	d.system, d.watch = lacp.New(d.cfg), lacptest.Watch{}
	d.system.Step(d.now(), resume)
	d.system.Advance(d.now())
	d.collect()
	d.program()
}
