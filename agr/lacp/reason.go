package lacp

import (
	"fmt"
	"strings"
	"time"

	"ifagr/agr/slow"
)

// reason says in words why the port does not distribute: the first obstacle on
// the way that a port takes. When it names a time, until is when that is over.
func (p *port) reason() (why string, until Instant) {
	switch {
	case p.mux >= distributing:
		return "", 0
	case p.sys.left:
		return "stopped", 0
	case !p.link.Up:
		return "link down", 0
	case p.loopback:
		return p.loopbackReason(), 0
	case p.held():
		return p.heldReason(), p.flaps.hold.at
	case !p.hasPartner() && !p.sys.optimistic():
		return "no LACP partner", 0
	case p.fallback.running:
		wait := seconds(p.fallback.at, p.sys.now)
		return "fallback: waiting " + wait + " for a LACPDU", p.fallback.at
	case p.selected == standby:
		return p.standbyReason(), 0
	default:
		return p.muxReason(), 0
	}
}

// muxReason is the obstacle for a port that is SELECTED.
func (p *port) muxReason() string {
	switch {
	case p.mux == waiting:
		return "waiting for the ports to settle"
	case p.receive == expired && p.hasPartner():
		return "partner has fallen silent"
	case p.receive == expired:
		return "waiting for a LACP partner"
	case !p.partner.State.Has(slow.Synchronization):
		return "waiting for partner sync"
	case !p.sys.enough:
		return p.sys.minLinksReason()
	case !p.partnerKnows():
		return "partner may not know yet that we are in sync"
	default:
		return "partner does not collect"
	}
}

// loopbackReason says which port of this system is at the far end.
func (p *port) loopbackReason() string {
	far := p.sys.port(p.partner.Port)
	switch {
	case far == nil:
		return "loopback: the far end is this system"
	case far == p:
		return "loopback: the port hears itself"
	default:
		return "loopback: the far end is our port " + far.name
	}
}

// minLinksReason says how many ports there should be, and are.
func (s *System) minLinksReason() string {
	up, down := s.active.thresholds()
	if up == down {
		return fmt.Sprintf("min-links %d: only %d", up, s.links)
	}
	return fmt.Sprintf("min-links %d,%d: only %d", up, down, s.links)
}

// behindReason says which ports of the active aggregator leave no room for this
// one.
func (p *port) behindReason() string {
	a := p.sys.active
	what := fmt.Sprintf("max-ports %d", a.limit())
	if p.sys.single() && a.partnerless() {
		what = "fallback single"
	}
	var ahead []string
	for _, q := range p.sys.chosen() {
		ahead = append(ahead, q.name)
	}
	return what + ": standby behind " + strings.Join(ahead, ", ")
}

// standbyReason says in what way the port's aggregator differs from the active
// one, or that it is the same.
func (p *port) standbyReason() string {
	own, active := p.aggregator, p.sys.active
	switch {
	case active == nil:
		return "standby: no aggregator is active"
	case p.passedOver && p.hasPartner():
		return "standby: the partner did not agree in time"
	case own == active:
		return p.behindReason()
	case p.sys.single() && own.partnerless() && active.partnerless():
		return p.behindReason()
	case own.individual:
		return "standby: an individual link cannot be aggregated"
	case !p.hasPartner() && active.hasPartner():
		return "standby: no LACP partner, unlike the active aggregator"
	case own.partner.System != active.partner.System:
		return fmt.Sprintf("partner system %s differs from the active aggregator's %s",
			systemName(own.partner.System), systemName(active.partner.System))
	case own.partner.Key != active.partner.Key:
		return fmt.Sprintf("partner key %d differs from the active aggregator's %d",
			own.partner.Key, active.partner.Key)
	case own.actor.Key != active.actor.Key:
		return fmt.Sprintf("key %d (by speed) differs from the active aggregator's %d",
			own.actor.Key, active.actor.Key)
	default:
		return "standby: the active aggregator is an individual link"
	}
}

func systemName(id slow.System) string { return fmt.Sprintf("%04x,%s", id.Priority, id.Addr) }

// seconds is the time from now on in whole seconds, the one that has begun
// included.
func seconds(at, now Instant) string {
	d := max(0, time.Duration(at-now))
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
