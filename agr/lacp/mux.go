package lacp

import "ifagr/agr/slow"

// The mux machine, IEEE 802.1AX-2014 6.4.15, with independent control
//
//	DETACHED -selected-> WAITING -ready-> ATTACHED -partner in sync->
//	COLLECTING -partner collecting-> DISTRIBUTING, and back step by step
//
// and with coupled control
//
//	... ATTACHED -partner in sync-> COLLECTING_DISTRIBUTING, and back

// runMux moves the mux machine until it rests, and reports whether it moved.
func (p *port) runMux() bool {
	moved := false
	for {
		to, reason, ok := p.nextMux()
		if !ok {
			return moved
		}
		p.setMux(to, reason)
		moved = true
	}
}

// nextMux finds the transition that is due, if there is one.
func (p *port) nextMux() (to muxState, reason string, ok bool) {
	stay, why := p.mayForward()
	switch p.mux {
	case detached:
		// SELECTED or STANDBY.
		return waiting, "aggregator selected", p.selected != unselected
	case waiting:
		// Out when UNSELECTED; on when SELECTED and ready, so a STANDBY port
		// waits for as long as it is one.
		if p.selected == unselected {
			return detached, why, true
		}
		return attached, "ready", p.selected == selected && p.ready()
	case attached:
		// Out when UNSELECTED or STANDBY, on when the partner is in sync.
		if p.selected != selected {
			return detached, why, true
		}
		return p.firstForwarding(), "partner in sync", stay
	case collecting:
		// Back when UNSELECTED, STANDBY or out of sync, on when the partner
		// collects, if that can be believed.
		if !stay {
			return attached, why, true
		}
		if p.sys.cfg.Coupled {
			return collectingDistributing, "coupled", true
		}
		return distributing, "partner collects", p.partner.State.Has(slow.Collecting) && p.partnerKnows()
	case distributing:
		// Back for any of these reasons.
		if !stay {
			return collecting, why, true
		}
		if p.sys.cfg.Coupled {
			return collectingDistributing, "coupled", true
		}
		return collecting, "partner does not collect", !p.partner.State.Has(slow.Collecting)
	case collectingDistributing:
		// Back for the reasons of COLLECTING only. When control is not coupled
		// any more the port goes on as it is.
		if !stay {
			return attached, why, true
		}
		return distributing, "not coupled", !p.sys.cfg.Coupled
	}
	return 0, "", false
}

// firstForwarding is where ATTACHED leads to.
func (p *port) firstForwarding() muxState {
	if p.sys.cfg.Coupled {
		return collectingDistributing
	}
	return collecting
}

// mayForward reports whether the port may be in COLLECTING, and else why not. Too
// few ports do not detach it: its Synchronization stays, so that two ends which
// both wait for enough ports find them.
func (p *port) mayForward() (ok bool, why string) {
	switch {
	case p.selected == unselected:
		return false, "unselected"
	case p.selected == standby:
		return false, "standby"
	case !p.partner.State.Has(slow.Synchronization):
		return false, "partner not in sync"
	case !p.sys.enough:
		return false, "too few ports for min-links"
	default:
		return true, ""
	}
}

// ready reports whether a port that waits may be attached: when all ports of its
// aggregator may, so that they attach together, or when it has waited twice as long
// as it need. Ports that never come to rest cannot keep it out.
func (p *port) ready() bool { return p.aggregator.ready() || p.waitMost.expired }

// partnerKnows reports whether the partner may be taken to have seen our
// Synchronization. By the standard it does not collect before that, but Open
// vSwitch says that it does from the start, and drops our frames until it has
// processed that LACPDU. An honest partner delays nothing: its LACPDU with
// Collecting echoes our Synchronization. Whoever does not echo it gets a moment to
// process it, and who does not speak LACP takes frames anyway.
func (p *port) partnerKnows() bool {
	return p.receive != current || p.echoed || p.syncSent.expired
}

// setMux enters a state of the mux machine.
func (p *port) setMux(to muxState, reason string) {
	p.note("mux", p.mux.String(), to.String(), reason)
	p.mux = to
	p.muxSince = p.sys.now
	p.changes++
	switch to {
	case detached:
		// Off the aggregator, which a port that is to select anew forgets.
		p.setForwarding(false, false, false)
		p.partnerForgets()
		p.stopWaiting()
		p.ntt = true
		if p.selected == unselected {
			p.leaveAggregator()
		}
	case waiting:
		p.waitWhile.start(p.sys.now.Add(AggregateWaitTime))
		p.waitMost.start(p.sys.now.Add(2 * AggregateWaitTime))
	case attached:
		p.setForwarding(true, false, false)
		p.stopWaiting()
		p.ntt = true
	case collecting:
		p.setForwarding(true, true, false)
		p.ntt = true
	case distributing:
		// The partner has no use for this bit, so there is no need to transmit.
		p.setForwarding(true, true, true)
	case collectingDistributing:
		p.ntt = p.ntt || !p.actor.State.Has(slow.Collecting)
		p.setForwarding(true, true, true)
	}
}

func (p *port) stopWaiting() {
	p.waitWhile.stop()
	p.waitMost.stop()
}

// partnerForgets is for when the partner has to be told of our Synchronization
// again.
func (p *port) partnerForgets() {
	p.echoed = false
	p.syncSent.stop()
}

func (p *port) setForwarding(sync, collecting, distributing bool) {
	p.actor.State = p.actor.State.
		With(slow.Synchronization, sync).
		With(slow.Collecting, collecting).
		With(slow.Distributing, distributing)
}
