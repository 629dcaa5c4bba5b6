package agr

import (
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// Somebody else who speaks LACP on the cable of a port becomes its partner with the
// first LACPDU, as the standard has it: the cable may lead elsewhere now. But when
// the old partner comes back again and again there are two of them, and a stranger
// who says something once a second would keep the port out for good. From then on
// the port keeps to the partner that it knows, for as long as that one speaks: the
// time for which its information is good anyway (IEEE 802.1AX-2014 6.4.4).

const (
	// contestedAfter is how often the known partner must have come back in
	// contestedIn.
	contestedAfter = 3
	contestedIn    = time.Minute
	// strangersForget is how long no stranger may have spoken for the next one to be
	// taken for a new partner again.
	strangersForget = 5 * time.Minute
)

// contest is what a port knows of those who speak on its cable. Its zero value knows
// of nobody.
type contest struct {
	known     lacp.Instant // when the known partner spoke last
	stranger  lacp.Instant // when somebody else did
	displaced bool         // that was after the known partner
	returns   int          // of the known partner since first
	first     lacp.Instant
	on        bool // strangers are ignored
}

// back notes that the known partner speaks, and reports whether strangers are to be
// ignored from now on.
func (c *contest) back(now lacp.Instant) (begins bool) {
	c.known = now
	if !c.displaced {
		return false
	}
	c.displaced = false
	if now >= c.first.Add(contestedIn) {
		c.first, c.returns = now, 0
	}
	c.returns++
	begins = !c.on && c.returns >= contestedAfter
	c.on = c.on || begins
	return begins
}

// ignores notes that a stranger speaks, and reports whether it is ignored. The known
// partner's information is good for so long.
func (c *contest) ignores(now lacp.Instant, good time.Duration) bool {
	if now >= c.known.Add(good) || now >= c.stranger.Add(strangersForget) {
		*c = contest{known: c.known, first: now}
	}
	c.stranger, c.displaced = now, true
	return c.on
}

// heeds reports whether a LACPDU is for the protocol. One of a stranger may not be;
// one of this very system always is, so that a loop is seen.
func (a *aggregate) heeds(p *port, pdu slow.LACPDU) bool {
	known := p.known.Load()
	switch {
	case known == nil || pdu.Actor.System == a.config().System:
		return true
	case identityOf(pdu.Actor) == *known:
		if p.contest.back(a.now()) {
			a.log.Warn("another system speaks LACP on this port's cable; the port keeps to its partner", "agr", a.name, "port", p.name,
				"partner", known.system.Addr)
		}
		return true
	}
	good := lacp.LongTimeoutTime
	if a.config().ShortTimeout {
		good = lacp.ShortTimeoutTime
	}
	return !p.contest.ignores(a.now(), good)
}
