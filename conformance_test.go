package ifagr_test

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew")

const (
	casesFile       = "testdata/conformance/cases.txt"
	lacpCasesFile   = "agr/lacp/testdata/cases.txt"
	mistakesFile    = "agr/lacp/testdata/mistakes.txt"
	conformanceFile = "docs/conformance.md"
)

// conformanceCase is a row of casesFile.
type conformanceCase struct {
	id, asks, clause string
	virtual, wire    []string // tests; none is "-"
}

// conformanceGroup is the rows below a heading.
type conformanceGroup struct {
	title string
	cases []conformanceCase
}

// TestConformance holds the document to the cases, and the cases to the tests that
// there are.
func TestConformance(t *testing.T) {
	groups := readCases(t)
	exists := testNames(t)
	ids := map[string]bool{}
	for _, g := range groups {
		for _, c := range g.cases {
			if ids[c.id] {
				t.Errorf("%s is there twice", c.id)
			}
			ids[c.id] = true
			for _, name := range slices.Concat(c.virtual, c.wire) {
				if !exists[name] {
					t.Errorf("%s: no test %s", c.id, name)
				}
			}
			if !slices.Contains(c.wire, wireName(c.id)) {
				t.Errorf("%s is not asked by %s", c.id, wireName(c.id))
			}
		}
	}
	checkCatalogue(t, ids)
	mistakes := readMistakes(t)
	for _, m := range mistakes {
		if !exists[m.test] {
			t.Errorf("%s: no test %s", m.who, m.test)
		}
	}
	want := conformanceText(groups, mistakes)
	if *update {
		if err := os.WriteFile(conformanceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(conformanceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not up to date: go test -run TestConformance -update .\n%s", conformanceFile, diff)
	}
}

// checkCatalogue fails unless the numbers of each letter begin with 1 and go on, and
// the protocol core's own cases are all there.
func checkCatalogue(t *testing.T, ids map[string]bool) {
	t.Helper()
	for letter, last := range map[string]int{"F": 12, "V": 10, "R": 7, "P": 4, "S": 12, "C": 3, "M": 7, "D": 7} {
		for n := 1; n <= last; n++ {
			if id := fmt.Sprint(letter, n); !ids[id] {
				t.Errorf("no case %s", id)
			}
		}
	}
	text, err := os.ReadFile(lacpCasesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" && !ids[f[0]] {
			t.Errorf("%s has %s, %s has not", lacpCasesFile, f[0], casesFile)
		}
	}
}

// readCases reads casesFile: headings are comments before rows.
func readCases(t *testing.T) (groups []conformanceGroup) {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	title := ""
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" {
			continue
		}
		if line[0] == '#' {
			title = strings.TrimPrefix(line, "# ")
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 5 || title == "" && len(groups) == 0 {
			t.Fatalf("%s:%d: not a row: %s", casesFile, n+1, line)
		}
		if title != "" {
			groups = append(groups, conformanceGroup{title: title})
			title = ""
		}
		g := &groups[len(groups)-1]
		g.cases = append(g.cases, conformanceCase{f[0], f[1], f[2], tests(f[3]), tests(f[4])})
	}
	return groups
}

// mistake is a row of mistakesFile.
type mistake struct{ who, what, test string }

// readMistakes reads mistakesFile, whose tests are those of the protocol core when no
// package is named.
func readMistakes(t *testing.T) (rows []mistake) {
	t.Helper()
	text, err := os.ReadFile(mistakesFile)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^(\S+(?: \S+)?) +(?:(\w+)\.)?(Test\w+) +(\S.*)$`)
	dirs := map[string]string{
		"": "agr/lacp", "lacptest": "agr/lacp/lacptest", "slow": "agr/slow", "marker": "agr/marker", "agr": "agr",
	}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := row.FindStringSubmatch(line)
		if f == nil {
			t.Fatalf("%s:%d: not a row: %s", mistakesFile, n+1, line)
		}
		rows = append(rows, mistake{who: f[1], what: f[4], test: dirs[f[2]] + "." + f[3]})
	}
	return rows
}

// tests splits a list of tests.
func tests(list string) []string {
	if list == "-" {
		return nil
	}
	return strings.Fields(list)
}

// wireName is the test that asks a case on the wire.
func wireName(id string) string { return "TestWire/" + id }

// testNames are all tests of the module, as casesFile names them, and the cases that
// TestWire asks.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, c := range wireCases() {
		names[wireName(c.id)] = true
	}
	for _, f := range sources(t) {
		if !f.test {
			continue
		}
		prefix := ""
		if dir := filepath.ToSlash(f.dir); dir != "." {
			prefix = dir + "."
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[prefix+fn.Name.Name] = true
			}
		}
	}
	return names
}

// conformanceText is the document.
func conformanceText(groups []conformanceGroup, mistakes []mistake) string {
	var b strings.Builder
	b.WriteString(`# Conformance

Written by ` + "`go test -run TestConformance -update .`" + ` from ` + "`" + casesFile + "`" + ` and ` + "`" + mistakesFile + "`" + `: what a link
aggregation system is asked from outside, the tests that ask ifagr, and what others get wrong. Clauses are those of IEEE 802.1AX-2014 where no other
standard is named.

*On the wire* are tests with real interfaces: the programs as they are installed, cables, and somebody scripted at the far end who reads octet for octet, with
the kernel's time stamps, what comes out. The others need no network. Every test that is named here exists, or TestConformance fails, and
` + "`.ci/run`" + ` runs all of them and fails when one fails; so what is listed is kept. One case: ` + "`go test -v -run 'TestWire/^F7$' .`" + ` (root).

## Results

` + conformanceResults(groups))
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| case | what it asks | clause | without a network | on the wire |\n|---|---|---|---|---|\n", g.title)
		for _, c := range g.cases {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", c.id, c.asks, c.clause, cell(c.virtual), cell(c.wire))
		}
	}
	b.WriteString(`
## Known mistakes

What implementations are known to do otherwise than the standard, or worse than they could, and the test that shows that ifagr does not.

| implementation | mistake | test |
|---|---|---|
`)
	for _, m := range mistakes {
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", m.who, m.what, m.test)
	}
	fmt.Fprintf(&b, "\n%d mistakes.\n", len(mistakes))
	return b.String()
}

// conformanceResults is the table of how many cases there are, and have tests.
func conformanceResults(groups []conformanceGroup) string {
	var b strings.Builder
	row := func(title string, cases, virtual, wire int) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", title, cases, virtual, wire)
	}
	b.WriteString("| cases | how many | asked without a network | asked on the wire |\n|---|---|---|---|\n")
	var all, allVirtual, allWire int
	for _, g := range groups {
		virtual, wire := 0, 0
		for _, c := range g.cases {
			virtual += min(len(c.virtual), 1)
			wire += min(len(c.wire), 1)
		}
		row(g.title, len(g.cases), virtual, wire)
		all, allVirtual, allWire = all+len(g.cases), allVirtual+virtual, allWire+wire
	}
	row("all", all, allVirtual, allWire)
	return b.String()
}

// cell is a list of tests in the document.
func cell(tests []string) string {
	if len(tests) == 0 {
		return "none yet"
	}
	return "`" + strings.Join(tests, "`, `") + "`"
}
