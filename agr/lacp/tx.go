package lacp

import "ifagr/agr/slow"

// The transmit machine, IEEE 802.1AX-2014 6.4.16.

// transmit sends a LACPDU when there is need to. In NO_PERIODIC there never is.
// A LACPDU that the limit holds back is built when it is sent, so it carries the
// newest state.
func (p *port) transmit() {
	if p.periodic == noPeriodic {
		p.ntt = false
	}
	if !p.ntt || p.nextTransmit() > p.sys.now {
		return
	}
	p.window.add(p.sys.now)
	p.send(false)
}

// nextTransmit is the earliest instant at which the port may send.
func (p *port) nextTransmit() Instant { return max(p.window.next(), p.notBefore) }

// notSent takes back that a LACPDU was sent: there is need to transmit, and the
// partner has not been told of our Synchronization. The window keeps the attempt.
func (p *port) notSent() {
	p.ntt = true
	p.notBefore = p.sys.now.Add(TransmitWindow / TransmitLimit)
	p.syncSent.stop()
}

// send hands a LACPDU with the port's present state to the driver.
func (p *port) send(farewell bool) {
	p.ntt = false
	p.sent++
	if p.actor.State.Has(slow.Synchronization) && !p.syncSent.running && !p.syncSent.expired {
		p.syncSent.start(p.sys.now.Add(SyncGraceTime))
	}
	p.sys.out.Send = append(p.sys.out.Send, Transmit{
		Port:     p.number,
		PDU:      slow.LACPDU{Version: 1, Actor: p.actor, Partner: p.partner},
		Farewell: farewell,
		Made:     p.sys.now,
	})
}

// Sent says that a LACPDU that Ready gave out has left by the time now. The limit
// counts from then: its driver programs first what the LACPDU announces, and if that
// takes long the next ones must not come the sooner.
func (s *System) Sent(t Transmit, now Instant) {
	s.clock(now)
	if p := s.port(t.Port); p != nil {
		p.window.late(t.Made, s.now)
	}
}

// window remembers when the last LACPDUs were sent, the oldest first.
type window struct {
	sent  [TransmitLimit]Instant
	count int
}

// next is the earliest instant at which another LACPDU keeps to the limit: not
// more than TransmitLimit in any half-open window (t - TransmitWindow, t].
func (w *window) next() Instant {
	if w.count < TransmitLimit {
		return 0
	}
	return w.sent[0].Add(TransmitWindow)
}

// late moves what was made at an instant, or later, to the one at which it left.
func (w *window) late(made, left Instant) {
	for i := range w.count {
		if w.sent[i] >= made {
			w.sent[i] = left
		}
	}
}

func (w *window) add(now Instant) {
	if w.count == TransmitLimit {
		copy(w.sent[:], w.sent[1:])
		w.count--
	}
	w.sent[w.count] = now
	w.count++
}
