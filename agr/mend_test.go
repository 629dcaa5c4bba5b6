package agr

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/netutil/rtnl"
)

// shaky is a device with an inner interface that another tool changes.
type shaky struct {
	*fakeDevice
	fault  string
	err    error // of Fault
	refuse error // of Mend
	mended int
}

func (d *shaky) Sound(map[int]rtnl.Link) bool { return d.fault == "" && d.err == nil }
func (d *shaky) Fault() (string, error)       { return d.fault, d.err }
func (d *shaky) Mend() error {
	d.mended++
	if d.refuse == nil {
		d.fault = ""
	}
	return d.refuse
}

// conflict is what the status of agr0 has.
func (w *world) conflict() string {
	w.t.Helper()
	st, err := w.Status("agr0")
	w.must(err)
	return st.Conflict
}

// agr0 gets its name back three times a minute, and again in the next one.
func TestNamePutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		index := w.device().Index()
		rename := func() { w.fake.edit(index, func(l *rtnl.Link) { l.Name = "lan0" }); w.look() }
		for range revertsPerMinute {
			rename()
			if got := w.fake.link(index).Name; got != "agr0" || w.conflict() != "" {
				t.Fatalf("name %s, conflict %q", got, w.conflict())
			}
		}
		rename()
		if got := w.fake.link(index).Name; got != "lan0" || w.conflict() != "agr0 was renamed to lan0" {
			t.Errorf("name %s, conflict %q", got, w.conflict())
		}
		pass(time.Minute)
		w.look()
		if got := w.fake.link(index).Name; got != "agr0" || w.conflict() != "" {
			t.Errorf("a minute later: name %s, conflict %q", got, w.conflict())
		}
	})
}

// What a device has besides agr0 is put back, or shown.
func TestInnerPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		a, err := w.find("agr0")
		w.must(err)
		d := &shaky{fakeDevice: &fakeDevice{Device: w.device(), os: w.fake}}
		w.must(a.do(func() error { a.dev = d; return nil }))
		set := func(fault string, err, refuse error) {
			w.must(a.do(func() error { d.fault, d.err, d.refuse = fault, err, refuse; return nil }))
			w.look()
		}
		set("agr0p has mtu 1400", nil, nil)
		if d.mended != 1 || w.conflict() != "" {
			t.Errorf("mended %d times, conflict %q", d.mended, w.conflict())
		}
		set("agr0p has mtu 1300", nil, errors.New("busy"))
		if d.mended != 2 || w.conflict() != "agr0p has mtu 1300" {
			t.Errorf("mended %d times, conflict %q", d.mended, w.conflict())
		}
		set("", errors.New("it is elsewhere"), nil)
		if d.mended != 2 || w.conflict() != "it is elsewhere" {
			t.Errorf("mended %d times, conflict %q", d.mended, w.conflict())
		}
		set("", nil, nil)
		if w.conflict() != "" {
			t.Errorf("conflict %q", w.conflict())
		}
	})
}

// A port that was elsewhere and comes back gets back what it had, but only if it is
// still what it was made.
func TestPortReturns(t *testing.T) {
	for _, same := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := distributing(t)
			defer w.stop()
			away := w.fake.link(11)
			w.fake.remove(11)
			w.look()
			away.Index, away.AddrGenMode = 77, rtnl.AddrGenEUI64
			if !same {
				away.Addr = mac2
			}
			w.fake.setLink(away)
			w.look()
			want := mac1
			if !same {
				want = mac2
			}
			if got := w.fake.link(77); got.Addr != want {
				t.Errorf("re1 has %s, want %s", got.Addr, want)
			}
		})
	}
}
