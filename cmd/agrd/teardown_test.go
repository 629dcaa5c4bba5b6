package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
)

// stubborn is a daemon of some agr interfaces, each with two ports, some of which do
// not go.
type stubborn struct {
	ctl.Handler
	names []string
	stay  []string // ports and interfaces

	mu    sync.Mutex
	calls []string
}

func (s *stubborn) List() []string           { return s.names }
func (s *stubborn) Exists(name string) error { return nil }

func (s *stubborn) Status(name string) (*ctl.Status, error) {
	if !slices.Contains(s.names, name) {
		return nil, ctl.ENXIO
	}
	return &ctl.Status{Name: name, Ports: []ctl.PortStatus{{Name: name + "-a"}, {Name: name + "-b"}}}, nil
}

func (s *stubborn) SetPort(_, port string, _ ctl.Command) error { return s.leave(port) }
func (s *stubborn) Destroy(name string) error                   { return s.leave(name) }

func (s *stubborn) leave(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	if slices.Contains(s.stay, name) {
		return fmt.Errorf("it is stubborn: %w", ctl.EBUSY)
	}
	return nil
}

// serveStubborn lets the commands of this program find it.
func serveStubborn(t *testing.T, s *stubborn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agrd.sock")
	t.Setenv(ctl.SocketEnv, path)
	l, err := ctl.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server := &ctl.Server{Handler: s, Group: -1, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestTeardown(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		stay  []string
		calls []string // in the order of the names
		code  int
		said  string
	}{
		{"all", nil, nil, []string{"agr0-b", "agr0-a", "agr0", "agr1-b", "agr1-a", "agr1"}, 0, ""},
		{"one", []string{"agr1"}, nil, []string{"agr1-b", "agr1-a", "agr1"}, 0, ""},
		{"one twice", []string{"agr1", "agr1"}, nil, []string{"agr1-b", "agr1-a", "agr1"}, 0, ""},
		{"one that is not there", []string{"agr2", "agr1"}, nil, []string{"agr1-b", "agr1-a", "agr1"}, 1, "agrd: agr2: SIOCGETAGR: Device not configured\nagrd: teardown: 1 step failed\n"},
		{"one that need not be there", []string{"-f", "agr2", "agr1"}, nil, []string{"agr1-b", "agr1-a", "agr1"}, 0, ""},
		{
			"past failures", nil,
			[]string{"agr0-b", "agr0"},
			[]string{"agr0-b", "agr0-a", "agr0", "agr1-b", "agr1-a", "agr1"},
			1,
			"agrd: agr0: -agrport agr0-b: SIOCSETAGR: Device busy (it is stubborn: Device busy)\n" +
				"agrd: agr0: SIOCIFDESTROY: Device busy (it is stubborn: Device busy)\nagrd: teardown: 2 steps failed\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stubborn{names: []string{"agr0", "agr1"}, stay: tt.stay}
			serveStubborn(t, s)
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"teardown"}, tt.args...), &stdout, &stderr)
			said := strings.ReplaceAll(stderr.String(), " ("+ctl.ENXIO.Error()+")", "")
			if code != tt.code || said != tt.said || stdout.Len() > 0 {
				t.Errorf("exit %d: %q, want %d: %q", code, said, tt.code, tt.said)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			slices.SortStableFunc(s.calls, func(a, b string) int { return strings.Compare(a[:4], b[:4]) })
			if d := cmp.Diff(tt.calls, s.calls); d != "" {
				t.Errorf("what was asked (-want +got):\n%s", d)
			}
		})
	}
}
