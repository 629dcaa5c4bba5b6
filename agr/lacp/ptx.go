package lacp

import "ifagr/agr/slow"

// The periodic transmission machine, IEEE 802.1AX-2014 6.4.13: a LACPDU every
// second or every thirty, as the partner asks, as long as one of the two ends is
// active.

// runPeriodic moves the periodic machine until it rests.
func (p *port) runPeriodic() {
	short := p.partner.State.Has(slow.Timeout)
	switch {
	case !p.mayTransmit():
		// NO_PERIODIC from everywhere.
		p.setPeriodic(noPeriodic, "nothing to say")
	case p.periodic == noPeriodic:
		// The standard waits one period before the first LACPDU. We introduce
		// ourselves at once: a partner that is waiting need not wait.
		p.periodicTx("may transmit")
	case p.periodicTimer.expired:
		p.periodicTx("timer")
	case p.periodic == fastPeriodic && !short:
		p.setPeriodic(slowPeriodic, "partner's timeout is long")
	case p.periodic == slowPeriodic && short:
		// The partner expires in three seconds: it hears from us now.
		p.periodicTx("partner's timeout is short")
	}
}

// mayTransmit is the opposite of the condition of NO_PERIODIC: the link is there,
// LACP runs on it and one of the two ends is active. A partner that is not known
// is passive.
func (p *port) mayTransmit() bool {
	s := p.sys
	return p.link.Up && p.lacpEnabled() && !s.cfg.Static && !s.left && !s.cfg.System.Addr.IsZero() &&
		(p.actor.State | p.partner.State).Has(slow.Activity)
}

// periodicTx is the state PERIODIC_TX: transmit, and wait again.
func (p *port) periodicTx(reason string) {
	p.ntt = true
	if p.partner.State.Has(slow.Timeout) {
		p.setPeriodic(fastPeriodic, reason)
	} else {
		p.setPeriodic(slowPeriodic, reason)
	}
}

// setPeriodic enters a state of the periodic machine.
func (p *port) setPeriodic(to periodicState, reason string) {
	from := p.periodic
	p.periodic = to
	if from != to {
		p.note("periodic", from.String(), to.String(), reason)
	}
	switch to {
	case noPeriodic:
		p.periodicTimer.stop()
	case fastPeriodic:
		p.periodicTimer.start(p.sys.now.Add(FastPeriodicTime))
	case slowPeriodic:
		p.periodicTimer.start(p.sys.now.Add(SlowPeriodicTime))
	}
}
