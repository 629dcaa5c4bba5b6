package agr

import (
	"context"
	"fmt"
)

// Pulse returns when everything that this daemon consists of has taken a turn:
// the loop that watches the interfaces, the lock under which changes are made,
// and the owner of each aggregate. While one of them is stuck it does not
// return before the context ends, and the error says which. It is what a
// watchdog wants to know; no other goroutine can vouch for these.
func (m *Manager) Pulse(ctx context.Context) error {
	if err := m.askWatch(ctx); err != nil {
		return err
	}
	if err := m.askLock(ctx); err != nil {
		return err
	}
	for _, a := range m.all() {
		if err := a.answers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// askWatch waits for the loop of watch, which receives and does nothing else.
func (m *Manager) askWatch(ctx context.Context) error {
	select {
	case m.pulses <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the watch of the interfaces does not answer: %w", ctx.Err())
	}
}

// askLock waits for its turn behind the changes that are waiting: however many there
// are, it comes.
func (m *Manager) askLock(ctx context.Context) error {
	select {
	case m.ops <- struct{}{}:
		m.ops.Unlock()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a change does not end: %w", ctx.Err())
	}
}

// turns is a lock that is given in the order in which it was asked for, and that one
// can stop to wait for.
type turns chan struct{}

func newTurns() turns { return make(turns, 1) }

// Lock waits for it.
func (t turns) Lock() { t <- struct{}{} }

// Unlock gives it to who has waited longest.
func (t turns) Unlock() { <-t }

// answers waits until the aggregate's owner takes a request, which it does
// between one thing and the next. One that has ended is no trouble.
func (a *aggregate) answers(ctx context.Context) error {
	select {
	case a.requests <- func() {}:
		return nil
	case <-a.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the owner of %s does not answer: %w", a.name, ctx.Err())
	}
}
