package lacptest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// Frame is a LACPDU that a port sent.
type Frame struct {
	At       lacp.Instant
	Node     string
	Port     uint16
	PDU      slow.LACPDU
	Farewell bool
	Lost     bool // it did not reach the far end
}

// Change is a transition of a state of a node.
type Change struct {
	At   lacp.Instant
	Node string
	lacp.Transition
}

// Network is a set of nodes, the links between them and the time in which they
// live.
type Network struct {
	Frames  []Frame  // in the order in which they were sent
	Changes []Change // in the order in which they happened

	now    lacp.Instant
	queue  queue
	serial int
	nodes  []*Node
	random *rand.Rand
	trace  []string
	err    error
}

// New returns an empty Network. The seed decides which frames a lossy link loses.
func New(seed uint64) *Network {
	return &Network{random: rand.New(rand.NewPCG(seed, seed))}
}

// Now is the virtual time since New.
func (n *Network) Now() time.Duration { return time.Duration(n.now) }

// Err is the first violation of what must hold in every state, or nil.
func (n *Network) Err() error { return n.err }

// Run lets the time d pass.
func (n *Network) Run(d time.Duration) {
	n.RunUntil(d, func() bool { return false })
}

// RunUntil lets time pass until done is true, which is asked after each step, and
// gives up after limit. It returns how long it took.
func (n *Network) RunUntil(limit time.Duration, done func() bool) (took time.Duration, ok bool) {
	start, end := n.now, n.now.Add(limit)
	for !done() {
		if !n.step(end) {
			n.now = end
			return limit, done()
		}
	}
	return time.Duration(n.now - start), true
}

// At runs f when the time d has passed.
func (n *Network) At(d time.Duration, f func()) {
	n.serial++
	heap.Push(&n.queue, item{at: n.now.Add(d), serial: n.serial, run: f})
}

// step takes the next thing that happens until end, and reports whether there was
// one. What was scheduled goes before timers that are due at the same instant.
func (n *Network) step(end lacp.Instant) bool {
	next, at := n.nextTimer()
	if len(n.queue) > 0 && (next == nil || n.queue[0].at <= at) {
		if n.queue[0].at > end {
			return false
		}
		i := heap.Pop(&n.queue).(item)
		n.now = i.at
		i.run()
		return true
	}
	if next == nil || at > end {
		return false
	}
	n.now = max(n.now, at)
	next.system.Advance(next.now())
	next.collect()
	return true
}

// nextTimer finds the node whose timer is due first.
func (n *Network) nextTimer() (next *Node, at lacp.Instant) {
	for _, d := range n.nodes {
		if d.system == nil || d.paused {
			continue
		}
		t, ok := d.system.Deadline()
		if t = t.Add(-d.skew); ok && (next == nil || t < at) {
			next, at = d, t
		}
	}
	return next, at
}

// fail remembers the first violation.
func (n *Network) fail(d *Node, format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf("lacptest: %v: %s: %w", n.now, d.Name, fmt.Errorf(format, args...))
	}
}

// item is something that happens at a time.
type item struct {
	at     lacp.Instant
	serial int // of two at the same instant the older one goes first
	run    func()
}

// queue is a heap of items, the next one on top.
type queue []item

var _ heap.Interface = (*queue)(nil)

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].serial < q[j].serial
}

// Push is for container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(item)) }

// Pop is for container/heap.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
