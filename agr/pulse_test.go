package agr

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
)

// pulse asks for a turn of everything, for a second.
func pulse(m *Manager) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := m.Pulse(ctx); err != nil {
		return err.Error()
	}
	return ""
}

func wantPulse(t *testing.T, m *Manager, want string) {
	t.Helper()
	if got := pulse(m); got != want && (want == "" || !strings.HasPrefix(got, want)) {
		t.Errorf("pulse: %q, want %q", got, want)
	}
}

// Whatever is stuck keeps the pulse from coming back, and it comes back with it.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		wantPulse(t, w.Manager, "") // without an aggregate
		w.agr0("re0")
		w.must(w.Create("agr1"))
		wantPulse(t, w.Manager, "")

		a, err := w.find("agr1")
		w.must(err)
		free := make(chan struct{})
		a.requests <- func() { <-free }
		wantPulse(t, w.Manager, "the owner of agr1 does not answer")
		close(free)
		wantPulse(t, w.Manager, "")

		w.ops.Lock()
		wantPulse(t, w.Manager, "a change does not end")
		w.ops.Unlock()
		wantPulse(t, w.Manager, "")

		w.must(w.Destroy("agr1"))
		wantPulse(t, w.Manager, "")
	})
}

// Changes that queue for longer than anybody waits are no reason to be called stuck,
// as long as each of them ends.
func TestPulseBehindChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		ctx, cancel := context.WithCancel(t.Context())
		var changes sync.WaitGroup
		for range 16 {
			changes.Go(func() {
				for ctx.Err() == nil {
					w.ops.Lock()
					time.Sleep(20 * time.Millisecond) // virtual: what a change takes
					w.ops.Unlock()
				}
			})
		}
		for range 20 {
			wantPulse(t, w.Manager, "")
		}
		cancel()
		changes.Wait()
	})
}

// The watch of the interfaces is part of it: here it does not run.
func TestPulseWithoutWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{StatePath: t.TempDir() + "/state.json"}, OS{}, slog.New(slog.DiscardHandler))
		wantPulse(t, m, "the watch of the interfaces does not answer")
	})
}

// Nothing is told by an aggregate that goes while it is asked.
func TestPulseOfAnAggregateThatGoes(t *testing.T) {
	a := &aggregate{name: "agr0", requests: make(chan func()), done: make(chan struct{})}
	close(a.done)
	if err := a.answers(t.Context()); err != nil {
		t.Errorf("%v (%v)", err, ctl.ErrnoOf(err))
	}
}
