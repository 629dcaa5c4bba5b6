package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json; cmd/test2json documents the fields.
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// testID names one test, or with an empty test a package.
type testID struct{ pkg, test string }

func (id testID) String() string { return id.pkg + "." + id.test }

// summary counts events and writes what a person wants to see of them.
type summary struct {
	w       io.Writer
	output  map[testID]*strings.Builder // of what has not ended yet
	passed  int
	failed  int
	skipped int
	broken  map[string]bool // packages with a failed test
	// features are the skipped tests by the missing feature that they named,
	// bad the ones that named none.
	features map[string][]testID
	bad      []testID
}

// skipReason finds the feature that a skipped test says is missing.
var skipReason = regexp.MustCompile(`SKIP-FEATURE: *(\S.*)`)

func newSummary(w io.Writer) *summary {
	return &summary{
		w:        w,
		output:   make(map[testID]*strings.Builder),
		broken:   make(map[string]bool),
		features: make(map[string][]testID),
	}
}

// add takes the next event. Subtests count as tests.
func (s *summary) add(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "output":
		s.outputOf(id).WriteString(e.Output)
	case "build-output":
		fmt.Fprint(s.w, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(id, e.Action)
		}
		delete(s.output, id)
	case "run":
		s.outputOf(id)
	}
}

func (s *summary) outputOf(id testID) *strings.Builder {
	b := s.output[id]
	if b == nil {
		b = new(strings.Builder)
		s.output[id] = b
	}
	return b
}

func (s *summary) endTest(id testID, action string) {
	text := s.outputOf(id).String()
	switch action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.broken[id.pkg] = true
		fmt.Fprint(s.w, text)
	case "skip":
		s.skipped++
		if m := skipReason.FindStringSubmatch(text); m != nil {
			s.features[m[1]] = append(s.features[m[1]], id)
			return
		}
		s.bad = append(s.bad, id)
		fmt.Fprint(s.w, text)
	}
}

// endPackage writes the package's line. A package that fails may leave tests
// that never ended (a timeout, an exit in the middle): they have failed too.
func (s *summary) endPackage(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.w, "ok    %-40s %6.1fs\n", e.Package, e.Elapsed)
		return
	case "skip": // no test files
		return
	}
	for _, id := range s.unended(e.Package) {
		s.endTest(id, "fail")
		delete(s.output, id)
	}
	for line := range strings.Lines(s.outputOf(testID{pkg: e.Package}).String()) {
		if !strings.HasPrefix(line, "FAIL") { // go test's own closing lines
			fmt.Fprint(s.w, line)
		}
	}
	fmt.Fprintf(s.w, "FAIL  %-40s %6.1fs\n", e.Package, e.Elapsed)
	if !s.broken[e.Package] {
		s.failed++ // no test of it is to blame: it did not compile, or died
	}
}

// unended lists the tests of a package that began and did not end, by name.
func (s *summary) unended(pkg string) []testID {
	var ids []testID
	for id := range s.output {
		if id.pkg == pkg && id.test != "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b testID) int { return strings.Compare(a.test, b.test) })
	return ids
}

// ok says whether the run may count as good.
func (s *summary) ok() bool {
	return s.failed == 0 && len(s.bad) == 0 && s.passed > 0
}

// close writes the skipped tests and the closing line.
func (s *summary) close(took time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(s.features)) {
		fmt.Fprintf(s.w, "skipped, this kernel has no %s: %v\n", name, s.features[name])
	}
	for _, id := range s.bad {
		fmt.Fprintf(s.w, "skipped without naming a missing kernel feature: %v\n", id)
	}
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped in %d s\n", s.passed, s.failed, s.skipped, int(took.Seconds()))
}
