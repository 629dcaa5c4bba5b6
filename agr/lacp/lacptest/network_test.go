package lacptest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// lan is a network of a test, which fails with the first violated invariant.
type lan struct {
	*lacptest.Network
	t *testing.T
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	n := &lan{lacptest.New(1), t}
	t.Cleanup(func() {
		if err := n.Err(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("\n" + n.Trace())
		}
	})
	return n
}

// system is a configuration with a system identifier that ends in id.
func system(id byte) lacp.Config {
	return lacp.Config{
		System:  slow.System{Priority: 0x8000, Addr: ether.Addr{0x02, 0, 0, 0, 0, id}},
		KeyBase: uint16(id),
	}
}

// pair connects two nodes with a number of links: a's port i with b's port i.
func (n *lan) pair(a, b lacp.Config, links int) (x, y *lacptest.Node, cables []*lacptest.Link) {
	x, y = n.AddNode("a", a), n.AddNode("b", b)
	for i := 1; i <= links; i++ {
		cables = append(cables, n.Connect(
			lacptest.End{Node: x, Port: uint16(i)}, lacptest.End{Node: y, Port: uint16(i)}))
	}
	return x, y, cables
}

// within lets time pass until done, and fails if that takes longer than limit.
func (n *lan) within(limit time.Duration, what string, done func() bool) time.Duration {
	n.t.Helper()
	took, ok := n.RunUntil(limit, done)
	if !ok {
		n.t.Fatalf("%s: not within %v", what, limit)
	}
	return took
}

// rests lets time pass, and fails if any state changes meanwhile. That a port is
// out of sync for long is no change.
func (n *lan) rests(d time.Duration) {
	n.t.Helper()
	before := len(n.Changes)
	n.Run(d)
	for _, c := range n.Changes[before:] {
		if !strings.HasSuffix(c.Machine, "churn") {
			n.t.Errorf("still changes: %+v", c)
			return
		}
	}
}

// distribute is true when that many ports of each node distribute.
func distribute(ports int, nodes ...*lacptest.Node) func() bool {
	return func() bool {
		for _, d := range nodes {
			if d.Distributing() != ports {
				return false
			}
		}
		return true
	}
}

// Two systems converge in the 2 s of WAITING and a few round trips (IEEE
// 802.1AX-2014 6.4.14.2), all ports of a system at once.
func TestConvergence(t *testing.T) {
	for links := 1; links <= 4; links++ {
		t.Run(fmt.Sprintf("%d links", links), func(t *testing.T) {
			n := newLAN(t)
			a, b, _ := n.pair(system(1), system(2), links)
			n.within(2100*time.Millisecond, "all distribute", distribute(links, a, b))
			if got := len(a.Status().Aggregators); got != 1 {
				t.Errorf("%d aggregators, want 1", got)
			}
			before := len(n.Frames)
			n.Run(10 * time.Minute)
			if !distribute(links, a, b)() {
				t.Error("did not stay so for ten minutes")
			}
			// 20 periods of 30 s, both ends of each link.
			if got, limit := len(n.Frames)-before, 2*links*22; got > limit {
				t.Errorf("%d LACPDUs in ten minutes, want at most %d", got, limit)
			}
		})
	}
}

// Two systems of one cable converge whatever else they want of each other.
func TestConvergenceModes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lacp.Config) // of both
		one    func(*lacp.Config) // of the first
		want   int                // ports that distribute
		frames bool
	}{
		{name: "fast", change: func(c *lacp.Config) { c.ShortTimeout = true }, want: 2, frames: true},
		{name: "one fast", one: func(c *lacp.Config) { c.ShortTimeout = true }, want: 2, frames: true},
		{name: "strict", change: func(c *lacp.Config) { c.Fallback = lacp.FallbackNone }, want: 2, frames: true},
		{name: "one passive", one: func(c *lacp.Config) { c.Passive = true }, want: 2, frames: true},
		{name: "both passive", change: func(c *lacp.Config) { c.Passive = true }, want: 2},
		{name: "both passive and strict", change: func(c *lacp.Config) { c.Passive, c.Fallback = true, lacp.FallbackNone }},
		{name: "both static", change: func(c *lacp.Config) { c.Static = true }, want: 2},
		{name: "one static", one: func(c *lacp.Config) { c.Static = true }, want: 2, frames: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, y := system(1), system(2)
			for _, c := range []*lacp.Config{&x, &y} {
				if tt.change != nil {
					tt.change(c)
				}
			}
			if tt.one != nil {
				tt.one(&x)
			}
			n := newLAN(t)
			a, b, _ := n.pair(x, y, 2)
			n.Run(10 * time.Minute)
			if !distribute(tt.want, a, b)() {
				t.Errorf("%d and %d distribute, want %d", a.Distributing(), b.Distributing(), tt.want)
			}
			if got := len(n.Frames) > 0; got != tt.frames {
				t.Errorf("%d LACPDUs", len(n.Frames))
			}
		})
	}
}

// Delay and loss slow the protocol down and stop nothing.
func TestLossAndDelay(t *testing.T) {
	tests := []struct {
		name  string
		delay time.Duration
		loss  float64
		limit time.Duration
	}{
		{"delay of 400 ms", 400 * time.Millisecond, 0, 5 * time.Second},
		{"a tenth lost", time.Millisecond, 0.1, 20 * time.Second},
		{"half lost", time.Millisecond, 0.5, 3 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newLAN(t)
			x, y := system(1), system(2)
			x.ShortTimeout, y.ShortTimeout = true, true
			x.Fallback, y.Fallback = lacp.FallbackNone, lacp.FallbackNone
			a, b, cables := n.pair(x, y, 2)
			for _, c := range cables {
				c.Delay = tt.delay
				c.Lose(0, tt.loss)
				c.Lose(1, tt.loss)
			}
			n.within(tt.limit, "all distribute", distribute(2, a, b))
			for _, c := range cables {
				c.Lose(0, 0)
				c.Lose(1, 0)
			}
			n.within(10*time.Second, "all distribute again", distribute(2, a, b))
			n.Run(time.Minute)
			if !distribute(2, a, b)() {
				t.Error("not for long")
			}
		})
	}
}

// Two lost LACPDUs in a row are what the short timeout forgives.
func TestLossForgiven(t *testing.T) {
	n := newLAN(t)
	x, y := system(1), system(2)
	x.ShortTimeout, y.ShortTimeout = true, true
	a, b, cables := n.pair(x, y, 1)
	n.within(5*time.Second, "distributing", distribute(1, a, b))
	n.Run(5 * time.Second)
	before := a.Port(1).StateChanges + b.Port(1).StateChanges
	cables[0].Drop(0, 2)
	cables[0].Drop(1, 2)
	n.Run(10 * time.Second)
	if got := a.Port(1).StateChanges + b.Port(1).StateChanges; got != before {
		t.Errorf("%d changes of the mux", got-before)
	}
}

// A direction that dies while both carriers stay: the deaf end expires after what
// it asked the partner for, and its farewell to Synchronization stops the other
// end, so that no frame goes where nobody listens for longer than that.
func TestOneWayCut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		short   bool
		timeout time.Duration
	}{
		{"short timeout", true, lacp.ShortTimeoutTime},
		{"long timeout", false, lacp.LongTimeoutTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newLAN(t)
			x, y := system(1), system(2)
			x.ShortTimeout, y.ShortTimeout = tt.short, tt.short
			a, b, cables := n.pair(x, y, 2)
			n.within(5*time.Second, "distributing", distribute(2, a, b))
			n.Run(time.Minute)
			cables[0].Cut(0, true) // b does not hear a
			n.within(tt.timeout, "the deaf end stops", func() bool { return !b.Port(1).Distributing })
			if got := b.Port(1); got.Receive != "EXPIRED" || got.Collecting {
				t.Errorf("the deaf end is %s, %s", got.Receive, got.Mux)
			}
			n.within(4*time.Second, "the other end stops", func() bool { return !a.Port(1).Distributing })
			n.Run(10 * time.Minute)
			if a.Port(1).Distributing || b.Port(1).Distributing || !distribute(1, a, b)() {
				t.Errorf("%d and %d distribute, port 1: %s, %s",
					a.Distributing(), b.Distributing(), a.Port(1).Mux, b.Port(1).Mux)
			}
			cables[0].Cut(0, false)
			n.within(35*time.Second, "both again", distribute(2, a, b))
		})
	}
}

// A cable without carrier stops at once at both ends, the others go on, and it
// comes back without a new selection, in two round trips.
func TestCarrier(t *testing.T) {
	n := newLAN(t)
	a, b, cables := n.pair(system(1), system(2), 2)
	n.within(5*time.Second, "distributing", distribute(2, a, b))
	other := a.Port(2).StateChanges
	cables[0].SetCarrier(false)
	if a.Port(1).Collecting || b.Port(1).Collecting {
		t.Error("collects without a carrier")
	}
	n.Run(10 * time.Minute)
	cables[0].SetCarrier(true)
	n.within(10*time.Millisecond, "both again", distribute(2, a, b))
	if got := a.Port(2).StateChanges; got != other {
		t.Errorf("port 2 changed %d times", got-other)
	}
}

// A system that starts again and has forgotten everything is taken back.
func TestRestart(t *testing.T) {
	for _, down := range []time.Duration{0, time.Second, 10 * time.Minute} {
		t.Run(down.String(), func(t *testing.T) {
			n := newLAN(t)
			a, b, _ := n.pair(system(1), system(2), 2)
			n.within(5*time.Second, "distributing", distribute(2, a, b))
			n.Run(time.Minute)
			b.Stop()
			n.Run(down)
			b.Start()
			n.within(5*time.Second, "distributing again", distribute(2, a, b))
		})
	}
}

// The far end that died silently is replaced by the default partner, or by
// nothing if we are strict.
func TestPartnerDies(t *testing.T) {
	for _, fallback := range []lacp.Fallback{lacp.FallbackAll, lacp.FallbackNone} {
		t.Run(fmt.Sprint("fallback ", fallback), func(t *testing.T) {
			n := newLAN(t)
			x := system(1)
			x.Fallback = fallback
			a, b, _ := n.pair(x, system(2), 2)
			n.within(5*time.Second, "distributing", distribute(2, a, b))
			b.Stop()
			n.within(91*time.Second, "expired", distribute(0, a))
			n.Run(10 * time.Second)
			want := 2
			if fallback == lacp.FallbackNone {
				want = 0
			}
			if got := a.Distributing(); got != want {
				t.Errorf("%d ports distribute, want %d", got, want)
			}
		})
	}
}

// One aggregate cabled to two: the first active one carries, the other stands by
// at both ends, takes over when the first fails, and keeps what it got.
func TestCrossedCables(t *testing.T) {
	n := newLAN(t)
	a, b, c := n.AddNode("a", system(1)), n.AddNode("b", system(2)), n.AddNode("c", system(3))
	ab := n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{Node: b, Port: 1})
	n.Connect(lacptest.End{Node: a, Port: 2}, lacptest.End{Node: c, Port: 1})
	n.Run(time.Minute)
	if !a.Port(1).Distributing || !b.Port(1).Distributing || a.Port(2).Collecting || c.Port(1).Distributing {
		t.Errorf("a: %s, %s; b: %s; c: %s", a.Port(1).Mux, a.Port(2).Mux, b.Port(1).Mux, c.Port(1).Mux)
	}
	if got := a.Port(2); got.Selected != "STANDBY" {
		t.Errorf("a's port 2 is %s", got.Selected)
	}
	ab.SetCarrier(false)
	n.within(2100*time.Millisecond, "take over", func() bool {
		return a.Port(2).Distributing && c.Port(1).Distributing
	})
	ab.SetCarrier(true)
	n.Run(time.Minute)
	if !a.Port(2).Distributing || a.Port(1).Collecting {
		t.Errorf("afterwards: %s, %s", a.Port(1).Mux, a.Port(2).Mux)
	}
}

// Two cables whose far ends are exchanged while nobody sees it.
func TestSwappedCables(t *testing.T) {
	n := newLAN(t)
	a, b, cables := n.pair(system(1), system(2), 2)
	n.within(5*time.Second, "distributing", distribute(2, a, b))
	lacptest.Swap(cables[0], cables[1])
	n.Run(2 * time.Minute)
	if !distribute(2, a, b)() {
		t.Errorf("%d and %d distribute", a.Distributing(), b.Distributing())
	}
	if got := a.Port(1).Partner.Port; got != 2 {
		t.Errorf("a's port 1 has partner port %d", got)
	}
}

// A cable between two ports of one system never forwards, at no time and in no
// mode that hears LACPDUs.
func TestLoopedCable(t *testing.T) {
	for _, fallback := range []lacp.Fallback{lacp.FallbackAll, lacp.FallbackNone} {
		t.Run(fmt.Sprint("fallback ", fallback), func(t *testing.T) {
			n := newLAN(t)
			x := system(1)
			x.Fallback = fallback
			a := n.AddNode("a", x)
			loop := n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{Node: a, Port: 2})
			for range 5 {
				if _, bad := n.RunUntil(5*time.Minute, func() bool {
					return a.Port(1).Collecting || a.Port(2).Collecting
				}); bad {
					t.Fatal("a looped port collects")
				}
				if !a.Port(1).Loopback || !a.Port(2).Loopback {
					t.Fatal("loopback is not shown")
				}
				loop.SetCarrier(false)
				n.Run(time.Second)
				loop.SetCarrier(true)
			}
			// The cable is put where it belongs.
			b := n.AddNode("b", system(2))
			a.Remove(1, false)
			a.Remove(2, false)
			n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{Node: b, Port: 1})
			n.within(3*time.Second, "distributing", distribute(1, a, b))
		})
	}
}

// Both ends run one active aggregator, and their speeds tell them to choose
// different ones: one end gives way, once, whichever is the better system.
func TestEndsDisagree(t *testing.T) {
	for _, ids := range [][2]byte{{1, 2}, {2, 1}} {
		t.Run(fmt.Sprint("a is ", ids[0]), func(t *testing.T) {
			n := newLAN(t)
			a, b := n.AddNode("a", system(ids[0])), n.AddNode("b", system(ids[1]))
			n.Connect(
				lacptest.End{Node: a, Port: 1, Speed: 10_000},
				lacptest.End{Node: b, Port: 1, Speed: 1000})
			n.Connect(
				lacptest.End{Node: a, Port: 2, Speed: 1000},
				lacptest.End{Node: b, Port: 2, Speed: 10_000})
			n.Run(20 * time.Second)
			if !distribute(1, a, b)() || a.Port(1).Distributing != b.Port(1).Distributing {
				t.Errorf("a: %s, %s; b: %s, %s", a.Port(1).Mux, a.Port(2).Mux, b.Port(1).Mux, b.Port(2).Mux)
			}
			n.rests(time.Hour)
		})
	}
}

// The same, with both ends coming to their choice at any distance in time.
func TestEndsDisagreeAnyPhase(t *testing.T) {
	for phase := time.Duration(0); phase < 20*time.Second; phase += 700 * time.Millisecond {
		t.Run(phase.String(), func(t *testing.T) {
			n := newLAN(t)
			a, b := n.AddNode("a", system(1)), n.AddNode("b", system(2))
			one := n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{Node: b, Port: 1, Speed: 100})
			n.Connect(lacptest.End{Node: a, Port: 2, Speed: 100}, lacptest.End{Node: b, Port: 2, Speed: 100})
			n.Run(10 * time.Second)
			one.SetSpeed(1, 10)
			n.Run(phase)
			one.SetSpeed(0, 10_000)
			n.Run(time.Minute)
			n.rests(10 * time.Minute)
			if !distribute(1, a, b)() || a.Port(1).Distributing != b.Port(1).Distributing {
				t.Errorf("a: %s, %s; b: %s, %s", a.Port(1).Mux, a.Port(2).Mux, b.Port(1).Mux, b.Port(2).Mux)
			}
		})
	}
}

// The farewell of a port stops the far end at once.
func TestFarewell(t *testing.T) {
	n := newLAN(t)
	a, b, cables := n.pair(system(1), system(2), 2)
	n.within(5*time.Second, "distributing", distribute(2, a, b))
	a.Remove(1, true)
	n.within(2*cables[0].Delay, "the far end stops", func() bool { return !b.Port(1).Collecting })
	if got := b.Port(1); got.Mux != "ATTACHED" || !got.Partner.State.Has(slow.Aggregation) {
		t.Errorf("the far end is %s, its partner says %v", got.Mux, got.Partner.State)
	}
	if !b.Port(2).Distributing || !a.Port(2).Distributing {
		t.Error("the other port stopped")
	}
	a.Step(lacp.Leave{})
	n.within(2*cables[1].Delay, "the far end stops altogether", distribute(0, b))
}

// A switch that speaks no LACP: the default partner, and a LACPDU every half
// minute in case that changes.
func TestStaticSwitch(t *testing.T) {
	n := newLAN(t)
	a := n.AddNode("a", system(1))
	n.Connect(lacptest.End{Node: a, Port: 1}, lacptest.End{})
	n.Connect(lacptest.End{Node: a, Port: 2}, lacptest.End{})
	n.within(3*time.Second, "distributing", distribute(2, a))
	before := len(n.Frames)
	n.Run(10 * time.Minute)
	if got := len(n.Frames) - before; got != 40 {
		t.Errorf("%d LACPDUs in ten minutes on two ports, want 40", got)
	}
	if last := n.Frames[len(n.Frames)-1].PDU.Actor.State; !last.Has(slow.Defaulted) {
		t.Errorf("they say %v", last)
	}
}

// A script gives the same run each time.
func TestDeterminism(t *testing.T) {
	run := func() string {
		n := newLAN(t)
		_, _, cables := n.pair(system(1), system(2), 2)
		cables[0].Lose(0, 0.3)
		n.At(time.Second, func() { cables[1].SetCarrier(false) })
		n.Run(time.Minute)
		return n.Trace()
	}
	if one, two := run(), run(); one != two {
		t.Error("two runs differ")
	}
}
