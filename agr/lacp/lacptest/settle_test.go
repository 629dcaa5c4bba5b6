package lacptest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
)

// Whatever has happened to two systems and four cables, once it is over both ends
// agree on what is used, use something, and change nothing any more.
func TestSettles(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newRuin(t, seed)
			for range 30 {
				r.disturb()
				r.Run(time.Duration(r.rand.ExpFloat64() * float64(4*time.Second)))
			}
			r.repair()
			r.Run(5 * time.Minute)
			before := len(r.Changes)
			r.Run(10 * time.Minute)
			if got := r.Changes[before:]; len(got) > 0 {
				t.Errorf("still changes: %+v", got[0])
			}
			r.compare()
		})
	}
}

// ruin is a network that things happen to.
type ruin struct {
	*lan
	rand   *rand.Rand
	a, b   *lacptest.Node
	cables []*lacptest.Link
}

func newRuin(t *testing.T, seed uint64) *ruin {
	t.Helper()
	r := &ruin{lan: newLAN(t), rand: rand.New(rand.NewPCG(seed, 7))}
	x, y := system(1), system(2)
	x.Strict, y.Strict = r.one(2), r.one(2)
	x.ShortTimeout, y.ShortTimeout = r.one(2), r.one(2)
	y.Passive = r.one(4)
	r.a, r.b = r.AddNode("a", x), r.AddNode("b", y)
	for i := range uint16(4) {
		r.cables = append(r.cables, r.Connect(
			lacptest.End{Node: r.a, Port: i + 1, Speed: r.speed()},
			lacptest.End{Node: r.b, Port: i + 1, Speed: r.speed()}))
	}
	return r
}

func (r *ruin) one(in int) bool { return r.rand.IntN(in) == 0 }

func (r *ruin) speed() uint64 {
	speeds := []uint64{1000, 1000, 1000, 10_000, 100}
	return speeds[r.rand.IntN(len(speeds))]
}

// disturb does one bad thing.
func (r *ruin) disturb() {
	c, end := r.cables[r.rand.IntN(len(r.cables))], r.rand.IntN(2)
	node := []*lacptest.Node{r.a, r.b}[end]
	switch r.rand.IntN(8) {
	case 0, 1:
		c.SetCarrier(r.one(2))
	case 2:
		c.SetSpeed(end, r.speed())
	case 3:
		c.Cut(end, r.one(2))
	case 4:
		c.Lose(end, r.rand.Float64())
	case 5:
		node.Stop()
		r.Run(time.Duration(r.rand.ExpFloat64() * float64(time.Second)))
		node.Start()
	case 6:
		node.Configure(func(cfg *lacp.Config) { cfg.KeyBase = uint16(r.rand.IntN(3)) })
	case 7:
		lacptest.Swap(c, r.cables[r.rand.IntN(len(r.cables))])
	}
}

// repair ends all that is bad, except that speeds may differ.
func (r *ruin) repair() {
	for _, c := range r.cables {
		for end := range 2 {
			c.Cut(end, false)
			c.Lose(end, 0)
		}
		c.SetCarrier(true)
	}
}

// compare fails unless both ends of each cable use it, or neither.
func (r *ruin) compare() {
	r.t.Helper()
	if r.a.Distributing() == 0 {
		r.t.Error("nothing distributes")
	}
	for _, p := range r.a.Status().Ports {
		far := r.b.Port(p.Partner.Port)
		if far.Partner.Port != p.Number || far.Distributing != p.Distributing {
			r.t.Errorf("a/%d is %s (%s), b/%d is %s (%s)",
				p.Number, p.Mux, p.Reason, far.Number, far.Mux, far.Reason)
		}
	}
}
