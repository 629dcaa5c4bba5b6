package picture

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

var update = flag.Bool("update", false, "rewrite the pictures in testdata")

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// twoPorts is an aggregate of one port that carries everything and one that
// stands by, a second after it has carried some of it.
func twoPorts() (now, last Sample) {
	st := func(frames, bytes uint64) *ctl.Status {
		s := &ctl.Status{
			Name: "agr0", Index: 7, Datapath: "kernel", MAC: ether.Addr{2, 0, 0, 0, 0, 1}, Carrier: true, Active: 1, Links: 1, Speed: 10_000,
			Options: ctl.Options{Hash: "l3", MinLinks: 1, Mode: "active", Timeout: "fast"},
			Ports: []ctl.PortStatus{
				{
					Name: "re0", Number: 1, Flags: 3, Up: true, Carrier: true, Speed: 10_000, Selected: "SELECTED", Mux: "DISTRIBUTING",
					Receive: "CURRENT", Periodic: "FAST_PERIODIC", Conversation: 256,
					Actor:       ctl.LACPEnd{Port: 1, PortPriority: 32768, Key: 58, State: 0x3f},
					LastPartner: &ctl.Heard{LACPEnd: ctl.LACPEnd{SystemPriority: 1, System: ether.Addr{2, 0, 0, 0, 0, 9}, Key: 7, Port: 3, State: 0x3d}, Time: noon},
					Counters:    ctl.Counters{TxFrames: frames, TxBytes: bytes, RxFrames: 5, LACPRx: 3},
				},
				{
					Name: "re1", Number: 2, Up: true, Carrier: true, Speed: 1000, Selected: "STANDBY", Mux: "WAITING",
					Reason: "kept out", Until: noon.Add(90 * time.Second), ActorChurn: "CHURN",
					History: []ctl.Change{{Time: noon, Machine: "mux", From: "DETACHED", To: "WAITING", Reason: "selected <b>"}},
				},
			},
			Conversations: make([]ctl.Conversation, 256),
		}
		for i := range s.Conversations {
			s.Conversations[i].Port = 1
		}
		s.Conversations[3].Frames, s.Conversations[3].Bytes = frames, bytes
		s.Conversations[9].Held, s.Conversations[9].Next = true, 2
		return s
	}
	return Sample{noon.Add(time.Second), st(1100, 1_001_000)}, Sample{noon, st(100, 1000)}
}

func TestLook(t *testing.T) {
	now, last := twoPorts()
	a := Look(now, last)
	type port struct{ Class, Reason, Out, Warning string }
	got := []port{}
	for _, p := range a.Ports {
		got = append(got, port{p.Class, p.Reason, p.Out.String() + " " + p.Out.Detail(), p.Warning})
	}
	want := []port{
		{"carries", "", "8.0 Mb/s 1\u202f000 frames/s", ""},
		{"standby", "kept out, for 1 min more", "0 b/s 0 frames/s", "churn: the two ends have not agreed for a minute"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ports (-want +got):\n%s", d)
	}
	if a.Class != "attention" || a.Verdict != "carries frames through 1 of 2 ports" {
		t.Errorf("%s: %s", a.Class, a.Verdict)
	}
	strip := a.Ports[0].Strip
	if strip.Count != 256 || strip.Carry != 1 || strip.Waiting != 1 || strip.Loaded != "M3 24h1v-24h-1z" {
		t.Errorf("strip of %d conversations, %d in use, %d waiting: %s", strip.Count, strip.Carry, strip.Waiting, strip.Loaded)
	}
	if b := a.Busy; len(b) != 2 || b[0].Number != 3 || b[1].Moving != "waits, moves to re1" {
		t.Errorf("busy: %+v", b)
	}
}

// Without an earlier sample, or when counters began anew, no load is invented.
func TestUnknownLoad(t *testing.T) {
	now, last := twoPorts()
	tests := []struct {
		name       string
		last       Sample
		want       string
		knownLater bool
	}{
		{"first look", Sample{}, "–", false},
		{"another interface of that name", func() Sample { s := last; c := *s.Status; c.Index = 8; s.Status = &c; return s }(), "–", false},
		{"counters began anew", Sample{last.At, now.Status}, "0 b/s", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			of := now
			if tt.knownLater {
				of = Sample{now.At, last.Status}
			}
			a := Look(of, tt.last)
			if got := a.Ports[0].Out.String(); got != tt.want {
				t.Errorf("out %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	carries := ctl.PortStatus{Flags: 3}
	tests := []struct {
		st   ctl.Status
		want string
	}{
		{ctl.Status{}, "has no ports"},
		{ctl.Status{Ports: []ctl.PortStatus{carries}}, "carries frames through its only port"},
		{ctl.Status{Ports: []ctl.PortStatus{carries, carries}}, "carries frames through all 2 ports"},
		{ctl.Status{Ports: []ctl.PortStatus{{}, {Flags: 1}}}, "carries nothing: none of 2 ports distributes"},
		{ctl.Status{Links: 1, Options: ctl.Options{MinLinks: 2}, Ports: []ctl.PortStatus{{}, {}}}, "carries nothing: 1 of at least 2 links"},
	}
	for _, tt := range tests {
		if got := verdict(&tt.st); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestSteps(t *testing.T) {
	marks := func(mux string) string {
		var b strings.Builder
		for _, s := range steps(mux) {
			b.WriteByte(s.Mark[0])
		}
		return b.String()
	}
	for mux, want := range map[string]string{
		"DETACHED": "naaaa", "ATTACHED": "ddnaa", "DISTRIBUTING": "ddddn", "COLLECTING_DISTRIBUTING": "dddn", "": "aaaaa",
	} {
		if got := marks(mux); got != want {
			t.Errorf("%s: %s, want %s", mux, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for b, want := range map[float64]string{0: "0 b/s", 999: "999 b/s", 1500: "1.5 kb/s", 9.97e6: "10 Mb/s", 999.6e6: "1.0 Gb/s", 4e15: "4000 Tb/s"} {
		if got := bits(b); got != want {
			t.Errorf("%g: %s, want %s", b, got, want)
		}
	}
	for mbps, want := range map[uint64]string{0: "speed unknown", 10: "10 Mb/s", 1000: "1 Gb/s", 2500: "2.5 Gb/s"} {
		if got := speed(mbps); got != want {
			t.Errorf("%d: %s, want %s", mbps, got, want)
		}
	}
	if got, want := stateWords(0x8d), "active, slow, can aggregate, in sync, not collecting, not distributing, expired"; got != want {
		t.Errorf("state 0x8d: %s, want %s", got, want)
	}
}

func page() *Page {
	now, last := twoPorts()
	a := Look(now, last)
	return &Page{
		Host: "a<b>", Made: noon, Program: "agrd test", Daemon: Daemon{Text: "as it was"},
		Agrs: []Agr{a}, Events: History([]*ctl.Status{now.Status}), Last: "x.1",
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got); -update rewrites it:\n%s", name, d)
	}
}

// The pages have nothing from elsewhere, no program but the one of its policy,
// and nothing that a name could bring in.
func TestPages(t *testing.T) {
	var static, live bytes.Buffer
	if err := page().Static(&static); err != nil {
		t.Fatal(err)
	}
	if err := page().Live(&live); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(static.String(), "<script") || !strings.Contains(live.String(), "<script>"+program+"</script>") {
		t.Error("the program belongs into the live page only")
	}
	if strings.Contains(static.String(), "script-src") || strings.Contains(live.String(), "unsafe") {
		t.Error("the policy allows too much")
	}
	for name, text := range map[string]string{"static": static.String(), "live": live.String()} {
		body := strings.ReplaceAll(strings.ReplaceAll(text, program, ""), style, "")
		if bad := regexp.MustCompile(`(?i)(\bsrc=|https?://(?:[^w]|w[^w])|\son\w+=|\sstyle=|javascript:|<b>\)|a<b>|@[A-Z]+@)`).FindString(body); bad != "" {
			t.Errorf("%s: %q is in the page", name, bad)
		}
	}
	head, _, _ := strings.Cut(static.String(), "<style>")
	_, rest, _ := strings.Cut(static.String(), "</style>")
	golden(t, "static.html", []byte(regexp.MustCompile(`sha256-[^']+`).ReplaceAllString(head, "sha256-HASH")+rest))
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := page().Text(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", b.Bytes())
}

func TestTitle(t *testing.T) {
	many := make([]Agr, 5)
	for i := range many {
		many[i] = Agr{Name: "agr" + string(rune('0'+i)), Class: "down"}
	}
	tests := []struct {
		all  []Agr
		want string
	}{
		{nil, "agr"},
		{[]Agr{{Class: "fine"}}, "● 1 aggregate"},
		{[]Agr{{Class: "fine"}, {Name: "agr1", Class: "attention"}}, "▲ agr1"},
		{many, "✕ agr0, agr1, agr2 and 2 more down"},
	}
	for _, tt := range tests {
		if got := Title(tt.all); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
