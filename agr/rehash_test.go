package agr

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/datapath/dptest"
	"ifagr/netutil/rtnl"
)

// brief is what a program says of the hash: its mode, the ports that distribute,
// how many conversations each has, and how many are held.
func brief(p datapath.Program) string {
	var ports []uint16
	held := 0
	for _, s := range p.Ports {
		if s.Distributing {
			ports = append(ports, s.Number)
		}
	}
	for c := range p.Table {
		if p.Hold.Has(uint8(c)) {
			held++
		}
	}
	return words(p.Hash.Mode, ports, p.Table.Count(1), p.Table.Count(2), held)
}

// briefs are the programs since a time, without those that repeat the one before.
func (w *world) briefs(since int) (all []string) {
	for _, p := range w.programs()[since:] {
		all = append(all, brief(p))
	}
	return slices.Compact(all)
}

// The hash turns when everything leaves by one port, and that port is flushed before
// anything leaves by another one.
func TestRehashKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer near.stop()
		defer far.stop()
		before := len(near.programs())
		near.must(near.SetOptions("agr0", set(ctl.OptHash, ctl.HashL4)))
		pass(time.Second)
		want := []string{
			"l3 [1] 256 0 128", // the others hand over to port 1
			"l3 [1] 256 0 0",
			"l4 [1] 256 0 256", // nothing is on its way elsewhere
			"l4 [1 2] 128 128 0",
		}
		if d := diff(want, near.briefs(before)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// Frames that are still held keep the hash from turning; but not for ever.
func TestRehashWaitsForHeldFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer near.stop()
		defer far.stop()
		near.device().SetStats(datapath.Stats{Held: 5})
		near.must(near.SetOptions("agr0", set(ctl.OptHash, ctl.HashL2)))
		pass(time.Second)
		if got := brief(near.device().Current()); got != "l3 [1] 256 0 0" {
			t.Errorf("while frames are held: %s", got)
		}
		near.device().SetStats(datapath.Stats{})
		pass(time.Second)
		if got := brief(near.device().Current()); got != "l2 [1 2] 128 128 0" {
			t.Errorf("when none are: %s", got)
		}
		near.device().SetStats(datapath.Stats{Held: 5})
		near.must(near.SetOptions("agr0", set(ctl.OptHash, ctl.HashL3)))
		pass(2 * rehashPatience)
		if got := brief(near.device().Current()); got != "l3 [1 2] 128 128 0" {
			t.Errorf("when they never go: %s", got)
		}
	})
}

// Whatever happens meanwhile, the hash is the one that was asked for last in the
// end, and both ports are used that can be.
func TestRehashIsDisturbed(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"asked again", func(w *world) { w.must(w.SetOptions("agr0", set(ctl.OptHash, ctl.HashL2))) }, "l2 [1 2] 128 128 0"},
		{"taken back", func(w *world) { w.must(w.SetOptions("agr0", set(ctl.OptHash, ctl.HashL3))) }, "l3 [1 2] 128 128 0"},
		{"its port dies", func(w *world) { w.fake.edit(10, func(l *rtnl.Link) { l.Carrier = false }); w.look() }, "l4 [2] 0 256 0"},
		{"another dies", func(w *world) { w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false }); w.look() }, "l4 [1] 256 0 0"},
		{"its port leaves", func(w *world) { w.must(w.SetPort("agr0", "re0", ctl.RemovePort)) }, "l4 [2] 0 256 0"},
		{"round robin", func(w *world) { w.must(w.SetFlags("agr0", ctl.Link0, 0)) }, "l4 [1 2] 128 128 0"},
		{"nothing can be held", func(w *world) {
			for range 9 {
				w.device().FailNext(dptest.Program, errInjected)
			}
			w.must(w.SetOptions("agr0", set(ctl.OptKey, 0)))
		}, "l4 [1 2] 128 128 0"},
	}
	for _, tt := range tests {
		for _, after := range []time.Duration{0, 2 * time.Millisecond, 100 * time.Millisecond, 251 * time.Millisecond, 300 * time.Millisecond} {
			t.Run(words(tt.name, "after", after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					near, far := pair(t, noMarkers) // each flush takes its time
					defer near.stop()
					defer far.stop()
					near.must(near.SetOptions("agr0", set(ctl.OptHash, ctl.HashL4)))
					pass(after)
					tt.do(near)
					pass(20 * time.Second)
					if got := brief(near.device().Current()); got != tt.want {
						t.Errorf("in the end %s, want %s", got, tt.want)
					}
				})
			})
		}
	}
}

// Without a port that distributes, or with one only, there is nothing to wait for.
func TestRehashAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0()
		w.must(w.SetOptions("agr0", set(ctl.OptHash, ctl.HashL4)))
		synctest.Wait()
		if got := brief(w.device().Current()); got != "l4 [] 0 0 0" {
			t.Errorf("without ports: %s", got)
		}
		w.must(w.SetPort("agr0", "re0", ctl.AddPort))
		pass(20 * time.Second)
		w.must(w.SetOptions("agr0", set(ctl.OptHash, ctl.HashL2)))
		pass(time.Second)
		if got := brief(w.device().Current()); got != "l2 [1] 256 0 0" {
			t.Errorf("with one port: %s", got)
		}
	})
}
