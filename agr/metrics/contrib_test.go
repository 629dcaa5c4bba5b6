package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

const contrib = "../../contrib"

// promtool runs it, and logs what it says.
func promtool(t *testing.T, dir, stdin string, args ...string) {
	t.Helper()
	nettest.Require(t, nettest.Promtool)
	cmd := exec.Command("promtool", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		return
	}
	t.Logf("promtool %s: good\n%s", strings.Join(args, " "), out)
}

func TestPromtoolMetrics(t *testing.T) {
	text := scrapeText(t, config(&fake{agrs: map[string]*ctl.Status{"agr0": example()}}))
	promtool(t, "", ours(text), "check", "metrics")
}

func TestPromtoolRules(t *testing.T) {
	dir := filepath.Join(contrib, "prometheus")
	promtool(t, dir, "", "check", "rules", "ifagr.rules.yml")
	promtool(t, dir, "", "test", "rules", "ifagr.test.yml")
}

// known are the names of the metrics that a daemon has.
func known(t *testing.T) []string {
	t.Helper()
	text := scrapeText(t, config(&fake{agrs: map[string]*ctl.Status{"agr0": example()}}))
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

var metricName = regexp.MustCompile(`\b(ifagr|process|go)_[a-z0-9_]+`)

func unknown(t *testing.T, text string) []string {
	t.Helper()
	names := known(t)
	return slices.DeleteFunc(metricName.FindAllString(text, -1), func(n string) bool { return slices.Contains(names, n) })
}

// Every metric in an alert exists, every alert has its section in the manual of
// symptoms, and every alert is tested.
func TestRules(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(contrib, "prometheus", "ifagr.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if bad := unknown(t, string(b)); len(bad) > 0 {
		t.Errorf("no such metrics: %q", bad)
	}
	tests, err := os.ReadFile(filepath.Join(contrib, "prometheus", "ifagr.test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(b), -1) {
		if !strings.Contains(string(tests), "alertname: "+m[1]+"\n") {
			t.Errorf("%s never fires in a test", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`symptom: "(.*)"`).FindAllStringSubmatch(string(b), -1) {
		if !strings.Contains(string(manual), "\n### "+m[1]+"\n") {
			t.Errorf("docs/operations.md has no symptom %q", m[1])
		}
	}
}

// expressions are those of a dashboard, wherever they are in it.
func expressions(v any) []string {
	var all []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			all = append(all, expressions(e)...)
		}
	case map[string]any:
		if e, ok := v["expr"].(string); ok {
			all = append(all, e)
		}
		for _, e := range v {
			all = append(all, expressions(e)...)
		}
	}
	return all
}

// Every expression of the dashboard can be parsed, and every metric in it exists.
func TestDashboard(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(contrib, "grafana", "ifagr.json"))
	if err != nil {
		t.Fatal(err)
	}
	if bad := unknown(t, string(b)); len(bad) > 0 {
		t.Errorf("no such metrics: %q", bad)
	}
	var dashboard any
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	all := expressions(dashboard)
	if len(all) < 20 {
		t.Fatalf("%d expressions: the dashboard is not what it was", len(all))
	}
	var rules strings.Builder
	fmt.Fprint(&rules, "groups: [{name: dashboard, rules: [\n")
	for i, e := range all {
		e = strings.ReplaceAll(e, "$__rate_interval", "5m")
		fmt.Fprintf(&rules, "{record: 'panel:%d', expr: %q},\n", i, e)
	}
	fmt.Fprint(&rules, "]}]\n")
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "", "check", "rules", file)
}
