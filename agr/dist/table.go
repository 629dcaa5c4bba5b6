package dist

import (
	"math/bits"
	"slices"
)

// Conversations is how many conversations an aggregate tells apart.
const Conversations = 256

// Table maps each conversation to the number of the port that it is sent
// through; 0 is no port.
type Table [Conversations]uint16

// Set is a set of conversations.
type Set [Conversations / 64]uint64

// Add puts a conversation into the set.
func (s *Set) Add(c uint8) { s[c/64] |= 1 << (c % 64) }

// Has reports whether a conversation is in the set.
func (s *Set) Has(c uint8) bool { return s[c/64]&(1<<(c%64)) != 0 }

// Empty reports whether no conversation is in the set.
func (s *Set) Empty() bool { return *s == Set{} }

// Share is a port that may carry conversations and how much of them.
type Share struct {
	Port   uint16
	Weight uint64 // its speed; 0 counts as 1
}

// Count is how many conversations are sent through a port.
func (t *Table) Count(port uint16) int {
	n := 0
	for _, p := range t {
		if p == port {
			n++
		}
	}
	return n
}

// Rebalance gives every conversation of prev to one of ports, so that each port
// has its fair share, 256 times its part of all weights, rounded down or up, and
// so that as few conversations as possible change their port. With equal weights
// that means: a port that leaves gives only its own conversations away, a port
// that joins takes its share from those that have more than theirs, and none
// moves between two others.
//
// The result does not depend on the order of ports. Port 0 and a second Share
// for one port are ignored. Without ports the table is all zero.
func Rebalance(prev Table, ports []Share) Table {
	q := newQuotas(prev, ports)
	if len(q) == 0 {
		return Table{}
	}
	next := prev
	for c, port := range prev {
		i, ok := q.find(port)
		if ok && q[i].kept < q[i].target {
			q[i].kept++
			continue
		}
		next[c] = 0
	}
	for c := range next {
		if next[c] == 0 {
			i := q.neediest()
			q[i].kept++
			next[c] = q[i].port
		}
	}
	return next
}

// quota is what one port should have and has.
type quota struct {
	port   uint16
	weight uint64
	have   int    // conversations in the table as it was
	target int    // conversations it is to have
	rest   uint64 // what rounding target down left over, in parts of all weights
	kept   int    // conversations it has so far in the new table
}

// quotas are sorted by port number.
type quotas []quota

func newQuotas(prev Table, ports []Share) quotas {
	q := make(quotas, 0, len(ports))
	for _, s := range ports {
		if s.Port != 0 {
			q = append(q, quota{port: s.Port, weight: max(s.Weight, 1), have: prev.Count(s.Port)})
		}
	}
	slices.SortStableFunc(q, func(a, b quota) int { return int(a.port) - int(b.port) })
	q = slices.CompactFunc(q, func(a, b quota) bool { return a.port == b.port })
	if len(q) > 0 {
		q.scale()
		q.setTargets()
	}
	return q
}

// scale keeps 256 times a weight, and the sum of 65535 of them, within 64 bits.
// Only weights beyond 2^40 lose anything, and that in their last places.
func (q quotas) scale() {
	const most = 40
	shift := 0
	for i := range q {
		shift = max(shift, bits.Len64(q[i].weight)-most)
	}
	for i := range q {
		q[i].weight = max(q[i].weight>>shift, 1)
	}
}

// setTargets rounds every fair share down, and hands what is left out one by
// one: first to ports that have more than that anyway, since it saves a move,
// then by the largest remainder.
func (q quotas) setTargets() {
	var sum uint64
	for i := range q {
		sum += q[i].weight
	}
	left := Conversations
	order := make([]int, 0, len(q))
	for i := range q {
		share := q[i].weight * Conversations
		q[i].target, q[i].rest = int(share/sum), share%sum
		left -= q[i].target
		if q[i].rest != 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return q[a].before(q[b]) })
	for _, i := range order[:left] {
		q[i].target++
	}
}

// before orders ports by their claim to one conversation more.
func (e quota) before(b quota) int {
	eMore, bMore := e.have > e.target, b.have > b.target
	switch {
	case eMore != bMore && eMore:
		return -1
	case eMore != bMore:
		return 1
	case e.rest > b.rest:
		return -1
	case e.rest < b.rest:
		return 1
	}
	return 0
}

// find is the place of a port in q.
func (q quotas) find(port uint16) (int, bool) {
	return slices.BinarySearchFunc(q, port, func(e quota, p uint16) int { return int(e.port) - int(p) })
}

// neediest is the place of the port furthest below its target; of several, the
// one with the lowest number.
func (q quotas) neediest() int {
	best := 0
	for i := range q {
		if q[i].target-q[i].kept > q[best].target-q[best].kept {
			best = i
		}
	}
	return best
}
