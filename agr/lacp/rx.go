package lacp

import (
	"time"

	"ifagr/agr/slow"
)

// The receive machine, IEEE 802.1AX-2014 6.4.12.
//
//	INITIALIZE -> PORT_DISABLED -> EXPIRED -3 s-> DEFAULTED
//	                  |    ^          |   ^           |
//	       half duplex|    |full    PDU   |timer     PDU
//	                  v    |          v   |           v
//	             LACP_DISABLED       CURRENT <--------+
//
// The loss of the link leads to PORT_DISABLED from everywhere.

// runReceive moves the receive machine until it rests, and reports whether it
// moved or the default partner has changed.
func (p *port) runReceive() bool {
	moved := false
	for {
		to, reason, ok := p.nextReceive()
		if !ok {
			return p.reviseDefault() || moved
		}
		p.setReceive(to, reason)
		moved = true
	}
}

// nextReceive finds the transition that is due, if there is one.
func (p *port) nextReceive() (to receiveState, reason string, ok bool) {
	switch p.receive {
	case initialize:
		// Unconditional.
		return portDisabled, "begin", true
	case portDisabled:
		return p.leaveDisabled()
	case lacpDisabled:
		// The link has gone, or LACP is possible again.
		if !p.link.Up {
			return portDisabled, "link down", true
		}
		if p.lacpEnabled() {
			return portDisabled, "full duplex", true
		}
	case expired, defaulted, current:
		return p.nextListening()
	}
	return 0, "", false
}

// leaveDisabled is PORT_DISABLED: the partner has turned up at another port, or
// the link is there, with or without LACP. In static mode nobody will speak, so
// there is nobody to wait for.
func (p *port) leaveDisabled() (to receiveState, reason string, ok bool) {
	switch {
	case p.moved:
		return initialize, "partner moved to another port", true
	case !p.link.Up:
		return 0, "", false
	case !p.lacpEnabled():
		return lacpDisabled, "half duplex", true
	case p.sys.cfg.Static:
		return defaulted, "static", true
	default:
		return expired, "link up", true
	}
}

// nextListening is EXPIRED, DEFAULTED and CURRENT: the states in which a LACPDU
// is taken, and leads to CURRENT. Without one the timer leads from CURRENT to
// EXPIRED and on to DEFAULTED.
func (p *port) nextListening() (to receiveState, reason string, ok bool) {
	switch {
	case !p.link.Up:
		return portDisabled, "link down", true
	case !p.lacpEnabled():
		return portDisabled, "half duplex", true
	case p.received:
		return current, "LACPDU received", true
	case !p.currentWhile.expired:
		return 0, "", false
	case p.receive == current:
		return expired, "no LACPDU in time", true
	default:
		return defaulted, "no LACPDU in time", true
	}
}

// setReceive enters a state of the receive machine.
func (p *port) setReceive(to receiveState, reason string) {
	from := p.receive
	p.receive = to
	if from != to {
		p.note("receive", from.String(), to.String(), reason)
	}
	p.fallback.stop()
	switch to {
	case initialize:
		// Nothing is known: not selected, default partner, not expired.
		p.unselect(reason)
		p.recordDefault()
		p.currentWhile.stop()
		p.setExpired(false)
		p.moved = false
	case portDisabled:
		// Who the partner was is kept, so that a link that comes back to the
		// same one needs no new selection; only its agreement is gone. A
		// partner that was ourselves is not worth keeping.
		if p.loopback {
			p.recordDefault()
		}
		p.setPartnerState(slow.Synchronization, false)
		p.passedOver = false
		p.partnerForgets()
		p.currentWhile.stop()
	case expired:
		// Three seconds to hear from the partner, who is asked to hurry by our
		// sending at the fast rate.
		p.setPartnerState(slow.Synchronization, false)
		p.setPartnerState(slow.Timeout, true)
		p.currentWhile.start(p.sys.now.Add(ShortTimeoutTime))
		p.setExpired(true)
	case lacpDisabled:
		// An individual port with the default partner.
		p.unselect(reason)
		p.recordDefault()
		p.currentWhile.stop()
		p.setExpired(false)
	case defaulted:
		// The partner is taken to be silent: the default one stands in, and
		// after a while the port may forward with it.
		p.fallback.start(p.sys.now.Add(p.sys.cfg.FallbackAfter))
		p.fallback.expire(p.sys.now)
		p.updateDefaultSelected()
		p.recordDefault()
		p.currentWhile.stop()
		p.setExpired(false)
	case current:
		// Both comparisons are with what was recorded before.
		p.updateSelected()
		p.updateNTT()
		p.recordPDU()
		p.received = false
		p.currentWhile.start(p.sys.now.Add(p.timeout()))
		p.setExpired(false)
	}
}

func (p *port) setPartnerState(bit slow.State, on bool) {
	p.partner.State = p.partner.State.With(bit, on)
}

func (p *port) setExpired(on bool) { p.actor.State = p.actor.State.With(slow.Expired, on) }

// timeout is how long the recorded information is good for: what we asked the
// partner for, not what the partner asks us for.
func (p *port) timeout() time.Duration {
	if p.actor.State.Has(slow.Timeout) {
		return ShortTimeoutTime
	}
	return LongTimeoutTime
}

// updateSelected is update_Selected of 6.4.9: a partner other than the recorded
// one needs a new selection.
func (p *port) updateSelected() {
	if identity(p.pdu.Actor) != identity(p.partner) {
		p.unselect("partner changed")
	}
}

// updateDefaultSelected is update_Default_Selected of 6.4.9.
func (p *port) updateDefaultSelected() {
	if identity(p.defaultPartner()) != identity(p.partner) {
		p.unselect("partner lost")
	}
}

// updateNTT is update_NTT of 6.4.9: a partner with a wrong picture of us is told
// at once.
func (p *port) updateNTT() {
	const compared = slow.Activity | slow.Timeout | slow.Synchronization | slow.Aggregation
	theirs, ours := p.pdu.Partner, p.actor
	theirs.State &= compared
	ours.State &= compared
	if theirs != ours {
		p.ntt = true
	}
}

// recordPDU is recordPDU of 6.4.9. The partner's Synchronization holds only while
// someone keeps the protocol going, and only if it is meant for us as we are; an
// individual partner need not know us.
func (p *port) recordPDU() {
	theirs := &p.pdu.Actor
	kept := theirs.State.Has(slow.Activity) ||
		p.actor.State.Has(slow.Activity) && p.pdu.Partner.State.Has(slow.Activity)
	meant := identity(p.pdu.Partner) == identity(p.actor) || !theirs.State.Has(slow.Aggregation)
	sync := theirs.State.Has(slow.Synchronization) && kept && meant

	p.partner = *theirs
	p.setPartnerState(slow.Synchronization, sync)
	p.passedOver = p.passedOver && !sync
	p.echoed = (p.actor.State & p.pdu.Partner.State).Has(slow.Synchronization)
	p.actor.State = p.actor.State.With(slow.Defaulted, false)
	p.setLoopback(p.isOwnSystem(theirs.System))
	p.markMoved()
}

// setLoopback notes that the far end is this very system: a looped cable, or two
// of our ports on one segment. Such a port must select nothing (6.4.14.1).
func (p *port) setLoopback(on bool) {
	p.loopback = on
	if on {
		p.unselect("loopback")
	}
}

// markMoved sets port_moved (6.4.8) for the disabled port on which this partner
// port was heard before: the cable has been moved, and what that port remembers
// is no longer so.
func (p *port) markMoved() {
	for _, q := range p.sys.ports {
		if q != p && q.receive == portDisabled && q.hasPartner() &&
			q.partner.System == p.partner.System && q.partner.Port == p.partner.Port {
			q.moved = true
		}
	}
}

// recordDefault is recordDefault of 6.4.9.
func (p *port) recordDefault() {
	p.partner = p.defaultPartner()
	p.actor.State = p.actor.State.With(slow.Defaulted, true)
	p.loopback = false
}

// reviseDefault gives a port that lives on the default partner the one that it
// should have now, and reports whether that is another one. In the other states
// there is none, or without its Synchronization.
func (p *port) reviseDefault() bool {
	if p.receive != defaulted && p.receive != lacpDisabled || p.partner == p.defaultPartner() {
		return false
	}
	p.recordDefault()
	return true
}

// defaultPartner is the administrative value of the partner (6.4.7). agr(4)'s is
// optimistic: a port without LACP partner forwards, and all such ports share an
// aggregator. The other one agrees to nothing (design D5). A port that cannot
// speak LACP is individual at both ends.
func (p *port) defaultPartner() slow.PortInfo {
	const nobody = 0xffff
	i := slow.PortInfo{System: slow.System{Priority: nobody}, Priority: nobody}
	i.State = i.State.With(slow.Aggregation, p.receive != lacpDisabled)
	if p.fallsBack() {
		i.State |= slow.Synchronization | slow.Collecting | slow.Distributing
	}
	return i
}

// fallsBack reports whether the port may forward with the default partner by now.
func (p *port) fallsBack() bool {
	pending := p.receive == defaulted && !p.fallback.expired && !p.sys.cfg.Static
	return p.sys.optimistic() && !pending
}

// optimistic reports whether ports without LACP partner forward at all.
func (s *System) optimistic() bool { return s.cfg.Static || s.cfg.Fallback != FallbackNone }
