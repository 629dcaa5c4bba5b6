package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// faultsPerStorm is how many faults a cycle has on the average.
const faultsPerStorm = 28

// cyclesPerSeed makes a seed an hour.
const cyclesPerSeed = 4

// generator makes up a scenario.
type generator struct {
	*rand.Rand
	sc      *Scenario
	coupled bool          // control may be
	passive int           // the one system that may be, or -1
	now     []lacp.Config // of each system
}

// Generate makes up the scenario of a seed: an hour.
func Generate(seed uint64) *Scenario {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x5eed)), sc: &Scenario{Seed: seed, Cycles: cyclesPerSeed},
	}
	g.coupled, g.sc.Even = g.one(3), g.one(2)
	g.systems()
	g.segments()
	for i := range g.sc.Systems {
		g.now = append(g.now, g.sc.Systems[i].Config)
	}
	for c := range cyclesPerSeed {
		g.storm(time.Duration(c) * CycleTime)
	}
	return g.sc
}

// one is true in one of so many cases.
func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

// between is a time, evenly distributed.
func (g *generator) between(low, high time.Duration) time.Duration {
	return low + time.Duration(g.Int64N(int64(high-low)))
}

// about is a time, seldom much more than mean and never more than ten times it.
func (g *generator) about(mean time.Duration) time.Duration {
	return time.Duration(min(g.ExpFloat64(), 10) * float64(mean))
}

func (g *generator) systems() {
	n := 2
	switch r := g.IntN(100); {
	case r < 45:
	case r < 80:
		n = 3
	case r < 92:
		n = 4
	default:
		n = 5
	}
	g.passive = -1
	if g.one(2) {
		g.passive = g.IntN(n)
	}
	for i := range n {
		s := System{Config: g.config(i)}
		if g.one(2) {
			s.CollectorDelay = g.between(0, 20*time.Millisecond>>max(0, g.IntN(8)-3)).Truncate(10 * time.Microsecond)
		}
		if i > 0 && g.one(12) {
			s.Character = g.character()
		}
		g.sc.Systems = append(g.sc.Systems, s)
	}
}

// character is one that is not honest. Not more than one system forgets: two that do
// would tell each other for ever that they cannot aggregate.
func (g *generator) character() Character {
	c := Character(1 + g.IntN(3))
	if c == Forgets && slices.ContainsFunc(g.sc.Systems, func(s System) bool { return s.Character == Forgets }) {
		return Honest
	}
	return c
}

// address is a system's.
func address(i int) ether.Addr { return ether.Addr{2, 0, 0, 0, 0, byte(i + 1)} }

// config is any configuration.
func (g *generator) config(i int) lacp.Config {
	cfg := lacp.Config{System: slow.System{Priority: 0x8000, Addr: address(i)}}
	for n := range options {
		g.choose(&cfg, i, n)
	}
	return cfg
}

// options is how many options there are to choose.
const options = 11

// choose decides about one option of a system. Not more than one system is passive:
// two that are have nothing to say to each other.
func (g *generator) choose(cfg *lacp.Config, i, option int) {
	switch option {
	case 0:
		cfg.System.Priority = 0x8000 + uint16(g.IntN(2))
	case 1:
		cfg.Passive = i == g.passive && !g.one(3)
	case 2:
		cfg.ShortTimeout = g.one(2)
	case 3:
		cfg.Coupled = g.coupled && g.one(2)
	case 4:
		cfg.KeyBase = uint16(g.IntN(3))
	case 5:
		cfg.Key = g.seldom(4, 3)
	case 6:
		up := g.IntN(4)
		cfg.MinLinks = lacp.MinLinks{Up: up, Down: g.IntN(up + 1)}
		if g.one(2) {
			cfg.MinLinks = lacp.MinLinks{}
		}
	case 7:
		cfg.MaxPorts = int(g.seldom(3, 4))
	case 8:
		cfg.Fallback = lacp.Fallback(g.IntN(3))
	case 9:
		cfg.FallbackAfter = time.Duration(g.IntN(3)) * 5 * time.Second
	default:
		least := time.Duration(g.seldom(3, 10)) * time.Second
		cfg.WaitToRestore = lacp.WaitToRestore{Min: least, Max: least * time.Duration(g.IntN(4))}
	}
}

// seldom is 1 to most in one of so many cases, else 0.
func (g *generator) seldom(in, most int) uint16 {
	if !g.one(in) {
		return 0
	}
	return uint16(1 + g.IntN(most))
}

// segments cables the systems: pairs of the first with the others and of the others
// among themselves, now and then a loop or a hub.
func (g *generator) segments() {
	n := len(g.sc.Systems)
	count := 1 + g.IntN(4)
	if g.one(4) {
		count += g.IntN(5)
	}
	count = max(count, n-1)
	for i := range min(count, 8) {
		a, b := 0, 1+i%(n-1)
		if i >= n-1 && g.one(2) {
			a, b = g.IntN(n), g.IntN(n-1)
			if b >= a {
				b++
			}
		}
		g.segment(a, b)
	}
	if g.one(12) {
		s := g.IntN(n)
		g.unpassive(s)
		g.segment(s, s)
	}
	if g.one(12) {
		g.hub(n)
	}
	g.cross()
}

func (g *generator) hub(n int) {
	ends := []int{0, 1, n - 1}
	if g.one(2) {
		ends = []int{0, 1, 1}
	}
	for _, s := range ends {
		g.unpassive(s)
	}
	g.segment(ends...)
}

// unpassive is for a system that could not find out otherwise that it hears itself.
func (g *generator) unpassive(s int) {
	if g.passive == s {
		g.passive = -1
		g.sc.Systems[s].Config.Passive = false
	}
}

func (g *generator) segment(systems ...int) {
	s := Segment{Delay: g.between(20*time.Microsecond, MostDelay)}
	for _, i := range systems {
		s.Ends = append(s.Ends, End{System: i, Port: 1, Priority: uint16(0x8000 + g.IntN(3)), Speed: g.speed()})
	}
	g.sc.Segments = append(g.sc.Segments, s)
}

// cross numbers the ports of each system in any order.
func (g *generator) cross() {
	for i := range g.sc.Systems {
		var ends []*End
		for j := range g.sc.Segments {
			for k := range g.sc.Segments[j].Ends {
				if e := &g.sc.Segments[j].Ends[k]; e.System == i {
					ends = append(ends, e)
				}
			}
		}
		for n, at := range g.Perm(len(ends)) {
			ends[at].Port = uint16(n + 1)
		}
	}
}

func (g *generator) speed() uint64 {
	speeds := []uint64{1000, 1000, 1000, 10_000, 100}
	if g.sc.Even {
		speeds = speeds[:1]
	}
	return speeds[g.IntN(len(speeds))]
}

// storm adds the faults of a cycle that begins at a time. Some storms are a few
// faults of few kinds, far from each other.
func (g *generator) storm(begin time.Duration) {
	n := faultsPerStorm/4 + g.IntN(3*faultsPerStorm/2+1)
	var kinds []Kind
	if g.one(3) {
		for range 3 {
			kinds = append(kinds, g.kind())
		}
	}
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = begin + g.between(0, StormTime-time.Second)
		if i > 0 && g.one(4) {
			// Soon after another one.
			at[i] = min(at[i-1]+g.about(20*time.Millisecond), begin+StormTime-time.Second)
		}
	}
	slices.Sort(at)
	for _, t := range at {
		k := g.kind()
		if kinds != nil {
			k = kinds[g.IntN(len(kinds))]
		}
		f := g.fault(k)
		f.At = t.Truncate(time.Microsecond)
		f.remember()
		f.For = min(g.about(4*time.Second), begin+StormTime-f.At).Truncate(time.Microsecond)
		if g.one(12) {
			g.flicker(f, begin+StormTime)
			continue
		}
		g.sc.Faults = append(g.sc.Faults, f)
	}
	slices.SortStableFunc(g.sc.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
}

// remember makes two of three restarts those of a daemon whose successor remembers, and
// one of these that of one whose kernel has noted what partners said.
func (f *Fault) remember() {
	if n := uint64(f.At.Microseconds() % 3); f.Kind == Restart && n > 0 {
		f.Kind, f.Number = Succeed, n-1
	}
}

// flicker is a fault that comes and goes some times, fast.
func (g *generator) flicker(f Fault, end time.Duration) {
	mean := 2 * time.Millisecond << g.IntN(7)
	for range 2 + g.IntN(3) {
		f.For = min(g.about(mean), end-f.At).Truncate(time.Microsecond)
		g.sc.Faults = append(g.sc.Faults, f)
		f.At = min(f.At+f.For+g.about(mean), end-time.Second).Truncate(time.Microsecond)
	}
}

// kind is a kind of fault that can happen here.
func (g *generator) kind() Kind {
	for {
		k := Kind(g.IntN(int(Succeed))) // which is made of Restart
		simple := len(g.sc.Systems) == 2 && !slices.ContainsFunc(g.sc.Segments, func(s Segment) bool {
			return s.hub() || s.looped()
		})
		if k != Static || simple && g.one(2) {
			return k
		}
	}
}

// reconfigured is another configuration of a system: one option is another, or all
// are.
func (g *generator) reconfigured(i int) *lacp.Config {
	old := g.now[i]
	for range 20 { // it may be as it was
		if g.one(3) {
			g.now[i] = g.config(i)
		} else {
			g.choose(&g.now[i], i, g.IntN(options))
		}
		if g.now[i] != old {
			break
		}
	}
	cfg := g.now[i]
	return &cfg
}

// fault makes up the particulars of a kind.
func (g *generator) fault(k Kind) Fault {
	f := Fault{Kind: k, Segment: g.IntN(len(g.sc.Segments)), System: g.IntN(len(g.sc.Systems))}
	f.End = g.IntN(len(g.sc.Segments[f.Segment].Ends))
	switch k {
	case Loss, Duplicate, Corrupt, SendFails:
		f.Ratio = math.Round(g.Float64()*100) / 100
	case Delay, LateMarkers:
		f.Delay = g.about(100 * time.Millisecond)
	case Fickle:
		f.Delay = time.Millisecond << g.IntN(6)
	case Jitter:
		f.Delay = time.Millisecond + g.about(50*time.Millisecond)
	case Swap:
		f.Other = g.IntN(len(g.sc.Segments))
	case Jump:
		f.Delay = g.about(20 * time.Second)
		if g.one(2) {
			f.Delay = lacp.LongTimeoutTime // long enough for every partner to expire
		}
	case Forge:
		f.Other = g.IntN(len(g.sc.Systems))
	case Speed:
		f.Number = g.speed()
		if g.sc.Even {
			f.Number = 100
		}
	case Priority:
		f.Number = uint64(0x8000 + g.IntN(4))
	case Options:
		f.Config = g.reconfigured(f.System)
	case Strangers:
		f.Number = uint64(1 + g.IntN(100))
	default:
	}
	f.Delay = f.Delay.Truncate(time.Microsecond)
	return f
}
