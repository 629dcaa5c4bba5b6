package main

import (
	"fmt"
	"time"

	"ifagr/bench/lab"
)

// portsAndFlows measures what a small frame costs with 1 to 8 ports, and with 1
// to 256 conversations.
func portsAndFlows(b *lab.Bed, c *config) {
	for _, kind := range []string{kernel, user} {
		if c.wants(kind) {
			b.Part(func(b *lab.Bed) { costOfPorts(b, c, kind) })
		}
	}
}

// costTable has the rows that a cost per frame needs; ratios are to the first
// column.
func costTable(test string, columns []string) *table {
	var pairs []pair
	for _, name := range columns[1:] {
		pairs = append(pairs, pair{name, columns[0]})
	}
	t := newTable(columns, pairs...)
	t.show(test, "rate", "UDP, small frames: 1000/s", "%.0f")
	t.show(test, "lost", "  lost on the way, %", "%.1f")
	t.compareCPU(test, "sender", "  CPU ns/frame, sender", "%.0f")
	t.show(test, "daemons", "  CPU ns/frame, daemons", "%.0f")
	t.compareCPU(test, "whole", "  CPU ns/frame, whole", "%.0f")
	return t
}

// costOfPorts compares aggregates with different numbers of ports, and different
// numbers of conversations on one of them.
func costOfPorts(b *lab.Bed, c *config, kind string) {
	numbers := []int{1, 2, 4, 8}
	ways := make([]*way, len(numbers))
	c.progress("making: %s with 1 to 8 ports", kind)
	b.Parallel(len(numbers), func(i int) {
		ways[i] = newWay(b, c.bin, kind, numbers[i])
		ways[i].name = fmt.Sprintf("%d ports", numbers[i])
	})
	budget := c.budget / 7
	t := costTable("ports", names(ways))
	rounds := t.measureAll(c, []test{{"ports", everyWay(ways, func(w *way) (figures, float64) {
		return measureUDP(b, w, 16, c.time/2)
	})}}, budget)
	c.title("%s, cost of ports, 16 flows, %d rounds", kind, rounds)
	t.print(c.out)
	c.costGoal(t, "ports", kind)

	t, k := flowTest(b, ways[1], c.time/2)
	rounds = t.measureAll(c, []test{k}, budget)
	c.title("%s, cost of flows, 2 ports, %d rounds", kind, rounds)
	t.print(c.out)
	c.costGoal(t, "flows", kind)
}

// flowTest compares numbers of conversations.
func flowTest(b *lab.Bed, w *way, d time.Duration) (*table, test) {
	k := test{name: "flows"}
	var columns []string
	for _, n := range []int{1, 16, 250} {
		name := fmt.Sprintf("%d flows", n)
		columns = append(columns, name)
		k.who = append(k.who, contestant{name, func() (figures, float64) { return measureUDP(b, w, n, d) }})
	}
	return costTable(k.name, columns), k
}

// growth is what the most ports or flows may cost more than one: what noise alone
// may pretend.
const growth = 1.10

// costGoal compares the last column with the first.
func (c *config) costGoal(t *table, test, kind string) {
	p := pair{t.ways[len(t.ways)-1], t.ways[0]}
	r := t.find(test, "whole").ratios[p]
	text := fmt.Sprintf("%s, cost of a frame: %s at most %.2f", kind, p, growth)
	c.goals([]goal{ratioGoal(text, r, r.AtMost(growth))})
}
