package agr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/slow"
	"ifagr/agr/state"
)

// memoryFile is the file of agr0.
func (w *world) memoryFile() string { return state.MemoryPath(w.path, "agr0") }

// outlive makes the device one that forwards without the daemon.
func (w *world) outlive() { w.device().SetInfo(datapath.Info{Kind: "fake", Outlives: true}) }

// successor ends the daemon of near and starts another one, whose cables lead where
// those of the first one led.
func successor(t *testing.T, near, far *world, meanwhile func()) *world {
	t.Helper()
	near.stop()
	if meanwhile != nil {
		meanwhile()
	}
	near.fake.after = func(call string) {
		for index, name := range map[int]string{10: "slow 10", 11: "slow 11"} {
			if call == name {
				near.fake.slows[index].join(far.fake.slow(index), nil)
				far.fake.slow(index).join(near.fake.slows[index], nil)
			}
		}
	}
	next := startWorld(t, near.fake, near.path)
	near.fake.after = nil
	return next
}

// lacpdus are the LACPDUs that were sent on re0.
func (w *world) lacpdus() []slow.LACPDU {
	var pdus []slow.LACPDU
	for _, f := range w.fake.slow(10).frames() {
		if pdu, err := slow.ParseLACPDU(f); err == nil {
			pdus = append(pdus, pdu)
		}
	}
	return pdus
}

// slowToTell is a context that has ended before those that were derived from it have.
type slowToTell struct{ context.Context }

func (slowToTell) Done() <-chan struct{} { return nil }

// A daemon that is replaced tells no partner that it leaves, whichever of its parts
// hears first that it ends.
func TestReplacedIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		o := newFakeOS()
		o.addPort(10, "re0", mac0)
		w := startWorldUnder(slowToTell{ctx}, t, o, filepath.Join(t.TempDir(), "state.json"), nil)
		w.agr0("re0")
		pass(time.Minute)
		before := w.lacpdus()
		cancel(ErrReplaced)
		close(w.events)
		<-w.done
		said := w.lacpdus()
		if len(said) != len(before)+1 {
			t.Fatalf("%d LACPDUs at the end, want 1 that repeats the last", len(said)-len(before))
		}
		if d := cmp.Diff(before[len(before)-1].Actor, said[len(said)-1].Actor); d != "" {
			t.Errorf("the last LACPDU is not what was said before:\n%s", d)
		}
	})
}

func (w *world) changes() (changes []uint64) {
	for _, p := range w.statusOf().Ports {
		changes = append(changes, p.Counters.StateChanges)
	}
	return changes
}

// A successor says first what its predecessor said last, and neither end changes
// any state; the datapath is programmed as it was.
func TestSuccessorGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		near.outlive()
		pass(time.Minute) // each end has said that it distributes
		said := near.lacpdus()
		last := said[len(said)-1]
		near.fake.place = near.device().Current().Table
		program := near.device().Current()
		changed := [2][]uint64{near.changes(), far.changes()}
		events := far.statusOf().Ports[0].History
		shown := near.statusOf().Ports[0]

		next := successor(t, near, far, nil)
		defer next.stop()
		synctest.Wait()
		if d := cmp.Diff(last, next.lacpdus()[0]); d != "" {
			t.Errorf("first LACPDU (-last +first):\n%s", d)
		}
		if d := diff(program.Ports, next.device().Current().Ports); d != "" || program.Table != next.device().Current().Table {
			t.Errorf("program (-before +after):\n%s", d)
		}
		after := next.statusOf().Ports[0]
		if d := diff(shown.History, after.History); d != "" || !shown.LastChange.Equal(after.LastChange) {
			t.Errorf("it shows another past (-before +after):\n%s", d)
		}
		// One more before the end, and one to begin with.
		if got, want := after.Counters.LACPTx, shown.Counters.LACPTx+2; got != want {
			t.Errorf("%d LACPDUs sent, want %d", got, want)
		}
		pass(2 * time.Minute)
		if d := diff(changed, [2][]uint64{next.changes(), far.changes()}); d != "" {
			t.Errorf("changes of the mux (-before +after):\n%s", d)
		}
		if d := diff(events, far.statusOf().Ports[0].History); d != "" {
			t.Errorf("the far end saw (-before +after):\n%s", d)
		}
	})
}

// What a partner has said while no daemon ran counts: one that is out of sync since gets
// no frame until it has been heard again, which is soon, as the first LACPDU asks it. One
// that was silent for too long is given up.
func TestSuccessorKnowsWhatWasSaid(t *testing.T) {
	const willing = uint8(slow.Activity | slow.Aggregation | slow.Synchronization | slow.Collecting | slow.Distributing)
	now := func(d time.Duration) time.Time { return time.Now().Add(d) }
	tests := map[string]struct {
		kept         func() datapath.Kept
		first, later string // which ports distribute: at once, and soon
	}{
		"nothing": {func() datapath.Kept { return datapath.Kept{} }, "re0 re1", "re0 re1"},
		"the same": {
			func() datapath.Kept {
				return datapath.Kept{Since: now(-time.Hour), Heard: now(-time.Second), State: willing}
			},
			"re0 re1", "re0 re1",
		},
		"out of sync": {
			func() datapath.Kept {
				return datapath.Kept{Since: now(-time.Hour), Heard: now(0), State: willing &^ uint8(slow.Synchronization), Stopped: true}
			},
			"re1", "re0 re1",
		},
		"does not collect": {
			func() datapath.Kept {
				return datapath.Kept{
					Since: now(-time.Hour), Heard: now(0), Together: true, Stopped: true,
					State: willing &^ uint8(slow.Collecting|slow.Distributing),
				}
			},
			"re1", "re1", // until it says so
		},
		"another system": {
			func() datapath.Kept { return datapath.Kept{Since: now(-time.Second), Stopped: true} }, "re1", "re0 re1",
		},
		"silent since": {
			func() datapath.Kept { return datapath.Kept{Since: now(-time.Hour)} }, "re1", "re0 re1",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer far.stop()
				near.outlive()
				pass(time.Minute)
				near.fake.kept = map[uint16]datapath.Kept{1: tt.kept()}
				var first string
				next := successor(t, near, far, nil)
				for _, p := range next.programs()[0].Ports {
					if collects := p.Collecting; name == "does not collect" && !collects {
						t.Errorf("port %d does not collect either", p.Number)
					}
					if p.Distributing {
						first = strings.TrimSpace(fmt.Sprintf("%s re%d", first, p.Number-1))
					}
				}
				defer next.stop()
				pass(3 * time.Second)
				if later := next.distributing(); first != tt.first || later != tt.later {
					t.Errorf("%q distribute, and later %q; want %q, %q", first, later, tt.first, tt.later)
				}
			})
		})
	}
}

// A port that a predecessor has sent through, and that stops at once, is looked at
// twice like any other: conversations go there until the first program.
func TestSuccessorLooksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		near.outlive()
		pass(time.Minute)
		near.fake.outlives, near.fake.place = true, near.device().Current().Table
		near.fake.kept = map[uint16]datapath.Kept{1: {Since: time.Now(), Heard: time.Now(), Stopped: true}}
		next := successor(t, near, far, nil)
		defer next.stop()
		programs := next.device().Programs()
		for i, p := range programs {
			if s, ok := stateOf(p, 1); ok && !s.Distributing {
				if i == 0 || !programs[i-1].Settle {
					t.Errorf("port 1 stops with program %d, and none before it waits", i)
				}
				return
			}
		}
		t.Error("port 1 has not stopped")
	})
}

// A memory that cannot be believed, or that there is none of, costs time and
// nothing else.
func TestSuccessorWithoutMemory(t *testing.T) {
	damage := map[string]func(path string) error{
		"none":  os.Remove,
		"empty": func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"damaged": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(b), "DISTRIBUTING", "DISTRIBUTINC", 1)), 0o644)
		},
		"of another boot": func(path string) error {
			m, err := state.LoadMemory(path, "boot", 1)
			m.BootID = "another"
			if err != nil {
				return err
			}
			return state.SaveMemory(path, m)
		},
	}
	for name, edit := range damage {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer far.stop()
				near.outlive()
				next := successor(t, near, far, func() { near.must(edit(near.memoryFile())) })
				defer next.stop()
				if got := next.distributing(); got != "" {
					t.Errorf("%s distribute at once", got)
				}
				pass(10 * time.Second)
				if got := next.distributing(); got != "re0 re1" {
					t.Errorf("%q distribute", got)
				}
			})
		})
	}
}

// Where nothing forwards without the daemon it says farewell, and what it had in
// mind is no longer true. A killed one could not.
func TestMemoryEndsWithTheFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		if _, err := os.Stat(near.memoryFile()); err != nil {
			t.Error(err)
		}
		near.stop()
		if _, err := os.Stat(near.memoryFile()); !os.IsNotExist(err) {
			t.Errorf("memory file: %v", err)
		}
	})
}

// An aggregate that is no more leaves no file.
func TestMemoryEndsWithTheInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		w.must(w.Destroy("agr0"))
		if _, err := os.Stat(w.memoryFile()); !os.IsNotExist(err) {
			t.Errorf("memory file: %v", err)
		}
	})
}

// A disk that is full keeps nobody from working; when there is room again the file
// is written.
func TestMemoryNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		near.outlive()
		before, err := os.ReadFile(near.memoryFile())
		near.must(err)
		near.must(os.MkdirAll(near.memoryFile()+".new/full", 0o755)) // so nothing can be written there
		far.must(far.SetPort("agr0", "re0", ctl.RemovePort))
		pass(time.Second)
		if got := near.distributing(); got != "re1" {
			t.Errorf("%q distribute", got)
		}
		if after, err := os.ReadFile(near.memoryFile()); err != nil || string(after) != string(before) {
			t.Errorf("written after all: %v", err)
		}
		near.must(os.RemoveAll(near.memoryFile() + ".new"))
		pass(fullLook + time.Second)
		m, err := state.LoadMemory(near.memoryFile(), "boot", 1)
		if err != nil || strings.Count(string(m.Body), `"mux":"DISTRIBUTING"`) != 1 {
			t.Errorf("%v: %s", err, m.Body)
		}
		near.stop()
	})
}
