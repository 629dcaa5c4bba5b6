package agr

import (
	"context"
	"sync/atomic"
	"time"

	"ifagr/agr/ctl"
)

// Health says how the daemon itself is.
type Health struct {
	Uptime time.Duration // since New
	Polls  uint64        // looks at all ports' carriers
	// LatePolls are those that came later than they were due by more than
	// Config.CarrierPoll: the control loop was kept from its work.
	LatePolls uint64
	PollDelay time.Duration // by how much all polls together were late
}

// health counts for Health. The control loop writes it, everybody reads it.
type health struct {
	started     time.Time
	polls, late atomic.Uint64
	delay       atomic.Int64
}

// polled notes a carrier poll that came so long after it was due.
func (h *health) polled(delay, every time.Duration) {
	h.polls.Add(1)
	if delay > every {
		h.late.Add(1)
	}
	h.delay.Add(int64(max(0, delay)))
}

// Health is how the daemon is now.
func (m *Manager) Health() Health {
	h := &m.health
	return Health{
		Uptime: time.Since(h.started), Polls: h.polls.Load(), LatePolls: h.late.Load(),
		PollDelay: time.Duration(h.delay.Load()),
	}
}

// Glance is Status for somebody who looks often and can do without: it gives up
// when the context ends, while an owner that is busy goes on with what it does.
// Conversations and histories are missing, and what ports hold is known only
// while something is held.
func (m *Manager) Glance(ctx context.Context, name string) (*ctl.Status, error) {
	a, err := m.find(name)
	if err != nil {
		return nil, err
	}
	result := make(chan *ctl.Status, 1)
	select {
	case a.requests <- func() { result <- a.glance() }:
	case <-a.done:
		return nil, ctl.ENXIO
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case st := <-result:
		return st, nil
	case <-a.done:
		return nil, ctl.ENXIO
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// glance is Glance in the owner's goroutine.
func (a *aggregate) glance() *ctl.Status {
	if !a.held.Empty() {
		return a.status()
	}
	stats := a.dev.Totals()
	return a.outline(&stats)
}
