package ifagr_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// phrases are the strings of several words that a function of a file may return,
// with … for what is put in.
func phrases(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`%[0-9]*[a-z]`)
	var all []string
	ast.Inspect(f, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		s, _ := strconv.Unquote(lit.Value)
		s = strings.Trim(strings.Trim(verb.ReplaceAllString(s, "…"), " "), ":")
		if strings.Count(s, " ") >= 1 && len(strings.Trim(s, "… s,")) > 3 {
			all = append(all, strings.TrimSpace(s))
		}
		return true
	})
	return all
}

// Every reason that a port may have is explained to whoever sees it.
func TestReasonsAreExplained(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	reasons := phrases(t, filepath.Join("agr", "lacp", "reason.go"))
	if len(reasons) < 20 {
		t.Fatalf("only %d reasons: %q", len(reasons), reasons)
	}
	for _, r := range reasons {
		if !strings.Contains(string(b), r) {
			t.Errorf("docs/operations.md does not explain %q", r)
		}
	}
}

// directives are the values of a unit file, or of a part of one, by their names.
func directives(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			all[name] += " " + value
		}
	}
	return all
}

// What the service's unit forbids, and metrics at a TCP address need, the manual's
// drop-in allows.
func TestMetricsDropIn(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join("contrib", "systemd", "agrd.service"))
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile(filepath.Join("docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, metrics, _ := strings.Cut(string(manual), "\n### Metrics\n")
	_, block, _ := strings.Cut(metrics, "```ini\n")
	dropIn, _, found := strings.Cut(block, "```")
	target := regexp.MustCompile(`targets: \['([^']+)'\]`).FindStringSubmatch(metrics)
	if !found || target == nil || !strings.Contains(metrics, "-metrics "+target[1]) {
		t.Fatalf("no drop-in, no target, or a daemon that listens elsewhere than at the target %q", target)
	}
	forbids, allows := directives(string(unit)), directives(dropIn)
	families := strings.Fields(forbids["RestrictAddressFamilies"] + allows["RestrictAddressFamilies"])
	if !slices.Contains(families, "AF_INET") || !slices.Contains(families, "AF_INET6") {
		t.Errorf("families of sockets with the drop-in: %q", families)
	}
	if forbids["IPAddressDeny"] == "" {
		return
	}
	var scrapers int
	for _, who := range strings.Fields(allows["IPAddressAllow"]) {
		if _, err := netip.ParseAddr(who); err == nil && strings.Contains(metrics, "Prometheus at "+who) {
			scrapers++
		}
	}
	if scrapers == 0 {
		t.Errorf("the unit denies %s, and the drop-in allows %q only", forbids["IPAddressDeny"], allows["IPAddressAllow"])
	}
}

// Links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "README.md", "CONTRIBUTING.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			text, err := os.ReadFile(target)
			if err != nil {
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s: %s: %v", file, m[1], err)
				}
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(text)), anchor) {
				t.Errorf("%s: %s: no such heading", file, m[1])
			}
		}
	}
}

// anchors are the names of a document's headings in links.
func anchors(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		name = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(name, "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
