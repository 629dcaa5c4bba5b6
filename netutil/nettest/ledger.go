package nettest

import (
	"fmt"
	"strings"
	"time"
)

// Report is what became of a stream.
type Report struct {
	Sent       uint64
	Received   uint64 // without duplicates
	Lost       uint64
	Duplicated uint64 // copies beyond the first
	Reordered  uint64 // arrived after one with a higher number
	SendErrors uint64 // of the lost ones, those that the kernel refused
	// Overflow counts, of the lost ones, those that had arrived but found no room
	// in the receiving socket: it is the test's fault, not the network's.
	Overflow uint64
	Runs     []Run // of lost ones, in order; only of a stream with one flow
	// Pause is the longest time between two looks of the sender at the clock: a
	// flow whose datagrams are due more often was silent for about as long.
	Pause time.Duration
	// Flows has the same for each flow, when there are several.
	Flows []Report
}

// total sums up what became of several flows.
func total(flows []Report) Report {
	if len(flows) == 1 {
		return flows[0]
	}
	r := Report{Flows: flows}
	for _, f := range flows {
		r.Sent += f.Sent
		r.Received += f.Received
		r.Lost += f.Lost
		r.Duplicated += f.Duplicated
		r.Reordered += f.Reordered
		r.SendErrors += f.SendErrors
	}
	return r
}

// Run is a number of successive datagrams that were lost.
type Run struct {
	First uint64
	Count uint64
	Lasts time.Duration // Count at the stream's rate
}

// String is the report on one line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d received, %d lost (%d refused), %d duplicated, %d reordered",
		r.Sent, r.Received, r.Lost, r.SendErrors, r.Duplicated, r.Reordered)
	if r.Overflow > 0 {
		fmt.Fprintf(&b, "; %d of the lost found no room in the receiving socket", r.Overflow)
	}
	for _, run := range r.Runs {
		fmt.Fprintf(&b, "; lost %d from %d on (%v)", run.Count, run.First, run.Lasts)
	}
	return b.String()
}

// arrivals is what a receiver notes of the numbers that it gets.
type arrivals struct {
	seen       []bool // by number
	duplicated uint64
	reordered  uint64
}

// maxNumber is beyond what a flow sends; a number above it is not ours.
const maxNumber = 1 << 28

func (a *arrivals) add(n uint64) {
	switch {
	case n >= maxNumber:
		return
	case n >= uint64(len(a.seen)):
		a.seen = append(a.seen, make([]bool, n+1-uint64(len(a.seen)))...)
	case a.seen[n]:
		a.duplicated++
		return
	default:
		a.reordered++
	}
	a.seen[n] = true
}

// report counts up to the number of datagrams sent, one each interval.
func (a *arrivals) report(sent uint64, interval time.Duration) Report {
	r := Report{Sent: sent, Duplicated: a.duplicated, Reordered: a.reordered}
	for n := range sent {
		if n < uint64(len(a.seen)) && a.seen[n] {
			r.Received++
			continue
		}
		r.Lost++
		if last := len(r.Runs) - 1; last >= 0 && r.Runs[last].First+r.Runs[last].Count == n {
			r.Runs[last].Count++
			r.Runs[last].Lasts += interval
			continue
		}
		r.Runs = append(r.Runs, Run{First: n, Count: 1, Lasts: interval})
	}
	return r
}
