package dist

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRebalance(t *testing.T) {
	equal := func(ports ...uint16) []Share {
		var s []Share
		for _, p := range ports {
			s = append(s, Share{Port: p, Weight: 1000})
		}
		return s
	}
	tests := []struct {
		name  string
		steps [][]Share // one after the other
		want  map[uint16]int
		moved int // by the last step
	}{
		{"none", [][]Share{nil}, map[uint16]int{0: 256}, 0},
		{"one", [][]Share{equal(1)}, map[uint16]int{1: 256}, 256},
		{"two", [][]Share{equal(1, 2)}, map[uint16]int{1: 128, 2: 128}, 256},
		{"three", [][]Share{equal(1, 2, 3)}, map[uint16]int{1: 86, 2: 85, 3: 85}, 256},
		{"second joins", [][]Share{equal(1), equal(1, 2)}, map[uint16]int{1: 128, 2: 128}, 128},
		{"third joins", [][]Share{equal(1, 2), equal(1, 2, 3)}, map[uint16]int{1: 86, 2: 85, 3: 85}, 85},
		{"third leaves", [][]Share{equal(1, 2, 3), equal(1, 2)}, map[uint16]int{1: 128, 2: 128}, 85},
		{"one for another", [][]Share{equal(1, 2), equal(1, 3)}, map[uint16]int{1: 128, 3: 128}, 128},
		{"last leaves", [][]Share{equal(1), nil}, map[uint16]int{0: 256}, 256},
		{"nothing new", [][]Share{equal(1, 2, 3), equal(3, 1, 2)}, map[uint16]int{1: 86, 2: 85, 3: 85}, 0},
		{
			"weights",
			[][]Share{{{1, 10_000}, {2, 1_000}}},
			map[uint16]int{1: 233, 2: 23},
			256,
		},
		{
			"weights change",
			[][]Share{equal(1, 2), {{1, 3000}, {2, 1000}}},
			map[uint16]int{1: 192, 2: 64},
			64,
		},
		{"weight 0 is 1", [][]Share{{{1, 0}, {2, 1}}}, map[uint16]int{1: 128, 2: 128}, 256},
		{"port 0 and a second share", [][]Share{{{0, 9}, {1, 5}, {1, 7}, {2, 5}}}, map[uint16]int{1: 128, 2: 128}, 256},
		{
			"the largest weights",
			[][]Share{{{1, math.MaxUint64}, {2, math.MaxUint64}, {3, math.MaxUint64}, {4, math.MaxUint64}}},
			map[uint16]int{1: 64, 2: 64, 3: 64, 4: 64},
			256,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var prev, table Table
			for _, s := range tt.steps {
				prev, table = table, Rebalance(table, s)
			}
			got := map[uint16]int{}
			for _, p := range table {
				got[p]++
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("conversations by port: -want +got\n%s", diff)
			}
			if n := moves(prev, table); n != tt.moved {
				t.Errorf("%d conversations moved, want %d", n, tt.moved)
			}
			for p, n := range tt.want {
				if c := table.Count(p); c != n {
					t.Errorf("Count(%d) = %d, want %d", p, c, n)
				}
			}
		})
	}
}

// moves is how many conversations have another port in b than in a.
func moves(a, b Table) int {
	n := 0
	for c := range a {
		if a[c] != b[c] {
			n++
		}
	}
	return n
}

// shares draws up to 40 ports of numbers 1 to 50.
func shares(equal bool) *rapid.Generator[[]Share] {
	return rapid.Custom(func(t *rapid.T) []Share {
		ports := rapid.SliceOfNDistinct(rapid.Uint16Range(1, 50), 0, 40, rapid.ID).Draw(t, "ports")
		s := make([]Share, len(ports))
		for i, p := range ports {
			s[i] = Share{Port: p, Weight: 1000}
			if !equal {
				s[i].Weight = rapid.SampledFrom([]uint64{0, 10, 100, 1000, 2500, 10_000, 400_000}).Draw(t, "weight")
			}
		}
		return s
	})
}

// checkFair wants every port to have its exact share rounded down or up, and
// nothing to be left over.
func checkFair(t *rapid.T, table Table, s []Share) {
	var sum uint64
	for _, e := range s {
		sum += max(e.Weight, 1)
	}
	if len(s) == 0 {
		if table != (Table{}) {
			t.Fatalf("conversations without ports: %v", table)
		}
		return
	}
	left := Conversations
	for _, e := range s {
		n := table.Count(e.Port)
		left -= n
		exact := float64(Conversations) * float64(max(e.Weight, 1)) / float64(sum)
		if float64(n) < math.Floor(exact) || float64(n) > math.Ceil(exact) {
			t.Fatalf("port %d of weight %d has %d conversations, its share is %.2f", e.Port, e.Weight, n, exact)
		}
	}
	if left != 0 {
		t.Fatalf("%d conversations have no port of the list", left)
	}
}

func TestRebalanceIsFairAndStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			s := shares(rapid.Bool().Draw(t, "equal")).Draw(t, "shares")
			table = Rebalance(table, s)
			checkFair(t, table, s)
			if again := Rebalance(table, rapid.Permutation(s).Draw(t, "order")); again != table {
				t.Fatalf("%d conversations moved without a reason", moves(table, again))
			}
		}
	})
}

// TestRebalanceMovesLittle: with equal weights, a conversation moves away from a
// port that stays only to one that has just joined.
func TestRebalanceMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var prev Table
		var old map[uint16]bool
		for range rapid.IntRange(2, 5).Draw(t, "steps") {
			s := shares(true).Draw(t, "shares")
			next := Rebalance(prev, s)
			listed := map[uint16]bool{}
			for _, e := range s {
				listed[e.Port] = true
			}
			for c := range next {
				if from, to := prev[c], next[c]; from != to && listed[from] && old[to] {
					t.Fatalf("conversation %d moved from %d to %d, both of which stayed", c, from, to)
				}
			}
			prev, old = next, listed
		}
	})
}

// TestRebalanceMovesLeast: whatever the weights, no fair table is nearer. A port
// can keep at most its share rounded up, and of the ports that would keep more
// than their share rounded down only so many can as the total allows.
func TestRebalanceMovesLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prev := Rebalance(Table{}, shares(false).Draw(t, "before"))
		s := shares(false).Draw(t, "after")
		if len(s) == 0 {
			return
		}
		var sum uint64
		for _, e := range s {
			sum += max(e.Weight, 1)
		}
		keep, extra, left := 0, 0, Conversations
		for _, e := range s {
			share := Conversations * max(e.Weight, 1)
			floor, have := int(share/sum), prev.Count(e.Port)
			left -= floor
			keep += min(have, floor)
			if have > floor && share%sum != 0 {
				extra++
			}
		}
		keep += min(extra, left)
		if got := moves(prev, Rebalance(prev, s)); got != Conversations-keep {
			t.Fatalf("%d conversations moved, %d would do", got, Conversations-keep)
		}
	})
}

func TestModeString(t *testing.T) {
	for mode, want := range map[Mode]string{L2: "l2", L3: "l3", L4: "l4", 9: "invalid"} {
		if got := mode.String(); got != want {
			t.Errorf("Mode(%d) = %q, want %q", mode, got, want)
		}
	}
}
