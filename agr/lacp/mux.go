package lacp

import "ifagr/agr/slow"

// The mux machine with independent control, IEEE 802.1AX-2014 6.4.15.
//
//	DETACHED -selected-> WAITING -ready-> ATTACHED -partner in sync->
//	COLLECTING -partner collecting-> DISTRIBUTING, and back step by step

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
		// Out when UNSELECTED; on when SELECTED and all the others are ready,
		// so a STANDBY port waits for as long as it is one.
		if p.selected == unselected {
			return detached, why, true
		}
		return attached, "ready", p.selected == selected && p.aggregator.ready()
	case attached:
		// Out when UNSELECTED or STANDBY, on when the partner is in sync.
		if p.selected != selected {
			return detached, why, true
		}
		return collecting, "partner in sync", stay
	case collecting:
		// Back when UNSELECTED, STANDBY or out of sync, on when the partner
		// collects.
		if !stay {
			return attached, why, true
		}
		return distributing, "partner collects", p.partner.State.Has(slow.Collecting)
	case distributing:
		// Back for any of these reasons.
		if !stay {
			return collecting, why, true
		}
		return collecting, "partner does not collect", !p.partner.State.Has(slow.Collecting)
	}
	return 0, "", false
}

// mayForward reports whether the port may be in COLLECTING, and else why not.
func (p *port) mayForward() (ok bool, why string) {
	switch {
	case p.selected == unselected:
		return false, "unselected"
	case p.selected == standby:
		return false, "standby"
	case !p.partner.State.Has(slow.Synchronization):
		return false, "partner not in sync"
	default:
		return true, ""
	}
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
		p.waitWhile.stop()
		p.ntt = true
		if p.selected == unselected {
			p.leaveAggregator()
		}
	case waiting:
		p.waitWhile.start(p.sys.now.Add(AggregateWaitTime))
	case attached:
		p.setForwarding(true, false, false)
		p.waitWhile.stop()
		p.ntt = true
	case collecting:
		p.setForwarding(true, true, false)
		p.ntt = true
	case distributing:
		// The partner has no use for this bit, so there is no need to transmit.
		p.setForwarding(true, true, true)
	}
}

func (p *port) setForwarding(sync, collecting, distributing bool) {
	p.actor.State = p.actor.State.
		With(slow.Synchronization, sync).
		With(slow.Collecting, collecting).
		With(slow.Distributing, distributing)
}
