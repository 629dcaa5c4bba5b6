package agr

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
)

// Whoever only glances gives up on an owner that is busy, which goes on with what
// it does; the others answer.
func TestGlance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		w.must(w.Create("agr1"))
		a, err := w.find("agr0")
		w.must(err)
		busy := make(chan struct{})
		go a.do(func() error { <-busy; return nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if st, err := w.Glance(ctx, "agr0"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a busy owner: %v, %v", st, err)
		}
		if st, err := w.Glance(t.Context(), "agr1"); err != nil || st.Name != "agr1" {
			t.Errorf("another one: %v, %v", st, err)
		}
		close(busy)
		st, err := w.Glance(t.Context(), "agr0")
		if err != nil || len(st.Ports) != 2 || len(st.Conversations) != 0 {
			t.Errorf("afterwards: %+v, %v", st, err)
		}
		_, err = w.Glance(t.Context(), "agr7")
		wantErr(t, err, ctl.ENXIO)
	})
}

// The status says where each conversation is, which of them wait, and for what.
func TestConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		done := near.remove("re1")
		synctest.Wait()
		for name, get := range map[string]func() (*ctl.Status, error){
			"status": func() (*ctl.Status, error) { return near.Status("agr0") },
			"glance": func() (*ctl.Status, error) { return near.Glance(t.Context(), "agr0") },
		} {
			st, err := get()
			near.must(err)
			if n := st.Ports[1].Holding; n != 128 || st.Ports[0].Holding != 0 {
				t.Errorf("%s: %d conversations wait to leave re1, and %d to leave re0; want 128 and none", name, n, st.Ports[0].Holding)
			}
			moving := 0
			for _, c := range st.Conversations {
				if c.Held && c.Port == 2 && c.Next == 1 {
					moving++
				}
			}
			if moving != 128 {
				t.Errorf("%s: %d conversations wait to go from port 2 to port 1, want 128", name, moving)
			}
		}
		near.must(<-done)
		st, err := near.Glance(t.Context(), "agr0")
		near.must(err)
		if len(st.Conversations) != 0 || st.Ports[0].Holding != 0 {
			t.Errorf("nothing waits, and %d conversations are told", len(st.Conversations))
		}
	})
}

func TestHealth(t *testing.T) {
	var h health
	const every = 10 * time.Millisecond
	for _, delay := range []time.Duration{-time.Millisecond, 0, every, every + 1, time.Second} {
		h.polled(delay, every)
	}
	if n, late := h.polls.Load(), h.late.Load(); n != 5 || late != 2 {
		t.Errorf("%d polls, %d late; want 5 and 2", n, late)
	}
	if got, want := time.Duration(h.delay.Load()), time.Second+2*every+1; got != want {
		t.Errorf("late by %v together, want %v", got, want)
	}
}
