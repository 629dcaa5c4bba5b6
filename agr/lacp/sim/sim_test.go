package sim_test

import (
	"flag"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/sim"
	"ifagr/agr/slow"
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

// Each option is changed by itself, and together with others.
func TestEveryOptionChanges(t *testing.T) {
	alone, along := map[string]int{}, map[string]int{}
	for seed := range uint64(200) {
		sc := sim.Generate(seed + 1)
		now := make([]lacp.Config, len(sc.Systems))
		for i := range sc.Systems {
			now[i] = sc.Systems[i].Config
		}
		for _, f := range sc.Faults {
			if f.Config == nil {
				continue
			}
			count := along
			changed := differences(now[f.System], *f.Config)
			if len(changed) == 1 {
				count = alone
			}
			for _, name := range changed {
				count[name]++
			}
			now[f.System] = *f.Config
		}
	}
	for _, name := range differences(lacp.Config{}, everyOption()) {
		if alone[name] < 5 || along[name] < 5 {
			t.Errorf("%s: changed %d times alone, %d times along with others", name, alone[name], along[name])
		}
	}
}

// everyOption has no option at its zero value, but for Static, which is a fault of its
// own.
func everyOption() lacp.Config {
	return lacp.Config{
		System: slow.System{Priority: 1}, Passive: true, ShortTimeout: true, Coupled: true, KeyBase: 1, Key: 1,
		MinLinks: lacp.MinLinks{Up: 1}, MaxPorts: 1, Fallback: 1, FallbackAfter: 1, WaitToRestore: lacp.WaitToRestore{Min: 1},
	}
}

// differences names the options that two configurations have not in common.
func differences(a, b lacp.Config) (names []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !x.Field(i).Equal(y.Field(i)) {
			names = append(names, x.Type().Field(i).Name)
		}
	}
	return names
}
