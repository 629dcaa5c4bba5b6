package agr

import (
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
)

// collectorDelayUnit is the unit of a LACPDU's CollectorMaxDelay (IEEE
// 802.1AX-2014 6.4.2.3).
const collectorDelayUnit = 10 * time.Microsecond

// program tells the datapath what the protocol has decided, and agrN's carrier
// follows: it is on when a port distributes (design D9).
func (a *aggregate) program() {
	if a.resuming {
		return // what a predecessor has programmed is in force until all ports are back
	}
	st := a.lacp.Status()
	prog := datapath.Program{
		Hash:       a.hash,
		RoundRobin: a.flags&ctl.Link0 != 0,
		Idle:       minIdle,
	}
	var shares []dist.Share
	for _, p := range a.ports {
		ps, _ := portStatus(st, p.number)
		p.know(ps)
		s := p.programmed(ps)
		prog.Ports = append(prog.Ports, s)
		if s.Distributing {
			shares = append(shares, dist.Share{Port: p.number, Weight: p.speed})
			prog.Idle = max(prog.Idle, minIdle+p.maxDelay)
		}
	}
	carrier := len(shares) > 0
	shares = a.gather(&prog, shares)
	if table := dist.Rebalance(a.table, shares); table != a.table {
		a.table = table
		a.expectMoves()
	}
	prog.Table = a.table
	a.hold(&prog)
	a.apply(prog)
	a.setCarrier(carrier)
}

// programAgain is when a program that the datapath has refused is tried again.
const programAgain = 100 * time.Millisecond

// apply programs the datapath. Where it cannot hold frames, order gives way to
// delivery. What it refuses altogether is tried again, whatever happens.
func (a *aggregate) apply(prog datapath.Program) {
	a.owesProgram = 0
	err := a.dev.Program(prog)
	if err != nil && !prog.Hold.Empty() {
		a.log.Warn("frames cannot be held; conversations move at once", "agr", a.name, "err", err)
		a.endFlushes()
		prog.Hold = dist.Set{}
		err = a.dev.Program(prog)
	}
	if err != nil {
		a.log.Error("datapath not programmed", "agr", a.name, "err", err)
		a.owesProgram = a.now().Add(programAgain)
		return
	}
	a.held = prog.Hold
	for _, s := range prog.Ports {
		p := a.port(s.Number)
		p.sends = s.Distributing
		p.programs = p.programs[max(0, len(p.programs)-1):] // those of predecessors have been replaced
	}
}

// programmed is what a port may do. One that leaves sends nothing any more, and
// collects until it has left.
func (p *port) programmed(ps lacp.PortStatus) datapath.PortState {
	return datapath.PortState{
		Number: p.number, Dead: !p.link().Up, Queues: p.queues,
		Collecting:   ps.Collecting || p.departure != nil,
		Distributing: ps.Distributing && p.departure == nil,
	}
}

func (a *aggregate) setCarrier(on bool) {
	if on == a.link && a.linkSet {
		return
	}
	if err := a.dev.SetCarrier(on); err != nil {
		a.log.Error("carrier not set", "agr", a.name, "err", err)
		return
	}
	changed := on != a.link
	a.link, a.linkSet = on, true
	switch {
	case !changed:
	case on:
		a.transition("", "link", "down", "up", "a port distributes")
	default:
		a.transition("", "link", "up", "down", "no port distributes")
	}
}

func portStatus(st lacp.Status, number uint16) (lacp.PortStatus, bool) {
	for _, ps := range st.Ports {
		if ps.Number == number {
			return ps, true
		}
	}
	return lacp.PortStatus{}, false
}
