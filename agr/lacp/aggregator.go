package lacp

import (
	"slices"

	"ifagr/agr/slow"
)

// LAGEnd is one half of a LAG ID (IEEE 802.1AX-2014 6.3.6): a system and its key.
type LAGEnd struct {
	System slow.System
	Key    uint16
}

func endOf(i slow.PortInfo) LAGEnd { return LAGEnd{System: i.System, Key: i.Key} }

// aggregator is one LAG ID and the ports that have selected it. It exists while
// it has ports.
type aggregator struct {
	id         int // 1, 2, ... in the order of creation, never used again
	actor      LAGEnd
	partner    LAGEnd
	individual bool // has one port and takes no other
	ports      []*port
}

// ready is the standard's Ready (6.4.14.2): every port that is to be attached and is
// not yet has waited long enough. Of an aggregator that stands by it tells whether
// the ports could be attached at once.
func (a *aggregator) ready() bool {
	return !slices.ContainsFunc(a.ports, func(p *port) bool {
		behind := p.selected == standby && a == p.sys.active
		return p.mux < attached && !p.waitWhile.expired && !behind
	})
}

// counting reports whether the condition is true of a port that counts.
func (a *aggregator) counting(is func(*port) bool) bool {
	return slices.ContainsFunc(a.ports, func(p *port) bool { return p.counts() && is(p) })
}

// hasPartner reports whether a port has a partner that speaks LACP.
func (a *aggregator) hasPartner() bool { return a.counting((*port).hasPartner) }

// refused reports whether there is a partner that speaks LACP, and it agrees on no
// port.
func (a *aggregator) refused() bool {
	return a.hasPartner() && !a.counting(func(p *port) bool { return !p.refused() })
}

// passedOver reports whether all ports have been given up. The mark is about what a
// partner said, and means nothing for the default one.
func (a *aggregator) passedOver() bool {
	return !a.counting(func(p *port) bool { return !p.passedOver || !p.hasPartner() })
}

// attached reports whether a port is attached.
func (a *aggregator) attached() bool {
	return a.counting(func(p *port) bool { return p.mux >= attached })
}

// settled reports whether the ports could be attached the moment that the aggregator
// becomes the active one, and one of them knows whether somebody speaks LACP to it.
func (a *aggregator) settled() bool {
	return a.ready() && a.counting((*port).known)
}

// partnerless reports whether no port has ever heard the partner: it is the default
// one. Other than hasPartner it asks the ports without a link as well.
func (a *aggregator) partnerless() bool {
	return !slices.ContainsFunc(a.ports, (*port).hasPartner)
}

// bandwidth is the sum of the speeds of the ports that count, in Mb/s; 0 when there
// is none. Of more ports than may be SELECTED it is that of the best.
func (a *aggregator) bandwidth() uint64 {
	var sum uint64
	ranked := a.ranked()
	for _, p := range ranked[:min(a.limit(), len(ranked))] {
		switch {
		case !p.counts():
		case p.link.Speed == 0:
			sum += UnknownSpeed
		default:
			sum += p.link.Speed
		}
	}
	return sum
}
