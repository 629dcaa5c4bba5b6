package lab

import (
	"math"
	"testing"
)

func series(n int, f func(i int) float64) Series {
	var s Series
	for i := range n {
		s = append(s, f(i))
	}
	return s
}

func count(i int) float64 { return float64(i + 1) }

func TestQuantiles(t *testing.T) {
	tests := []struct {
		name                     string
		s                        Series
		low, median, high, worst float64
	}{
		{"one", Series{7}, 7, 7, 7, 7},
		{"two", Series{2, 1}, 1.25, 1.5, 1.75, 2},
		{"five, out of order", Series{5, 1, 4, 2, 3}, 2, 3, 4, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if low, median, high := tt.s.Quantile(0.25), tt.s.Median(), tt.s.Quantile(0.75); low != tt.low || median != tt.median || high != tt.high {
				t.Errorf("got %v %v %v, want %v %v %v", low, median, high, tt.low, tt.median, tt.high)
			}
			if tt.s.Max() != tt.worst {
				t.Errorf("at most %v, want %v", tt.s.Max(), tt.worst)
			}
		})
	}
	if !math.IsNaN(Series(nil).Median()) || !math.IsNaN(Series(nil).Max()) {
		t.Error("nothing has a median")
	}
}

// TestInterval compares with the table of every book on the sign test.
func TestInterval(t *testing.T) {
	tests := []struct {
		n         int
		low, high float64
		ok        bool
	}{
		{0, 0, 0, false},
		{5, 0, 0, false},
		{6, 1, 6, true},
		{8, 1, 8, true},
		{9, 2, 8, true},
		{11, 2, 10, true},
		{12, 3, 10, true},
		{20, 6, 15, true},
		{30, 10, 21, true},
	}
	for _, tt := range tests {
		low, high, ok := series(tt.n, count).Interval()
		if low != tt.low || high != tt.high || ok != tt.ok {
			t.Errorf("%d values: got %v to %v, %v; want %v to %v, %v", tt.n, low, high, ok, tt.low, tt.high, tt.ok)
		}
	}
}

func TestRatios(t *testing.T) {
	quiet := func(values ...float64) *Ratios {
		r := &Ratios{}
		for _, v := range values {
			r.Add(v, 0)
		}
		return r
	}
	disturbed := quiet(1, 1, 1, 1, 1)
	disturbed.Add(1, MaxOthers+0.01)
	tests := []struct {
		name          string
		r             *Ratios
		text          string
		atLeast, most Verdict // compared with 1
	}{
		{"above", quiet(1.1, 1.2, 1.1, 1.2, 1.1, 1.2), "1.15 [1.10 1.20]", Met, Missed},
		{"below", quiet(0.8, 0.9, 0.8, 0.9, 0.8, 0.9), "0.85 [0.80 0.90]", Missed, Met},
		{"on both sides", quiet(0.9, 1.1, 0.9, 1.1, 0.9, 1.1), "1.00 [0.90 1.10]", Unclear, Unclear},
		{"scattered", quiet(1, 2, 3, 4, 5, 6), "noisy: +-71 %", Unclear, Unclear},
		{"disturbed", disturbed, "noisy: 1 of 6", Unclear, Unclear},
		{"no figure", quiet(math.NaN()), "noisy: 1 of 1", Unclear, Unclear},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.String(); got != tt.text {
				t.Errorf("got %q, want %q", got, tt.text)
			}
			if got := tt.r.AtLeast(1); got != tt.atLeast {
				t.Errorf("at least 1: %q, want %q", got, tt.atLeast)
			}
			if got := tt.r.AtMost(1); got != tt.most {
				t.Errorf("at most 1: %q, want %q", got, tt.most)
			}
		})
	}
}
