package agr

import (
	"errors"
	"slices"

	"ifagr/agr/datapath"
	"ifagr/agr/lacp"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

// resume takes over what a predecessor left and no aggregate has yet. What cannot
// be taken over now stays on record and is tried again with the next full look.
//
// Each write of the state has all aggregates and all ports in it, and each look for
// strays all interfaces: there is one of each for all of them, whatever their number.
func (m *Manager) resume() {
	pending := slices.ContainsFunc(m.ledger.agrs(), func(rec state.Agr) bool { return m.Exists(rec.Name) != nil })
	if !pending {
		return
	}
	m.ops.Lock()
	defer m.ops.Unlock()
	begun := m.adopt()
	for _, a := range begun {
		a.do(func() error { a.load(a.untried); return nil })
	}
	m.ledger.flush() // what is put at the ports is on record before
	for _, a := range begun {
		a.do(func() error { a.resumePorts(); return nil })
	}
	m.ledger.flush() // without the programs that were replaced
	m.sweep(begun)
}

// adopt starts the aggregates that are on record and that there are none of yet. Their
// ports are not attached.
func (m *Manager) adopt() (begun []*aggregate) {
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
			begun = append(begun, a)
		}
	}
	return begun
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

// loader is a device that can load the eBPF programs of many ports before it is told to
// add them, so that the numbers of all are written down at once.
type loader interface {
	// Load loads the programs of ports that AddPort may be called for next, and tells
	// their numbers by those of the ports. A port of which it tells none has its own
	// loaded by AddPort, as one that is not listed. What was loaded before, and was not
	// added, is given up.
	Load(ports []datapath.Port) (programs map[uint16]uint32)
}

// load has the programs loaded of ports that are about to be attached again, and stages
// their numbers.
func (a *aggregate) load(recs []state.Port) {
	d, ok := a.dev.(loader)
	if !ok {
		return
	}
	var ports []datapath.Port
	for _, rec := range recs {
		if l, err := a.os.LinkByIndex(rec.Index); !rec.Left && err == nil && taken(portOf(rec), l, nil) == "" {
			ports = append(ports, datapath.Port{Number: rec.Number, Index: rec.Index, Name: rec.Name})
		}
	}
	if len(ports) == 0 {
		return
	}
	if a.loaded = d.Load(ports); len(a.loaded) > 0 {
		a.ledger.stage(a.record())
	}
}

// unload gives up what was loaded and did not come to be attached.
func (a *aggregate) unload() {
	if d, ok := a.dev.(loader); ok && len(a.loaded) > 0 {
		d.Load(nil)
	}
	a.loaded = nil
}

// withLoaded adds to the record of a port the program that was loaded for it.
func (a *aggregate) withLoaded(rec *state.Port) {
	n, ok := a.loaded[rec.Number]
	if ok && !slices.Contains(rec.Programs, n) {
		rec.Programs = append(slices.Clone(rec.Programs), n)
	}
}

// resumePorts attaches the ports that a predecessor had. On record are all of them at
// any time: a kill in between forgets none. What has come of it is staged.
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
	a.unload()
	a.recall()
	a.resuming = false
	a.program()
	a.ledger.stage(a.record())
}
