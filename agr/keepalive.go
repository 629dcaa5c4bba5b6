package agr

import (
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// Where the datapath forwards without the daemon, it also speaks for it: see
// datapath.Keep. The owner tells it after each change what it would say on each
// port, and gives a sign of life in every turn.
const (
	// A LACPDU is answered for a daemon that should have sent one half a period ago.
	// The partner sends as often, so its next one comes and is answered before it
	// gives up: after 2.5 s of 3, and after 75 s of 90.
	lateFast = lacp.FastPeriodicTime * 3 / 2
	lateSlow = lacp.SlowPeriodicTime * 3 / 2
	// oldMargin is what a LACPDU may be late before the port is left out.
	oldMargin = 500 * time.Millisecond
)

// Reasons why nobody would speak for the daemon on a port, for people.
const (
	keepaliveOff  = "keepalive off"
	noDatapath    = "user datapath"
	noPartner     = "no LACP partner"
	partnerSlow   = "partner sends every 30 s"
	partnerLonger = "partner's LACPDUs are longer than 124 octets"
)

// keeps reports whether there is anybody who could speak for the daemon.
func (a *aggregate) keeps() bool { return a.grace > 0 && a.dev.Info().Keeps }

// uncovered says why a port would lose its partner without the daemon, though it
// goes on to forward. It is empty if it would not for as long as the grace lasts.
func (a *aggregate) uncovered(p *port, ps lacp.PortStatus) string {
	switch {
	case !a.dev.Info().Keeps:
		return noDatapath
	case a.grace <= 0:
		return keepaliveOff
	case !a.speaks(p, ps):
		return noPartner
	case ps.Partner.State.Has(slow.Timeout) && (!p.often() || time.Since(p.heard.Time) > oftenPause):
		return partnerSlow
	case p.longer:
		return partnerLonger
	}
	return ""
}

// speaks reports whether a port has an LACP partner to go on with.
func (a *aggregate) speaks(p *port, ps lacp.PortStatus) bool {
	return ps.Receive == "CURRENT" && !ps.Loopback && p.departure == nil
}

// oftenPause is at most between two LACPDUs of a partner that sends every second.
const oftenPause = lacp.FastPeriodicTime * 5 / 2

// often reports whether the partner sends every second, as it should when it is
// asked to: some do only when their next LACPDU was due anyway.
func (p *port) often() bool { return p.heard != nil && p.pause > 0 && p.pause <= oftenPause }

// keep tells the datapath what the daemon would say and do, if that may have
// changed. While ports are being resumed what a predecessor said is in force.
func (a *aggregate) keep() {
	if !a.keepDue || a.resuming || !a.dev.Info().Keeps {
		return
	}
	a.keepDue = false
	st := a.lacp.Status()
	for _, p := range a.ports {
		var k datapath.Keep
		if ps, ok := portStatus(st, p.number); ok && a.grace > 0 && a.speaks(p, ps) {
			k = a.keepOf(p, ps)
		}
		if err := a.dev.Keep(p.number, k); err != nil {
			a.log.Error("keepalive not set", "agr", a.name, "port", p.name, "err", err)
		}
	}
}

// keepOf is what is kept of a port with a partner.
func (a *aggregate) keepOf(p *port, ps lacp.PortStatus) datapath.Keep {
	k := datapath.Keep{
		LACPDU: slow.AppendLACPDU(nil, p.undo.MAC, a.pdu(ps.Actor, ps.Partner)),
		Late:   lateSlow, Old: lacp.LongTimeoutTime, Grace: a.grace,
		Need: uint8(slow.Synchronization | slow.Collecting | ps.Partner.State&slow.Aggregation),
	}
	if ps.Partner.State.Has(slow.Timeout) {
		k.Late = lateFast
	}
	if ps.Actor.State.Has(slow.Timeout) && p.often() {
		k.Old = lacp.ShortTimeoutTime + oldMargin
	}
	if a.opts.Coupled {
		k.Need &^= uint8(slow.Collecting)
	}
	return k
}

// pdu is a LACPDU of this system.
func (a *aggregate) pdu(actor, partner slow.PortInfo) slow.LACPDU {
	delay := uint16(a.dev.Info().CollectorDelay / collectorDelayUnit)
	return slow.LACPDU{Version: 1, Actor: actor, Partner: partner, CollectorMaxDelay: delay}
}

// signOfLife is given in every turn of the owner.
func (a *aggregate) signOfLife() {
	if !a.keeps() || a.resuming {
		return
	}
	a.dev.Alive()
	a.signed = a.now()
}

// After a pause of longer than pauseNoticed the owner waits at most catchUpWait for
// the LACPDUs that came meanwhile.
const (
	pauseNoticed = time.Second
	catchUpWait  = 250 * time.Millisecond
)

// catchUp is for an owner that was stopped: before its timers count it reads the
// LACPDUs that are still waiting at the sockets, of which it knows from the
// datapath. One is enough for each port, since their order stays.
func (a *aggregate) catchUp() {
	if a.signed == 0 || time.Duration(a.now()-a.signed) < pauseNoticed {
		return
	}
	a.signed = a.now()
	enough := time.NewTimer(catchUpWait)
	defer enough.Stop()
	for a.behind() {
		select {
		case r := <-a.frames:
			a.receive(r)
		case <-enough.C:
			return
		}
	}
}

// behind reports whether a LACPDU has come to a port that was not read yet.
func (a *aggregate) behind() bool {
	for _, p := range a.ports {
		heard := a.dev.Kept(p.number).Heard
		if !heard.IsZero() && (p.heard == nil || p.heard.Time.Before(heard)) {
			return true
		}
	}
	return false
}
