package agr

import (
	"errors"
	"slices"

	"ifagr/agr/datapath"
	"ifagr/agr/lacp"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

// sweeper is a device that can find what killed processes have left on interfaces
// that are not ports; those that keep lists by index are left alone.
type sweeper interface {
	// Sweep is for what any of them has left.
	Sweep(keep []int) error
	// SweepOwn is for what those of this aggregate have.
	SweepOwn(keep []int) error
}

// sweep looks for what killed daemons have left, with all ports on record: of this
// aggregate, and the first time of all.
func (m *Manager) sweep(a *aggregate) {
	d, ok := a.dev.(sweeper)
	if !ok {
		return
	}
	var keep []int
	for _, rec := range m.ledger.agrs() {
		for _, p := range rec.Ports {
			keep = append(keep, p.Index)
		}
	}
	sweep := d.SweepOwn
	if !m.swept {
		m.swept, sweep = true, d.Sweep
	}
	if err := a.do(func() error { return sweep(keep) }); err != nil {
		m.log.Error("what a killed daemon left is not all removed", "err", err)
	}
}

// resume takes over what a predecessor left and no aggregate has yet. What cannot
// be taken over now stays on record and is tried again with the next full look.
func (m *Manager) resume() {
	pending := slices.ContainsFunc(m.ledger.agrs(), func(rec state.Agr) bool { return m.Exists(rec.Name) != nil })
	if !pending {
		return
	}
	m.ops.Lock()
	defer m.ops.Unlock()
	for _, rec := range m.ledger.agrs() {
		if m.Exists(rec.Name) == nil {
			continue
		}
		a, err := m.start(rec)
		switch {
		case errors.Is(err, datapath.ErrNotOurs):
			m.log.Error("another tool's interface has its name; its ports are released", "agr", rec.Name, "err", err)
			m.abandon(rec)
		case err != nil:
			m.log.Error("not resumed; it is tried again", "agr", rec.Name, "err", err)
		default:
			a.do(func() error { a.resumePorts(); return nil })
			m.sweep(a)
		}
	}
}

// abandon gives the ports of an aggregate that cannot be resumed back what they
// had.
func (m *Manager) abandon(rec state.Agr) {
	a := &aggregate{name: rec.Name, os: m.os, log: m.log, ledger: m.ledger, owed: slices.Clone(rec.Ports)}
	a.release()
	if err := m.ledger.drop(rec.Name); err != nil {
		m.log.Error("state not saved", "agr", rec.Name, "err", err)
	}
}

// resumePorts attaches the ports that a predecessor had. On record are all of them at
// any time: a kill in between forgets none.
func (a *aggregate) resumePorts() {
	for len(a.untried) > 0 {
		rec := a.untried[0]
		a.untried = a.untried[1:]
		if rec.Left {
			a.giveBack(portOf(rec))
			continue
		}
		a.rejoin(rec)
	}
	if len(a.ports) == 0 && len(a.owed) == 0 {
		a.system = ether.Addr{}
		a.step(lacp.Configure{Config: a.config()})
	}
	a.recall()
	a.resuming = false
	a.program()
	a.ledger.note(a.record()) // without the programs that were replaced
}
