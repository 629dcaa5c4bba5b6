package lacp

import "ifagr/agr/slow"

// Churn detection, IEEE 802.1AX-2014 6.4.17: an end that has not been in sync for
// a minute is reported. Actor and partner have a machine each.
//
//	MONITOR -in sync-> NO_CHURN -not in sync-> MONITOR
//	MONITOR -60 s-> CHURN -in sync-> NO_CHURN
//
// A port that does not speak LACP is in MONITOR, and no time runs.

// churn is one of the two machines.
type churn struct {
	state churnState
	timer timer
	count uint64 // of entries into CHURN
}

// runChurn moves both machines of the port until they rest.
func (p *port) runChurn() {
	speaks := p.link.Up && p.lacpEnabled() && !p.sys.cfg.Static && !p.sys.left
	p.actorChurn.run(p, "actor churn", speaks, p.actor.State.Has(slow.Synchronization))
	p.partnerChurn.run(p, "partner churn", speaks, p.partner.State.Has(slow.Synchronization))
}

// run moves the machine until it rests. What leads into CHURN or out of it is
// noted; the rest only repeats what other machines have said.
func (c *churn) run(p *port, machine string, enabled, inSync bool) {
	for {
		to, reason := c.next(enabled, inSync)
		if to == c.state {
			return
		}
		if c.state == churned || to == churned {
			p.note(machine, c.state.String(), to.String(), reason)
		}
		c.set(to, p.sys.now)
	}
}

// next finds the state that the machine should be in, and why.
func (c *churn) next(enabled, inSync bool) (to churnState, reason string) {
	switch {
	case !enabled:
		// BEGIN or no link: MONITOR from everywhere, its time begins later.
		return churnIdle, "no LACP"
	case inSync:
		return noChurn, "in sync"
	case c.state == churned, c.state == churnMonitor && !c.timer.expired:
		return c.state, ""
	case c.state == churnMonitor:
		return churned, "not in sync for a minute"
	default:
		return churnMonitor, "not in sync"
	}
}

// set enters a state.
func (c *churn) set(to churnState, now Instant) {
	c.state = to
	c.timer.stop()
	switch to {
	case churnMonitor:
		c.timer.start(now.Add(ChurnDetectionTime))
	case churned:
		c.count++
	case churnIdle, noChurn:
	}
}
