package lab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Series is one figure, measured again and again.
type Series []float64

// Median is the middle, NaN without any.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile is the value below which a share q of the series lies, interpolated.
func (s Series) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Spread is the interquartile range as a share of the median.
func (s Series) Spread() float64 {
	return (s.Quantile(0.75) - s.Quantile(0.25)) / s.Median()
}

// Max is the greatest value, NaN without any.
func (s Series) Max() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Max(s)
}

// Interval is where the true median lies with a confidence of 95 % at least,
// whatever the distribution: between two of the ordered values, so many from
// either end that a fair coin would rarely come so far. It is false below six
// values, which cannot tell.
func (s Series) Interval() (low, high float64, ok bool) {
	n := len(s)
	cut := -1 // how many values at each end lie outside
	for tail, term := 0.0, math.Pow(0.5, float64(n)); cut < n; cut++ {
		tail += term
		if 2*tail > 0.05 {
			break
		}
		k := float64(cut + 1)
		term *= (float64(n) - k) / (k + 1)
	}
	if cut < 0 {
		return 0, 0, false
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[cut], sorted[n-1-cut], true
}

// Limits of noise: where one of them is passed no ratio is printed.
const (
	// MaxSpread is the most that the interquartile range of a ratio may be of its
	// median.
	MaxSpread = 0.25
	// MaxOthers is the most that other programs and the hypervisor together may
	// take of the machine while a round is measured; the round is left out
	// otherwise.
	MaxOthers = 0.10
	// MaxOthersCPU is the same for a figure of processor time. Others cannot take
	// it, but they take the caches: it grows when they have much of the machine.
	MaxOthersCPU = 0.25
	// MinRounds is how many rounds must be left: fewer have no interval.
	MinRounds = 6
)

// Ratios are the ratios of one figure to another, one for each quiet round.
type Ratios struct {
	Series
	Limit float64 // of what others may take; 0: MaxOthers
	Noisy int     // rounds that were left out
}

// Add takes in the ratio of a round, in which others took a share of the machine.
func (r *Ratios) Add(ratio, others float64) {
	if others > cmp.Or(r.Limit, MaxOthers) || math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		r.Noisy++
		return
	}
	r.Series = append(r.Series, ratio)
}

// Noise says why there is no ratio to be told, and is empty when there is one:
// how many rounds of how many others have disturbed, or what the spread is.
func (r *Ratios) Noise() string {
	if len(r.Series) < MinRounds {
		return fmt.Sprintf("noisy: %d of %d", r.Noisy, r.Noisy+len(r.Series))
	}
	if s := r.Spread(); s > MaxSpread {
		return fmt.Sprintf("noisy: +-%.0f %%", 100*s)
	}
	return ""
}

// String is the median with the quartiles, or what the noise was.
func (r *Ratios) String() string {
	if noise := r.Noise(); noise != "" {
		return noise
	}
	return fmt.Sprintf("%.2f [%.2f %.2f]", r.Median(), r.Quantile(0.25), r.Quantile(0.75))
}

// Verdict is what became of a goal.
type Verdict string

// The verdicts.
const (
	Met     Verdict = "met"
	Missed  Verdict = "MISSED"
	Unclear Verdict = "unclear" // the interval has the goal in it, or there is no ratio
)

// AtLeast compares the median with a goal that it should reach.
func (r *Ratios) AtLeast(goal float64) Verdict {
	low, high, ok := r.Interval()
	switch {
	case !ok || r.Noise() != "":
		return Unclear
	case low >= goal:
		return Met
	case high < goal:
		return Missed
	}
	return Unclear
}

// AtMost compares the median with a goal that it should not pass.
func (r *Ratios) AtMost(goal float64) Verdict {
	low, high, ok := r.Interval()
	switch {
	case !ok || r.Noise() != "":
		return Unclear
	case high <= goal:
		return Met
	case low > goal:
		return Missed
	}
	return Unclear
}
