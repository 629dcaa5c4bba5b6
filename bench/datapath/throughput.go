package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"ifagr/bench/lab"
)

// test is one kind of traffic, and who is measured with it.
type test struct {
	name string
	who  []contestant
}

// contestant is measured under a name, which is a column of the table.
type contestant struct {
	name string
	run  func() (figures, float64)
}

// everyWay makes a contestant of each way.
func everyWay(ways []*way, run func(*way) (figures, float64)) []contestant {
	var who []contestant
	for _, w := range ways {
		who = append(who, contestant{w.name, func() (figures, float64) { return run(w) }})
	}
	return who
}

// measure measures every contestant once, in random order.
func (t *table) measure(k test) {
	results := make(map[string]result)
	for _, i := range rand.Perm(len(k.who)) {
		f, others := k.who[i].run()
		results[k.who[i].name] = result{f, others}
	}
	t.round(k.name, results)
}

// measureAll goes round until every ratio is told, or time is up, but often
// enough for a median. It returns how often.
func (t *table) measureAll(c *config, tests []test, budget time.Duration) int {
	end := time.Now().Add(budget)
	n := 0
	for ; n < 3 || time.Now().Before(end) && (n < c.rounds || !t.settled()); n++ {
		for _, k := range tests {
			t.measure(k)
		}
		c.progress("round %d", n+1)
	}
	c.machine = append(c.machine, t.others...)
	return n
}

// othersRow is the title of what disturbed a test.
const othersRow = "  others, % of the machine"

// throughput compares the ways with two links.
func throughput(b *lab.Bed, c *config) {
	const tcp1, tcp8, small, trip = "TCP, 1 stream", "TCP, 8 streams", "UDP, small frames", "ping, flood"
	ways := c.ways(b, []string{bare, kernel, user, ovs}, 2)
	t := newTable(names(ways), pair{kernel, bare}, pair{user, bare}, pair{ovs, bare}, pair{kernel, ovs})
	for _, name := range []string{tcp1, tcp8} {
		t.compare(name, "rate", name+": Gb/s", "%.2f")
		t.compareCPU(name, "whole", "  CPU s/GB, whole", "%.2f")
		t.show(name, "daemons", "  CPU s/GB, daemons", "%.3f")
		t.show(name, "others", othersRow, "%.1f")
	}
	t.compare(small, "rate", small+": 1000/s", "%.0f")
	t.show(small, "lost", "  lost on the way, %", "%.1f")
	t.show(small, "overflow", "  lost in the sink's socket, %", "%.1f")
	t.compareCPU(small, "sender", "  CPU ns/frame, sender", "%.0f")
	t.show(small, "daemons", "  CPU ns/frame, daemons", "%.0f")
	t.compareCPU(small, "whole", "  CPU ns/frame, whole", "%.0f")
	t.show(small, "others", othersRow, "%.1f")
	t.compare(trip, "trip", trip+": round trip us", "%.2f")
	t.show(trip, "lost", "  lost, %", "%.2f")
	t.show(trip, "others", othersRow, "%.1f")
	for _, name := range []string{tcp8, small} {
		t.show(name, "load", "daemons, % of a core: "+name, "%.2f")
	}

	rounds := t.measureAll(c, []test{
		{tcp1, everyWay(ways, func(w *way) (figures, float64) { return measureTCP(b, w, 1, c.time) })},
		{tcp8, everyWay(ways, func(w *way) (figures, float64) { return measureTCP(b, w, 8, c.time) })},
		{small, everyWay(ways, func(w *way) (figures, float64) { return measureUDP(b, w, 16, c.time) })},
		{trip, everyWay(ways, func(w *way) (figures, float64) { return measureEcho(b, w, c.time/3) })},
	}, c.budget)
	c.title("Throughput, 2 links, %d rounds", rounds)
	t.print(c.out)
	c.goals(t.throughputGoals(tcp1, tcp8, small))
	if w := find(ways, kernel); w != nil {
		quiet := measureQuiet(b, w, 3*time.Second)
		busy := max(t.find(tcp8, "load").values[kernel].Median(), t.find(small, "load").values[kernel].Median())
		// The timers of a quiet daemon differ by less than one per cent of a core.
		c.goals([]goal{figureGoal("kernel: the daemons' CPU does not depend on traffic", busy-quiet < 1,
			"quiet %.2f %% of a core, under traffic %.2f %%", quiet, busy)})
	}
}

// throughputGoals compares with the goals that are about ratios.
func (t *table) throughputGoals(tcp1, tcp8, small string) []goal {
	var goals []goal
	least := func(p pair, test string, bound float64, text string) {
		if r := t.find(test, "rate").ratios[p]; r != nil {
			goals = append(goals, ratioGoal(fmt.Sprintf("%s, %s: at least %g %s", p.of, test, bound, text), r, r.AtLeast(bound)))
		}
	}
	for _, tcp := range []string{tcp1, tcp8} {
		least(pair{kernel, bare}, tcp, 0.95, "of bare")
		least(pair{kernel, ovs}, tcp, 10, "times Open vSwitch")
		least(pair{user, bare}, tcp, 0.60, "of bare")
	}
	least(pair{kernel, bare}, small, 0.75, "of bare")
	least(pair{kernel, ovs}, small, 10, "times Open vSwitch")
	if r := t.find(small, "sender").ratios[pair{kernel, bare}]; r != nil {
		goals = append(goals, ratioGoal("kernel, sender's CPU per frame: at most 1.3 of bare", r, r.AtMost(1.3)))
	}
	return goals
}

// names of ways.
func names(ways []*way) []string {
	var n []string
	for _, w := range ways {
		n = append(n, w.name)
	}
	return n
}

// find is the way of that name, nil if there is none.
func find(ways []*way, name string) *way {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	return nil
}
