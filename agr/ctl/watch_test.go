package ctl

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"ifagr/netutil/nettest"
)

func TestWatch(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	var seqs []uint64
	enough := errors.New("enough")
	err := dial(t, path).Watch(t.Context(), "agr0", func(tr Transition) error {
		if seqs = append(seqs, tr.Seq); len(seqs) == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(seqs) != 3 {
		t.Errorf("got %v, err %v", seqs, err)
	}
	err = dial(t, path).Watch(t.Context(), "agr9", func(Transition) error { return nil })
	if !errors.Is(err, ENXIO) {
		t.Errorf("watching a missing interface: %v, want ENXIO", err)
	}
}

// talker has more and more to tell.
type talker struct {
	fakeHandler
	told atomic.Uint64
}

func (h *talker) Subscribe(_ context.Context, _ string, f func(Transition) error) error {
	for {
		if err := f(Transition{Seq: h.told.Add(1)}); err != nil {
			return err
		}
	}
}

// silent waits until the talker has nobody any more who takes what it tells.
func (h *talker) silent(t *testing.T) uint64 {
	before := uint64(0)
	nettest.Eventually(t, time.Minute, func() error {
		now := h.told.Load()
		if now == before {
			return nil
		}
		before = now
		return errors.New("it still talks")
	})
	return before
}

// A reader that pauses for longer than a client may take for an answer is not cut
// off: everything is still there for it, and what comes then.
func TestWatcherMayPause(t *testing.T) {
	h := &talker{}
	c := dial(t, startPatient(t, h, time.Millisecond))
	last, until := uint64(0), uint64(0)
	enough := errors.New("enough")
	err := c.Watch(t.Context(), "agr0", func(tr Transition) error {
		if tr.Seq != last+1 {
			t.Errorf("number %d came behind %d", tr.Seq, last)
		}
		last = tr.Seq
		switch last {
		case 1:
			until = h.silent(t) + 100
		case until:
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("the stream ended behind number %d: %v", last, err)
	}
}

// A watch that is refused is a request like any other: what is asked next on that
// connection is answered.
func TestAfterARefusedWatch(t *testing.T) {
	c := dial(t, startServer(t, &fakeHandler{}))
	for range 300 {
		if err := c.Watch(t.Context(), "agr9", func(Transition) error { return nil }); !errors.Is(err, ENXIO) {
			t.Fatalf("watching a missing interface: %v, want ENXIO", err)
		}
		if _, err := c.List(); err != nil {
			t.Fatalf("the next request: %v", err)
		}
	}
}
