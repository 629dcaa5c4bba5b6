package lacptest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
)

// carrying is the numbers of a node's ports that distribute.
func carrying(d *lacptest.Node) []uint16 {
	var got []uint16
	for _, p := range d.Status().Ports {
		if p.Distributing {
			got = append(got, p.Number)
		}
	}
	return got
}

// Two ends that both ask for min-links find enough, and stop together (S12).
func TestMinLinksBothEnds(t *testing.T) {
	n := newLAN(t)
	x, y := system(1), system(2)
	x.MinLinks, y.MinLinks = lacp.MinLinks{Up: 3, Down: 2}, lacp.MinLinks{Up: 2}
	a, b, cables := n.pair(x, y, 3)
	n.within(2100*time.Millisecond, "all distribute", distribute(3, a, b))
	cables[0].SetCarrier(false)
	n.Run(time.Minute)
	if !distribute(2, a, b)() {
		t.Errorf("%d and %d distribute", a.Distributing(), b.Distributing())
	}
	cables[1].SetCarrier(false)
	n.Run(time.Minute)
	if !distribute(0, a, b)() || a.Port(3).Mux != "ATTACHED" || b.Port(3).Mux != "ATTACHED" {
		t.Errorf("a: %s, b: %s", a.Port(3).Mux, b.Port(3).Mux)
	}
	cables[1].SetCarrier(true)
	n.Run(time.Minute) // two are enough for b, and a waits for a third
	if !distribute(0, a, b)() {
		t.Errorf("%d and %d distribute", a.Distributing(), b.Distributing())
	}
	cables[0].SetCarrier(true)
	n.within(10*time.Millisecond, "all distribute", distribute(3, a, b))
}

// Only one end asks for min-links, and the other one would rather use a faster cable
// alone: it gives way, whichever is the better system.
func TestMinLinksEndsDisagree(t *testing.T) {
	for _, ids := range [][2]byte{{1, 2}, {2, 1}} {
		t.Run(fmt.Sprint("a is ", ids[0]), func(t *testing.T) {
			n := newLAN(t)
			x, y := system(ids[0]), system(ids[1])
			x.MinLinks.Up = 2
			a, b := n.AddNode("a", x), n.AddNode("b", y)
			for i, speed := range []uint64{10_000, 1000, 1000} {
				port := uint16(i + 1)
				n.Connect(lacptest.End{Node: a, Port: port, Speed: speed}, lacptest.End{Node: b, Port: port, Speed: speed})
			}
			n.Run(lacp.PatienceBetter + 5*time.Second)
			for _, d := range []*lacptest.Node{a, b} {
				if diff := cmp.Diff([]uint16{2, 3}, carrying(d)); diff != "" {
					t.Errorf("%s: %s", d.Name, diff)
				}
			}
			n.rests(time.Hour)
		})
	}
}

// An aggregator with which min-links cannot be reached is not offered to its partner
// when nobody agrees to another one: he would leave a third system for it, find that
// nothing comes of it, go back, and be called again for ever.
func TestMinLinksOffersNothingInVain(t *testing.T) {
	n := newLAN(t)
	a, b, c := n.AddNode("a", system(1)), n.AddNode("b", system(2)), n.AddNode("c", system(3))
	connect := func(port uint16, far *lacptest.Node, farPort uint16, speed, farSpeed uint64) {
		n.Connect(lacptest.End{Node: a, Port: port, Speed: speed}, lacptest.End{Node: far, Port: farPort, Speed: farSpeed})
	}
	connect(3, b, 1, 1000, 10_000)
	connect(1, c, 1, 100, 100)
	connect(4, c, 2, 10_000, 1000)
	connect(2, c, 3, 100, 100)
	n.Run(30 * time.Second)
	c.Configure(func(cfg *lacp.Config) { cfg.Key, cfg.MinLinks.Up = 2, 2 })
	n.Run(2 * lacp.PatienceBetter)
	n.rests(10 * time.Minute)
	if !a.Port(3).Distributing || !b.Port(1).Distributing {
		t.Errorf("a/3 is %s, b/1 is %s", a.Port(3).Mux, b.Port(1).Mux)
	}
}

// Max-ports at one end or both, whichever is the better system: both ends use the
// same ports, those that the better one prefers, and a standby port takes over.
func TestMaxPortsBothEnds(t *testing.T) {
	tests := []struct {
		name     string
		ids      [2]byte
		max      [2]int
		priority [2][4]uint16 // of the ports of a and b
		want     []uint16
	}{
		{"a decides", [2]byte{1, 2}, [2]int{2, 2}, [2][4]uint16{{4, 3, 2, 1}, {1, 2, 3, 4}}, []uint16{3, 4}},
		{"b decides", [2]byte{2, 1}, [2]int{2, 2}, [2][4]uint16{{4, 3, 2, 1}, {1, 2, 3, 4}}, []uint16{1, 2}},
		{"only a limits, a decides", [2]byte{1, 2}, [2]int{1, 0}, [2][4]uint16{{4, 1, 2, 3}}, []uint16{2}},
		{"only a limits, b decides", [2]byte{2, 1}, [2]int{1, 0}, [2][4]uint16{{}, {4, 3, 1, 2}}, []uint16{3}},
		{"different limits", [2]byte{1, 2}, [2]int{3, 1}, [2][4]uint16{{4, 3, 2, 1}}, []uint16{4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newLAN(t)
			x, y := system(tt.ids[0]), system(tt.ids[1])
			x.MaxPorts, y.MaxPorts = tt.max[0], tt.max[1]
			a, b, cables := n.pair(x, y, 4)
			for i := range uint16(4) {
				a.PortPriority(i+1, tt.priority[0][i])
				b.PortPriority(i+1, tt.priority[1][i])
			}
			n.Run(30 * time.Second)
			for _, d := range []*lacptest.Node{a, b} {
				if diff := cmp.Diff(tt.want, carrying(d)); diff != "" {
					t.Errorf("%s: %s", d.Name, diff)
				}
			}
			cables[tt.want[0]-1].SetCarrier(false)
			took := n.within(lacp.AggregateWaitTime+10*time.Millisecond, "take over", distribute(len(tt.want), a, b))
			if took > 10*time.Millisecond {
				t.Errorf("took over in %v", took)
			}
			cables[tt.want[0]-1].SetCarrier(true)
			n.Run(30 * time.Second)
			for _, d := range []*lacptest.Node{a, b} {
				if diff := cmp.Diff(tt.want, carrying(d)); diff != "" {
					t.Errorf("%s, afterwards: %s", d.Name, diff)
				}
			}
			n.rests(time.Hour)
		})
	}
}

// One end limits its ports and the other keeps a port out whose link has flapped:
// they find a port that both would use, in the patience of the one that limits.
func TestMaxPortsBesideWaitToRestore(t *testing.T) {
	for _, ids := range [][2]byte{{1, 2}, {2, 1}} {
		t.Run(fmt.Sprint("a is ", ids[0]), func(t *testing.T) {
			n := newLAN(t)
			x, y := system(ids[0]), system(ids[1])
			x.MaxPorts, y.WaitToRestore = 1, lacp.WaitToRestore{Min: 40 * time.Second}
			a, b, cables := n.pair(x, y, 2)
			n.Run(10 * time.Second)
			cables[0].SetCarrier(false)
			n.Run(time.Second)
			cables[0].SetCarrier(true)
			out := time.Duration(0)
			for range 350 {
				n.Run(100 * time.Millisecond)
				if distribute(0, a)() {
					out += 100 * time.Millisecond
				}
			}
			if out > lacp.PatienceBetter+500*time.Millisecond {
				t.Errorf("nothing distributes for %v", out)
			}
			n.Run(20 * time.Second)
			if diff := cmp.Diff([]uint16{1}, carrying(b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The mux machine of one end is nothing to the other (S7).
func TestCoupledEnds(t *testing.T) {
	for _, coupled := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		t.Run(fmt.Sprint(coupled), func(t *testing.T) {
			n := newLAN(t)
			x, y := system(1), system(2)
			x.Coupled, y.Coupled = coupled[0], coupled[1]
			a, b, cables := n.pair(x, y, 2)
			n.within(2100*time.Millisecond, "all distribute", distribute(2, a, b))
			cables[0].SetCarrier(false)
			n.Run(time.Second)
			cables[0].SetCarrier(true)
			n.within(10*time.Millisecond, "all again", distribute(2, a, b))
			a.Configure(func(c *lacp.Config) { c.Coupled = !c.Coupled })
			n.Run(time.Minute)
			if !distribute(2, a, b)() {
				t.Errorf("%d and %d distribute", a.Distributing(), b.Distributing())
			}
		})
	}
}

// A port that is kept out says so: the far end sends nothing on it, and both use it
// again together.
func TestWaitToRestoreTellsPartner(t *testing.T) {
	n := newLAN(t)
	x := system(1)
	x.WaitToRestore = lacp.WaitToRestore{Min: 10 * time.Second, Max: time.Minute}
	a, b, cables := n.pair(x, system(2), 2)
	n.Run(5 * time.Second)
	for i := range 3 {
		cables[0].SetCarrier(false)
		n.Run(time.Second)
		cables[0].SetCarrier(true)
		hold := 10 * time.Second << i
		if _, bad := n.RunUntil(hold-time.Millisecond, distribute(2, b)); bad {
			t.Fatal("the far end uses a port that is kept out")
		}
		n.within(20*time.Millisecond, "both use it", distribute(2, a, b))
		n.Run(time.Second)
	}
}

// Asked to be slow, then fast, then slow again, nobody misses a LACPDU.
func TestTimeoutChanges(t *testing.T) {
	n := newLAN(t)
	a, b, _ := n.pair(system(1), system(2), 1)
	n.Run(5 * time.Second)
	for i := range 20 {
		d := []*lacptest.Node{a, b}[i%2]
		d.Configure(func(c *lacp.Config) { c.ShortTimeout = !c.ShortTimeout })
		if took, stopped := n.RunUntil(100*time.Second+time.Duration(i)*77*time.Millisecond, func() bool {
			return !distribute(1, a, b)()
		}); stopped {
			t.Fatalf("change %d: stops after %v", i, took)
		}
	}
}

// LACP is turned off at one end and on again: that end goes on with the default
// partner after the wait, the other one when it has heard nothing for long enough.
func TestLACPOffAndOn(t *testing.T) {
	n := newLAN(t)
	a, b, _ := n.pair(system(1), system(2), 2)
	n.Run(5 * time.Second)
	a.Configure(func(c *lacp.Config) { c.Static = true })
	n.within(lacp.AggregateWaitTime, "a goes on", distribute(2, a))
	n.Run(2 * time.Minute)
	if !distribute(2, a, b)() || b.Port(1).Receive != "DEFAULTED" {
		t.Errorf("%d and %d distribute, b is %s", a.Distributing(), b.Distributing(), b.Port(1).Receive)
	}
	a.Configure(func(c *lacp.Config) { c.Static = false })
	n.Run(5 * time.Second)
	if !distribute(2, a, b)() || b.Port(1).Receive != "CURRENT" {
		t.Errorf("%d and %d distribute, b is %s", a.Distributing(), b.Distributing(), b.Port(1).Receive)
	}
}

// A cable that is looped, wholly or by something at its far end, never forwards.
func TestReflectedCable(t *testing.T) {
	n := newLAN(t)
	a := n.AddNode("a", system(1))
	n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{}).Reflect(0, true)
	if _, bad := n.RunUntil(10*time.Minute, func() bool { return a.Port(1).Collecting }); bad {
		t.Error("a port that hears itself collects")
	}
	if got := a.Port(1).Reason; got != "loopback: the port hears itself" {
		t.Errorf("reason %q", got)
	}
}

// A frame that comes twice, late or in another order, and a machine that is slow or
// asleep for a while, disturb for a moment at most.
func TestBadWeather(t *testing.T) {
	tests := map[string]func(*lacptest.Node, *lacptest.Link){
		"duplicates": func(_ *lacptest.Node, l *lacptest.Link) { l.Duplicate(0, 1); l.Duplicate(1, 1) },
		"reordering": func(_ *lacptest.Node, l *lacptest.Link) { l.Jitter(0, 50*time.Millisecond) },
		"pause":      func(d *lacptest.Node, _ *lacptest.Link) { d.Pause(2 * time.Second) },
		"suspend":    func(d *lacptest.Node, _ *lacptest.Link) { d.Jump(time.Second) },
	}
	for name, happens := range tests {
		t.Run(name, func(t *testing.T) {
			n := newLAN(t)
			x, y := system(1), system(2)
			x.ShortTimeout, y.ShortTimeout = true, true
			a, b, cables := n.pair(x, y, 1)
			n.Run(5 * time.Second)
			happens(a, cables[0])
			if _, stopped := n.RunUntil(time.Minute, func() bool { return !distribute(1, a, b)() }); stopped {
				t.Error("stops")
			}
		})
	}
}

// A partner whose state cannot be believed: it never agrees, or forgets Aggregation
// when it leaves.
func TestSloppyPartners(t *testing.T) {
	never := func(p *slow.LACPDU) bool {
		p.Actor.State = p.Actor.State.With(slow.Synchronization, false)
		return true
	}
	individual := func(p *slow.LACPDU) bool {
		p.Actor.State = p.Actor.State.With(slow.Aggregation, p.Actor.State.Has(slow.Synchronization))
		return true
	}
	n := newLAN(t)
	a, b, cables := n.pair(system(1), system(2), 2)
	cables[0].Edit(1, never)
	cables[1].Edit(1, individual)
	n.Run(time.Minute)
	if diff := cmp.Diff([]uint16{2}, carrying(a)); diff != "" {
		t.Error(diff)
	}
	b.Remove(2, true)
	n.Run(time.Second)
	if got := a.Port(2); got.Collecting || got.Partner.State.Has(slow.Aggregation) {
		t.Errorf("%s, partner says %v", got.Mux, got.Partner.State)
	}
	cables[0].Edit(1, nil)
	n.within(31*time.Second, "the other one", distribute(1, a))
}
