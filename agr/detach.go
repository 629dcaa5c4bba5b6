package agr

import (
	"errors"
	"slices"

	"ifagr/agr/lacp"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

// detach makes a port an ordinary interface again. It goes on past failures and
// reports them: a port is never left half attached.
func (a *aggregate) detach(p *port, farewell bool) error {
	p.flush, p.flushed = nil, true
	a.step(lacp.RemovePort{Number: p.number, Farewell: farewell})
	a.settle()
	errs := []error{a.dev.RemovePort(p.number), p.close()}
	a.forget(p)
	a.program()
	errs = append(errs, a.giveBack(p))
	if len(a.ports) == 0 {
		a.system = ether.Addr{}
		a.step(lacp.Configure{Config: a.config()})
	} else if p.undo.MAC == a.mac && !a.ending {
		a.bringerLeft(p)
	}
	a.ledger.note(a.record())
	a.transition(p.name, "agr", portAttached, "", "port has left "+a.name)
	err := asErrno(errors.Join(errs...))
	if p.departure != nil {
		p.departure.done <- err
	}
	return err
}

// giveBack restores a port that has left, and stays on record until it has
// everything. What cannot be given back now is owed, as is a port that is to be
// attached again.
func (a *aggregate) giveBack(p *port) error {
	a.leaving = p
	err := a.restore(p)
	a.leaving = nil
	if err != nil {
		a.log.Error("port not restored; it is tried again", "agr", a.name, "port", p.name, "err", err)
	}
	if err != nil || p.again {
		a.owed = append(a.owed, p.leftRecord())
	}
	return err
}

// pay tries again to give back what is owed, and to attach again what could not
// be attached when the daemon started.
func (a *aggregate) pay() {
	if len(a.owed) == 0 {
		return
	}
	a.load(a.owed)
	a.ledger.flush()
	for _, rec := range slices.Clone(a.owed) {
		a.unowe(rec.Index)
		if rec.Left {
			a.giveBack(portOf(rec))
		} else {
			a.rejoin(rec)
		}
	}
	a.unload()
	a.ledger.note(a.record())
}

// release gives back what is owed, for good: nothing is attached again.
func (a *aggregate) release() {
	a.owed, a.untried = append(a.owed, a.untried...), nil
	for i := range a.owed {
		a.owed[i].Left = true
	}
	a.pay()
}

// forgive restores a port that is owed it, or was not attached again, once more.
func (a *aggregate) forgive(index int) (found bool, err error) {
	rec, found := a.unowe(index)
	if !found {
		return false, nil
	}
	err = a.giveBack(portOf(rec))
	a.ledger.note(a.record())
	return true, asErrno(err)
}

// unowe takes a port off the list of those that are owed something.
func (a *aggregate) unowe(index int) (rec state.Port, found bool) {
	i := slices.IndexFunc(a.owed, func(r state.Port) bool { return r.Index == index })
	if i < 0 {
		return rec, false
	}
	rec = a.owed[i]
	a.owed = slices.Delete(a.owed, i, i+1)
	return rec, true
}

// rejoin attaches a port that a predecessor had, with its undo. If that cannot
// be done now it is tried again later; an interface that has gone is forgotten.
func (a *aggregate) rejoin(rec state.Port) {
	l, err := a.os.LinkByIndex(rec.Index)
	p := portOf(rec)
	if why := taken(p, l, err); why != "" {
		a.log.Warn("port has left", "agr", a.name, "port", rec.Name, "reason", why)
		if isGone(err) {
			p.mac = a.mac
			a.miss(p)
		}
		a.giveBack(p)
		return
	}
	if err != nil {
		a.owed = append(a.owed, rec)
	} else {
		p.resumed, p.again = true, true
		err = a.join(p, l)
		p.again = false
	}
	if err != nil {
		a.log.Error("port not resumed; it is tried again", "agr", a.name, "port", rec.Name, "err", err)
	}
}
