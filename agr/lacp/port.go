package lacp

import (
	"fmt"

	"ifagr/agr/slow"
)

// port is one port and its machines (IEEE 802.1AX-2014 6.4.7, 6.4.8).
type port struct {
	sys      *System
	number   uint16
	priority uint16
	name     string
	link     Link

	actor    slow.PortInfo // operational
	partner  slow.PortInfo // operational: recorded, or the default partner
	loopback bool          // the recorded partner is this very system

	receive      receiveState
	currentWhile timer
	fallback     timer       // in DEFAULTED, until the port may forward without partner
	pdu          slow.LACPDU // the one being received
	received     bool        // there is one
	moved        bool        // port_moved

	selected   selection
	aggregator *aggregator
	passedOver bool  // the partner was given time to agree and did not
	refusal    timer // that time, while other ports stand by
	flaps      flaps

	mux       muxState
	waitWhile timer
	waitMost  timer // bounds how long other ports may hold this one up
	echoed    bool  // the partner's last LACPDU knew of our Synchronization
	syncSent  timer // SyncGraceTime, from the first LACPDU that told of it
	muxSince  Instant
	changes   uint64 // of the mux state
	told      MuxChange

	periodic      periodicState
	periodicTimer timer
	ntt           bool
	window        window
	notBefore     Instant // of the next LACPDU, after one that failed
	sent          uint64  // LACPDUs

	actorChurn, partnerChurn churn
}

// timers are all timers of the port.
func (p *port) timers() [10]*timer {
	return [...]*timer{
		&p.currentWhile, &p.fallback, &p.refusal, &p.flaps.hold, &p.waitWhile, &p.waitMost,
		&p.syncSent, &p.periodicTimer, &p.actorChurn.timer, &p.partnerChurn.timer,
	}
}

// begin is the standard's BEGIN: it starts all machines of the port again.
func (p *port) begin(reason string) {
	p.setReceive(initialize, reason)
	p.updateActor(reason)
	p.ntt = true
}

// note records a transition of one of the port's machines.
func (p *port) note(machine, from, to, reason string) {
	p.sys.out.Transitions = append(p.sys.out.Transitions, Transition{
		Port: p.number, Name: p.name, Machine: machine, From: from, To: to, Reason: reason,
	})
}

// setLink takes over what is known of the link.
func (p *port) setLink(l Link) {
	was := p.link.Up
	if l.Up {
		p.link = l
	} else {
		p.link.Up = false
	}
	switch {
	case was && !l.Up:
		p.linkLost()
		p.note("link", "up", "down", fmt.Sprintf("loss %d", p.flaps.total))
	case !was && l.Up:
		p.linkBack()
		p.note("link", "down", "up", p.backReason())
	}
	p.updateActor("link changed")
}

// lacpEnabled is the standard's LACP_Enabled: a half-duplex link cannot be
// aggregated (IEEE 802.1AX-2014 6.1.1), and agr(4) keeps silent on it.
func (p *port) lacpEnabled() bool { return !p.link.HalfDuplex }

// hasPartner reports whether the partner's information came in a LACPDU, rather
// than from the default partner.
func (p *port) hasPartner() bool { return !p.actor.State.Has(slow.Defaulted) }

// refused reports whether the partner speaks LACP and does not agree.
func (p *port) refused() bool {
	return p.hasPartner() && !p.partner.State.Has(slow.Synchronization)
}

// updateActor recomputes what the port says of itself. When its half of the LAG
// ID changes the port must select again, and the partner has not yet agreed to
// the new one: its Synchronization was meant for the old one.
func (p *port) updateActor(reason string) {
	old := p.actor
	cfg := &p.sys.cfg
	p.actor.System = cfg.System
	p.actor.Key = p.key()
	p.actor.Priority = p.priority
	p.actor.Port = p.number
	p.actor.State = p.actor.State.
		With(slow.Activity, !cfg.Passive).
		With(slow.Timeout, cfg.ShortTimeout).
		With(slow.Aggregation, p.lacpEnabled())
	if p.actor == old {
		return
	}
	p.ntt = true
	if identity(p.actor) == identity(old) {
		return
	}
	p.unselect(reason)
	p.loopback = p.hasPartner() && p.isOwnSystem(p.partner.System)
	if p.hasPartner() && p.partner.State.Has(slow.Aggregation) {
		p.partner.State = p.partner.State.With(slow.Synchronization, false)
	}
}

// isOwnSystem reports whether a system identifier is ours.
func (p *port) isOwnSystem(id slow.System) bool {
	own := p.sys.cfg.System
	return id == own && !own.Addr.IsZero()
}

// identity is the part of an end's information that selection depends on: all
// but the state, of which only Aggregation counts (IEEE 802.1AX-2014 6.4.9,
// update_Selected).
func identity(i slow.PortInfo) slow.PortInfo {
	i.State &= slow.Aggregation
	return i
}

// Keys of ports: bit 15 marks an individual port, bits 5 to 14 are KeyBase, bits
// 0 to 4 the class of the speed.
const (
	individualKey = 0x8000
	keyBaseMask   = 0x3ff
	keyBaseShift  = 5
)

// key is the operational key (IEEE 802.1AX-2014 6.3.5). Ports of different
// speeds get different keys, so that they never share an aggregator, unless the
// administrator has set one key for all.
func (p *port) key() uint16 {
	cfg := &p.sys.cfg
	switch {
	case !p.lacpEnabled():
		return individualKey | p.number
	case cfg.Key != 0:
		return cfg.Key
	default:
		return (cfg.KeyBase&keyBaseMask)<<keyBaseShift | speedClass(p.link.Speed)
	}
}

// otherSpeed is the class of unknown and of unusual speeds.
const otherSpeed = 31

// speedClass maps a speed in Mb/s to the low five bits of the key. 1 Gb/s has
// agr(4)'s number of 1000BASE-T; the values have no meaning beyond this system.
func speedClass(speed uint64) uint16 {
	if speed >= 1_600_000 {
		return 30
	}
	classes := [...]struct {
		speed uint64
		class uint16
	}{
		{10, 3},
		{100, 6},
		{1_000, 16},
		{2_500, 28},
		{5_000, 29},
		{10_000, 26},
		{20_000, 17},
		{25_000, 22},
		{40_000, 23},
		{50_000, 24},
		{56_000, 25},
		{100_000, 20},
		{200_000, 21},
		{400_000, 18},
		{800_000, 19},
	}
	for _, c := range classes {
		if c.speed == speed {
			return c.class
		}
	}
	return otherSpeed
}
