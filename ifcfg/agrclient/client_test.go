package agrclient

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"ifagr/agr/ctl"
)

// lister is a daemon that has one agr interface.
type lister struct{ ctl.Handler }

func (lister) List() []string { return []string{"agr0"} }

// serve answers at a socket until the function is called that it returns.
func serve(t *testing.T, path string) (stop func()) {
	t.Helper()
	l, err := ctl.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l)
}

func serveOn(t *testing.T, l *net.UnixListener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &ctl.Server{Handler: lister{}, Group: -1, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- s.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A daemon that is exchanged between two requests of a client is looked for again.
func TestDaemonIsExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agrd.sock")
	t.Setenv(ctl.SocketEnv, path)
	var c Client
	defer c.Close()
	stop := serve(t, path)
	for range 3 {
		if names, err := c.Resume(); err != nil || len(names) != 1 {
			t.Fatalf("%q, %v", names, err)
		}
		stop()
		stop = serve(t, path)
	}
	stop()
	// One that does not come back is gone.
	err := c.call(func(c *ctl.Client) error { _, err := c.List(); return err })
	if !errors.Is(err, ctl.ENXIO) {
		t.Errorf("err = %v, want ENXIO", err)
	}
}

// Without a daemon, and nothing that one has left, there is nothing to do.
func TestResumeNothing(t *testing.T) {
	t.Setenv(ctl.SocketEnv, filepath.Join(t.TempDir(), "agrd.sock"))
	var c Client
	if names, err := c.Resume(); err != nil || len(names) > 0 {
		t.Errorf("%q, %v", names, err)
	}
	if err := c.AwaitEnd(); err != nil {
		t.Error(err)
	}
}
