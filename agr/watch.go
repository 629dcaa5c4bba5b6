package agr

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

const (
	// fullLook is how often everything is looked at, event or not.
	fullLook = 30 * time.Second
	// lookShare bounds the processor time that looking takes in a storm of
	// events: a look of d is followed by lookShare*d without one.
	lookShare = 4
	// pollShare does the same for the carrier poll, to about 1 % of a core.
	pollShare = 100
)

// watch looks at the interfaces whenever something may have changed, and reads
// the carriers in between.
func (m *Manager) watch(ctx context.Context, events <-chan rtnl.Event) error {
	full := time.NewTicker(fullLook)
	defer full.Stop()
	poll, due := time.NewTimer(m.cfg.CarrierPoll), time.Now().Add(m.cfg.CarrierPoll)
	defer poll.Stop()
	if m.cfg.CarrierPoll == 0 {
		poll.Stop()
	}
	rested := time.NewTimer(0)
	defer rested.Stop()
	last := make(map[string]bool)
	cost := time.Duration(0)
	var ready <-chan rtnl.Event // nil while resting from the last look
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-ready:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				return errWatchEnded
			}
			ready = nil
			rested.Reset(lookShare * m.look(false))
		case <-rested.C:
			ready = events
		case <-m.pulses:
		case <-full.C:
			m.resume()
			m.ledger.flush()
			m.look(true)
		case <-poll.C:
			m.health.polled(time.Since(due), m.cfg.CarrierPoll)
			// A poll that was kept from the processor says little about its cost.
			cost = min(m.pollCarriers(last), 2*cost+time.Microsecond)
			pause := max(m.cfg.CarrierPoll, pollShare*cost)
			due = time.Now().Add(pause)
			poll.Reset(pause)
		}
	}
}

// errWatchEnded says that the kernel's notifications have ended, without which
// the daemon would be blind.
var errWatchEnded = errors.New("agr: rtnetlink notifications have ended")

// pollCarriers reads the carrier of every port, wakes the owners of those that
// changed since last, and returns how long that took.
func (m *Manager) pollCarriers(last map[string]bool) time.Duration {
	start := time.Now()
	for _, rec := range m.ledger.agrs() {
		changed := false
		for _, p := range rec.Ports {
			on, err := m.os.Carrier(p.Name)
			if err == nil && last[p.Name] != on {
				last[p.Name] = on
				changed = true
			}
		}
		if changed {
			m.wake(rec.Name)
		}
	}
	return time.Since(start)
}

// wake makes an aggregate read its ports' carriers.
func (m *Manager) wake(name string) {
	a, err := m.find(name)
	if err != nil {
		return
	}
	select {
	case a.carriers <- struct{}{}:
	default: // it will read them anyway
	}
}

// look reads the interfaces, hands the view to every aggregate, and returns how
// long that took.
func (m *Manager) look(full bool) time.Duration {
	start := time.Now()
	aggs := m.all()
	if len(aggs) == 0 {
		return 0
	}
	v, err := m.view()
	if err != nil {
		m.log.Error("interfaces not read", "err", err)
		return time.Since(start)
	}
	v.full = full
	for _, a := range aggs {
		select {
		case <-a.views: // an older view that was not looked at yet
		default:
		}
		select {
		case a.views <- v:
		case <-a.done:
		}
	}
	return time.Since(start)
}

func (m *Manager) view() (*view, error) {
	links, err := m.os.Links()
	if err != nil {
		return nil, err
	}
	addrs, err := m.os.Addrs(0, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	groups, static, err := m.os.Groups()
	if err != nil {
		return nil, err
	}
	v := &view{links: make(map[int]rtnl.Link, len(links)), addrs: make(map[int][]rtnl.Addr), groups: groups, static: static}
	for _, l := range links {
		v.links[l.Index] = l
	}
	for _, a := range addrs {
		v.addrs[a.Index] = append(v.addrs[a.Index], a)
	}
	return v, nil
}
