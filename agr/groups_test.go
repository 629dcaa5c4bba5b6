package agr

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

var (
	group1 = ether.Addr{1, 0, 0x5e, 0, 0, 1}
	group2 = ether.Addr{1, 0, 0x5e, 0, 0, 2}
	group3 = ether.Addr{1, 0, 0x5e, 0, 0, 3}
)

// wants makes agr0 receive these groups and no others, and the daemon see it.
func (w *world) wants(groups ...ether.Addr) {
	w.t.Helper()
	w.fake.mu.Lock()
	w.fake.groups[w.fake.devices["agr0"].Index()] = groups
	w.fake.mu.Unlock()
	w.look()
}

// static are the groups that an interface receives without a socket.
func (w *world) static(index int) []ether.Addr {
	w.fake.mu.Lock()
	defer w.fake.mu.Unlock()
	return w.fake.static[index]
}

// Where frames are forwarded without a daemon, agr0's groups come in without one as
// well. They go with agr0's interest and with the port; somebody else's stay. On record
// is all that the ports have, at any time.
func TestGroupsOutliveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.static[11] = []ether.Addr{group2} // an administrator's
		w.agr0("re0", "re1")
		w.outlive()
		w.fake.after = func(call string) {
			f, err := state.Load(w.path, "boot", 1)
			w.must(err)
			for _, p := range f.Agrs[0].Ports {
				for _, g := range w.fake.static[p.Index] {
					if !slices.Contains(p.Groups, g) && !(p.Index == 11 && g == group2) {
						t.Errorf("at %q: %s of %s is not on record", call, g, p.Name)
					}
				}
			}
		}
		w.wants(group1, group2)
		want := func(w *world, re0, re1 []ether.Addr) {
			t.Helper()
			if d := diff([2][]ether.Addr{re0, re1}, [2][]ether.Addr{w.static(10), w.static(11)}); d != "" {
				t.Errorf("groups of re0 and re1 (-want +got):\n%s", d)
			}
		}
		want(w, []ether.Addr{group1, group2}, []ether.Addr{group2, group1})
		w.stop()
		want(w, []ether.Addr{group1, group2}, []ether.Addr{group2, group1})

		w.must(w.fake.SetStaticGroup(10, group1, false)) // as if the first daemon had not come to it
		w = startWorld(t, w.fake, w.path)
		defer w.stop()
		w.outlive()
		w.wants(group1, group2, group3)
		want(w, []ether.Addr{group2, group1, group3}, []ether.Addr{group2, group1, group3})
		w.wants(group3)
		want(w, []ether.Addr{group3}, []ether.Addr{group2, group3})
		w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
		want(w, []ether.Addr{group3}, []ether.Addr{group2})
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		if got := w.static(10); len(got) != 0 {
			t.Errorf("re0 still receives %v", got)
		}
	})
}

// Where nothing is forwarded without the daemon, nothing has to come in. What cannot be
// written down is not asked for, and what is refused is not asked for again and again.
func TestGroupsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.wants(group1)
		if got := w.static(10); len(got) != 0 {
			t.Errorf("user datapath: %v", got)
		}
		w.device().SetInfo(datapath.Info{Kind: "fake", Outlives: true})
		w.failNext(1)
		w.look()
		w.look()
		if n := strings.Count(strings.Join(w.fake.calls, "\n"), "group"); n != 1 {
			t.Errorf("%q", w.fake.calls)
		}
	})
}

// A look may be older than what was done since: a group that a port had without a socket
// when it was made, and has not any more, is asked for.
func TestGroupsOfAnOldLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		w.outlive()
		w.fake.static[11] = []ether.Addr{group1} // an administrator's, and since then
		a, err := w.find("agr0")
		w.must(err)
		w.must(a.do(func() error {
			a.keepGroups([]ether.Addr{group1}, map[int][]ether.Addr{10: {group1}, 11: {group1}})
			return nil
		}))
		if got := w.static(10); !slices.Equal(got, []ether.Addr{group1}) {
			t.Errorf("re0 has %v", got)
		}
		if p := w.saved()[0].Ports; !slices.Equal(p[0].Groups, []ether.Addr{group1}) || len(p[1].Groups) > 0 {
			t.Errorf("on record for re0 %v, for re1 %v", p[0].Groups, p[1].Groups)
		}
	})
}
