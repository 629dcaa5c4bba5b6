package ifagr_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed lists, for each package, the packages of this module that it may
// import. "dir/..." stands for everything below dir, but see neverShipped. A new
// edge is a new line here, in the same commit, and a line in docs/decisions.md;
// a package that is not listed may not exist.
var allowed = map[string][]string{
	".": {},

	"netutil/ether":     {},
	"netutil/eth":       {"netutil/ether"},
	"netutil/hook":      {"netutil/ether", "netutil/rtnl"},
	"netutil/pkt":       {"netutil/ether"},
	"netutil/privilege": {},
	"netutil/rtnl":      {"netutil/ether"},
	"netutil/sd":        {},
	"netutil/tap":       {"netutil/ether"},
	"netutil/nettest":   {"netutil/..."},

	"netutil/nettest/browser": {"netutil/nettest"},

	"agr":               {"agr/...", "netutil/..."},
	"agr/slow":          {"netutil/ether"},
	"agr/lacp":          {"agr/slow", "netutil/ether"},
	"agr/lacp/lacptest": {"agr/lacp", "agr/slow", "netutil/ether"},
	"agr/lacp/sim": {
		"agr/dist", "agr/lacp", "agr/lacp/lacptest", "agr/marker", "agr/slow", "netutil/ether",
	},
	"agr/marker":   {"agr/slow", "netutil/ether"},
	"agr/dist":     {"netutil/ether"},
	"agr/datapath": {"agr/dist", "netutil/..."},
	"agr/datapath/user": {
		"agr/datapath", "agr/dist", "netutil/...",
	},
	"agr/datapath/kernel": {
		"agr/datapath", "agr/dist", "netutil/...",
	},
	"agr/datapath/dptest": {"agr/datapath", "agr/dist", "netutil/ether"},
	"agr/ctl":             {"netutil/ether"},
	"agr/state":           {"netutil/ether"},
	"agr/metrics":         {"agr/ctl", "netutil/ether"},
	"agr/picture":         {"agr/ctl", "netutil/ether"},
	"agr/web":             {"agr/ctl", "agr/picture", "netutil/ether"},

	"ifcfg":            {"ifcfg/grammar", "agr/ctl", "netutil/ether"},
	"ifcfg/grammar":    {},
	"ifcfg/completion": {"ifcfg", "ifcfg/grammar"},
	"ifcfg/kerneltest": {"ifcfg", "agr/ctl", "netutil/ether"},
	"ifcfg/linux":      {"ifcfg", "ifcfg/softstate", "netutil/..."},
	"ifcfg/softstate":  {"ifcfg"},
	"ifcfg/agrclient":  {"ifcfg", "agr/ctl", "agr/state", "netutil/ether"},
	"ifcfg/netstart":   {"ifcfg"},

	"cmd/ifconfig": {"ifcfg", "ifcfg/linux", "ifcfg/agrclient", "agr/ctl", "netutil/..."},
	"cmd/agrd": {
		"agr", "agr/ctl", "agr/metrics", "agr/picture", "agr/state", "agr/web", "ifcfg", "ifcfg/linux", "ifcfg/agrclient", "ifcfg/netstart", "netutil/...",
	},

	"bench/datapath": {"agr/ctl", "bench/lab", "bench/load", "bench/scale", "netutil/..."},
	"bench/ifconfig": {"netutil/..."},
	"bench/lab":      {"netutil/..."},
	"bench/load":     {"bench/lab", "netutil/..."},
	"bench/scale":    {"agr", "agr/...", "bench/lab", "netutil/..."},
	"bench/sim":      {"agr/lacp/sim"},
}

// neverShipped are the packages that only tests and benchmarks may import.
var neverShipped = []string{
	"netutil/nettest", "netutil/nettest/browser", "agr/lacp/lacptest", "agr/lacp/sim", "agr/datapath/dptest", "ifcfg/kerneltest",
}

// pure packages decide and do nothing else: no clock, goroutine, channel, lock,
// log or I/O. They may import these packages of the standard library and the
// packages of ours that allowed has for them; all of those are pure as well.
var (
	pure = []string{
		"agr/dist", "agr/lacp", "agr/marker", "agr/slow", "ifcfg/grammar", "netutil/ether",
	}
	pureStandard = []string{
		"bytes", "cmp", "encoding/binary", "encoding/hex", "errors", "fmt", "iter", "maps", "math", "math/bits",
		"net/netip", "slices", "strconv", "strings", "time", "unicode", "unicode/utf8",
	}
	// pureTime is what they may take from package time: the type, not the clock.
	pureTime = []string{
		"Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour",
	}
)

// source is one Go file of the module.
type source struct {
	dir  string // of its package, "." for the root
	name string
	test bool
	ast  *ast.File
}

// sources parses the module, whatever the build constraints of a file are.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && foreign(p):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, source{
			dir: path.Dir(p), name: p, test: strings.HasSuffix(p, "_test.go"), ast: f,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// foreign says that a directory is not part of the module: go's own rule, and
// the module of the tools.
func foreign(dir string) bool {
	base := path.Base(dir)
	return dir == "tools" || base == "testdata" || dir != "." && (base[0] == '.' || base[0] == '_')
}

// imports lists the import paths of a file.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// ours cuts the module's name off a package of this module.
func ours(importPath string) (dir string, ok bool) {
	if importPath == "ifagr" {
		return ".", true
	}
	return strings.CutPrefix(importPath, "ifagr/")
}

func matches(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, tree := strings.CutSuffix(p, "/...")
		return dir == p || tree && strings.HasPrefix(dir, below+"/")
	})
}

// mayImport says whether a file of package from may import package to. A test
// may import its own package and the fakes as well, and the tests of the whole,
// which lie here at the root, everything.
func mayImport(from, to string, test bool) bool {
	if test && from == "." {
		return true
	}
	fakes := test || slices.Contains(neverShipped, from) || strings.HasPrefix(from, "bench/")
	if slices.Contains(neverShipped, to) {
		return fakes
	}
	return test && from == to || matches(allowed[from], to)
}

func TestImports(t *testing.T) {
	for _, f := range sources(t) {
		if _, ok := allowed[f.dir]; !ok {
			t.Errorf("%s: package %s is not in the table of packages", f.name, f.dir)
			continue
		}
		for _, p := range f.imports() {
			if dir, ok := ours(p); ok && !mayImport(f.dir, dir, f.test) {
				t.Errorf("%s: %s may not import %s", f.name, f.dir, dir)
			}
		}
	}
}

func TestMayImport(t *testing.T) {
	tests := []struct {
		name     string
		from, to string
		test     bool
		want     bool
	}{
		{"listed", "agr/lacp", "agr/slow", false, true},
		{"the other way round", "agr/slow", "agr/lacp", false, false},
		{"below a listed directory", "agr", "agr/datapath/user", false, true},
		{"beside a listed directory", "agr/lacp", "netutil/rtnl", false, false},
		{"a tree does not hold its root", "netutil/nettest", "netutil", false, false},
		{"the front end knows no rtnetlink", "ifcfg", "netutil/rtnl", false, false},
		{"a fake in a test", "agr", "netutil/nettest", true, true},
		{"a fake in a program", "agr", "netutil/nettest", false, false},
		{"a fake in a fake", "agr/datapath/dptest", "netutil/nettest", false, true},
		{"an external test of itself", "agr/lacp", "agr/lacp", true, true},
		{"a test of the whole", ".", "agr/datapath/user", true, true},
		{"the root itself", ".", "agr", false, false},
		{"a test reaches no further than its package", "agr/lacp", "agr", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mayImport(tt.from, tt.to, tt.test); got != tt.want {
				t.Errorf("mayImport(%s, %s, test %v) = %v, want %v", tt.from, tt.to, tt.test, got, tt.want)
			}
		})
	}
}

// TestDoc demands a doc.go with a package comment in each package.
func TestDoc(t *testing.T) {
	documented := make(map[string]bool)
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		isDoc := path.Base(f.name) == "doc.go" && f.ast.Doc != nil
		documented[f.dir] = documented[f.dir] || isDoc
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

func TestPure(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || !slices.Contains(pure, f.dir) {
			continue
		}
		for _, what := range impurities(f.ast) {
			t.Errorf("%s: a pure package with %s", f.name, what)
		}
	}
}

// impurities lists what a pure package may not have.
func impurities(file *ast.File) []string {
	var found []string
	for _, p := range (source{ast: file}).imports() {
		dir, own := ours(p)
		if own && !slices.Contains(pure, dir) || !own && !slices.Contains(pureStandard, p) {
			found = append(found, "import "+p)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, "a goroutine")
		case *ast.ChanType:
			found = append(found, "a channel")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && !slices.Contains(pureTime, n.Sel.Name) {
				found = append(found, "time."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestImpurities(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string
	}{
		{"nothing", `import "errors"; var Err = errors.New("x")`, nil},
		{"a duration", `import "time"; const D = 3 * time.Second`, nil},
		{"the clock", `import "time"; var T = time.Now()`, []string{"time.Now"}},
		{"a goroutine", `func f() { go f() }`, []string{"a goroutine"}},
		{"a channel", `func f(c <-chan int) {}`, []string{"a channel"}},
		{"a lock", `import "sync"; var M sync.Mutex`, []string{"import sync"}},
		{"a log", `import "log/slog"; var L *slog.Logger`, []string{"import log/slog"}},
		{"a library", `import "golang.org/x/sys/unix"; var F = unix.Close`, []string{"import golang.org/x/sys/unix"}},
		{"pure ours", `import "ifagr/agr/slow"; var P slow.PortInfo`, nil},
		{"impure ours", `import "ifagr/netutil/rtnl"; var L rtnl.Link`, []string{"import ifagr/netutil/rtnl"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p; "+tt.src, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := impurities(file); !slices.Equal(tt.want, got) {
				t.Errorf("impurities = %q, want %q", got, tt.want)
			}
		})
	}
}
