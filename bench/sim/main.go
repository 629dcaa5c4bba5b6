package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"ifagr/agr/lacp/sim"
)

// options are the command's.
type options struct {
	seed, hours      uint64
	processors, most int
	trace, shrink    bool
	file, save       string
}

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "the first seed")
	flag.Uint64Var(&o.hours, "hours", 100, "how many hours are simulated: a seed is one")
	flag.IntVar(&o.processors, "p", runtime.NumCPU(), "how many processors are used")
	flag.IntVar(&o.most, "most", 10, "after so many violations it ends")
	flag.BoolVar(&o.trace, "trace", false, "print all that happens")
	flag.BoolVar(&o.shrink, "shrink", true, "make the first violation's scenario small")
	flag.StringVar(&o.file, "file", "", "run this scenario")
	flag.StringVar(&o.save, "save", "", "write the small scenario here")
	flag.Parse()
	debug.SetGCPercent(1000) // there is little to keep and much to throw away
	bad, err := o.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(2)
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// run does what the options say and counts the violations.
func (o *options) run() (bad int, err error) {
	if o.file != "" || o.trace {
		return o.one()
	}
	var first *sim.Finding
	begin := time.Now()
	stats := sim.Explore(o.seed, o.hours, o.processors, o.most, func(f sim.Finding) {
		fmt.Printf("seed %d: %v\n", f.Seed, f.Violation)
		if bad++; first == nil || f.Seed < first.Seed {
			first = &f
		}
	})
	took := time.Since(begin)
	fmt.Printf("seeds        %d to %d\n%vviolations   %d\n", o.seed, o.seed+o.hours-1, &stats, bad)
	fmt.Printf("took         %v on %d processors: %.0f simulated hours in a minute\n",
		took.Round(time.Second/10), o.processors, stats.Simulated.Hours()/took.Minutes())
	if first == nil || !o.shrink {
		return bad, nil
	}
	return bad, o.small(first.Seed)
}

// one runs one scenario.
func (o *options) one() (bad int, err error) {
	sc := sim.Generate(o.seed)
	if o.file != "" {
		b, err := os.ReadFile(o.file)
		if err != nil {
			return 0, err
		}
		sc = new(sim.Scenario)
		if err := json.Unmarshal(b, sc); err != nil {
			return 0, fmt.Errorf("read %s: %w", o.file, err)
		}
	}
	var line func(string)
	if o.trace {
		line = func(text string) { fmt.Println(text) }
	}
	stats, v := sim.Run(sc, line)
	fmt.Print(&stats)
	if v == nil {
		return 0, nil
	}
	fmt.Println(v)
	return 1, nil
}

// small prints the smallest scenario with the violation of a seed.
func (o *options) small(seed uint64) error {
	sc := sim.Shrink(sim.Generate(seed))
	_, v := sim.Run(sc, nil)
	fmt.Printf("\nthe smallest scenario found with the violation of seed %d:\n%v%v\n", seed, sc, v)
	if o.save == "" {
		return nil
	}
	b, err := json.MarshalIndent(sc, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(o.save, append(b, '\n'), 0o644)
}
