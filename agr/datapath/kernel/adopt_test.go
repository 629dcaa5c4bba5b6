package kernel_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// TestRestart leaves agr0 to a successor under traffic, ten times: it goes on to
// forward all the time, with its counters and with what conversations remember,
// and everything is exchanged for the successor's.
func TestRestart(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		before, index := a.Output("ip", "addr", "show", "dev", "agr0"), a.dev.Index()
		there, back := stream(a, b, 2000), stream(b, a, 2000)
		flows(t, there, 200)
		sent := a.dev.Stats()
		placed := a.dev.Placed()
		for range 10 {
			old := a.programs()
			if err := a.stop(false); err != nil {
				t.Fatal(err)
			}
			flows(t, there, 100)
			a.start()
			if !a.dev.Adopted() || a.dev.Index() != index {
				t.Fatalf("adopted %v, index %d; want index %d", a.dev.Adopted(), a.dev.Index(), index)
			}
			for _, id := range a.programs() {
				if slices.Contains(old, id) {
					t.Errorf("program %d of the predecessor is still there", id)
				}
			}
			if len(a.programs()) != 3 {
				t.Errorf("programs %v, want 3", a.programs())
			}
			flows(t, there, 100) // before it is programmed
			a.reprogram()
		}
		for c, number := range a.dev.Placed() { // there may be new ones, of ARP
			if placed[c] != 0 && placed[c] != number {
				t.Errorf("conversation %d: before at %d, after at %d", c, placed[c], number)
			}
		}
		for number, p := range a.dev.Stats().Ports {
			if p.TxFrames < sent.Ports[number].TxFrames || p.RxFrames < sent.Ports[number].RxFrames {
				t.Errorf("port %d: before %+v, after %+v", number, sent.Ports[number], p)
			}
		}
		whole(t, there)
		whole(t, back)
		if diff := cmp.Diff(before, a.Output("ip", "addr", "show", "dev", "agr0")); diff != "" {
			t.Errorf("agr0 is not what it was: -before +after\n%s", diff)
		}
	})
}

// programs are the ids of the programs at the side's interfaces.
func (s *side) programs() (ids []uint32) {
	s.t.Helper()
	for _, name := range []string{"agr0p", "re0", "re1"} {
		index := s.index(name)
		s.Do(func() {
			there, err := hook.List(index)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, a := range there {
				ids = append(ids, uint32(a.ID))
			}
		})
	}
	return ids
}

// TestRestartWithFewerPorts: what a successor does not want any more stops with
// its first program, and its program goes with Sweep.
func TestRestartWithFewerPorts(t *testing.T) {
	a, b := pair(t, hook.TCX)
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	left := a.ports[0]
	a.ports = a.ports[1:]
	a.start()
	a.program(good(2))
	in, out := b.tap("re0"), a.tap("agr0")
	transmit(t, in, frame(broadcast, nil, 1))
	transmit(t, b.tap("re1"), frame(broadcast, nil, lastFrame))
	if n := len(receiveUntil(t, out, lastFrame)); n != 1 {
		t.Errorf("%d frames, want that of the port that is left", n)
	}
	a.sweep()
	a.Do(func() {
		if there, err := hook.List(left.Index); err != nil || len(there) > 0 {
			t.Errorf("%v %v", there, err)
		}
	})
	if n := len(a.programs()); n != 2 {
		t.Errorf("%d programs, want 2", n)
	}
}

func (s *side) sweep(keep ...int) {
	s.t.Helper()
	s.Do(func() {
		s.sweepFor(true, keep...)
	})
}

// sweepFor does what a daemon with this one device does, and tells what is still
// somewhere.
func (s *side) sweepFor(gone bool, keep ...int) map[uint32]bool {
	s.t.Helper()
	programs, own := s.dev.Priors()
	kept, numbers := make(map[int]bool), make(map[uint32]bool)
	for _, index := range append(own, keep...) {
		kept[index] = true
	}
	for _, program := range programs {
		numbers[program] = true
	}
	still, err := s.dev.Sweep(kept, numbers, gone)
	if err != nil {
		s.t.Error(err)
	}
	s.dev.Swept(still)
	return still
}

// TestSweep: programs of aggregates that have gone go as well, those of others in
// the same namespace and those that are to be kept stay.
func TestSweep(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	a, _ := cables(t, hook.TCX)
	a.Run("ip", "link", "add", "re2", "type", "veth", "peer", "name", "re3")
	a.start()
	third := datapath.Port{Number: 1, Index: a.index("re2"), Name: "re2"}
	var second *kernel.Device
	a.Do(func() {
		var err error
		if second, err = kernel.New("agr1", toB, kernel.Options{}); err == nil {
			err = second.AddPort(third)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	programs := func() (n int) {
		a.Do(func() {
			there, err := hook.List(third.Index)
			if err != nil {
				t.Fatal(err)
			}
			n = len(there)
		})
		return n
	}
	a.sweep()
	if programs() != 1 {
		t.Error("the other aggregate's program was swept away")
	}
	a.Do(func() {
		if err := second.Close(false); err != nil {
			t.Fatal(err)
		}
	})
	a.sweep()
	if programs() != 1 {
		t.Error("the program of one that forwards without daemon was swept away")
	}
	a.Run("ip", "link", "delete", "agr1")
	a.sweep(third.Index)
	if programs() != 1 {
		t.Error("one that was to be kept was swept away")
	}
	a.sweep()
	if programs() != 0 {
		t.Error("the program of an aggregate that has gone is still there")
	}
	if n := len(a.programs()); n != 3 {
		t.Errorf("%d programs of our own, want 3", n)
	}
}

// TestHalfMade: what a process left that was killed in the middle is completed.
func TestHalfMade(t *testing.T) {
	a, b := cables(t, hook.TCX)
	b.start()
	b.program(good(1), good(2))
	b.address()
	a.Run("ip", "link", "add", "agr0", "address", "02:a9:00:00:00:01", "type", "veth", "peer", "name", "agr0p")
	a.start()
	if !a.dev.Adopted() {
		t.Error("not adopted")
	}
	a.program(good(1), good(2))
	a.address()
	if got := a.sendOne(b); got == 0 {
		t.Error("sent nowhere")
	}
}

// TestOtherLayout: where the maps cannot be taken over, the predecessor's
// programs forward until the first program of the successor.
func TestOtherLayout(t *testing.T) {
	a, b := pair(t, hook.TCX)
	there, back := stream(a, b, 2000), stream(b, a, 2000)
	flows(t, there, 100)
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	a.otherVersion()
	old := a.programs()
	a.start()
	flows(t, there, 200)
	if diff := cmp.Diff(old, a.programs()); diff != "" {
		t.Errorf("exchanged before they know anything: -before +after\n%s", diff)
	}
	a.reprogram()
	for _, id := range a.programs() {
		if slices.Contains(old, id) {
			t.Errorf("program %d of the predecessor is still there", id)
		}
	}
	flows(t, there, 200)
	whole(t, there)
	whole(t, back)
}

// TestRemoveBeforeProgram: a port that is removed before the predecessor's program
// was exchanged loses that one.
func TestRemoveBeforeProgram(t *testing.T) {
	a, _ := pair(t, hook.TCX)
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	a.otherVersion()
	a.start()
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Fatal(err)
		}
		there, err := hook.List(a.ports[0].Index)
		if err != nil || len(there) > 0 {
			t.Errorf("%v %v", there, err)
		}
		if err := a.dev.RemovePort(1); !errors.Is(err, datapath.ErrNoPort) {
			t.Error(err)
		}
	})
	if n := len(a.programs()); n != 2 {
		t.Error(fmt.Sprint(n, " programs, want 2"))
	}
}

// otherVersion makes what a.stop left behind that of another version.
func (s *side) otherVersion() {
	s.t.Helper()
	inner := s.index("agr0p")
	s.Do(func() {
		if err := kernel.OtherVersion(inner); err != nil {
			s.t.Fatal(err)
		}
	})
}
