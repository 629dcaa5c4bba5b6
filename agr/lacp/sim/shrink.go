package sim

import (
	"slices"
	"time"

	"ifagr/agr/lacp"
)

// mostRuns bounds how many scenarios Shrink tries.
const mostRuns = 3000

// shrinker looks for a smaller scenario with the same kind of violation.
type shrinker struct {
	fails func(*Scenario) (kind string)
	kind  string
	best  *Scenario
	runs  int
}

// Shrink takes away from a scenario with a violation what is not needed for one of
// the same kind: cycles, faults, segments, systems, options. It returns the scenario
// unchanged if that has none.
func Shrink(sc *Scenario) *Scenario {
	return ShrinkFor(sc, func(sc *Scenario) string {
		if _, v := Run(sc, nil); v != nil {
			return v.Kind
		}
		return ""
	})
}

// ShrinkFor is Shrink for anything that may be wrong with a scenario: fails says what,
// and nothing if all is well.
func ShrinkFor(sc *Scenario, fails func(*Scenario) (kind string)) *Scenario {
	s := &shrinker{fails: fails, kind: fails(sc), best: sc}
	if s.kind == "" {
		return sc
	}
	for before := -1; before != s.best.size() && s.runs < mostRuns; {
		before = s.best.size()
		s.last()
		s.faults()
		s.cycles()
		s.segments()
		s.systems()
		s.options()
	}
	return s.best
}

// last drops cycles from the end.
func (s *shrinker) last() {
	for n := 1; n < s.best.Cycles; n++ {
		c := s.best.clone()
		c.Cycles = n
		c.Faults = slices.DeleteFunc(c.Faults, func(f Fault) bool { return f.At >= c.length() })
		if s.try(c) {
			return
		}
	}
}

// try keeps a scenario if it is smaller and fails in the same way.
func (s *shrinker) try(sc *Scenario) bool {
	if s.runs++; s.runs > mostRuns {
		return false
	}
	if s.fails(sc) != s.kind {
		return false
	}
	s.best = sc
	return true
}

// size is what there is to take away.
func (sc *Scenario) size() int {
	n := len(sc.Faults) + sc.Cycles
	for i := range sc.Segments {
		n += len(sc.Segments[i].Ends)
	}
	for i := range sc.Systems {
		if !plain(i, &sc.Systems[i]) {
			n++
		}
	}
	return n
}

func (sc *Scenario) clone() *Scenario {
	c := *sc
	c.Systems, c.Faults = slices.Clone(sc.Systems), slices.Clone(sc.Faults)
	c.Segments = slices.Clone(sc.Segments)
	for i := range c.Segments {
		c.Segments[i].Ends = slices.Clone(c.Segments[i].Ends)
	}
	return &c
}

// faults drops faults, in large pieces first.
func (s *shrinker) faults() {
	for piece := max(1, len(s.best.Faults)/2); ; piece /= 2 {
		for at := len(s.best.Faults) - piece; at >= 0; at -= piece {
			if at+piece > len(s.best.Faults) {
				continue
			}
			c := s.best.clone()
			c.Faults = slices.Delete(c.Faults, at, at+piece)
			s.try(c)
		}
		if piece <= 1 {
			return
		}
	}
}

// cycles drops cycles from the front, with their faults.
func (s *shrinker) cycles() {
	for n := s.best.Cycles - 1; n > 0; n-- {
		c := s.best.clone()
		shift := time.Duration(n) * CycleTime
		c.Cycles -= n
		c.Faults = slices.DeleteFunc(c.Faults, func(f Fault) bool { return f.At < shift })
		for i := range c.Faults {
			c.Faults[i].At -= shift
		}
		if s.try(c) {
			return
		}
	}
}

// segments drops segments, with their faults.
func (s *shrinker) segments() {
	for i := len(s.best.Segments) - 1; i >= 0 && len(s.best.Segments) > 1; i-- {
		c := s.best.clone()
		c.Segments = slices.Delete(c.Segments, i, i+1)
		c.Faults = slices.DeleteFunc(c.Faults, func(f Fault) bool {
			return !f.ofSystem() && f.Segment == i || f.Kind == Swap && f.Other == i
		})
		for j := range c.Faults {
			f := &c.Faults[j]
			f.Segment = lower(f.Segment, i)
			if f.Kind == Swap {
				f.Other = lower(f.Other, i)
			}
		}
		s.try(c)
	}
}

// lower is an index after one has been deleted.
func lower(index, deleted int) int {
	if index > deleted || index == deleted && index > 0 {
		return index - 1
	}
	return index
}

// systems drops the systems at the end that nothing is about.
func (s *shrinker) systems() {
	for n := len(s.best.Systems) - 1; n >= 2; n-- {
		c := s.best.clone()
		for i := range c.Segments {
			if slices.ContainsFunc(c.Segments[i].Ends, func(e End) bool { return e.System == n }) {
				return
			}
		}
		c.Systems = c.Systems[:n]
		c.Faults = slices.DeleteFunc(c.Faults, func(f Fault) bool {
			return f.ofSystem() && f.System >= n || f.Kind == Forge && f.Other >= n
		})
		for i := range c.Faults {
			c.Faults[i].System = min(c.Faults[i].System, n-1)
		}
		if !s.try(c) {
			return
		}
	}
}

// plain reports whether a system has nothing that could be taken away.
func plain(i int, y *System) bool {
	return y.Character == Honest && y.CollectorDelay == 0 && y.Config == plainConfig(i, &y.Config)
}

func plainConfig(i int, old *lacp.Config) lacp.Config {
	id := old.System
	id.Addr = address(i)
	return lacp.Config{System: id}
}

// options makes systems and ends plain, one property after the other.
func (s *shrinker) options() {
	for i := range s.best.Systems {
		for _, change := range []func(*System){
			func(y *System) { y.Character = Honest },
			func(y *System) { y.CollectorDelay = 0 },
			func(y *System) { y.Config = plainConfig(i, &y.Config) },
			func(y *System) { y.Config.WaitToRestore = lacp.WaitToRestore{} },
			func(y *System) { y.Config.MinLinks = lacp.MinLinks{} },
			func(y *System) { y.Config.MaxPorts = 0 },
			func(y *System) { y.Config.Fallback, y.Config.FallbackAfter = 0, 0 },
			func(y *System) { y.Config.FallbackAfter = 0 },
			func(y *System) { y.Config.ShortTimeout = false },
			func(y *System) { y.Config.Coupled = false },
			func(y *System) { y.Config.Passive = false },
			func(y *System) { y.Config.Key, y.Config.KeyBase = 0, 0 },
		} {
			c := s.best.clone()
			change(&c.Systems[i])
			if c.Systems[i] != s.best.Systems[i] {
				s.try(c)
			}
		}
	}
}
