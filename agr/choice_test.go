package agr

import (
	"testing"
	"testing/synctest"

	"ifagr/agr/ctl"
	"ifagr/agr/state"
)

func TestParseDatapath(t *testing.T) {
	for _, s := range []string{"auto", "kernel", "user"} {
		if d, err := ParseDatapath(s); err != nil || string(d) != s {
			t.Errorf("%q: %q, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "Kernel", "kernel ", "ebpf"} {
		if d, err := ParseDatapath(s); err == nil || d != "" {
			t.Errorf("%q: %q, %v, want an error", s, d, err)
		}
	}
}

// What is asked for is made or refused; Auto makes what can be had.
func TestChoose(t *testing.T) {
	const missing = "no tcx and no clsact"
	tests := []struct {
		name     string
		asked    Datapath
		noKernel string
		kind     string // "veth", "tun", or none
		why      string
	}{
		{"auto", Auto, "", "veth", whyBest},
		{"unsaid", "", "", "veth", whyBest},
		{"auto without", Auto, missing, "tun", missing},
		{"kernel", Kernel, "", "veth", whyAsked},
		{"kernel without", Kernel, missing, "", ""},
		{"user", User, "", "tun", whyAsked},
		{"user without", User, missing, "tun", whyAsked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.stop()
				w.cfg.Datapath, w.fake.noKernel = tt.asked, tt.noKernel
				err := w.Create("agr0")
				if tt.kind == "" {
					wantErr(t, err, ctl.EOPNOTSUPP)
					if saved := w.saved(); len(saved) != 0 {
						t.Errorf("a refused create left %+v", saved)
					}
					return
				}
				w.must(err)
				w.checkDatapath(tt.kind, tt.why)
			})
		})
	}
}

// checkDatapath compares agr0, its record and its status.
func (w *world) checkDatapath(kind, why string) {
	w.t.Helper()
	l, err := w.fake.LinkByName("agr0")
	w.must(err)
	if l.Kind != kind {
		w.t.Errorf("agr0 is a %q, want %q", l.Kind, kind)
	}
	want := map[string]string{"veth": "kernel", "tun": "user"}[kind]
	if rec := w.saved()[0]; rec.Datapath != want || rec.Why != why {
		w.t.Errorf("recorded: %q (%q), want %q (%q)", rec.Datapath, rec.Why, want, why)
	}
	st, err := w.Status("agr0")
	w.must(err)
	if st.Datapath != want || st.DatapathWhy != why {
		w.t.Errorf("status: %q (%q), want %q (%q)", st.Datapath, st.DatapathWhy, want, why)
	}
}

// A create that fails for another reason does not try the next datapath.
func TestChooseFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.failNext(1)
		wantErr(t, w.Create("agr0"), errInjected)
		if saved := w.saved(); len(saved) != 0 {
			t.Errorf("a failed create left %+v", saved)
		}
	})
}

// A successor keeps the datapath that is on record, whatever it is told itself
// and whatever could be had.
func TestRecordedDatapath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.Datapath = User
		w.agr0("re0")
		w.stop()
		w = startWorld(t, w.fake, w.path)
		defer w.stop()
		w.checkDatapath("tun", whyAsked)
	})
}

// An old record has no datapath: the interface tells.
func TestOldRecord(t *testing.T) {
	for kind, want := range map[string]Datapath{"veth": Kernel, "tun": User, "": User} {
		t.Run(kind, func(t *testing.T) {
			w := &world{fake: newFakeOS()}
			l := w.fake.link(100)
			l.Name, l.Kind = "agr0", kind
			w.fake.setLink(l)
			m := &Manager{os: OS{Viewer: w.fake}}
			if got := m.recorded(state.Agr{Name: "agr0"}); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Nothing that an agr interface consists of can be a port.
func TestOwnInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.must(w.Create("agr1"))
		for i, name := range []string{"agr0p", "agr0h"} {
			w.fake.addPort(20+i, name, mac2)
			wantErr(t, w.SetPort("agr1", name, ctl.AddPort), ctl.EINVAL)
		}
		wantErr(t, w.SetPort("agr1", "agr0", ctl.AddPort), ctl.EINVAL)
		w.fake.addPort(30, "agr7p", mac2) // there is no agr7
		w.must(w.SetPort("agr1", "agr7p", ctl.AddPort))
	})
}
