package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// line is one recorded run of NetBSD's ifconfig. A note is something that the
// scenario did or said between two runs.
type line struct {
	N      int      `json:"n"`
	Argv   []string `json:"argv"`
	Stdout string   `json:"stdout"`
	Stderr string   `json:"stderr"`
	Status int      `json:"rc"`
	Note   string   `json:"note"`
}

func recorded(t *testing.T, scenario string) []line {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "oracle", scenario+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []line
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", scenario, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// normal takes out what differs from run to run on NetBSD too: whether an
// address is still being checked for duplicates, and traffic counters.
func normal(s string) string {
	s = strings.ReplaceAll(s, " tentative", "")
	return regexp.MustCompile(`(?m)^\t(input|output): .*$`).ReplaceAllString(s, "\t$1:")
}

// reasons says why lines are what they are: sentence -> numbers of the lines.
type reasons map[string][]int

// of is the reason that a line has, or "".
func (r reasons) of(n int) string {
	for why, lines := range r {
		if slices.Contains(lines, n) {
			return why
		}
	}
	return ""
}

// score counts the lines of a scenario.
type score struct {
	expected      reasons // the lines that differ, and why
	agree, differ int
	why           map[string]int // how many lines were skipped, and why
}

// judge takes one line with how it differs from the recording. A line that
// differs must be expected to, and one that is must differ.
func (s *score) judge(t *testing.T, l line, diff string) {
	t.Helper()
	switch why := s.expected.of(l.N); {
	case diff == "" && why != "":
		t.Errorf("#%d %q agrees, but is listed as different", l.N, l.Argv)
	case diff == "":
		s.agree++
	case why != "":
		s.differ++
	default:
		t.Errorf("#%d %q (-recorded +ours):\n%s", l.N, l.Argv, diff)
	}
}

// report prints the counts. No fewer lines may agree than did before.
func (s *score) report(t *testing.T, agree int) {
	t.Helper()
	skipped := 0
	for _, n := range s.why {
		skipped += n
	}
	t.Logf("%s: %d lines agree, %d differ, %d are skipped", t.Name(), s.agree, s.differ, skipped)
	for _, why := range slices.Sorted(maps.Keys(s.expected)) {
		t.Logf("differ: %s: %v", why, s.expected[why])
	}
	for _, why := range slices.Sorted(maps.Keys(s.why)) {
		t.Logf("skipped: %s: %d lines", why, s.why[why])
	}
	if s.agree < agree {
		t.Errorf("%d lines agree, want %d", s.agree, agree)
	}
}
