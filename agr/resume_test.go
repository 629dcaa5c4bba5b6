package agr

import (
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/netutil/rtnl"
)

// crashed is a world whose daemon is no more, with agr0 of three ports.
func crashed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.agr0("re0", "re1", "re2")
	w.stop()
	return w
}

// A kill in the middle of a start forgets no port: the state on disk is whole at
// every moment of it.
func TestResumeKeepsEveryRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crashed(t)
		before := w.saved()
		changes := 0
		w.fake.after = func(call string) {
			changes++
			f, err := state.Load(w.path, "boot", 1)
			if d := diff(before, f.Agrs); err != nil || d != "" {
				t.Errorf("at %q: %v (-want +got):\n%s", call, err, d)
			}
		}
		w2 := startWorld(t, w.fake, w.path)
		w.fake.after = nil
		defer w2.stop()
		if d := diff(before, w2.saved()); changes == 0 || d != "" {
			t.Errorf("%d changes (-want +got):\n%s", changes, d)
		}
	})
}

// Nor does a kill in the middle of a start in which something fails: a port that could
// not be attached again is still to be.
func TestFailedResumeKeepsEveryPort(t *testing.T) {
	for step := 1; ; step++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			w := crashed(t)
			for _, index := range []int{10, 11, 12} { // there is something to do for each
				w.fake.stiff[index] = true
				w.fake.edit(index, func(l *rtnl.Link) { l.Addr, l.MTU = mac2, 1400 })
			}
			w.fake.programs = 100
			w.failNext(step)
			w.fake.after = func(call string) {
				f, err := state.Load(w.path, "boot", 1)
				var names []string
				for _, p := range f.Agrs[0].Ports {
					if !p.Left {
						names = append(names, p.Name)
					}
				}
				slices.Sort(names)
				if d := diff([]string{"re0", "re1", "re2"}, names); err != nil || d != "" {
					t.Errorf("step %d, at %q: %v (-want +got):\n%s", step, call, err, d)
				}
			}
			w2 := startWorld(t, w.fake, w.path)
			w.fake.after = nil
			defer w2.stop()
			done = w.failNext(0) > 0
		})
		if done || t.Failed() {
			return
		}
	}
}

// What a predecessor put at a port's ingress goes with the port, whatever keeps it from
// being one again: also for a daemon that knows it by its number only.
func TestResumeUnhooks(t *testing.T) {
	tests := map[string]struct {
		meanwhile func(*world)
		finish    func(*world)
		want      []uint32
	}{
		"renamed": {
			func(w *world) { w.fake.edit(11, func(l *rtnl.Link) { l.Name = "lan1" }) }, func(*world) {}, []uint32{12},
		},
		"bridged": {
			func(w *world) { w.fake.edit(11, func(l *rtnl.Link) { l.Master = 99 }) }, func(*world) {}, []uint32{12},
		},
		"not resumed": {
			func(w *world) { w.failNext(4) }, // its connection, behind the device and the two of re0
			func(w *world) { w.must(w.SetPort("agr0", "re1", ctl.RemovePort)) }, []uint32{12},
		},
		"not ours any more": {
			func(w *world) { w.fake.notOurs["agr0"] = true }, func(*world) {}, []uint32{12},
		},
		"resumed": {
			func(*world) {}, func(w *world) { w.must(w.SetPort("agr0", "re1", ctl.RemovePort)) }, []uint32{22},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := crashed(t)
				w.fake.programs = 10
				startWorld(t, w.fake, w.path).stop() // the first one that tells numbers
				if got := w.saved()[0].Ports[1].Programs; !slices.Equal(got, []uint32{12}) {
					t.Fatalf("saved %v", got)
				}
				w.fake.programs = 20
				tt.meanwhile(w)
				w2 := startWorld(t, w.fake, w.path)
				defer w2.stop()
				calls := slices.Clone(w.fake.calls)
				w2.failNext(0)
				tt.finish(w2)
				if got := w.fake.unhooked[11]; !slices.Equal(got, tt.want) {
					t.Errorf("taken away: %v, want %v; %q", got, tt.want, calls)
				}
			})
		})
	}
}

// Whatever step of a start fails, the next full look completes it, and the ports
// get back what they had.
func TestResumeFailsAtEveryStep(t *testing.T) {
	for step := 1; ; step++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			want := []rtnl.Link{w.fake.link(10), w.fake.link(11)}
			w.agr0("re0", "re1")
			w.stop()
			w.failNext(step)
			w2 := startWorld(t, w.fake, w.path)
			defer w2.stop()
			done = w.failNext(0) > 0 // fewer steps than that
			pass(fullLook + time.Second)
			st, err := w2.Status("agr0")
			if err != nil || len(st.Ports) != 2 {
				t.Fatalf("step %d (%q): %v, ports %+v", step, w.fake.calls, err, st)
			}
			for _, p := range []string{"re0", "re1"} {
				w2.must(w2.SetPort("agr0", p, ctl.RemovePort))
			}
			if d := diff(want, []rtnl.Link{w.fake.link(10), w.fake.link(11)}); d != "" {
				t.Errorf("step %d (-want +got):\n%s", step, d)
			}
		})
		if done {
			if step < 4 {
				t.Errorf("only %d steps were tried", step-1)
			}
			return
		}
	}
}

// A daemon that could not resume what its predecessor had has something to do.
func TestNotIdleBeforeAllIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crashed(t)
		w.failNext(1) // the device
		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		if n := len(w2.List()); n != 0 || w2.EndIfIdle() {
			t.Errorf("%d interfaces, and it would end", n)
		}
		pass(fullLook + time.Second)
		if got := w2.List(); !slices.Equal(got, []string{"agr0"}) {
			t.Fatalf("resumed: %q", got)
		}
		for _, p := range []string{"re0", "re1", "re2"} {
			w2.must(w2.SetPort("agr0", p, ctl.RemovePort))
		}
		w2.must(w2.Destroy("agr0"))
		if !w2.EndIfIdle() {
			t.Error("it would not end")
		}
	})
}

// An aggregate that is destroyed while a port of it could not be resumed releases
// the port, and does not attach it after all.
func TestDestroyWithAPendingPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		before := w.fake.link(10)
		w.agr0("re0")
		w.stop()
		w.failNext(2) // the device is adopted, the slow-protocol connection fails
		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		st, err := w2.Status("agr0")
		w2.must(err)
		if len(st.Ports) != 0 || w2.Owner("re0") != "agr0" {
			t.Fatalf("ports %+v, owner %q: the start did not fail as meant (%q)", st.Ports, w2.Owner("re0"), w.fake.calls)
		}
		w2.failNext(0)
		open := len(w.fake.slows)
		w2.must(w2.Destroy("agr0"))
		if d := diff(before, w.fake.link(10)); d != "" {
			t.Errorf("re0 (-want +got):\n%s", d)
		}
		if len(w.fake.slows) != open || len(w2.saved()) != 0 || w2.Owner("re0") != "" {
			t.Errorf("attached again, or remembered: %+v", w2.saved())
		}
	})
}

// A name that another aggregate of ours has, or had when it was killed, is
// taken, whatever the kernel says.
func TestCreateSparesWhatIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.fake.edit(w.device().Index(), func(l *rtnl.Link) { l.Name = "lan0" })
		w.look()
		wantErr(t, w.Create("agr0"), ctl.EEXIST)
		wantErr(t, w.SetPort("agr0", "re0", ctl.AddPort), ctl.EBUSY)
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		if got := w.fake.link(10).Addr; got != mac0 {
			t.Errorf("re0 has %s, want %s", got, mac0)
		}
	})
}

// A create that fails leaves neither an interface nor a record.
func TestCreateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.failNext(1)
		wantErr(t, w.Create("agr0"), ctl.ENOBUFS)
		if len(w.saved()) != 0 || len(w.List()) != 0 {
			t.Errorf("record %+v, list %q", w.saved(), w.List())
		}
		w.must(w.Create("agr0"))
	})
}

// Without the kernel's notifications the daemon would be blind: it ends.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agr0("re0")
		close(w.events)
		if err := <-w.done; !errors.Is(err, errWatchEnded) {
			t.Errorf("Run: %v, want %v", err, errWatchEnded)
		}
	})
}

// A state that cannot be saved refuses an agrport and does not keep a port from
// leaving; it is saved when it can be.
func TestStateCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.must(os.Remove(w.path))
		w.must(os.Mkdir(w.path, 0o700))
		if err := w.SetPort("agr0", "re1", ctl.AddPort); err == nil {
			t.Error("a port was added without its undo on disk")
		}
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		wantErr(t, w.SetPort("agr0", "re0", ctl.RemovePort), ctl.ENOENT)
		if w.Owner("re0") != "" || w.fake.link(10).Addr != mac0 {
			t.Errorf("re0 is a port of %q and has %s", w.Owner("re0"), w.fake.link(10).Addr)
		}
		w.must(os.Remove(w.path))
		pass(fullLook + time.Second)
		if s := w.saved(); len(s) != 1 || len(s[0].Ports) != 0 {
			t.Errorf("saved %+v", s)
		}
	})
}

// A port that cannot be restored is owed it: the next full look, or another
// -agrport, tries again.
func TestOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		w.failNext(1) // the address
		wantErr(t, w.SetPort("agr0", "re1", ctl.RemovePort), ctl.ENOBUFS)
		if p := w.saved()[0].Ports; len(p) != 2 || !p[1].Left {
			t.Errorf("saved %+v", p)
		}
		if st, _ := w.Status("agr0"); len(st.Ports) != 1 {
			t.Errorf("ports %+v", st.Ports)
		}
		w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
		if w.fake.link(11).Addr != mac1 || len(w.saved()[0].Ports) != 1 {
			t.Errorf("re1 has %s, saved %+v", w.fake.link(11).Addr, w.saved())
		}
		wantErr(t, w.SetPort("agr0", "re1", ctl.RemovePort), ctl.ENOENT)
		w.must(w.SetPort("agr0", "re1", ctl.AddPort))
	})
}

// A driver that takes no address while it is up is taken down for a moment; it
// is up again whatever fails, and whenever the daemon is killed.
func TestStiffDriver(t *testing.T) {
	for step := 1; ; step++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.stop()
			w.fake.stiff[11] = true
			w.agr0("re0")
			before := w.picture()
			w.failNext(step)
			w.fake.after = func(call string) {
				f, err := state.Load(w.path, "boot", 1)
				if call == "down 11" && (err != nil || !f.Agrs[0].Ports[1].TakenDown) {
					t.Errorf("taken down without a record: %+v, %v", f.Agrs, err)
				}
			}
			err := w.SetPort("agr0", "re1", ctl.AddPort)
			w.fake.after = nil
			if done = err == nil; done {
				if l := w.fake.link(11); l.Addr != mac0 || l.Flags&unix.IFF_UP == 0 || w.saved()[0].Ports[1].TakenDown {
					t.Errorf("re1 is %+v, saved %+v", l, w.saved())
				}
				return
			}
			if d := diff(before, w.picture()); d != "" {
				t.Errorf("step %d (%q) left something (-before +after):\n%s", step, w.fake.calls, d)
			}
		})
		if done {
			return
		}
	}
}

// A successor brings up what a killed daemon had taken down.
func TestResumeTakenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crashed(t)
		f, err := state.Load(w.path, "boot", 1)
		w.must(err)
		f.Agrs[0].Ports[1].TakenDown = true
		w.must(state.Save(w.path, f))
		w.fake.edit(11, func(l *rtnl.Link) { l.Flags &^= unix.IFF_UP })
		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		if !(w2.fake.link(11).Flags&unix.IFF_UP != 0) || w2.saved()[0].Ports[1].TakenDown {
			t.Errorf("re1 is %+v, saved %+v", w2.fake.link(11), w2.saved())
		}
	})
}
