package lacp_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"ifagr/agr/lacp"
)

var exhaustive = flag.Bool("exhaustive", false, "walk the large models as well: some minutes, some gigabytes")

// models are the state spaces that are walked. With one cable nothing is left out;
// with two no timer fires while a LACPDU is on its way, and the 250 ms that a partner
// gets before frames are sent to it are over before any other time is.
func models() []model {
	strict := lacp.Config{Fallback: lacp.FallbackNone}
	with := func(cfg lacp.Config, change func(*lacp.Config)) lacp.Config { change(&cfg); return cfg }
	coupled := with(strict, func(c *lacp.Config) { c.Coupled = true })
	passive := with(strict, func(c *lacp.Config) { c.Passive = true })
	short := with(strict, func(c *lacp.Config) { c.ShortTimeout = true })
	one := with(strict, func(c *lacp.Config) { c.MaxPorts = 1 })
	both := with(strict, func(c *lacp.Config) { c.MinLinks = lacp.MinLinks{Up: 2} })
	pair := func(a, b lacp.Config) [2]lacp.Config { return [2]lacp.Config{a, b} }
	static := with(strict, func(c *lacp.Config) { c.Static = true })
	return []model{
		{name: "one cable", cables: 1, cfg: pair(strict, strict), most: 20_000},
		{name: "one cable, default partner, flaps", cables: 1, flaps: true, cfg: pair(lacp.Config{}, lacp.Config{}), most: 20_000},
		{name: "one cable, half duplex", cables: 1, flaps: true, duplex: true, cfg: pair(lacp.Config{}, strict), most: 40_000},
		{name: "one cable, coupled, half duplex", cables: 1, flaps: true, duplex: true, cfg: pair(coupled, coupled), most: 20_000},
		{name: "one cable, coupled and not", cables: 1, other: &coupled, cfg: pair(strict, strict), most: 40_000},
		{name: "one cable, static and not", cables: 1, other: &static, cfg: pair(strict, strict), most: 40_000},
		{name: "one cable, fast and not", cables: 1, other: &short, cfg: pair(strict, strict), most: 100_000},
		{name: "one cable, one end passive", cables: 1, flaps: true, cfg: pair(strict, passive), most: 20_000},
		{name: "one cable, churn, nothing lost", cables: 1, urgent: true, kept: true, churn: true, flaps: true, cfg: pair(strict, strict), most: 100_000},
		{name: "one cable, churn", cables: 1, churn: true, flaps: true, cfg: pair(strict, strict), most: 100_000, large: true},
		{name: "two cables, max-ports 1, nothing lost", cables: 2, urgent: true, calm: true, kept: true, flaps: true, cfg: pair(one, strict), most: 100_000, wanted: 1},
		{name: "two cables, min-links 2, nothing lost", cables: 2, urgent: true, calm: true, kept: true, flaps: true, cfg: pair(both, both), most: 100_000},
		{name: "two cables, min-links 2, coupled, nothing lost", cables: 2, urgent: true, calm: true, kept: true, flaps: true, cfg: pair(with(both, func(c *lacp.Config) { c.Coupled = true }), both), most: 100_000},
		{name: "two cables, max-ports 1, coupled, nothing lost", cables: 2, urgent: true, calm: true, kept: true, flaps: true, cfg: pair(with(one, func(c *lacp.Config) { c.Coupled = true }), coupled), most: 100_000, wanted: 1},
		{name: "two cables", cables: 2, urgent: true, calm: true, cfg: pair(strict, strict), most: 1_000_000, large: true},
		{name: "two cables, coupled", cables: 2, urgent: true, calm: true, cfg: pair(coupled, coupled), most: 1_000_000, large: true},
		{name: "two cables, min-links 2", cables: 2, urgent: true, calm: true, cfg: pair(both, both), most: 1_000_000, large: true},
		{name: "two cables, max-ports 1", cables: 2, urgent: true, calm: true, cfg: pair(one, strict), most: 2_000_000, wanted: 1, large: true},
	}
}

// TestExhaustive walks the models, on all processors. Whatever has happened, what must
// hold of a system does, and there is a way back to where all cables are used that may
// be. All models together visit the rows of the state tables that testdata/rows.txt
// lists.
func TestExhaustive(t *testing.T) {
	var lock sync.Mutex
	rows := map[string]bool{}
	t.Run("models", func(t *testing.T) {
		for _, m := range models() {
			if m.large && !*exhaustive {
				continue
			}
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				w := m.exhaust(t)
				lock.Lock()
				defer lock.Unlock()
				for row := range w.rows {
					rows[row.String()] = true
				}
			})
		}
	})
	if !t.Failed() {
		checkRows(t, rows)
	}
}

// exhaust walks a model.
func (m *model) exhaust(t *testing.T) *walker {
	w := m.start(t)
	w.walk()
	n, one := w.hopeless()
	t.Logf("%d states, %d transitions, depth %d", len(w.from), len(w.edges), w.depth[len(w.depth)-1])
	if n > 0 {
		t.Errorf("from %d states there is no way back, as from:\n%s", n, w.path(one))
	}
	return w
}

// checkRows compares the rows that were visited with those that there are. A row
// that is not reachable says why, behind a bar.
func checkRows(t *testing.T, visited map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		row, why, unreachable := strings.Cut(line, " | ")
		if row == "" || row[0] == '#' {
			continue
		}
		listed[row] = true
		switch {
		case !unreachable && !visited[row]:
			t.Errorf("not visited: %s", row)
		case unreachable && (visited[row] || why == ""):
			t.Errorf("visited, or without explanation: %s", line)
		}
	}
	for row := range visited {
		machine, _, _ := strings.Cut(row, ":")
		tabled := slices.Contains([]string{"receive", "mux", "periodic", "actor churn", "partner churn"}, machine)
		if tabled && !listed[row] {
			t.Errorf("not in the table: %s", row)
		}
	}
}
