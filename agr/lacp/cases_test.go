package lacp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testDirs is where the tests of a package lie that testdata names.
var testDirs = map[string]string{
	"": ".", "lacptest": "lacptest", "slow": "../slow", "marker": "../marker", "agr": "..",
}

// Every case of testdata/cases.txt names a test that exists.
func TestCases(t *testing.T) {
	line := regexp.MustCompile(`^([FVRPSCD]\d+) +(\S+) +6\.[\d.]+$`)
	checkTable(t, "testdata/cases.txt", line)
}

// Every mistake of testdata/mistakes.txt names a test that exists, and says what the
// mistake is.
func TestMistakes(t *testing.T) {
	line := regexp.MustCompile(`^(\S+(?: \S+)?) +(\S*Test\w+) +\S.*$`)
	checkTable(t, "testdata/mistakes.txt", line)
}

// checkTable reads a table whose lines name a test in their second field.
func checkTable(t *testing.T, file string, line *regexp.Regexp) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tests, rows := map[string]map[string]bool{}, 0
	for i, text := range strings.Split(string(b), "\n") {
		if text == "" || text[0] == '#' {
			continue
		}
		fields := line.FindStringSubmatch(text)
		if fields == nil {
			t.Errorf("%s:%d: not a row: %s", file, i+1, text)
			continue
		}
		rows++
		pkg, name, ok := strings.Cut(fields[2], ".")
		if !ok {
			pkg, name = "", pkg
		}
		if tests[pkg] == nil {
			tests[pkg] = testsIn(t, testDirs[pkg])
		}
		if !tests[pkg][name] {
			t.Errorf("%s:%d: no test %s", file, i+1, fields[2])
		}
	}
	if rows == 0 {
		t.Errorf("%s has no rows", file)
	}
}

// testsIn is the names of the tests of a directory.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || dir == "" || len(files) == 0 {
		t.Fatalf("no tests in %q: %v", dir, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
