package hook_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// TestAttach: a program without any descriptor left stays, is listed with its
// maps, meets each frame once, and goes with Detach.
func TestAttach(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w, c := newWire(t), newCounter(t)
		p := c.program("agr_in", next)
		id := idOf(t, p)
		w.attach(p, hook.Options{Kind: kind})
		w.attach(p, hook.Options{Kind: kind}) // it is there already
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		list := w.list()
		if len(list) != 1 || list[0].Kind != kind || list[0].ID != id || list[0].Name != "agr_in" || len(list[0].Maps) != 1 {
			t.Errorf("list %+v", list)
		}
		if r := w.stream(1000).Stop(); r.Lost != 0 || c.value() != r.Sent {
			t.Errorf("%v, %d of them met the program", r, c.value())
		}
		w.detach("agr_in")
		w.detach("agr_in") // it is gone already
		w.holds()
		if q := w.qdiscs(); q != "" {
			t.Errorf("left behind: %s", q)
		}
	})
}

// TestAnyKind: tcx is taken where there is a choice.
func TestAnyKind(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	w := newWire(t)
	w.attach(passing(t, "agr_in", next), hook.Options{})
	w.holds("tcx agr_in")
}

// TestIDs: what is at the hook that is not told the names of to everybody is known by
// its number; what is nowhere, or at the other hook, is not.
func TestIDs(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	w := newWire(t)
	ours, others := passing(t, "agr_in", next), passing(t, "theirs", next)
	w.attach(ours, hook.Options{})
	w.attachForeign(others)
	w.attach(passing(t, "filter", next), hook.Options{Kind: hook.Clsact})
	for index, want := range map[int][]ebpf.ProgramID{w.index: {idOf(t, ours), idOf(t, others)}, 1 << 30: nil} {
		var got []ebpf.ProgramID
		var err error
		w.b.Do(func() { got, err = hook.IDs(index) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}

// TestReplace: while a program is replaced over and over, each datagram meets
// exactly one of the programs, and none is lost.
func TestReplace(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w, c := newWire(t), newCounter(t)
		w.attach(c.program("agr_in", pass), hook.Options{Kind: kind})
		s := w.stream(5000)
		for range 200 {
			p := c.program("agr_in", pass)
			w.attach(p, hook.Options{Kind: kind})
			_ = p.Close()
		}
		if r := s.Stop(); r.Lost != 0 || r.Duplicated != 0 || c.value() != r.Sent {
			t.Errorf("%v, %d met a program", r, c.value())
		}
		w.holds(string(kind) + " agr_in")
	})
}

// TestOthers: ours goes before what others have attached, what others attach
// stays, and so does the place of ours when it is replaced.
func TestOthers(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	w := newWire(t)
	w.attachForeign(passing(t, "theirs", next))
	w.attach(passing(t, "agr_in", next), hook.Options{})
	w.attach(passing(t, "agr_out", next), hook.Options{})
	w.holds("tcx agr_out", "tcx agr_in", "tcx theirs")
	w.attach(passing(t, "agr_in", pass), hook.Options{})
	w.holds("tcx agr_out", "tcx agr_in", "tcx theirs")
	w.detach("agr_in")
	w.holds("tcx agr_out", "tcx theirs")
	w.detach("agr_out")
	w.holds("tcx theirs")
}

// TestSecondOfAName: whatever has the name, or an id that is given, is replaced.
func TestSecondOfAName(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	w := newWire(t)
	first, second, renamed := passing(t, "agr_in", next), passing(t, "agr_in", next), passing(t, "agr_old", next)
	w.attachForeign(first)
	w.attachForeign(passing(t, "theirs", next))
	w.attachForeign(second)
	w.attachForeign(renamed)
	p := passing(t, "agr_in", next)
	w.attach(p, hook.Options{Replace: []ebpf.ProgramID{idOf(t, renamed), idOf(t, second)}})
	w.holds("tcx agr_in", "tcx theirs")
	if list := w.list(); list[0].ID != idOf(t, p) {
		t.Errorf("an old program is left: %+v", list)
	}
}

// TestDetachByID leaves a program of another id and name alone.
func TestDetachByID(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		p := passing(t, "agr_in", next)
		w.attach(p, hook.Options{Kind: kind})
		w.attach(passing(t, "agr_out", next), hook.Options{Kind: kind})
		w.detach("agr_none", idOf(t, p))
		w.holds(string(kind) + " agr_out")
	})
}

// TestOtherKind: a program moves from one kind of hook to the other.
func TestOtherKind(t *testing.T) {
	nettest.Require(t, nettest.TCX, nettest.Clsact)
	w, c := newWire(t), newCounter(t)
	w.attach(c.program("agr_in", pass), hook.Options{Kind: hook.Clsact})
	w.attach(passing(t, "agr_out", next), hook.Options{Kind: hook.Clsact})
	s := w.stream(2000)
	for range 20 {
		w.attach(c.program("agr_in", pass), hook.Options{Kind: hook.TCX})
		w.holds("tcx agr_in", "clsact agr_out")
		w.attach(c.program("agr_in", pass), hook.Options{Kind: hook.Clsact})
		w.holds("clsact agr_in", "clsact agr_out")
	}
	if r := s.Stop(); r.Lost != 0 || c.value() != r.Sent {
		t.Errorf("%v, %d met a program", r, c.value())
	}
	// Both at once, as a change that was cut short leaves them.
	w.attachForeign(passing(t, "agr_in", next))
	w.detach("agr_in")
	w.holds("clsact agr_out")
}

// TestGone: an interface that does not exist cannot have a program, and needs none
// taken away.
func TestGone(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		p := passing(t, "agr_in", next)
		w.b.Do(func() {
			for _, index := range []int{4711, 0, -1} {
				if at, err := hook.Attach(index, p, hook.Options{Kind: kind}); !errors.Is(err, unix.ENODEV) || at != "" {
					t.Errorf("attach to %d: %q, %v", index, at, err)
				}
				if _, err := hook.Hold(index, p, kind); !errors.Is(err, unix.ENODEV) {
					t.Errorf("hold at %d: %v", index, err)
				}
				if err := hook.Detach(index, "agr_in", idOf(t, p)); err != nil {
					t.Errorf("detach from %d: %v", index, err)
				}
				if list, err := hook.List(index); err != nil || len(list) != 0 {
					t.Errorf("list %d: %v, %v", index, list, err)
				}
			}
			held, err := hook.Hold(w.index, p, kind)
			if err != nil {
				t.Fatal(err)
			}
			w.b.Run("ip", "link", "delete", "q0")
			if err := held.Close(); err != nil {
				t.Errorf("close after the interface has gone: %v", err)
			}
		})
	})
}

// TestUnknownKind: a kind that does not exist is not supported.
func TestUnknownKind(t *testing.T) {
	w := newWire(t)
	w.b.Do(func() {
		p := passing(t, "agr_in", next)
		if _, err := hook.Attach(w.index, p, hook.Options{Kind: "xdp"}); !errors.Is(err, hook.ErrNotSupported) {
			t.Errorf("attach: %v", err)
		}
		if _, err := hook.Hold(w.index, p, ""); !errors.Is(err, hook.ErrNotSupported) {
			t.Errorf("hold: %v", err)
		}
	})
	w.holds()
}
