package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/netutil/privilege"
)

// patience is that of a manager in a test: a thousandth of a real one's.
const patience = 20 * time.Millisecond

// managed is a service with a manager, and what that receives.
func managed(t *testing.T) (*service, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "")
	t.Setenv("LISTEN_PID", "")
	s, err := newService(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// told is the next datagram of the service, "" when there is none.
func told(c *net.UnixConn, wait time.Duration) string {
	b := make([]byte, 256)
	c.SetReadDeadline(time.Now().Add(wait))
	n, err := c.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// The manager hears that all is well again and again, as long as it is, and
// nothing while the control loop does not answer.
func TestWatchdog(t *testing.T) {
	s, c := managed(t)
	s.every = patience
	var asked, stuck atomic.Int32
	pulse := func(ctx context.Context) error {
		if stuck.Load() == 0 {
			return nil
		}
		asked.Add(1)
		<-ctx.Done() // as Pulse does when an owner is stuck
		return errors.New("the owner of agr0 does not answer")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.watchdog(ctx, pulse); close(done) }()
	for range 3 {
		if got := told(c, time.Minute); got != "WATCHDOG=1" {
			t.Fatalf("told %q", got)
		}
	}
	stuck.Store(1)
	for asked.Load() < 3 {
		told(c, time.Millisecond) // what was on its way
	}
	if got := told(c, 5*patience); got != "" {
		t.Errorf("told %q while the control loop is stuck", got)
	}
	stuck.Store(0)
	if got := told(c, time.Minute); got != "WATCHDOG=1" {
		t.Errorf("told %q after it is not stuck any more", got)
	}
	cancel()
	<-done
}

// Without a watchdog, and without a manager, nobody is asked.
func TestNoWatchdog(t *testing.T) {
	s, _ := managed(t)
	pulse := func(context.Context) error { t.Error("asked"); return nil }
	s.watchdog(t.Context(), pulse)
	s.every = patience
	t.Setenv("NOTIFY_SOCKET", "")
	alone := &service{every: patience, log: s.log}
	alone.watchdog(t.Context(), pulse)
}

func TestReadyIsTold(t *testing.T) {
	s, c := managed(t)
	s.ready(2)
	if got, want := told(c, time.Minute), "READY=1\nSTATUS=serving, resumed 2 interfaces"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// What is missing is named, with what it takes away.
func TestPower(t *testing.T) {
	const all = 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_BPF
	tests := []struct {
		name string
		p    power
		want string
	}{
		{"all", power{set: all, overNetwork: true}, ""},
		{"no BPF", power{set: all &^ (1 << unix.CAP_BPF), overNetwork: true}, ""},
		{"no TAP", power{set: all, overNetwork: true, tun: unix.EACCES}, ""},
		{"no NET_ADMIN", power{set: all &^ (1 << unix.CAP_NET_ADMIN), overNetwork: true}, "CAP_NET_ADMIN is missing: no interface can be made or changed without it"},
		{"no NET_RAW", power{set: all &^ (1 << unix.CAP_NET_RAW), overNetwork: true}, "CAP_NET_RAW is missing: no LACPDU can be sent or received without it"},
		{"nothing", power{overNetwork: true}, "CAP_NET_ADMIN is missing: no interface can be made or changed without it; CAP_NET_RAW is missing: no LACPDU can be sent or received without it"},
		{"another's network", power{set: privilege.Set(all)}, errNetns.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.p.check(agr.Auto, slog.New(slog.DiscardHandler)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
