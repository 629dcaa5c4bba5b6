package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
)

func TestPrintTransition(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	var b strings.Builder
	for _, tr := range []ctl.Transition{
		{Agr: "agr0", Machine: ctl.MachineSnapshot, To: "up", States: map[string]string{"link": "up"}},
		{Agr: "agr0", Port: "re0", Machine: ctl.MachineSnapshot, To: "ATTACHED", Reason: "waiting for partner sync"},
		{Agr: "agr0", Port: "re0", Machine: "mux", From: "ATTACHED", To: "COLLECTING", Reason: "partner in sync"},
		{Agr: "agr0", Port: "re1", Machine: "agr", To: "attached"},
		{Machine: ctl.MachineMissed, Missed: 12, Reason: "the reader was too slow"},
	} {
		tr.Time = at
		if err := printTransition(&b, tr); err != nil {
			t.Fatal(err)
		}
	}
	want := `03:04:05.006 agr0 snapshot: up
03:04:05.006 agr0 re0 snapshot: ATTACHED (waiting for partner sync)
03:04:05.006 agr0 re0 mux: ATTACHED -> COLLECTING (partner in sync)
03:04:05.006 agr0 re1 agr: none -> attached
03:04:05.006 missed: 12 (the reader was too slow)
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// teller is a daemon that has one agr interface and tells one thing about it.
type teller struct {
	ctl.Handler
	seq uint64
}

func (h teller) List() []string { return []string{"agr0"} }

func (h teller) Subscribe(ctx context.Context, _ string, f func(ctl.Transition) error) error {
	if err := f(ctl.Transition{Seq: h.seq, Agr: "agr0", Machine: ctl.MachineSnapshot, To: "up"}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// serveTeller answers at a socket until the function is called that it returns.
func serveTeller(t *testing.T, path string, seq uint64) (stop func()) {
	t.Helper()
	l, err := ctl.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &ctl.Server{Handler: teller{seq: seq}, Group: -1, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- s.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// runMonitor runs the program, whose lines come out of the decoder.
func runMonitor(t *testing.T, ctx context.Context, args ...string) (lines *json.Decoder, ended chan string) {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	ended = make(chan string, 1)
	go func() {
		var stderr bytes.Buffer
		code := run(ctx, append([]string{"monitor"}, args...), w, &stderr)
		w.Close()
		ended <- fmt.Sprint(code, " ", stderr.String())
	}()
	return json.NewDecoder(r), ended
}

// A monitor that is to go on tells that the daemon is gone, that there is another one,
// and the present state anew with that one's numbers.
func TestMonitorGoesOn(t *testing.T) {
	for _, name := range []string{"", "agr0"} {
		t.Run("of "+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agrd.sock")
			t.Setenv(ctl.SocketEnv, path)
			stop := serveTeller(t, path, 7)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			args := []string{"-j", "-r"}
			if name != "" {
				args = append(args, name)
			}
			lines, ended := runMonitor(t, ctx, args...)
			var got []ctl.Transition
			next := func() {
				var tr ctl.Transition
				if err := lines.Decode(&tr); err != nil {
					t.Fatal(err)
				}
				if tr.Machine == ctl.MachineDaemon && (tr.Time.IsZero() || tr.Reason == "") {
					t.Errorf("%+v: when, and why?", tr)
				}
				tr.Time, tr.Reason = time.Time{}, ""
				got = append(got, tr)
			}
			next()
			for seq := range uint64(2) {
				stop()
				next()
				stop = serveTeller(t, path, seq+1)
				next()
				next()
			}
			gone := ctl.Transition{Agr: name, Machine: ctl.MachineDaemon, From: "serving", To: "gone"}
			back := ctl.Transition{Agr: name, Machine: ctl.MachineDaemon, From: "gone", To: "serving"}
			up := func(seq uint64) ctl.Transition {
				return ctl.Transition{Seq: seq, Agr: "agr0", Machine: ctl.MachineSnapshot, To: "up"}
			}
			if d := cmp.Diff([]ctl.Transition{up(7), gone, back, up(1), gone, back, up(2)}, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			cancel()
			if said := <-ended; said != "0 " {
				t.Errorf("interrupted: %s", said)
			}
			stop()
		})
	}
}

// Without being told to go on it ends, with 1 and the reason.
func TestMonitorEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agrd.sock")
	t.Setenv(ctl.SocketEnv, path)
	stop := serveTeller(t, path, 1)
	lines, ended := runMonitor(t, t.Context(), "-j")
	var tr ctl.Transition
	if err := lines.Decode(&tr); err != nil {
		t.Fatal(err)
	}
	stop()
	if said := <-ended; !strings.HasPrefix(said, "1 agrd: the daemon has ended or was exchanged (with -r this goes on with the next one): ") {
		t.Errorf("it says %q", said)
	}
	_, ended = runMonitor(t, t.Context(), "-j", "-r")
	if said := <-ended; !strings.HasPrefix(said, "1 agrd: no agrd serves this network namespace: ") {
		t.Errorf("where there was none from the beginning it says %q", said)
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, unix.ENOSPC }

// Nobody who reads is not a daemon that is gone.
func TestMonitorOfNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agrd.sock")
	t.Setenv(ctl.SocketEnv, path)
	defer serveTeller(t, path, 1)()
	for _, args := range [][]string{{"-j"}, {"-r"}} {
		if err := monitor(t.Context(), args, full{}, io.Discard); !errors.Is(err, unix.ENOSPC) || strings.Contains(err.Error(), "daemon") {
			t.Errorf("%s: %v", args, err)
		}
	}
}
