package lacp

import "ifagr/agr/slow"

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
	passedOver bool // its partner was given time to agree and did not
}

// ready is the standard's Ready (6.4.14.2): every port that waits to be attached
// has waited long enough. STANDBY ports wait for something else.
func (a *aggregator) ready() bool {
	for _, p := range a.ports {
		if p.mux == waiting && p.selected == selected && !p.waitWhile.expired {
			return false
		}
	}
	return true
}

// inSync reports whether a partner that speaks LACP agrees to this aggregator on
// at least one port that could be used.
func (a *aggregator) inSync() bool {
	for _, p := range a.ports {
		if p.counts() && p.hasPartner() && p.partner.State.Has(slow.Synchronization) {
			return true
		}
	}
	return false
}

// bandwidth is the sum of the speeds of the ports that could be used, in Mb/s; 0
// when there is none.
func (a *aggregator) bandwidth() uint64 {
	var sum uint64
	for _, p := range a.ports {
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

// hasPartner reports whether a port that could be used has a partner that speaks
// LACP.
func (a *aggregator) hasPartner() bool {
	for _, p := range a.ports {
		if p.counts() && p.hasPartner() {
			return true
		}
	}
	return false
}
