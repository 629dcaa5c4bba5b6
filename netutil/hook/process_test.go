package hook_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// The environment of a process that one of these tests starts: what it shall do,
// with which interface, at which kind of hook.
const (
	roleVariable  = "HOOK_TEST_ROLE"
	indexVariable = "HOOK_TEST_INDEX"
	kindVariable  = "HOOK_TEST_KIND"
)

// capabilities are CAP_NET_ADMIN and CAP_BPF.
var capabilities = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_BPF}

// another prepares this test's program to play a role in b, where TestRole is all
// that it runs.
func (w *wire) another(role string, kind hook.Kind) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRole$", "-test.v")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, kindVariable+"="+string(kind), indexVariable+"="+strconv.Itoa(w.index))
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// asNobody runs a role to its end as a user who has two capabilities and nothing
// else.
func (w *wire) asNobody(role string, kind hook.Kind) {
	w.t.Helper()
	cmd := w.another(role, kind)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	cmd.SysProcAttr.AmbientCaps = capabilities
	d := w.b.StartCmd(cmd)
	if err := d.Wait(30 * time.Second); err != nil || !strings.Contains(d.Output(), "role "+role) {
		w.t.Fatalf("%v: %s", err, d.Output())
	}
}

// TestRole is the process that other tests start.
func TestRole(t *testing.T) {
	role := os.Getenv(roleVariable)
	if role == "" {
		return
	}
	t.Log("role " + role)
	index, err := strconv.Atoi(os.Getenv(indexVariable))
	if err != nil {
		t.Fatal(err)
	}
	kind := hook.Kind(os.Getenv(kindVariable))
	switch role {
	case "attach and end":
		attachHere(t, index, passing(t, "agr_in", next), hook.Options{Kind: kind})
	case "hold":
		if _, err := hook.Hold(index, passing(t, "agr_shield", next), kind); err != nil {
			t.Fatal(err)
		}
		select {}
	case "replace by id":
		replaceByID(t, index, kind)
	default:
		t.Fatalf("unknown role %q", role)
	}
}

func attachHere(t *testing.T, index int, p *ebpf.Program, o hook.Options) {
	t.Helper()
	if _, err := hook.Attach(index, p, o); err != nil {
		t.Fatal(err)
	}
}

// TestOutlives: a program outlives the process that attached it, as root and as a
// user with two capabilities.
func TestOutlives(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		w.asNobody("attach and end", kind)
		w.holds(string(kind) + " agr_in")
		d := w.b.StartCmd(w.another("attach and end", kind))
		if err := d.Wait(30 * time.Second); err != nil {
			t.Fatalf("%v: %s", err, d.Output())
		}
		w.holds(string(kind) + " agr_in")
	})
}

// TestHold: a program is held until Close; that of a killed process goes with it,
// or is replaced by its successor's.
func TestHold(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		d := w.b.StartCmd(w.another("hold", kind))
		held := string(kind) + " agr_shield"
		w.eventually(held)
		d.Kill()
		if kind == hook.TCX {
			w.eventually()
		}
		p := passing(t, "agr_shield", next)
		w.b.Do(func() {
			h, err := hook.Hold(w.index, p, kind)
			if err != nil {
				t.Fatal(err)
			}
			w.holds(held)
			if list := w.list(); list[0].ID != idOf(t, p) {
				t.Errorf("not replaced: %+v", list)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
		w.holds()
		if q := w.qdiscs(); q != "" {
			t.Errorf("left behind: %s", q)
		}
	})
}

// TestHeldByAnother: Attach and Detach take away what a process still holds; its
// Close does not take away what came instead.
func TestHeldByAnother(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		w.b.Do(func() {
			first, err := hook.Hold(w.index, passing(t, "agr_shield", next), kind)
			if err != nil {
				t.Fatal(err)
			}
			w.attach(passing(t, "agr_shield", next), hook.Options{Kind: kind})
			w.holds(string(kind) + " agr_shield")
			if err := first.Close(); err != nil {
				t.Error(err)
			}
			w.holds(string(kind) + " agr_shield")
			second, err := hook.Hold(w.index, passing(t, "agr_shield", next), kind)
			if err != nil {
				t.Fatal(err)
			}
			w.detach("agr_shield")
			w.holds()
			if err := second.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

// eventually waits for what holds checks.
func (w *wire) eventually(want ...string) {
	w.t.Helper()
	nettest.Eventually(w.t, 10*time.Second, func() error {
		var got []string
		for _, a := range w.list() {
			got = append(got, string(a.Kind)+" "+a.Name)
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			return errors.New("at the hooks: " + strings.Join(got, ", "))
		}
		return nil
	})
}

// TestNobodyReplaces: a user who may not read names replaces the programs that he
// knows by their ids, whatever stands around them, and no frame goes without.
func TestNobodyReplaces(t *testing.T) {
	both(t, func(t *testing.T, kind hook.Kind) {
		w := newWire(t)
		w.attach(passing(t, "before", next), hook.Options{Kind: kind})
		if kind == hook.TCX {
			w.attachForeign(passing(t, "theirs", next))
		}
		s := w.stream(2000)
		w.asNobody("replace by id", kind)
		if r := s.Stop(); r.Lost != 0 || r.Duplicated != 0 {
			t.Error(r)
		}
		if kind == hook.TCX {
			w.holds("tcx before", "tcx theirs")
		} else {
			w.holds("clsact before")
		}
	})
}

// replaceByID is what the user does.
func replaceByID(t *testing.T, index int, kind hook.Kind) {
	if _, err := ebpf.NewProgramFromID(1); !errors.Is(err, os.ErrPermission) {
		t.Fatalf("this user may do too much: %v", err)
	}
	var old []ebpf.ProgramID
	for range 50 {
		p := passing(t, "agr_in", pass)
		attachHere(t, index, p, hook.Options{Kind: kind, Replace: old})
		old = []ebpf.ProgramID{idOf(t, p)}
		list, err := hook.List(index)
		if err != nil {
			t.Fatal(err)
		}
		have := 0
		for _, a := range list {
			if a.ID == old[0] {
				have++
			}
		}
		if want := map[hook.Kind]int{hook.TCX: 3, hook.Clsact: 2}[kind]; have != 1 || len(list) != want {
			t.Fatalf("%d programs, want %d with %d once: %+v", len(list), want, old[0], list)
		}
	}
	// A name that may not be read at one kind of hook takes nothing away there.
	if err := hook.Detach(index, "agr_in", old...); err != nil {
		t.Fatal(err)
	}
}
