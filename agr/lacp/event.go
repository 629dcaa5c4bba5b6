package lacp

import "ifagr/agr/slow"

// Event is something that happened: one of the types of this file.
// An event that names a port that the System does not have changes nothing.
type Event interface {
	apply(*System)
}

// AddPort gives the System a port. A number that is 0 or in use changes nothing.
type AddPort struct {
	Number   uint16 // 1..65535, stable while the port is attached
	Priority uint16
	Name     string // for transitions
	Link     Link
}

func (e AddPort) apply(s *System) {
	if e.Number == 0 || s.left || s.port(e.Number) != nil {
		return
	}
	p := &port{sys: s, number: e.Number, priority: e.Priority, name: e.Name, link: e.Link}
	s.ports = append(s.ports, p)
	p.begin("port added")
}

// RemovePort takes a port away.
type RemovePort struct {
	Number   uint16
	Farewell bool // tell the partner, when the port has spoken LACP
}

func (e RemovePort) apply(s *System) {
	p := s.port(e.Number)
	if p == nil {
		return
	}
	s.dismiss(p, e.Farewell, "port removed")
	for i, q := range s.ports {
		if q == p {
			s.ports = append(s.ports[:i:i], s.ports[i+1:]...)
		}
	}
}

// LinkChange says what a port's link is like now. While the link is down speed
// and duplex mean nothing: the port keeps the ones that it had, and with them
// its key.
type LinkChange struct {
	Number uint16
	Link   Link
}

func (e LinkChange) apply(s *System) {
	p := s.port(e.Number)
	if p == nil || s.left {
		return
	}
	p.setLink(e.Link)
}

// PortPriority gives a port another priority. The partner sees it, so the port
// selects anew.
type PortPriority struct {
	Number   uint16
	Priority uint16
}

func (e PortPriority) apply(s *System) {
	p := s.port(e.Number)
	if p == nil || s.left {
		return
	}
	p.priority = e.Priority
	p.updateActor("port priority changed")
}

// Received is a LACPDU that came in on a port.
type Received struct {
	Number uint16
	PDU    slow.LACPDU
}

func (e Received) apply(s *System) {
	p := s.port(e.Number)
	if p == nil || s.left || s.cfg.Static {
		return
	}
	p.pdu, p.received = e.PDU, true
}

// NotSent says that a LACPDU that Ready gave out for a port could not be
// transmitted. The need to transmit stands (agr(4) keeps it as well): the port tries
// again after a third of a second, or later when the transmit limit asks for that,
// with the state that it has then. A farewell is not tried again.
type NotSent struct{ Number uint16 }

func (e NotSent) apply(s *System) {
	if p := s.port(e.Number); p != nil {
		p.notSent()
	}
}

// Configure replaces the configuration. Every port tells its partner. A port
// whose system, key or aggregatability has changed by it selects anew: its
// partner hears once that it is not in sync. Static ends or begins LACP on every
// port. Everything else takes effect in the state in which the port is.
type Configure struct{ Config Config }

func (e Configure) apply(s *System) {
	if s.left {
		return
	}
	old := s.cfg
	s.cfg = e.Config
	for _, p := range s.ports {
		if old.Static != s.cfg.Static {
			p.begin("static mode switched")
			continue
		}
		p.updateActor("configuration changed")
		p.reviseTimers(&old)
		p.ntt = true
	}
}

// reviseTimers lets times that run follow the configuration. A partner that may
// speak more slowly now does so at once, so what is recorded must last as long;
// one that shall speak faster has first to hear of it, so that time runs on.
func (p *port) reviseTimers(old *Config) {
	cfg := &p.sys.cfg
	if p.receive == current && old.ShortTimeout && !cfg.ShortTimeout {
		p.currentWhile.start(p.currentWhile.at.Add(LongTimeoutTime - ShortTimeoutTime))
	}
	if p.fallback.running {
		p.fallback.start(p.fallback.at.Add(cfg.FallbackAfter - old.FallbackAfter))
	}
	p.reviseHold()
}

// Repeat tells every partner once more what it has been told, as far as the transmit
// limit lets it: from then on it does without us as long as it can.
type Repeat struct{}

func (Repeat) apply(s *System) {
	if s.left {
		return
	}
	for _, p := range s.ports {
		p.ntt = true
	}
}

// Leave says farewell on every port, as before the daemon stops while nothing
// can forward without it. The ports stay unselected and silent: afterwards only
// RemovePort has an effect.
type Leave struct{}

func (Leave) apply(s *System) {
	for _, p := range s.ports {
		s.dismiss(p, true, "system leaves")
	}
	s.left = true
}
