package main

import (
	"bytes"
	"strings"
	"testing"

	"ifagr/bench/lab"
)

// rounds is a table after some rounds in which ours came to a share of bare.
func rounds(n int, share, others float64) *table {
	t := newTable([]string{bare, kernel}, pair{kernel, bare}, pair{ovs, bare})
	t.compare("tcp", "rate", "TCP: Gb/s", "%.1f")
	t.show("tcp", "lost", "  lost, %", "%.1f")
	t.compare("udp", "rate", "UDP: 1000/s", "%.0f")
	for range n {
		for _, test := range []string{"tcp", "udp"} {
			t.round(test, map[string]result{
				bare:   {figures{"rate": 20, "lost": 0}, 0},
				kernel: {figures{"rate": 20 * share, "lost": 1}, others},
			})
		}
	}
	return t
}

// hasLine finds a line, however its columns are spaced.
func hasLine(text, want string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == want {
			return true
		}
	}
	return false
}

func TestTable(t *testing.T) {
	tab := rounds(lab.MinRounds, 0.5, 0)
	if !tab.settled() {
		t.Error("rounds enough, but not settled")
	}
	if len(tab.pairs) != 1 {
		t.Errorf("pairs %v: one is of a way that is not measured", tab.pairs)
	}
	var out bytes.Buffer
	tab.print(&out)
	for _, want := range []string{
		"TCP: Gb/s 20.0 ( 0%) 10.0 ( 0%)", "lost, % 0.0 1.0 ( 0%)", "TCP: Gb/s 0.50 [0.50 0.50]",
	} {
		if !hasLine(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, &out)
		}
	}
	if tab.find("udp", "lost") != nil || tab.find("udp", "rate") == nil {
		t.Error("find")
	}
}

// TestNoise sees others in each round: no ratio may be told, but of processor
// time when they are not too many.
func TestNoise(t *testing.T) {
	tab := rounds(20, 0.5, lab.MaxOthers*2)
	tab.compareCPU("cpu", "sender", "CPU", "%.0f")
	for range lab.MinRounds {
		tab.round("cpu", map[string]result{
			bare: {figures{"sender": 4}, lab.MaxOthersCPU}, kernel: {figures{"sender": 3}, 0},
		})
	}
	if tab.settled() {
		t.Error("settled with nothing but noise")
	}
	var out bytes.Buffer
	tab.print(&out)
	if want := "TCP: Gb/s noisy: 20 of 20"; !hasLine(out.String(), want) {
		t.Errorf("no line %q in\n%s", want, &out)
	}
	if want := "CPU 0.75 [0.75 0.75]"; !hasLine(out.String(), want) {
		t.Errorf("no line %q in\n%s", want, &out)
	}
	if strings.Contains(out.String(), "[0.50") {
		t.Errorf("a ratio in\n%s", &out)
	}
}

func TestGoals(t *testing.T) {
	tests := []struct {
		name string
		cut  []loss
		back []loss
		want []lab.Verdict
	}{
		{"few", []loss{{7, false}, {10, false}}, []loss{{0, false}}, []lab.Verdict{lab.Met, lab.Met, lab.Met}},
		{"many", []loss{{7, false}, {11, false}}, []loss{{1, false}}, []lab.Verdict{lab.Missed, lab.Missed, lab.Met}},
		{"many, disturbed", []loss{{7, false}, {11, true}}, []loss{{1, true}}, []lab.Verdict{lab.Unclear, lab.Unclear, lab.Met}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, g := range (&losses{cut: tt.cut, back: tt.back}).goals("x", 10) {
				if g.verdict != tt.want[i] {
					t.Errorf("%s: %s (%s), want %s", g.text, g.verdict, g.seen, tt.want[i])
				}
			}
		})
	}
	if got := list([]loss{{1, false}, {22, true}}); got != "1 22*" {
		t.Errorf("list is %q", got)
	}
}
