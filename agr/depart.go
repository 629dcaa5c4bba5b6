package agr

import (
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// How long a port that leaves in order goes on to hand over what its partner
// sends.
const (
	// farewellWait is how long the partner may take to stop.
	farewellWait = 250 * time.Millisecond
	// lastWait is how long the port stays when the partner has said that it has
	// stopped: it may want to ask by a Marker whether all has arrived.
	lastWait = 50 * time.Millisecond
)

// departure is a port's way out of its aggregate, so that no frame is lost or
// overtaken (design D7):
//
//	its conversations are flushed and move -> farewell -> the partner stops -> it is detached
type departure struct {
	done chan error // gets the result
	said bool       // the farewell
	end  lacp.Instant
}

// leave takes a port out. The channel gets the result when it has left; the owner
// must go on to work until then.
func (a *aggregate) leave(p *port) <-chan error {
	d := &departure{done: make(chan error, 1)}
	st, ok := portStatus(a.lacp.Status(), p.number)
	carries := ok && st.Distributing || p.flush != nil
	if !carries || !p.link().Up {
		d.done <- a.detach(p, true)
		return d.done
	}
	p.departure = d
	a.program()
	return d.done
}

// endDepartures is for a daemon that ends: a port whose farewell was said leaves
// now, the others stay ports.
func (a *aggregate) endDepartures() {
	for i := len(a.ports) - 1; i >= 0; i-- {
		p := a.ports[i]
		switch d := p.departure; {
		case d == nil:
		case d.said:
			a.detach(p, false)
		default:
			d.done <- refusal(ctl.EAGAIN, "this agrd is ending")
			p.departure = nil
		}
	}
}

// departing advances the ports that are on their way out.
func (a *aggregate) departing() {
	for i := len(a.ports) - 1; i >= 0; i-- {
		p := a.ports[i]
		d := p.departure
		switch {
		case d == nil || p.flush != nil:
		case !d.said:
			a.sayFarewell(p)
		case a.now() >= d.end:
			a.detach(p, false)
		}
	}
}

// sayFarewell ends LACP on a port that goes on to collect for a while, unless
// there is nobody who could hear.
func (a *aggregate) sayFarewell(p *port) {
	p.departure.said = true
	p.departure.end = a.now()
	if a.flags&ctl.Link1 == 0 && a.hasPartner(p) {
		p.departure.end = a.now().Add(farewellWait)
	}
	a.step(lacp.RemovePort{Number: p.number, Farewell: true})
}

// heardLeaving reads what the partner of a port says that has said farewell: once
// it does not distribute any more, nothing else will come.
func (a *aggregate) heardLeaving(p *port, pdu slow.LACPDU) {
	d := p.departure
	if d != nil && d.said && !pdu.Actor.State.Has(slow.Distributing) {
		d.end = min(d.end, a.now().Add(lastWait))
	}
}
