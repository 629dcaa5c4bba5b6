package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ifagr/agr/ctl"
	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

const (
	churnPorts = 8
	churnEvery = time.Second
	// A busy flow pauses for less than the millisecond after which a
	// conversation may move; a calm one for longer.
	busyFlows, busyRate = 2, 1500
	calmFlows, calmRate = 20, 100
)

// churn lets ports join and leave under numbered traffic in both directions.
func churn(b *lab.Bed, c *config) {
	for _, kind := range []string{kernel, user} {
		if c.wants(kind) {
			b.Part(func(b *lab.Bed) { churnOf(b, c, kind) })
		}
	}
}

func churnOf(b *lab.Bed, c *config, kind string) {
	w := newWay(b, c.bin, kind, churnPorts)
	mix := func(from netip.Addr) []nettest.Flow {
		return append(flows(from, 0, busyFlows, busyRate), flows(from, busyFlows, calmFlows, calmRate)...)
	}
	out := nettest.StartStream(b, nettest.StreamConfig{From: w.a, To: w.b, Flows: mix(manyFrom)})
	in := nettest.StartStream(b, nettest.StreamConfig{From: w.b, To: w.a, Flows: mix(manyBack)})
	b.Wait(churnEvery)
	t := &turns{b: b, w: w, side: w.sides[0]}
	t.run(c.churn)
	sent, received := out.Stop(), in.Stop()
	c.title("%s: ledger of %v in which a port left and another joined every second", kind, c.churn)
	fmt.Fprintf(c.out, "%s\n", t)
	fmt.Fprintf(c.out, "%-32s %8s %8s %6s %10s %9s %s\n", "", "sent", "received", "lost", "duplicated", "reordered", "")
	bad := uint64(0)
	for _, l := range []struct {
		title string
		r     nettest.Report
	}{{"from the end that ports leave", sent}, {"to the end that ports leave", received}} {
		bad += printLedger(c, l.title, l.r)
	}
	for i, s := range w.sides {
		st := s.status()
		fmt.Fprintf(c.out, "end %d: %d frames dropped by agr0, %d held at the end\n", i+1, st.Drops, st.Held)
	}
	c.goals([]goal{figureGoal(kind+": 0 lost, duplicated, reordered when ports join and leave", bad == 0, "%d", bad)})
}

// printLedger prints what became of busy and calm flows, and returns how many
// frames had a bad fate.
func printLedger(c *config, title string, r nettest.Report) uint64 {
	for _, part := range []struct {
		name  string
		flows []nettest.Report
	}{{"busy", r.Flows[:busyFlows]}, {"calm", r.Flows[busyFlows:]}} {
		var t nettest.Report
		for _, f := range part.flows {
			t.Sent += f.Sent
			t.Received += f.Received
			t.Lost += f.Lost
			t.Duplicated += f.Duplicated
			t.Reordered += f.Reordered
		}
		fmt.Fprintf(c.out, "%-32s %8d %8d %6d %10d %9d\n", title+", "+part.name, t.Sent, t.Received, t.Lost, t.Duplicated, t.Reordered)
	}
	fmt.Fprintf(c.out, "  longest pause of the sender %v; refused to it %d; no room in the sink %d\n",
		r.Pause.Round(10*time.Microsecond), r.SendErrors, r.Overflow)
	return r.Lost - r.Overflow + r.Duplicated + r.Reordered
}

// turns lets ports leave and join in turn.
type turns struct {
	b    *lab.Bed
	w    *way
	side *side

	leaves, joins int
	working       int // ports that distributed when they left
	leave, join   lab.Series
}

// run goes on for d: each time the port that left last joins and the next one
// leaves.
func (t *turns) run(d time.Duration) {
	end := time.Now().Add(d)
	out := "" // the port that is not in agr0
	for i := 0; time.Now().Before(end); i++ {
		next := time.Now().Add(churnEvery)
		if out != "" {
			t.join = append(t.join, t.timed(out, ctl.AddPort))
			t.joins++
		}
		out = t.w.ports[i%len(t.w.ports)]
		if t.side.distributing()[out] {
			t.working++
		}
		t.leave = append(t.leave, t.timed(out, ctl.RemovePort))
		t.leaves++
		t.b.Wait(time.Until(next))
	}
}

// timed adds or removes a port, and tells how many seconds that took.
func (t *turns) timed(port string, cmd ctl.Command) float64 {
	start := time.Now()
	t.side.port(port, cmd)
	return time.Since(start).Seconds()
}

// String tells what was done.
func (t *turns) String() string {
	return fmt.Sprintf("%d left, %d of them while they distributed, in %.0f ms (median; at worst %.0f ms); %d joined, in %.0f ms (at worst %.0f ms)",
		t.leaves, t.working, 1000*t.leave.Median(), 1000*slices.Max(t.leave), t.joins, 1000*t.join.Median(), 1000*t.join.Max())
}
