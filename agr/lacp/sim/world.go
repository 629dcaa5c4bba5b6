package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// MostDelay is more than a segment takes without a fault: less than the pause after
// which a conversation may change its port.
const MostDelay = 900 * time.Microsecond

// world is one run of a scenario.
type world struct {
	sc    *Scenario
	stats Stats
	trace func(line string) // nil: nobody reads it

	now     lacp.Instant
	queue   queue
	random  *rand.Rand
	nodes   []*node
	segs    []*segment
	phase   phase
	cycles  int // whose storm is over
	failure *Violation
}

// phase is what part of a cycle it is.
type phase uint8

const (
	storm phase = iota
	settling
	resting
)

// Violation is something that may not be.
type Violation struct {
	At   time.Duration
	Kind string // of a small number of them
	Text string
}

func (v *Violation) Error() string { return fmt.Sprintf("%v: %s: %s", v.At, v.Kind, v.Text) }

// Run runs a scenario. The trace, unless it is nil, gets all that happens, line by
// line. The Violation is the first one, or nil.
func Run(sc *Scenario, trace func(line string)) (Stats, *Violation) {
	w := newWorld(sc, trace)
	for c := range sc.Cycles {
		w.cycle(time.Duration(c) * CycleTime)
		if w.failure != nil {
			break
		}
	}
	w.stats.Seeds = 1
	w.stats.Simulated = time.Duration(w.now)
	return w.stats, w.failure
}

func newWorld(sc *Scenario, trace func(string)) *world {
	w := &world{sc: sc, trace: trace, random: rand.New(rand.NewPCG(sc.Seed, 1))}
	for i := range sc.Systems {
		w.nodes = append(w.nodes, newNode(w, i, &sc.Systems[i]))
	}
	for i := range sc.Segments {
		w.segs = append(w.segs, newSegment(w, i, &sc.Segments[i]))
	}
	for _, d := range w.nodes {
		d.start()
	}
	return w
}

// cycle is a storm and the quiet after it.
func (w *world) cycle(begin time.Duration) {
	w.enter(storm)
	for i := range w.sc.Faults {
		if f := &w.sc.Faults[i]; f.At >= begin && f.At < begin+CycleTime {
			w.at(lacp.Instant(max(begin, f.At-time.Millisecond)), w.rush)
			w.at(lacp.Instant(f.At), func() { w.strike(f) })
		}
	}
	for _, d := range w.nodes {
		w.after(w.about(burstEvery), d.traffic)
	}
	w.until(lacp.Instant(begin + StormTime))
	w.repair()
	w.enter(settling)
	w.until(lacp.Instant(begin + StormTime + SettleTime))
	w.enter(resting)
	w.checkAgreement()
	for at := begin + StormTime + SettleTime; at < begin+CycleTime && w.failure == nil; at += RestTime / 3 {
		w.probe()
		w.until(lacp.Instant(at + RestTime/3))
	}
	w.checkAgreement()
}

func (w *world) enter(p phase) {
	w.phase = p
	w.note("--- %s", [...]string{"storm", "settling", "resting"}[p])
}

// until lets time pass.
func (w *world) until(end lacp.Instant) {
	for w.failure == nil && w.step(end) {
	}
	w.now = max(w.now, end)
}

// step takes the next thing that happens until end, and reports whether there was
// one. What is scheduled goes before timers that are due at the same instant.
func (w *world) step(end lacp.Instant) bool {
	next, at := w.nextTimer()
	if e := w.queue.first(); e != nil && (next == nil || e.at <= at) {
		if e.at > end {
			return false
		}
		w.queue.pop()
		w.now = e.at
		w.happens(e)
		return true
	}
	if next == nil || at > end {
		return false
	}
	w.now = max(w.now, at)
	next.advance()
	return true
}

// nextTimer finds the node that has something to do first.
func (w *world) nextTimer() (next *node, at lacp.Instant) {
	for _, d := range w.nodes {
		if d.waiting && (next == nil || d.deadline < at) {
			next, at = d, d.deadline
		}
	}
	return next, at
}

// event is what is scheduled: something to run, or something that arrives at the
// end of a segment.
type event struct {
	at     lacp.Instant
	serial uint64 // of two at the same instant the older one goes first
	run    func()

	seg   *segment
	end   int
	epoch int
	kind  arrival
	pdu   slow.LACPDU
	frame []byte // of a Marker, or of a LACPDU that is read octet by octet
	data  data
}

// arrival is what arrives.
type arrival uint8

const (
	nothing arrival = iota
	lacpdu
	octets  // of a slow protocol
	damaged // the same, with a wrong bit
	frame   // data
)

func (w *world) happens(e *event) {
	if e.kind == nothing {
		e.run()
	} else {
		e.seg.arrive(e)
	}
	w.queue.recycle(e)
}

// at runs f at an instant.
func (w *world) at(t lacp.Instant, f func()) {
	e := w.queue.fresh()
	e.at, e.run = t, f
	w.queue.push(e)
}

// after runs f when the time d has passed.
func (w *world) after(d time.Duration, f func()) { w.at(w.now.Add(d), f) }

// about is a time, seldom much more than mean.
func (w *world) about(mean time.Duration) time.Duration {
	return time.Duration(w.random.ExpFloat64() * float64(mean))
}

// chance is true in a ratio of the cases.
func (w *world) chance(ratio float64) bool { return ratio > 0 && w.random.Float64() < ratio }

// fail remembers the first violation.
func (w *world) fail(kind, format string, args ...any) {
	if w.failure != nil {
		return
	}
	w.failure = &Violation{At: time.Duration(w.now), Kind: kind, Text: fmt.Sprintf(format, args...)}
	w.note("VIOLATION %s: %s", kind, w.failure.Text)
}

func (w *world) note(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf("%12.6f ", time.Duration(w.now).Seconds()) + fmt.Sprintf(format, args...))
	}
}

// queue is a heap of events, the next one on top, and those that can be used again.
type queue struct {
	heap   []*event
	free   []*event
	serial uint64
}

func (q *queue) first() *event {
	if len(q.heap) == 0 {
		return nil
	}
	return q.heap[0]
}

func (q *queue) fresh() *event {
	if n := len(q.free); n > 0 {
		e := q.free[n-1]
		q.free = q.free[:n-1]
		return e
	}
	return &event{}
}

func (q *queue) recycle(e *event) {
	*e = event{}
	q.free = append(q.free, e)
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.serial < f.serial
}

func (q *queue) push(e *event) {
	q.serial++
	e.serial = q.serial
	h := append(q.heap, e)
	i := len(h) - 1
	for i > 0 && e.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = e
	q.heap = h
}

// pop takes the first one off.
func (q *queue) pop() {
	h := q.heap
	last := h[len(h)-1]
	h[len(h)-1] = nil
	h = h[:len(h)-1]
	q.heap = h
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(last) {
			break
		}
		h[i] = h[c]
		i = c
	}
	if len(h) > 0 {
		h[i] = last
	}
}
