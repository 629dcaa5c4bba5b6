package softstate

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ifagr/ifcfg"
)

const netns = 4711

func sample() State {
	return State{
		Interfaces: []Interface{{
			Key: Key{Index: 3, Name: "re0", Identity: "veth 1 02:00:00:00:00:01"}, Metric: 5,
			Baseline: &ifcfg.Counters{InPackets: 1 << 60, OutBytes: 7},
		}},
		Pseudos: []Pseudo{
			{Name: "vlan7", Index: 12, Attached: true, Parent: 3, Metric: -1},
			{
				Name: "gif0", Index: 13, Flags: ifcfg.FlagUp, MTU: 1280, Description: "a \"b\" \x00", Ports: [2]uint16{1, 2},
				Addrs: []ifcfg.Addr{{
					IP: netip.MustParseAddr("10.5.0.1"), Mask: ifcfg.MaskOf(30, 32), Dst: netip.MustParseAddr("10.5.0.2"),
					Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite,
				}},
			},
		},
	}
}

func same(t *testing.T, want, got State) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func put(t *testing.T, s *Store, st State) {
	t.Helper()
	if _, err := s.Update(func(now *State) { *now = st }); err != nil {
		t.Fatal(err)
	}
}

// What was kept is there for the next process, and for nobody else.
func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when", "needed")
	put(t, Open(netns, dir), sample())
	same(t, sample(), Open(netns, dir).Load())
	same(t, State{}, Open(netns+1, dir).Load())
}

// Nothing needs the file, and an empty state has none.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	s := Open(netns, dir)
	same(t, State{}, s.Load())
	put(t, s, sample())
	put(t, s, State{Interfaces: []Interface{{Key: Key{Index: 3}}}})
	if _, err := os.Stat(s.paths[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of an empty state: %v, want none", err)
	}
	same(t, State{}, Open(netns).Load())
}

// A file that is not ours, or not of now, is as good as none.
func TestNotBelieved(t *testing.T) {
	good := func(t *testing.T) (path string, f map[string]any) {
		dir := t.TempDir()
		s := Open(netns, dir)
		put(t, s, sample())
		b, err := os.ReadFile(s.paths[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		return s.paths[0], f
	}
	write := func(t *testing.T, path string, f map[string]any) {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, path string, f map[string]any){
		"another boot":      func(t *testing.T, p string, f map[string]any) { f["boot_id"] = "x"; write(t, p, f) },
		"another version":   func(t *testing.T, p string, f map[string]any) { f["version"] = 2; write(t, p, f) },
		"another namespace": func(t *testing.T, p string, f map[string]any) { f["netns"] = 1; write(t, p, f) },
		"no JSON": func(t *testing.T, p string, _ map[string]any) {
			if err := os.WriteFile(p, []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"somebody else's": func(t *testing.T, p string, _ map[string]any) {
			if err := os.Chown(p, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		},
		"a symbolic link": func(t *testing.T, p string, _ map[string]any) {
			if err := errors.Join(os.Rename(p, p+".real"), os.Symlink(p+".real", p)); err != nil {
				t.Fatal(err)
			}
		},
		"a directory": func(t *testing.T, p string, _ map[string]any) {
			if err := errors.Join(os.Remove(p), os.Mkdir(p, 0o755)); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			path, f := good(t)
			s := Open(netns, filepath.Dir(path))
			same(t, sample(), s.Load())
			spoil(t, path, f)
			same(t, State{}, s.Load())
		})
	}
}

// Where the system's directory cannot be written the user's own is used.
func TestSecondDirectory(t *testing.T) {
	none, own := filepath.Join(t.TempDir(), "file"), t.TempDir()
	if err := os.WriteFile(none, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, Open(netns, none, own), sample())
	same(t, sample(), Open(netns, none, own).Load())
	if _, err := Open(netns, none).Update(func(*State) {}); err == nil {
		t.Error("a change that cannot be kept is no error")
	}
}

// Two programs that change different things at once lose none of them.
func TestConcurrentUpdates(t *testing.T) {
	const programs = 20
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range programs {
		wg.Go(func() {
			_, err := Open(netns, dir).Update(func(st *State) { st.Remember(Key{Index: i + 1}).Metric = 1 })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(Open(netns, dir).Load().Interfaces); got != programs {
		t.Errorf("%d of %d changes are there", got, programs)
	}
}

// An interface in the place of another one has nothing of it.
func TestReplaced(t *testing.T) {
	var st State
	old := Key{Index: 3, Name: "tap0", Identity: "a"}
	st.Remember(old).Metric = 5
	for _, k := range []Key{{3, "tap0", "b"}, {3, "tap1", "a"}, {4, "tap0", "a"}} {
		if got := st.Interface(k); got != nil {
			t.Errorf("%+v has %+v", k, got)
		}
	}
	st.Remember(Key{3, "tap0", "b"})
	if st.Interface(old) != nil {
		t.Error("the entry of the old interface is still there")
	}
}

// FuzzBelieve: no content of a file is more than a state.
func FuzzBelieve(f *testing.F) {
	b, err := json.Marshal(file{Version: version, BootID: "boot", Netns: netns, State: sample()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"boot_id":"boot","netns":4711,"pseudos":[{"addrs":[{"IP":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, ok := Open(netns).believe(b, "boot")
		if !ok {
			same(t, State{}, st)
			return
		}
		again, err := json.Marshal(file{Version: version, BootID: "boot", Netns: netns, State: st})
		if err != nil {
			t.Fatal(err)
		}
		back, ok := Open(netns).believe(again, "boot")
		if !ok {
			t.Fatal("what was written is not read")
		}
		same(t, st, back)
	})
}
