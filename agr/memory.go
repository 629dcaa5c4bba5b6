package agr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/agr/state"
)

// mind is what an aggregate has in mind that a successor needs to go on as if
// nothing had happened (design D11). Two are compared to see whether it is time to
// write.
type mind struct {
	LACP   lacp.Memory `json:"lacp"`
	Delays []delay     `json:"collector_delays,omitempty"`
	Shown  []shown     `json:"shown,omitempty"`
}

// delay is how long a port's partner may keep a frame.
type delay struct {
	Port  uint16        `json:"port"`
	Delay time.Duration `json:"ns"`
}

// shown is what a port shows of its past. It alone is no reason to write, so the
// counters of a daemon that was killed are those of its last change of state.
type shown struct {
	Port       uint16       `json:"port"`
	Counters   ctl.Counters `json:"counters"`
	LastChange time.Time    `json:"last_change,omitzero"`
	History    []ctl.Change `json:"history"`
}

func (m *mind) equal(o *mind) bool { return m.LACP.Equal(&o.LACP) && slices.Equal(m.Delays, o.Delays) }

// memory is the file in which a mind outlives the daemon.
type memory struct {
	path   string
	bootID string
	netns  uint64
	log    *slog.Logger

	saved   mind // what the file has
	next    mind
	written bool // there is a file
	failing bool // the last attempt to write failed
}

// load reads what a predecessor had in mind, which is nothing if that cannot be
// believed: then LACP begins anew, and costs two seconds.
func (m *memory) load() mind {
	var had mind
	f, err := state.LoadMemory(m.path, m.bootID, m.netns)
	if err == nil && f.Body != nil {
		err = json.Unmarshal(f.Body, &had)
	}
	if err != nil {
		m.log.Warn("LACP begins anew", "err", err)
		return mind{}
	}
	m.written = f.Body != nil
	return had
}

// save writes next down, if that is something else than what the file has.
func (m *memory) save() {
	if m.written && !m.failing && m.next.equal(&m.saved) {
		return
	}
	m.write()
}

// write writes next down.
func (m *memory) write() {
	body, err := json.Marshal(&m.next)
	if err == nil {
		err = state.SaveMemory(m.path, state.Memory{BootID: m.bootID, Netns: m.netns, Body: body})
	}
	if err != nil {
		if !m.failing {
			m.log.Error("a restart would interrupt: LACP's state is not saved; it is tried again", "err", err)
		}
		m.failing = true
		return
	}
	m.failing, m.written = false, true
	m.saved, m.next = m.next, m.saved
}

// forget removes the file.
func (m *memory) forget() {
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Error("LACP's state is not forgotten", "err", fmt.Errorf("agr: %w", err))
	}
	m.written = false
}

// keepInMind writes down what has changed since, before anybody is told of it: the
// first LACPDU of a successor repeats what was said last.
func (a *aggregate) keepInMind() {
	if !a.changed || a.resuming {
		return
	}
	a.changed = false
	a.remind()
	a.memory.save()
}

// remind takes down what is to be in memory.
func (a *aggregate) remind() {
	m := &a.memory.next
	a.lacp.Remember(&m.LACP)
	m.Delays, m.Shown = m.Delays[:0], m.Shown[:0]
	for _, p := range a.ports {
		m.Delays = append(m.Delays, delay{p.number, p.maxDelay})
		m.Shown = append(m.Shown, shown{p.number, p.count, p.lastChange, p.history})
	}
}

// recall gives the protocol the ports that a predecessor had, as it had them. The
// datapath may know what their partners have said meanwhile.
func (a *aggregate) recall() {
	had := a.memory.load()
	e := lacp.Resume{Memory: had.LACP, Since: make(map[uint16]lacp.Since)}
	for _, p := range a.ports {
		e.Ports = append(e.Ports, p.lacp())
		if k := a.dev.Kept(p.number); !k.Since.IsZero() {
			e.Since[p.number] = a.since(k)
		}
		for _, d := range had.Delays {
			if d.Port == p.number {
				p.maxDelay = d.Delay
			}
		}
		for i := range had.LACP.Ports {
			// What a predecessor told a datapath to do is done until the first program.
			if m := &had.LACP.Ports[i]; m.Number == p.number && a.dev.Info().Outlives {
				p.sends = m.Actor.State.Has(slow.Distributing)
			}
		}
		for _, s := range had.Shown {
			if s.Port == p.number {
				p.count, p.lastChange, p.history = s.Counters, s.LastChange, s.History
			}
		}
	}
	a.step(e)
	a.lacp.Advance(a.now()) // a partner that was silent for too long is not programmed first
}

// since is for the protocol what the datapath knows of a partner. One that has said
// nothing was believed when the datapath was told. The datapath also stops for one that
// only does not collect, which is no reason to leave (6.4.9 recordPDU).
func (a *aggregate) since(k datapath.Kept) lacp.Since {
	last := k.Since
	if !k.Heard.IsZero() {
		last = k.Heard
	}
	s := lacp.Since{Heard: a.now().Add(-time.Since(last)), State: slow.State(k.State), Spoke: !k.Heard.IsZero()}
	waits := s.Spoke && k.Together && s.State.Has(slow.Synchronization) && !s.State.Has(slow.Collecting)
	s.Stopped = k.Stopped && !waits
	return s
}
