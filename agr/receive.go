package agr

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/lacp"
	"ifagr/agr/marker"
	"ifagr/agr/slow"
)

// maxFrame is the longest slow-protocol frame that is read: a LACPDU of version
// 2 has more TLVs than one of version 1, and Ethernet's MTU bounds it.
const maxFrame = 2048

// How many slow-protocol frames a port may bring in a second. The standard
// allows 10 of a kind; more than these is a flood and is dropped before it can
// keep the owner from its timers. LACPDUs have a budget of their own, and so have
// those of the partner that the port knows: no stranger can starve it.
const (
	partnerBudget = 20
	lacpBudget    = 50
	otherBudget   = 20
)

// identity is which port of which system speaks.
type identity struct {
	system slow.System
	port   uint16
}

func identityOf(i slow.PortInfo) identity { return identity{i.System, i.Port} }

// admission decides which slow-protocol frames of a port reach the owner.
type admission struct {
	known                    *atomic.Pointer[identity]
	partner, lacpdus, others quota
}

func newAdmission(known *atomic.Pointer[identity]) *admission {
	return &admission{
		known: known, partner: quota{limit: partnerBudget}, lacpdus: quota{limit: lacpBudget}, others: quota{limit: otherBudget},
	}
}

// take reports whether a frame may come in.
func (d *admission) take(frame []byte, now time.Time) bool {
	ok, _ := d.budget(frame).take(now)
	return ok
}

func (d *admission) budget(frame []byte) *quota {
	if subtype, ok := slow.Subtype(frame); !ok || subtype != slow.SubtypeLACP {
		return &d.others
	}
	pdu, err := slow.ParseLACPDU(frame)
	if known := d.known.Load(); err == nil && known != nil && identityOf(pdu.Actor) == *known {
		return &d.partner
	}
	return &d.lacpdus
}

// know remembers the partner that a port collects from: that is the one whose
// LACPDUs must get through. Somebody else who speaks on the cable, and with whom
// the port does not agree, takes its place in the protocol but not here.
func (p *port) know(ps lacp.PortStatus) {
	if !ps.Collecting || ps.Receive != "CURRENT" {
		return
	}
	if id := identityOf(ps.Partner); p.known.Load() == nil || *p.known.Load() != id {
		p.known.Store(&id)
	}
}

// read hands a port's slow-protocol frames to the owner until the connection is
// closed.
func (a *aggregate) read(ctx context.Context, p *port, conn SlowConn) {
	defer close(p.reader)
	buf := make([]byte, maxFrame)
	admission := newAdmission(&p.known)
	sieve := newSieve(conn, &p.known)
	defer sieve.close()
	for {
		n, err := conn.Read(buf)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Error("no more slow-protocol frames are received", "agr", a.name, "port", p.name, "err", err)
			}
			return
		}
		now := time.Now()
		if err := sieve.frame(now); err != nil {
			a.log.Warn("a flood of slow-protocol frames is not sifted", "agr", a.name, "port", p.name, "err", err)
		}
		if !admission.take(buf[:n], now) {
			p.flooded.Add(1)
			continue
		}
		select {
		case a.frames <- received{port: p, frame: bytes.Clone(buf[:n])}:
		case <-ctx.Done():
			return
		}
	}
}

// orderedMarkers is what a datapath calls with the Markers of a port, behind the
// data that came before them. It runs in the datapath's goroutine and must not
// make it wait.
func (a *aggregate) orderedMarkers(p *port) func([]byte) {
	budget := quota{limit: otherBudget}
	return func(frame []byte) {
		if ok, _ := budget.take(time.Now()); !ok {
			p.flooded.Add(1)
			return
		}
		select {
		case a.frames <- received{port: p, frame: bytes.Clone(frame), ordered: true}:
		default:
			p.flooded.Add(1)
		}
	}
}

// receive handles one slow-protocol frame.
func (a *aggregate) receive(r received) {
	if a.port(r.port.number) != r.port {
		return // it has left meanwhile
	}
	subtype, ok := slow.Subtype(r.frame)
	switch {
	case !ok:
		return
	case subtype == slow.SubtypeLACP:
		a.receiveLACP(r)
	case subtype == slow.SubtypeMarker:
		a.receiveMarker(r)
	default:
		r.port.count.UnknownRx++
	}
}

func (a *aggregate) receiveLACP(r received) {
	pdu, err := slow.ParseLACPDU(r.frame)
	if err != nil {
		countBad(&r.port.count.LACPBad, err)
		a.log.Debug("bad LACPDU", "agr", a.name, "port", r.port.name, "err", err)
		return
	}
	r.port.count.LACPRx++
	if !a.heeds(r.port, pdu) {
		r.port.count.LACPStrangers++
		return
	}
	r.port.maxDelay = time.Duration(pdu.CollectorMaxDelay) * collectorDelayUnit
	r.port.note(pdu, len(r.frame))
	a.heardLeaving(r.port, pdu)
	a.step(lacp.Received{Number: r.port.number, PDU: pdu})
}

// note remembers a LACPDU of so many octets.
func (p *port) note(pdu slow.LACPDU, octets int) {
	now := time.Now()
	if p.heard != nil {
		p.pause = now.Sub(p.heard.Time)
	}
	p.heard = &ctl.Heard{LACPEnd: lacpEnd(pdu.Actor), Time: now}
	p.longer = octets > slow.FrameLen
}

// countBad counts a PDU that was refused.
func countBad(b *ctl.Bad, err error) {
	switch err { //nolint:errorlint // package slow's own, and never wrapped
	case slow.ErrShort:
		b.Short++
	case slow.ErrLength:
		b.Length++
	case slow.ErrType:
		b.Type++
	}
}

// receiveMarker answers a Marker, in every state of the port but not in link1
// (agr(4)).
func (a *aggregate) receiveMarker(r received) {
	p := r.port
	if a.flags&ctl.Link1 != 0 || a.dev.Info().Markers && !r.ordered {
		return
	}
	m, err := slow.ParseMarker(r.frame)
	if err != nil {
		countBad(&p.count.MarkerBad, err)
		return
	}
	p.count.MarkerRx++
	if p.flush != nil {
		p.flush.Received(m)
	}
	if m.Type != slow.MarkerInformation || !p.markers.Allow(time.Since(a.epoch)) {
		return
	}
	reply, ok := marker.Respond(nil, r.frame, p.undo.MAC, a.system)
	if !ok {
		return
	}
	if err := p.slow.Send(reply); err != nil {
		a.log.Warn("Marker Response not sent", "agr", a.name, "port", p.name, "err", err)
		return
	}
	p.count.MarkerTx++
}
