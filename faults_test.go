package ifagr_test

import (
	"fmt"
	"go/ast"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	faultsFile = "testdata/faults.txt"
	faultsDoc  = "docs/faults.md"
)

// faultHeader begins the document.
const faultHeader = `# Faults

Written by ` + "`go test -run TestFaultList -update .`" + ` from ` + "`" + faultsFile + "`" + `: what can go wrong around an aggregate, what
ifagr does then, and the tests that show it. Two rules hold for all of it: nothing is lost that could be kept, and nothing stays wrong after the cause has gone.
"Put back, three times a minute" means that a fourth change within a minute is left as it is, and shown. Decisions are those of docs/decisions.md.
` + "`make faults`" + ` runs the tests of TestFaults in full size; tests of every change use smaller floods.
`

// TestFaultList holds the document to the list, and the list to the tests that there
// are: each test of TestFaults is named, and each that is named exists.
func TestFaultList(t *testing.T) {
	exists, named := testNames(t), map[string]bool{}
	for name := range faultTests() {
		exists["TestFaults/"+name] = true
	}
	doc := faultsText(t, func(name string) {
		if !exists[name] {
			t.Errorf("no test %s", name)
		}
		named[name] = true
	})
	for name := range faultTests() {
		if !named["TestFaults/"+name] {
			t.Errorf("%s names no TestFaults/%s", faultsFile, name)
		}
	}
	if *update {
		if err := os.WriteFile(faultsDoc, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(faultsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc, string(got)); diff != "" {
		t.Errorf("%s is not up to date: go test -run TestFaultList -update .\n%s", faultsDoc, diff)
	}
}

// faultsText is the document; seen is called with the name of each test.
func faultsText(t *testing.T, seen func(test string)) string {
	t.Helper()
	text, err := os.ReadFile(faultsFile)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(faultHeader)
	_, rows, _ := strings.Cut(string(text), "\n\n") // behind the comment
	for n, line := range strings.Split(rows, "\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			fmt.Fprintf(&b, "\n## %s\n\n| fault | what happens | what is lost | how it shows | what puts it right | tests |\n|---|---|---|---|---|---|\n", title)
			continue
		}
		if line == "" {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 6 {
			t.Fatalf("%s, row %d: %d fields: %s", faultsFile, n, len(f), line)
		}
		names := strings.Fields(f[5])
		for _, name := range names {
			seen(name)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(f[:5], " | "), cell(names))
	}
	return b.String()
}

// wallClock are the ways from a time to the clock on the wall, which somebody may set.
// What time.Now returns has a reading of the monotonic clock as well, by which times are
// compared and timers run; these lose it, or never had it.
var wallClock = map[string]bool{
	"Unix": true, "UnixMilli": true, "UnixMicro": true, "UnixNano": true, "AddDate": true, "Round": true, "Parse": true,
	"Gettimeofday": true, "CLOCK_REALTIME": true, "CLOCK_REALTIME_COARSE": true, "CLOCK_TAI": true,
	"CLOCK_REALTIME_ALARM": true, "TFD_TIMER_CANCEL_ON_SET": true, "SO_TIMESTAMP": true, "SO_TIMESTAMPNS": true,
}

// mayUseTime are the functions that make a time for people.
var mayUseTime = map[string]bool{"agr.wallTime": true}

// forPeople are the packages that show times.
var forPeople = map[string]bool{"agr/metrics": true, "agr/picture": true, "agr/web": true}

// Nothing that the daemon does depends on a clock that can be set.
func TestNoWallClock(t *testing.T) {
	files := 0
	for _, f := range sources(t) {
		top, _, _ := strings.Cut(f.dir, "/")
		if f.test || top != "agr" && top != "netutil" || strings.HasPrefix(f.dir, "netutil/nettest") || forPeople[f.dir] || f.dir == "agr/lacp/sim" {
			continue
		}
		files++
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && mayUseTime[f.dir+"."+fn.Name.Name] {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && wallClock[sel.Sel.Name] && !mayParse(sel) {
					t.Errorf("%s uses %s", f.name, sel.Sel.Name)
				}
				return !longAgo(n)
			})
		}
	}
	if files < 50 {
		t.Errorf("%d files looked at", files)
	}
}

// mayParse reports whether a selector has the name of one of time's but is another
// package's.
func mayParse(sel *ast.SelectorExpr) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && sel.Sel.Name == "Parse" && x.Name != "time"
}

// longAgo reports whether a node is a time that is the same whatever the clock says:
// time.Unix of numbers.
func longAgo(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	_, first := call.Args[0].(*ast.BasicLit)
	_, second := call.Args[1].(*ast.BasicLit)
	return ok && sel.Sel.Name == "Unix" && first && second
}
