package kernel_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// load loads the programs of ports.
func (s *side) load(ports ...datapath.Port) (programs map[uint16]uint32) {
	s.t.Helper()
	s.Do(func() { programs = s.dev.Load(ports) })
	if len(programs) != len(ports) {
		s.t.Fatalf("loaded %v for %d ports", programs, len(ports))
	}
	return programs
}

// add adds a port, which must tell of one program.
func (s *side) add(p datapath.Port) (told uint32) {
	s.t.Helper()
	p.Note = func(program uint32) error { told = program; return nil }
	s.Do(func() {
		if err := s.dev.AddPort(p); err != nil {
			s.t.Fatal(err)
		}
	})
	return told
}

// at are the ids of the programs at one interface.
func (s *side) at(index int) (ids []uint32) {
	s.t.Helper()
	s.Do(func() {
		there, err := hook.IDs(index)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, id := range there {
			ids = append(ids, uint32(id))
		}
	})
	return ids
}

// gone is nil when the kernel has no such program.
func gone(program uint32) error {
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(program))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = p.Close()
	}
	return fmt.Errorf("program %d is still there: %w", program, err)
}

// TestLoad: a successor loads the programs of all ports before it adds the first one.
// Until then those of the predecessor act, and no frame is lost.
func TestLoad(t *testing.T) {
	a, b := pair(t, hook.TCX)
	there, back := stream(a, b, 2000), stream(b, a, 2000)
	flows(t, there, 100)
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	a.open()
	before := [][]uint32{a.at(a.ports[0].Index), a.at(a.ports[1].Index)}
	loaded := a.load(a.ports...)
	flows(t, there, 100)
	for i, p := range a.ports {
		if got := a.at(p.Index); !slices.Equal(got, before[i]) {
			t.Errorf("%s: %v before it is added, had %v", p.Name, got, before[i])
		}
		told := a.add(p)
		if got := a.at(p.Index); told != loaded[p.Number] || !slices.Equal(got, []uint32{told}) {
			t.Errorf("%s: loaded %d, told %d, there are %v", p.Name, loaded[p.Number], told, got)
		}
		flows(t, there, 100)
	}
	a.reprogram()
	flows(t, there, 100)
	whole(t, there)
	whole(t, back)
}

// TestLoadForNothing: what was loaded and is not added goes with the next Load and with
// Close, and what was loaded for another interface is not used.
func TestLoadForNothing(t *testing.T) {
	a, _ := cables(t, hook.TCX)
	both := a.ports
	a.ports = both[:1]
	a.start()
	first := a.load(both[1])[2]
	second := a.load(both[1])[2]
	nettest.Eventually(t, 5*time.Second, func() error { return gone(first) })
	other := both[1]
	other.Index = a.index("agr0")
	if told := a.add(other); told == second {
		t.Errorf("program %d was loaded for another interface", told)
	}
	nettest.Eventually(t, 5*time.Second, func() error { return gone(second) })
	third := both[1]
	third.Number = 3
	left := a.load(third)[3]
	if err := a.stop(true); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 5*time.Second, func() error { return gone(left) })
}

// TestLoadKeepsItsPlace: a port whose program was loaded works when it is added after
// the device was programmed without it, and another port has come.
func TestLoadKeepsItsPlace(t *testing.T) {
	a, b := cables(t, hook.TCX)
	b.start()
	b.program(good(1), good(2))
	both := a.ports
	a.ports = nil
	a.start()
	loaded := a.load(both[0])[1]
	a.program()
	for range 254 { // until every other place has been given to somebody
		a.add(both[1])
		a.Do(func() {
			if err := a.dev.RemovePort(2); err != nil {
				t.Fatal(err)
			}
		})
	}
	a.add(both[1])
	a.program(good(2))
	if told := a.add(both[0]); told != loaded {
		t.Errorf("loaded %d, told %d", loaded, told)
	}
	a.program(good(1), good(2))
	a.address()
	b.address()
	out := a.tap("agr0")
	for _, name := range []string{"re0", "re1"} {
		transmit(t, b.tap(name), frame(broadcast, nil, lastFrame))
		if n := len(receiveUntil(t, out, lastFrame)); n != 1 {
			t.Errorf("%s: %d frames arrived, want 1", name, n)
		}
	}
	for number, s := range a.dev.Stats().Ports {
		if s.RxFrames == 0 {
			t.Errorf("port %d has received nothing: %+v", number, s)
		}
	}
}

// TestSweepKnown: what a predecessor wrote down is found by its number, wherever it is
// not to be, and remembered where it is to stay. Nothing else is touched.
func TestSweepKnown(t *testing.T) {
	a, _ := pair(t, hook.TCX)
	if err := a.stop(false); err != nil {
		t.Fatal(err)
	}
	left := a.ports[1]
	a.ports = a.ports[:1]
	a.start()
	a.program(good(1))
	program := a.at(left.Index)
	known := func() bool { priors, _ := a.dev.Priors(); return slices.Contains(priors, program[0]) }
	if len(program) != 1 || !known() {
		t.Fatalf("at %s are %v", left.Name, program)
	}
	sweep := func(keep ...int) (still map[uint32]bool) {
		a.Do(func() { still = a.sweepFor(false, keep...) })
		return still
	}
	if still := sweep(left.Index); !still[program[0]] || len(still) != 1 || !known() || !slices.Equal(a.at(left.Index), program) {
		t.Errorf("kept: still %v, known %v, there are %v", still, known(), a.at(left.Index))
	}
	if still := sweep(); len(still) != 0 || len(a.at(left.Index)) != 0 {
		t.Errorf("swept: still %v, there are %v", still, a.at(left.Index))
	}
	if priors, _ := a.dev.Priors(); len(priors) != 0 {
		t.Errorf("still known: %v", priors)
	}
	if n := len(a.programs()); n != 2 {
		t.Errorf("%d programs of our own, want 2", n)
	}
}
