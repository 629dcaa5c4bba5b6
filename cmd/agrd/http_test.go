package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/web"
)

// soon is a limit of a test, and tooLate when one that nobody keeps is given up.
const (
	soon    = 100 * time.Millisecond
	tooLate = 20 * time.Second
)

// httpServer serves one connection at a time at a unix socket, whose path it returns.
func httpServer(t *testing.T, h http.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "http.sock")
	l, err := ctl.ListenStream(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	limits := httpLimits{conns: 1, read: soon, write: soon, idle: soon}
	go func() { done <- serveHTTP(ctx, l, h, limits, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

// say connects and says something. What is not answered in time fails.
func say(t *testing.T, path, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(tooLate))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// A server that serves one connection at a time serves the next, whatever the first
// does or leaves.
func TestHTTPLimits(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	big := strings.Repeat("x", 16<<20) // more than a socket holds
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			io.WriteString(w, big)
		}
	}
	for name, text := range map[string]string{
		"says nothing":                 "",
		"half a request":               get,
		"half of what it brings":       get + "Content-Length: 10\r\n\r\nhalf",
		"half of what has no length":   get + "Transfer-Encoding: chunked\r\n\r\n5\r\nha",
		"does not take the answer":     "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"takes none of many answers":   strings.Repeat(get+"\r\n", 1000) + "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"stays without another wish":   get + "\r\n",
		"too long a header":            get + "X: " + strings.Repeat("x", 64<<10),
		"waits to be asked to go on":   get + "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
		"says what is no HTTP, and on": "hello\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := httpServer(t, http.HandlerFunc(answer))
			sayAnyhow(t, path, text)
			next := say(t, path, get+"\r\n")
			r, err := http.ReadResponse(bufio.NewReader(next), nil)
			if err != nil {
				t.Fatalf("the next one is not served: %v", err)
			}
			r.Body.Close()
			if r.StatusCode != http.StatusOK {
				t.Errorf("the next one gets %s", r.Status)
			}
		})
	}
}

// sayAnyhow is say to a server that may hang up meanwhile.
func sayAnyhow(t *testing.T, path, text string) {
	t.Helper()
	c := say(t, path, "")
	c.SetWriteDeadline(time.Now().Add(tooLate))
	io.WriteString(c, text)
}

// quiet is a daemon without an interface in which nothing happens.
type quiet struct{}

func (quiet) List(context.Context) ([]string, error) { return nil, nil }
func (quiet) Status(context.Context, string) (*ctl.Status, error) {
	return nil, ctl.ENXIO
}

func (quiet) Watch(ctx context.Context, _ func(ctl.Transition) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// A page that follows what happens outlives the limits of a request, as long as it
// reads.
func TestEventsOutliveLimits(t *testing.T) {
	s := web.New(web.Config{Daemon: quiet{}, ID: "x", Now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	c := say(t, httpServer(t, s), "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	ticks := 0
	for lines := bufio.NewScanner(c); ticks < 3; {
		if !lines.Scan() {
			t.Fatalf("the stream ends after %d ticks: %v", ticks, lines.Err())
		}
		if lines.Text() == "event: tick" {
			ticks++
		}
	}
}

// What brings something is told that it is in vain, on every path.
func TestNothingIsTaken(t *testing.T) {
	path := httpServer(t, http.NotFoundHandler())
	c := say(t, path, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusBadRequest || !r.Close {
		t.Errorf("%s, closed: %v", r.Status, r.Close)
	}
}
