package metrics

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

var update = flag.Bool("update", false, "rewrite what the code decides")

// fake is a daemon with some interfaces. One that is nil does not answer.
type fake struct {
	agrs  map[string]*ctl.Status
	looks int
}

func (f *fake) List() []string {
	f.looks++
	var names []string
	for name := range f.agrs {
		names = append(names, name)
	}
	return names
}

func (f *fake) Glance(ctx context.Context, name string) (*ctl.Status, error) {
	if st := f.agrs[name]; st != nil {
		return st, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// noon is when everything happens.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func config(f *fake) Config {
	return Config{
		Source: f, Version: "v1.2.3", Go: "go1.26", Now: func() time.Time { return noon },
		Daemon: func() Daemon {
			return Daemon{Uptime: 90 * time.Minute, Polls: 1000, LatePolls: 3, PollDelay: 250 * time.Millisecond}
		},
	}
}

// example has every metric.
func example() *ctl.Status {
	return &ctl.Status{
		Name: "agr0", Datapath: "kernel", MAC: ether.Addr{2, 0, 0, 0, 0, 1}, Carrier: true, Active: 1, Links: 1, Speed: 10_000,
		Drops: 4, Held: 5, Options: ctl.Options{Hash: "l3", MinLinks: 1},
		Ports: []ctl.PortStatus{
			{
				Name: "re0", Number: 1, Flags: ctl.PortCollecting | ctl.PortDistributing, Up: true, Carrier: true, Speed: 10_000,
				Selected: "SELECTED", Mux: "DISTRIBUTING", Actor: ctl.LACPEnd{Key: 58, State: 0x3f}, Conversation: 256, Holding: 2,
				ActorChurn: "NO_CHURN", PartnerChurn: "NO_CHURN", PartnerChurns: 6,
				LastPartner: &ctl.Heard{
					LACPEnd: ctl.LACPEnd{SystemPriority: 32768, System: ether.Addr{2, 0, 0, 0, 0, 9}, Key: 7, Port: 3},
					Time:    noon.Add(-1500 * time.Millisecond),
				},
				Counters: ctl.Counters{
					LACPRx: 11, LACPTx: 12, LACPTxErrors: 13, LACPBad: ctl.Bad{Short: 14, Length: 15}, MarkerRx: 16, MarkerTx: 17,
					MarkerBad: ctl.Bad{Short: 18, Type: 19}, UnknownRx: 20, SlowDropped: 21, RxFrames: 22, RxBytes: 23, RxDropped: 24,
					TxFrames: 25, TxBytes: 26, TxErrors: 27, Flaps: 28, StateChanges: 29,
				},
			},
			{Name: "re1", Number: 2, Selected: "STANDBY", Mux: "WAITING", ActorChurn: "CHURN", Loopback: true},
		},
	}
}

// scrapeText is what a scraper gets, without what is not ours.
func scrapeText(t *testing.T, cfg Config) string {
	t.Helper()
	h, err := Handler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", w.Code, err, b)
	}
	return string(b)
}

func ours(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimLeft(line, "# HELPTY"), "ifagr_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got); -update rewrites it:\n%s", file, d)
	}
}

func TestText(t *testing.T) {
	text := scrapeText(t, config(&fake{agrs: map[string]*ctl.Status{"agr0": example()}}))
	golden(t, filepath.Join("testdata", "metrics.txt"), ours(text))
	for _, name := range []string{"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "go_goroutines"} {
		if !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("no %s", name)
		}
	}
}

// A busy owner costs a scrape a second, and its other metrics; not those of the
// others.
func TestBusyOwner(t *testing.T) {
	text := scrapeText(t, config(&fake{agrs: map[string]*ctl.Status{"agr0": nil, "agr1": {Name: "agr1"}}}))
	for _, want := range []string{
		`ifagr_agr_answered{agr="agr0"} 0`, `ifagr_agr_answered{agr="agr1"} 1`, `ifagr_agr_carrier{agr="agr1"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, `ifagr_agr_carrier{agr="agr0"}`) {
		t.Error("something is said of an interface that did not answer")
	}
}

// Scrapes that come together share one look.
func TestSharedLook(t *testing.T) {
	f := &fake{agrs: map[string]*ctl.Status{"agr0": example()}}
	now := noon
	cfg := config(f)
	cfg.Now = func() time.Time { return now }
	c := New(cfg)
	c.look()
	now = now.Add(fresh - 1)
	c.look()
	if f.looks != 1 {
		t.Errorf("%d looks, want 1", f.looks)
	}
	now = now.Add(1)
	c.look()
	if f.looks != 2 {
		t.Errorf("%d looks, want 2", f.looks)
	}
}

// Names have our prefix, base units, and say what is counted (Prometheus's
// conventions); promtool checks the rest.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	fmt.Fprint(&b, "# The metrics\n\nWhat `agrd -metrics` shows, besides Prometheus's own `process_*` and `go_*`. "+
		"This list is made from the code (`go test ./agr/metrics -update`).\n\n| Metric | Labels | Meaning |\n|---|---|---|\n")
	rows(&b, daemonFamilies)
	rows(&b, agrFamilies)
	rows(&b, portFamilies)
	golden(t, filepath.Join("..", "..", "docs", "metrics.md"), b.String())
}

func rows[T any](w io.Writer, all []family[T]) {
	for _, f := range all {
		name, help, labels := describe(f.desc.String())
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", name, strings.Join(labels, ", "), help)
	}
}

// describe reads what a prometheus.Desc says of itself.
func describe(desc string) (name, help string, labels []string) {
	quoted := func(after string) string {
		_, rest, _ := strings.Cut(desc, after)
		q, _ := strconv.QuotedPrefix(rest)
		s, _ := strconv.Unquote(q)
		return s
	}
	_, rest, _ := strings.Cut(desc, "variableLabels: {")
	list, _, _ := strings.Cut(rest, "}")
	if list != "" {
		labels = strings.Split(list, ",")
	}
	return quoted("fqName: "), quoted("help: "), labels
}
