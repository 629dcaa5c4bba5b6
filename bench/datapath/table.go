package main

import (
	"fmt"
	"io"
	"slices"

	"ifagr/bench/lab"
)

// pair names a ratio: a figure of one way divided by the same of another.
type pair struct{ of, to string }

func (p pair) String() string { return p.of + "/" + p.to }

// row is one figure of every way, over all rounds.
type row struct {
	title  string // "TCP, 1 stream: Gb/s"
	format string // of one value
	test   string // which test has it
	figure string // its name in the test's figures

	values map[string]*lab.Series
	ratios map[pair]*lab.Ratios
}

// table is some rows, and the ways and pairs that are its columns.
type table struct {
	ways   []string
	pairs  []pair
	rows   []*row
	others lab.Series // share of the machine that others took, of every measurement
}

// newTable is a table without rows. Pairs of ways that are not there are left
// out.
func newTable(ways []string, pairs ...pair) *table {
	t := &table{ways: ways}
	for _, p := range pairs {
		if slices.Contains(t.ways, p.of) && slices.Contains(t.ways, p.to) {
			t.pairs = append(t.pairs, p)
		}
	}
	return t
}

// show makes a row without ratios.
func (t *table) show(test, figure, title, format string) *row {
	r := &row{
		title: title, format: format, test: test, figure: figure,
		values: make(map[string]*lab.Series), ratios: make(map[pair]*lab.Ratios),
	}
	for _, w := range t.ways {
		r.values[w] = &lab.Series{}
	}
	t.rows = append(t.rows, r)
	return r
}

// compare makes a row with ratios.
func (t *table) compare(test, figure, title, format string) *row {
	r := t.show(test, figure, title, format)
	for _, p := range t.pairs {
		r.ratios[p] = &lab.Ratios{}
	}
	return r
}

// compareCPU makes a row with ratios of processor time.
func (t *table) compareCPU(test, figure, title, format string) {
	for _, r := range t.compare(test, figure, title, format).ratios {
		r.Limit = lab.MaxOthersCPU
	}
}

// result is what one way came to in one round of a test.
type result struct {
	figures figures
	others  float64
}

// round takes in one round of a test, in which every way was measured.
func (t *table) round(test string, results map[string]result) {
	for _, r := range results {
		t.others = append(t.others, r.others)
		r.figures["others"] = 100 * r.others
	}
	for _, row := range t.rows {
		if row.test != test {
			continue
		}
		for name, r := range results {
			*row.values[name] = append(*row.values[name], r.figures[row.figure])
		}
		for p, ratio := range row.ratios {
			of, to := results[p.of], results[p.to]
			ratio.Add(of.figures[row.figure]/to.figures[row.figure], max(of.others, to.others))
		}
	}
}

// find is the row of a figure, nil if there is none.
func (t *table) find(test, figure string) *row {
	for _, r := range t.rows {
		if r.test == test && r.figure == figure {
			return r
		}
	}
	return nil
}

// settled reports whether every ratio has rounds enough.
func (t *table) settled() bool {
	for _, r := range t.rows {
		for _, ratio := range r.ratios {
			if len(ratio.Series) < lab.MinRounds {
				return false
			}
		}
	}
	return true
}

// print writes the medians with their spread, and below them the ratios.
func (t *table) print(out io.Writer) {
	fmt.Fprintf(out, "%-34s", "median (spread: quartiles, % of it)")
	for _, w := range t.ways {
		fmt.Fprintf(out, "%16s", w)
	}
	fmt.Fprintln(out)
	for _, r := range t.rows {
		fmt.Fprintf(out, "%-34s", r.title)
		for _, w := range t.ways {
			fmt.Fprintf(out, "%16s", value(r.format, *r.values[w]))
		}
		fmt.Fprintln(out)
	}
	if len(t.pairs) > 0 {
		t.printRatios(out)
	}
}

// value is a median with its spread.
func value(format string, s lab.Series) string {
	if len(s) == 0 {
		return "-"
	}
	text := fmt.Sprintf(format, s.Median())
	if s.Median() == 0 {
		return text + "      "
	}
	return fmt.Sprintf("%s (%2.0f%%)", text, 100*s.Spread())
}

func (t *table) printRatios(out io.Writer) {
	fmt.Fprintf(out, "\n%-34s", "ratio in one round [quartiles]")
	for _, p := range t.pairs {
		fmt.Fprintf(out, "%20s", p)
	}
	fmt.Fprintln(out)
	for _, r := range t.rows {
		if len(r.ratios) == 0 {
			continue
		}
		fmt.Fprintf(out, "%-34s", r.title)
		for _, p := range t.pairs {
			fmt.Fprintf(out, "%20s", r.ratios[p])
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "noisy: in N of M rounds others took more than %.0f %% of the machine (CPU: %.0f %%), or the quartiles are +-N %% apart, more than %.0f %%\n",
		100*lab.MaxOthers, 100*lab.MaxOthersCPU, 100*lab.MaxSpread)
}

// goal is something that is to be reached. Bound and what was seen are printed
// beside the verdict.
type goal struct {
	text    string
	seen    string
	verdict lab.Verdict
}

// ratioGoal compares a ratio with its goal.
func ratioGoal(text string, r *lab.Ratios, verdict lab.Verdict) goal {
	seen := r.String()
	if low, high, ok := r.Interval(); ok && r.Noise() == "" {
		seen = fmt.Sprintf("%.2f, surely %.2f to %.2f", r.Median(), low, high)
	}
	return goal{text, seen, verdict}
}

// figureGoal compares a figure that is no ratio with its goal.
func figureGoal(text string, met bool, format string, args ...any) goal {
	v := lab.Met
	if !met {
		v = lab.Missed
	}
	return goal{text, fmt.Sprintf(format, args...), v}
}

func printGoals(out io.Writer, goals []goal) {
	for _, g := range goals {
		fmt.Fprintf(out, "%-58s %-8s %s\n", g.text, g.verdict, g.seen)
	}
}
