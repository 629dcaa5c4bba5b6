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
	for _, p := range st.Ports {
		errs = append(errs, w.port(st, p))
	}
	return errors.Join(errs...)
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
//   - only a port of the active aggregator that has a link, a partner in sync and
//     not itself at the far end collects, and only one whose partner collects
//     distributes;
//   - a port that does not distribute has a reason, one that does has none.
func (w *Watch) port(st lacp.Status, p lacp.PortStatus) error {
	may := w.may[p.Number]
	ready := p.Aggregator != 0 && p.Aggregator == st.Active && p.Link.Up && !p.Loopback &&
		p.Selected == "SELECTED" && p.Partner.State.Has(slow.Synchronization)
	wrong := ""
	switch {
	case may.Collecting != p.Collecting || may.Distributing != p.Distributing:
		wrong = "does what the driver was not told"
	case p.Collecting != p.Actor.State.Has(slow.Collecting),
		p.Distributing != p.Actor.State.Has(slow.Distributing):
		wrong = "says other than it does"
	case p.Collecting && !ready:
		wrong = "collects"
	case p.Distributing && !(p.Collecting && p.Partner.State.Has(slow.Collecting)):
		wrong = "distributes"
	case p.Actor.State.Has(slow.Synchronization) && p.Selected != "SELECTED":
		wrong = "is in sync without being selected"
	case p.Distributing == (p.Reason != ""):
		wrong = "has the wrong reason"
	default:
		return nil
	}
	return fmt.Errorf("port %d %s: %+v", p.Number, wrong, p)
}
