package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// feed gives one event per test and action, with the output before it.
func feed(t *testing.T, events ...event) (*summary, string) {
	t.Helper()
	var in, out strings.Builder
	enc := json.NewEncoder(&in)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	s := newSummary(&out)
	if err := read(strings.NewReader(in.String()), s); err != nil {
		t.Fatal(err)
	}
	s.close(3 * time.Second)
	return s, out.String()
}

func TestSummary(t *testing.T) {
	ev := func(action, test, output string) event {
		return event{Action: action, Package: "p", Test: test, Output: output}
	}
	pass := ev("pass", "TestA", "")
	tests := []struct {
		name   string
		events []event
		ok     bool
		want   []string // lines that must be in the output
		absent string
	}{
		{
			name:   "all pass",
			events: []event{ev("output", "TestA", "noise\n"), pass, ev("pass", "", "")},
			ok:     true,
			want:   []string{"1 passed, 0 failed, 0 skipped in 3 s\n"},
			absent: "noise",
		},
		{
			name:   "no test at all",
			events: []event{ev("skip", "", "")},
			want:   []string{"0 passed, 0 failed, 0 skipped in 3 s\n"},
		},
		{
			name:   "a failure shows its output",
			events: []event{pass, ev("output", "TestB", "boom\n"), ev("fail", "TestB", ""), ev("fail", "", "")},
			want:   []string{"boom\n", "FAIL  p", "1 passed, 1 failed, 0 skipped in 3 s\n"},
		},
		{
			name:   "a package that dies shows its last words once",
			events: []event{pass, ev("output", "", "exit status 2\n"), ev("output", "", "FAIL\tp\t1.0s\n"), ev("fail", "", "")},
			want:   []string{"exit status 2\n", "FAIL  p", "1 passed, 1 failed"},
			absent: "FAIL\tp",
		},
		{
			name:   "a skip with a feature",
			events: []event{pass, ev("output", "TestB", "    b_test.go:1: SKIP-FEATURE: tcx\n"), ev("skip", "TestB", "")},
			ok:     true,
			want:   []string{"this kernel has no tcx: [p.TestB]\n", "1 passed, 0 failed, 1 skipped in 3 s\n"},
		},
		{
			name:   "a skip without a feature",
			events: []event{pass, ev("output", "TestB", "not today\n"), ev("skip", "TestB", "")},
			want:   []string{"not today\n", "without naming a missing kernel feature: p.TestB\n"},
		},
		{
			name:   "a skip with an empty feature",
			events: []event{pass, ev("output", "TestB", "SKIP-FEATURE: \n"), ev("skip", "TestB", "")},
			want:   []string{"without naming a missing kernel feature: p.TestB\n"},
		},
		{
			name:   "a test that never ended",
			events: []event{pass, ev("run", "TestB", ""), ev("output", "TestB", "goroutine 1\n"), ev("fail", "", "")},
			want:   []string{"goroutine 1\n", "1 passed, 1 failed"},
		},
		{
			name: "a package that does not compile",
			events: []event{
				pass,
				{Action: "build-output", Output: "q.go:1: syntax error\n"},
				{Action: "fail", Package: "q"},
			},
			want: []string{"q.go:1: syntax error\n", "FAIL  q", "1 passed, 1 failed"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, out := feed(t, tt.events...)
			if s.ok() != tt.ok {
				t.Errorf("ok = %v, want %v; output:\n%s", s.ok(), tt.ok, out)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
			if tt.absent != "" && strings.Contains(out, tt.absent) {
				t.Errorf("output has %q:\n%s", tt.absent, out)
			}
		})
	}
}

func TestReadShowsForeignLines(t *testing.T) {
	var out strings.Builder
	if err := read(strings.NewReader("no packages to test\n"), newSummary(&out)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "no packages to test\n"; got != want {
		t.Errorf("read wrote %q, want %q", got, want)
	}
}
