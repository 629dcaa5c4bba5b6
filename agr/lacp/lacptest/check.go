package lacptest

import (
	"errors"
	"fmt"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// Watch checks what must hold of one System in every state. The zero value is
// ready to watch a new System.
type Watch struct {
	may  map[uint16]lacp.MuxChange // what the driver was told
	sent map[uint16][]lacp.Instant // in the last second, without farewells
}

// Observe takes everything that the System wants done at the time now, and its
// status; it returns what is wrong with them.
func (w *Watch) Observe(now lacp.Instant, r lacp.Ready, st lacp.Status) error {
	if w.may == nil {
		w.may, w.sent = map[uint16]lacp.MuxChange{}, map[uint16][]lacp.Instant{}
	}
	var errs []error
	for _, t := range r.Send {
		if !t.Farewell {
			errs = append(errs, w.rate(now, t.Port))
		}
	}
	for _, m := range r.Mux {
		w.may[m.Port] = m
	}
	for _, t := range r.Transitions {
		if t.Reason == "" || t.From == t.To {
			errs = append(errs, fmt.Errorf("transition without change or reason: %+v", t))
		}
	}
	for _, p := range st.Ports {
		errs = append(errs, w.port(st, p))
	}
	return errors.Join(append(errs, together(st))...)
}

// Forget is for a port that has been removed.
func (w *Watch) Forget(port uint16) {
	delete(w.may, port)
	delete(w.sent, port)
}

// rate is wrong when a port sends more in a second than IEEE 802.1AX-2014 6.4.16
// allows.
func (w *Watch) rate(now lacp.Instant, port uint16) error {
	recent := []lacp.Instant{now}
	for _, at := range w.sent[port] {
		if at > now.Add(-time.Second) {
			recent = append(recent, at)
		}
	}
	w.sent[port] = recent
	if len(recent) > lacp.TransmitLimit {
		return fmt.Errorf("port %d sends %d LACPDUs in a second", port, len(recent))
	}
	return nil
}

// port is what must hold for a port:
//   - the driver was told what the port may do, and the port says it of itself;
//   - only a port of the active aggregator that has a link, a partner in sync that has
//     not fallen silent and not itself at the far end collects, and only one whose partner collects
//     distributes, unless control is coupled;
//   - a port that is not SELECTED, or kept out because its link flaps, is not in
//     sync; one that has no partner forwards only where that is wanted;
//   - a port that does not distribute has a reason, one that does has none.
func (w *Watch) port(st lacp.Status, p lacp.PortStatus) error {
	may := w.may[p.Number]
	ready := p.Aggregator != 0 && p.Aggregator == st.Active && p.Link.Up && !p.Loopback &&
		p.Selected == "SELECTED" && p.Partner.State.Has(slow.Synchronization) && p.Receive != "EXPIRED"
	heard := p.Partner.State.Has(slow.Collecting) || st.Config.Coupled
	inSync := p.Actor.State.Has(slow.Synchronization)
	alone := p.Actor.State.Has(slow.Defaulted)
	wrong := ""
	switch {
	case may.Collecting != p.Collecting || may.Distributing != p.Distributing:
		wrong = "does what the driver was not told"
	case p.Collecting != p.Actor.State.Has(slow.Collecting),
		p.Distributing != p.Actor.State.Has(slow.Distributing):
		wrong = "says other than it does"
	case p.Collecting && !ready:
		wrong = "collects"
	case p.Distributing && !(p.Collecting && heard):
		wrong = "distributes"
	case p.Collecting && alone && !st.Config.Static && st.Config.Fallback == lacp.FallbackNone:
		wrong = "forwards without partner"
	case inSync && (p.Selected != "SELECTED" || p.Held):
		wrong = "is in sync without being selected"
	case p.Distributing == (p.Reason != ""):
		wrong = "has the wrong reason"
	default:
		return nil
	}
	return fmt.Errorf("port %d %s: %+v", p.Number, wrong, p)
}

// together is what must hold for the ports of a System:
//   - all that distribute have one LAG ID;
//   - not more are SELECTED than may be;
//   - none collects while there are not enough for MinLinks.
func together(st lacp.Status) error {
	var one *lacp.PortStatus
	chosen, links := 0, 0
	for i, p := range st.Ports {
		if p.Aggregator == 0 || p.Aggregator != st.Active || p.Selected != "SELECTED" {
			continue
		}
		chosen++
		if (p.Actor.State & p.Partner.State).Has(slow.Synchronization) {
			links++
		}
		switch {
		case p.Collecting && !st.Enough:
			return fmt.Errorf("port %d collects although there are too few", p.Number)
		case !p.Distributing:
		case one == nil:
			one = &st.Ports[i]
		case lagID(*one) != lagID(p):
			return fmt.Errorf("ports %d and %d distribute with different LAG IDs", one.Number, p.Number)
		}
	}
	switch most := st.Config.MaxPorts; {
	case most > 0 && chosen > most:
		return fmt.Errorf("%d ports are selected, of %d at most", chosen, most)
	case st.Fallback && st.Config.Fallback == lacp.FallbackSingle && chosen > 1:
		return fmt.Errorf("%d ports are selected without partner, of 1 at most", chosen)
	case links != st.Links:
		return fmt.Errorf("%d ports are in sync, not %d", links, st.Links)
	case st.Enough && !st.Fallback && links < min(st.Config.MinLinks.Down, st.Config.MinLinks.Up):
		return fmt.Errorf("%d ports are enough of %+v", links, st.Config.MinLinks)
	}
	return nil
}

// lagID is what ports that distribute have in common.
func lagID(p lacp.PortStatus) [2]lacp.LAGEnd {
	return [2]lacp.LAGEnd{
		{System: p.Actor.System, Key: p.Actor.Key}, {System: p.Partner.System, Key: p.Partner.Key},
	}
}

// Check is what must hold of a System whatever has happened before.
func Check(st lacp.Status) error {
	w := Watch{may: map[uint16]lacp.MuxChange{}}
	var errs []error
	for _, p := range st.Ports {
		w.may[p.Number] = lacp.MuxChange{Port: p.Number, Collecting: p.Collecting, Distributing: p.Distributing}
		errs = append(errs, w.port(st, p))
	}
	return errors.Join(append(errs, together(st))...)
}
