package lacp

import (
	"slices"
	"time"
)

// The one active aggregator. The standard lets every aggregator be an interface
// of its own; agrN is a single one, so the ports of all other aggregators are
// STANDBY and tell their partners so (design D5).

// counts reports whether the port, which is in an aggregator, could carry frames
// if that were active: a strict system waits until a partner has spoken.
func (p *port) counts() bool {
	return p.link.Up && (p.sys.optimistic() || p.hasPartner())
}

// choose finds the aggregator that should be active, and why. Without any that
// could carry frames the incumbent stays: its ports need not select anew when
// their links come back.
func (s *System) choose() (best *aggregator, reason string) {
	best, reason = s.active, s.activeReason
	for _, a := range s.aggs {
		if a == best || a.bandwidth() == 0 {
			continue
		}
		if why, ok := a.beats(best); ok {
			best, reason = a, why
		}
	}
	return best, reason
}

// beats reports whether a should be active rather than b, and why: first those
// with a real partner, then those that their partner has not let down, then the
// greater bandwidth. A tie changes nothing: the incumbent stays, or else the
// older one.
func (a *aggregator) beats(b *aggregator) (why string, ok bool) {
	switch {
	case b == nil || b.bandwidth() == 0:
		return "no other is usable", true
	case a.hasPartner() != b.hasPartner():
		return "it has a LACP partner", a.hasPartner()
	case a.passedOver != b.passedOver:
		return "the other's partner does not agree", b.passedOver
	default:
		return "greater bandwidth", a.bandwidth() > b.bandwidth()
	}
}

// watchPatience takes care of two ends that each hold another aggregator to be
// the active one, as their speeds or keys may tell them: neither would ever
// agree to the other's. When an incumbent has waited in vain, all are passed over
// whose partners do not agree, once there is one whose partner does.
func (s *System) watchPatience() {
	a := s.active
	waited := a != nil && !a.inSync() && s.patience.expired && s.alternative()
	for _, b := range s.aggs {
		b.passedOver = (b.passedOver || waited) && !b.inSync()
	}
	switch {
	case a == nil || !a.hasPartner() || a.inSync() || waited:
		s.patience.stop()
	case !s.patience.expired && !s.patience.running:
		s.patience.start(s.now.Add(s.patienceWith(a)))
	}
}

// alternative reports whether another aggregator than the active one has a
// partner in sync.
func (s *System) alternative() bool {
	return slices.ContainsFunc(s.aggs, func(a *aggregator) bool { return a != s.active && a.inSync() })
}

// patienceWith is how long this end waits for an aggregator's partner: the end
// with the worse (numerically greater) system identifier gives way first.
func (s *System) patienceWith(a *aggregator) time.Duration {
	if a.partner.System.Less(s.cfg.System) {
		return PatienceWorse
	}
	return PatienceBetter
}
