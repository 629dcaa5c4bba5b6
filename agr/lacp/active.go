package lacp

import (
	"slices"
	"time"
)

// The one active aggregator. The standard lets every aggregator be an interface
// of its own; agrN is a single one, so the ports of all other aggregators are
// STANDBY and tell their partners so (design D5).

// counts reports whether the port could carry frames if its aggregator were active:
// without fallback a partner must have spoken. A partner that is only remembered,
// because it fell silent or the link was gone meanwhile, keeps the incumbent in its
// place and helps no other to it.
func (p *port) counts() bool {
	s := p.sys
	remembered := p.receive == expired && p.hasPartner()
	return p.link.Up && p.aggregator != nil && !p.held() && (s.optimistic() || p.hasPartner()) &&
		(!remembered || p.aggregator == s.active)
}

// known reports whether it is clear who is at the far end: a partner that speaks
// now, or nobody.
func (p *port) known() bool {
	return p.receive == current || p.receive != expired && p.fallsBack()
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
		if why, ok := s.prefers(a, best); ok {
			best, reason = a, why
		}
	}
	return best, reason
}

// prefers reports whether a should be active rather than b, and why: by its tier,
// then for the greater bandwidth, or what takes its place. A tie changes nothing:
// the incumbent stays, or else the older one.
func (s *System) prefers(a, b *aggregator) (why string, ok bool) {
	switch {
	case b == nil || b.bandwidth() == 0:
		return "no other is usable", true
	case s.tier(a) != s.tier(b):
		return betterTier(a, b), s.tier(a) > s.tier(b)
	case s.single() && a.partnerless() && b.partnerless():
		return "its port is the better one", s.offer(a) > 0 && a.best().betterThan(b.best())
	default:
		return "greater bandwidth", s.offer(a) > b.bandwidth()
	}
}

// tier ranks an aggregator by what its partners are and do: best those with a LACP
// partner that has not let them down, and among these those with enough ports for
// min-links. Without partner come after them, and last those that were passed over;
// but while some LACP partner keeps its word, though with too few ports, waiting
// for one that may agree yet costs nothing. Where nobody agrees, too, an aggregator
// that could never carry frames is not offered to its partner, who might leave
// another one for it.
func (s *System) tier(a *aggregator) int {
	switch reaches := a.reachesMinLinks(); {
	case a.willing() && reaches:
		return 5
	case a.hasPartner() && reaches && slices.ContainsFunc(s.aggs, (*aggregator).willing):
		return 4
	case a.willing():
		return 3
	case !a.hasPartner():
		return 2
	case reaches:
		return 1
	default:
		return 0
	}
}

// willing reports whether there is a LACP partner that has not let the ports down.
func (a *aggregator) willing() bool { return a.hasPartner() && !a.passedOver() }

// betterTier says why a is of a better tier than b.
func betterTier(a, b *aggregator) string {
	switch {
	case b.passedOver() && !a.passedOver():
		return "the other's partner does not agree"
	case a.hasPartner() && !b.hasPartner():
		return "it has a LACP partner"
	default:
		return "it has enough ports for min-links"
	}
}

// offer is the bandwidth with which an aggregator challenges another: none while
// the active one is attached and the challenger's ports would still have to wait.
// Nothing is gained by stopping frames for that long.
func (s *System) offer(a *aggregator) uint64 {
	if s.active != nil && s.active.attached() && !a.settled() {
		return 0
	}
	return a.bandwidth()
}

// Two ends may each hold another aggregator to be the active one, as their speeds
// or keys tell them, and neither would ever agree to the other's; or a partner
// agrees to nothing at all. So an incumbent that waits for its partner in vain is
// passed over.

// passOver gives up, when the time of the active aggregator is over, all ports whose
// partners do not agree: aggregators that nobody agrees to shall not take turns. The
// mark is the port's and outlives its aggregator, so that a partner gains no time by
// changing its key. It ends when the partner agrees, or with the link. Where nobody
// agrees all are passed over, and it makes no difference.
func (s *System) passOver() {
	if !s.patience.expired {
		return
	}
	for _, p := range s.ports {
		if p.counts() && p.refused() {
			p.passedOver = true
		}
	}
}

// watchPatience lets the time run for as long as the active aggregator, whichever
// it is, is refused by its partner.
func (s *System) watchPatience() {
	switch {
	case s.active == nil || !s.active.refused():
		s.patience.stop()
	case !s.patience.running:
		s.patience.start(s.now.Add(s.patienceWith(s.active)))
	}
}

// patienceWith is how long this end waits for an aggregator's partner: the end
// with the worse (numerically greater) system identifier gives way first.
func (s *System) patienceWith(a *aggregator) time.Duration {
	if a.partner.System.Less(s.cfg.System) {
		return PatienceWorse
	}
	return PatienceBetter
}
