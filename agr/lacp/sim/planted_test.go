package sim_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ifagr/agr/lacp/sim"
)

var (
	update  = flag.Bool("update", false, "write the table of planted bugs in docs anew")
	planted = flag.String("planted", "", "plant only the bugs whose name matches this expression")
)

// plantedSeeds is how many seeds, which are hours, it may take to find a bug.
const plantedSeeds = 150

const (
	module      = "../../.." // the root of it, from here
	plantedFile = module + "/docs/planted.md"
)

// bug is a deliberate fault: a change of the source that only a build for this test
// sees.
type bug struct {
	name, what string
	changes    []change
}

// change replaces a piece of a file, which must be in it once.
type change struct{ file, old, new string }

// found is where a bug showed.
type found struct {
	bug  bug
	seed uint64
	at   time.Duration // since the beginning of seed 1
	kind string
}

// TestPlanted builds the simulation with one bug after the other in it, and fails
// unless each is found: with the seed that found it last, or else from seed 1 on.
func TestPlanted(t *testing.T) {
	match := regexp.MustCompile(*planted)
	var table []found
	for _, b := range readBugs(t) {
		if !match.MatchString(b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			f := find(t, b)
			t.Logf("seed %d, after %v: %s", f.seed, f.at, f.kind)
			table = append(table, f)
		})
	}
	switch {
	case *planted != "" || t.Failed():
	case *update:
		writeTable(t, table)
	default:
		checkTable(t, table)
	}
}

// readBugs reads testdata/planted. A file is a line with what the bug is, then the
// changes: the file's name behind @@, and lines as in a unified diff without numbers.
func readBugs(t *testing.T) []bug {
	t.Helper()
	files, err := filepath.Glob("testdata/planted/*.diff")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d bugs: %v", len(files), err)
	}
	var bugs []bug
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := bug{name: strings.TrimSuffix(filepath.Base(file), ".diff")}
		for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			b.read(line)
		}
		bugs = append(bugs, b)
	}
	return bugs
}

func (b *bug) read(line string) {
	mark, rest := " ", ""
	if line != "" {
		mark, rest = line[:1], line[1:]
	}
	if mark == "#" {
		b.what = strings.TrimSpace(rest)
		return
	}
	if mark == "@" {
		b.changes = append(b.changes, change{file: strings.TrimPrefix(rest, "@ ")})
		return
	}
	c := &b.changes[len(b.changes)-1]
	if mark != "+" {
		c.old += rest + "\n"
	}
	if mark != "-" {
		c.new += rest + "\n"
	}
}

// overlay writes the changed files, and what go build has to know of them.
func (b *bug) overlay(t *testing.T, dir string) string {
	t.Helper()
	root, err := filepath.Abs(module)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, c := range b.changes {
		if _, ok := texts[c.file]; !ok {
			text, err := os.ReadFile(filepath.Join(root, c.file))
			if err != nil {
				t.Fatal(err)
			}
			texts[c.file] = string(text)
		}
		if n := strings.Count(texts[c.file], c.old); n != 1 {
			t.Fatalf("%s: this is there %d times:\n%s", c.file, n, c.old)
		}
		texts[c.file] = strings.Replace(texts[c.file], c.old, c.new, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		changed := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		write(t, changed, text)
		replace[filepath.Join(root, file)] = changed
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	write(t, file, string(list))
	return file
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var findingLine = regexp.MustCompile(`(?m)^seed (\d+): (\S+?): ([^:]+):`)

// find runs the simulation with a bug until it shows.
func find(t *testing.T, b bug) found {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "sim")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-overlay", b.overlay(t, dir), "-o", program, "./bench/sim")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var m []string
	if last := lastSeed(t, b); last != "" && !*update {
		m = simulate(t, program, last, 1)
	}
	if m == nil {
		m = simulate(t, program, "1", plantedSeeds)
	}
	if m == nil {
		t.Fatalf("not found in %d seeds", plantedSeeds)
	}
	seed, _ := strconv.ParseUint(m[1], 10, 64)
	at, err := time.ParseDuration(m[2])
	if err != nil {
		t.Fatal(err)
	}
	return found{bug: b, seed: seed, at: time.Duration(seed-1)*4*sim.CycleTime + at.Truncate(time.Second), kind: m[3]}
}

// simulate runs a program for a number of seeds, and gives what it says of the first
// violation.
func simulate(t *testing.T, program, first string, seeds int) []string {
	t.Helper()
	run := exec.CommandContext(t.Context(), program,
		"-seed", first, "-hours", strconv.Itoa(seeds), "-most", "1", "-p", "1", "-shrink=false")
	out, _ := run.CombinedOutput() // it fails, which is what is wanted
	return findingLine.FindStringSubmatch(string(out))
}

// lastSeed is the seed that found a bug when the table was written.
func lastSeed(t *testing.T, b bug) string {
	t.Helper()
	text, err := os.ReadFile(plantedFile)
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Split(line, " | "); len(f) == 5 && f[0] == "| "+b.name {
			return f[2]
		}
	}
	return ""
}

const tableHead = `# Planted bugs

Written by ` + "`make sim-planted ARGS=-update`" + `. Each line is a deliberate fault in the protocol core, in the Marker
generator or in the simulation's model of a driver (` + "`agr/lacp/sim/testdata/planted`" + `), which only a build for the test
sees. The simulation runs from seed 1 on, one seed for each simulated hour, until something is wrong. A test
fails unless each bug is found within %d seeds.

| bug | what is wrong | seed | simulated time | what is seen |
|---|---|---|---|---|
`

func writeTable(t *testing.T, table []found) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, tableHead, plantedSeeds)
	for _, f := range table {
		fmt.Fprintf(&b, "| %s | %s | %d | %v | %s |\n", f.bug.name, strings.TrimSuffix(f.bug.what, "."), f.seed, f.at, f.kind)
	}
	write(t, plantedFile, b.String())
}

// checkTable fails unless each bug has its line. The seeds that find it change with
// the code.
func checkTable(t *testing.T, table []found) {
	t.Helper()
	text, err := os.ReadFile(plantedFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range table {
		if !strings.Contains(string(text), "| "+f.bug.name+" | "+strings.TrimSuffix(f.bug.what, ".")+" |") {
			t.Errorf("%s is not in %s: make sim-planted ARGS=-update", f.bug.name, plantedFile)
		}
	}
}
