package lacptest_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
)

// Whatever has happened to two systems and four cables, soon after it is over both
// ends agree on what is used, use what they may, and change nothing any more.
func TestSettles(t *testing.T) {
	for seed := range uint64(*ruins) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newRuin(t, seed)
			for range 30 {
				r.disturb()
				r.Run(time.Duration(r.rand.ExpFloat64() * float64(4*time.Second)))
			}
			r.repair()
			r.Run(settleTime)
			r.rests(10 * time.Minute)
			r.compare()
		})
	}
}

// settleTime is how long it may take: to hear from the partner (30 s), to give up on
// one that does not agree (12 s), for a port that is kept out (20 s) or falls back
// (13 s), to wait (2 s twice), and a little.
const settleTime = 85 * time.Second

var ruins = flag.Int("ruins", 60, "how many networks TestSettles ruins")

// ruin is a network that things happen to.
type ruin struct {
	*lan
	rand    *rand.Rand
	coupled bool // control may be
	even    bool // all cables have one speed
	a, b    *lacptest.Node
	cables  []*lacptest.Link
}

func newRuin(t *testing.T, seed uint64) *ruin {
	t.Helper()
	r := &ruin{lan: newLAN(t), rand: rand.New(rand.NewPCG(seed, 7))}
	r.coupled, r.even = r.one(3), r.one(2)
	r.a, r.b = r.AddNode("a", r.config(1)), r.AddNode("b", r.config(2))
	for i := range uint16(4) {
		r.cables = append(r.cables, r.Connect(
			lacptest.End{Node: r.a, Port: i + 1, Speed: r.speed()},
			lacptest.End{Node: r.b, Port: i + 1, Speed: r.speed()}))
	}
	return r
}

func (r *ruin) one(in int) bool { return r.rand.IntN(in) == 0 }

func (r *ruin) speed() uint64 {
	if r.even {
		return 1000
	}
	speeds := []uint64{1000, 1000, 1000, 10_000, 100}
	return speeds[r.rand.IntN(len(speeds))]
}

// config is what one of the systems is told. One of the two is always active. A
// system with coupled control asks for no more links than one: the other end would
// not collect while they are too few, and coupled control does not look at that.
func (r *ruin) config(id byte) lacp.Config {
	cfg := system(id)
	r.options(&cfg)
	cfg.Passive = id == 2 && r.one(4)
	return cfg
}

// options changes what may differ between the systems and change at any time.
func (r *ruin) options(cfg *lacp.Config) {
	cfg.ShortTimeout = r.one(2)
	cfg.Fallback = lacp.Fallback(r.rand.IntN(3))
	cfg.FallbackAfter = time.Duration(r.rand.IntN(3)) * 5 * time.Second
	cfg.System.Priority = 0x8000 + uint16(r.rand.IntN(2))
	cfg.KeyBase = uint16(r.rand.IntN(3))
	cfg.Coupled = r.coupled && r.one(2)
	cfg.MinLinks, cfg.MaxPorts, cfg.WaitToRestore = lacp.MinLinks{}, 0, lacp.WaitToRestore{}
	if !r.coupled {
		cfg.MinLinks = lacp.MinLinks{Up: r.rand.IntN(3), Down: 1}
	}
	if r.one(2) {
		cfg.MaxPorts = 1 + r.rand.IntN(4)
	}
	if r.one(2) {
		cfg.WaitToRestore = lacp.WaitToRestore{Min: 5 * time.Second, Max: 20 * time.Second}
	}
}

// disturb does one bad thing.
func (r *ruin) disturb() {
	c, end := r.cables[r.rand.IntN(len(r.cables))], r.rand.IntN(2)
	node := []*lacptest.Node{r.a, r.b}[end]
	switch r.rand.IntN(10) {
	case 0, 1:
		c.SetCarrier(r.one(2))
	case 2:
		c.SetSpeed(end, r.speed())
	case 3, 4:
		r.disturbFrames(c, end)
	case 5:
		node.Stop()
		r.Run(time.Duration(r.rand.ExpFloat64() * float64(time.Second)))
		node.Start()
	case 6:
		node.Configure(r.options)
	case 7:
		lacptest.Swap(c, r.cables[r.rand.IntN(len(r.cables))])
	case 8:
		node.PortPriority(uint16(1+r.rand.IntN(4)), uint16(r.rand.IntN(3)))
	case 9:
		if r.one(2) {
			node.Pause(time.Duration(r.rand.ExpFloat64() * float64(5*time.Second)))
		} else {
			node.Jump(time.Duration(r.rand.ExpFloat64() * float64(time.Minute)))
		}
	}
}

// disturbFrames makes one direction of a cable a bad one, or no more.
func (r *ruin) disturbFrames(c *lacptest.Link, end int) {
	switch r.rand.IntN(7) {
	case 0:
		c.Cut(end, r.one(2))
	case 1:
		c.Lose(end, r.rand.Float64())
	case 2:
		c.Duplicate(end, r.rand.Float64())
	case 3:
		c.Corrupt(end, r.rand.Float64())
	case 4:
		c.Jitter(end, time.Second)
	case 5:
		c.Reflect(end, r.one(2))
	case 6:
		c.Edit(end, func(p *slow.LACPDU) bool {
			p.Actor.State = p.Actor.State.With(slow.Synchronization, false)
			return true
		})
	}
}

// repair ends all that is bad, except that speeds may differ.
func (r *ruin) repair() {
	for _, c := range r.cables {
		for end := range 2 {
			c.Cut(end, false)
			c.Lose(end, 0)
			c.Duplicate(end, 0)
			c.Corrupt(end, 0)
			c.Jitter(end, 0)
			c.Reflect(end, false)
			c.Edit(end, nil)
		}
		c.SetCarrier(true)
	}
}

// compare fails unless both ends of each cable use it, or neither, and some cable
// is used if enough ports are in sync for both; where all cables are alike, as many
// as both ends let be used.
func (r *ruin) compare() {
	r.t.Helper()
	a, b := r.a.Status().Config, r.b.Status().Config
	enough := max(a.MinLinks.Up, b.MinLinks.Up, 1)
	most := len(r.cables)
	for _, limit := range []int{a.MaxPorts, b.MaxPorts} {
		if limit > 0 {
			most = min(most, limit)
		}
	}
	switch got := r.a.Distributing(); {
	case enough == 1 && got == 0:
		r.t.Error("nothing distributes")
	case r.even && most >= enough && got != most:
		r.t.Errorf("%d ports distribute, want %d", got, most)
	}
	for _, p := range r.a.Status().Ports {
		far := r.b.Port(p.Partner.Port)
		if far.Partner.Port != p.Number || far.Distributing != p.Distributing {
			r.t.Errorf("a/%d is %s (%s), b/%d is %s (%s)",
				p.Number, p.Mux, p.Reason, far.Number, far.Mux, far.Reason)
		}
	}
}
