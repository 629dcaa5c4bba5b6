package sim_test

import (
	"flag"
	"runtime"
	"slices"
	"testing"

	"ifagr/agr/lacp/sim"
)

var hours = flag.Uint64("hours", 24, "how many hours TestSim simulates")

// TestSim is a short run. make sim runs longer ones.
func TestSim(t *testing.T) {
	stats := sim.Explore(1, *hours, runtime.NumCPU(), 3, func(f sim.Finding) {
		t.Errorf("seed %d: %v", f.Seed, f.Violation)
	})
	t.Logf("\n%v", &stats)
	for k, n := range stats.Faults {
		if n == 0 {
			t.Errorf("no %v", sim.Kind(k))
		}
	}
	if stats.FramesHeld == 0 || stats.Markers == 0 || stats.FramesIgnored == 0 {
		t.Errorf("too little happens: %v", &stats)
	}
}

// A seed is the same run each time, line by line.
func TestReplay(t *testing.T) {
	run := func() (lines []string) {
		sc := sim.Generate(7)
		sc.Cycles = 1
		sim.Run(sc, func(line string) { lines = append(lines, line) })
		return lines
	}
	one, two := run(), run()
	if len(one) < 1000 || !slices.Equal(one, two) {
		t.Errorf("%d lines, then %d, or others", len(one), len(two))
	}
}

// A scenario with a violation becomes one with little besides it. Here two faults
// together are taken for a violation.
func TestShrink(t *testing.T) {
	sc := sim.Generate(1)
	first, last := sc.Faults[0].Kind, sc.Faults[len(sc.Faults)-1].Kind
	has := func(sc *sim.Scenario, k sim.Kind) bool {
		return slices.ContainsFunc(sc.Faults, func(f sim.Fault) bool { return f.Kind == k })
	}
	small := sim.ShrinkFor(sc, func(sc *sim.Scenario) string {
		if has(sc, first) && has(sc, last) {
			return "both"
		}
		return ""
	})
	if first == last || len(small.Faults) != 2 || len(small.Segments) > 2 {
		t.Errorf("%v and %v: not small:\n%v", first, last, small)
	}
}
