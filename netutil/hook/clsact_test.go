package hook_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// classic is a filter of tc(8)'s that matches nothing.
var classic = []string{"bpf", "bytecode", "1,6 0 0 0,", "classid", "1:1"}

// addForeign adds a filter with tc(8).
func (w *wire) addForeign(direction, pref string, filter ...string) {
	w.t.Helper()
	w.b.Run("tc", append([]string{"filter", "add", "dev", "q0", direction, "pref", pref}, filter...)...)
}

// filters is how many filters tc(8) sees.
func (w *wire) filters(direction string) int {
	w.t.Helper()
	return strings.Count(w.b.Output("tc", "filter", "show", "dev", "q0", direction), "handle")
}

// TestQdisc: the qdisc that was made for ours goes with the last filter, and one
// that was there, or that somebody uses, stays.
func TestQdisc(t *testing.T) {
	nettest.Require(t, nettest.Clsact)
	tests := []struct {
		name          string
		before, after []string // a foreign filter's direction, added before or after ours
		qdisc         string   // made before ours
		stays         bool
	}{
		{name: "made"},
		{name: "found", qdisc: "clsact", stays: true},
		{name: "found as ingress", qdisc: "ingress", stays: true},
		{name: "found in use", qdisc: "clsact", before: []string{"ingress"}, stays: true},
		{name: "then used at ingress", after: []string{"ingress"}, stays: true},
		{name: "then used at egress", after: []string{"egress"}, stays: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t)
			if tt.qdisc != "" {
				w.b.Run("tc", "qdisc", "add", "dev", "q0", tt.qdisc)
			}
			for _, d := range tt.before {
				w.addForeign(d, "7", classic...)
			}
			w.attach(passing(t, "agr_in", next), hook.Options{Kind: hook.Clsact})
			w.attach(passing(t, "agr_out", next), hook.Options{Kind: hook.Clsact})
			for _, d := range tt.after {
				w.addForeign(d, "7", classic...)
			}
			w.detach("agr_in")
			w.holds("clsact agr_out")
			w.detach("agr_out")
			w.holds()
			out := w.b.Output("tc", "qdisc", "show", "dev", "q0")
			if stays := strings.Contains(out, " ffff: "); stays != tt.stays {
				t.Errorf("the qdisc stays: %v, want %v: %s", stays, tt.stays, out)
			}
			for _, d := range append(tt.before, tt.after...) {
				if n := w.filters(d); n != 1 {
					t.Errorf("%d filters are left at %s, want the foreign one", n, d)
				}
			}
		})
	}
}

// TestFirstFilter: ours is asked before the filters of others, which are not
// touched.
func TestFirstFilter(t *testing.T) {
	nettest.Require(t, nettest.Clsact)
	w, c := newWire(t), newCounter(t)
	w.b.Run("tc", "qdisc", "add", "dev", "q0", "clsact")
	// Of any protocol, as ours: with the same priority, then with another.
	everything := []string{"bpf", "bytecode", "1,6 0 0 2,", "direct-action"} // TC_ACT_SHOT
	w.addForeign("ingress", "1", everything...)
	w.addForeign("ingress", "9", everything...)
	w.attach(c.program("agr_in", pass), hook.Options{Kind: hook.Clsact})
	if r := w.stream(1000).Stop(); r.Lost != 0 || c.value() != r.Sent {
		t.Errorf("%v, %d of them met ours", r, c.value())
	}
	w.detach("agr_in")
	if n := w.filters("ingress"); n != 2 {
		t.Errorf("%d filters are left, want 2", n)
	}
	before := c.value()
	s := nettest.StartStream(t, nettest.StreamConfig{From: w.a, To: w.b, Addr: netip.MustParseAddr("192.0.2.2")})
	if r := s.Stop(); r.Received != 0 || c.value() != before {
		t.Errorf("ours is still there: %v", r)
	}
}

// TestFirstPriorityTaken: where there is no place before the filters of others it
// is said, and nothing is left behind.
func TestFirstPriorityTaken(t *testing.T) {
	nettest.Require(t, nettest.Clsact)
	for name, filter := range map[string][]string{
		"protocol": {"protocol", "ip", "bpf", "bytecode", "1,6 0 0 0,", "classid", "1:1"},
		"kind":     {"protocol", "all", "u32", "match", "u32", "0", "0", "classid", "1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.b.Run("tc", "qdisc", "add", "dev", "q0", "clsact")
			w.addForeign("ingress", "1", filter...)
			before := w.b.Output("tc", "filter", "show", "dev", "q0", "ingress")
			w.b.Do(func() {
				p := passing(t, "agr_in", next)
				if _, err := hook.Attach(w.index, p, hook.Options{Kind: hook.Clsact}); !errors.Is(err, hook.ErrNotSupported) {
					t.Errorf("attach: %v", err)
				}
				if _, err := hook.Hold(w.index, p, hook.Clsact); !errors.Is(err, hook.ErrNotSupported) {
					t.Errorf("hold: %v", err)
				}
			})
			if after := w.b.Output("tc", "filter", "show", "dev", "q0", "ingress"); after != before {
				t.Errorf("before: %s\nafter: %s", before, after)
			}
		})
	}
}

// TestSecondFilterOfAName: all filters of the name are replaced by one.
func TestSecondFilterOfAName(t *testing.T) {
	nettest.Require(t, nettest.Clsact)
	w := newWire(t)
	old := passing(t, "agr_in", next)
	w.attach(old, hook.Options{Kind: hook.Clsact})
	w.b.Do(func() {
		c, err := rtnl.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		have, err := c.Classifiers(w.index, rtnl.Ingress)
		if err != nil || len(have) != 2 {
			t.Fatalf("filters %+v, %v", have, err)
		}
		err = c.AddClassifier(rtnl.BPFClassifier{
			Index: w.index, Priority: 1, Handle: have[1].Handle + 1, Program: old.FD(), Name: "agr_in",
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	w.holds("clsact agr_in", "clsact agr_in")
	p := passing(t, "agr_in", next)
	w.attach(p, hook.Options{Kind: hook.Clsact})
	if list := w.list(); len(list) != 1 || list[0].ID != idOf(t, p) {
		t.Errorf("at the hooks %+v", list)
	}
	w.detach("agr_in")
	if q := w.qdiscs(); q != "" {
		t.Errorf("left behind: %s", q)
	}
}
