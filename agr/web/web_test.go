package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/picture"
)

// fake is a daemon with n aggregates of four ports.
type fake struct {
	mu     sync.Mutex
	n      int
	gone   bool
	looks  int
	events chan ctl.Transition // closing it ends Watch
}

var errGone = errors.New("nobody there")

func (f *fake) List(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, errGone
	}
	var names []string
	for i := range f.n {
		names = append(names, fmt.Sprint("agr", i))
	}
	return names, nil
}

func (f *fake) Status(_ context.Context, name string) (*ctl.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, errGone
	}
	f.looks++
	st := &ctl.Status{Name: name, Carrier: true, Conversations: make([]ctl.Conversation, 256), Options: ctl.Options{MinLinks: 1}}
	for i := range 4 {
		st.Ports = append(st.Ports, ctl.PortStatus{
			Name: fmt.Sprint("re", i), Number: uint16(i + 1), Flags: 3, Up: true, Carrier: true, Speed: 10_000, Mux: "DISTRIBUTING",
			Counters: ctl.Counters{TxFrames: uint64(f.looks) * 1000, TxBytes: uint64(f.looks) * 1e6},
			History:  []ctl.Change{{Time: time.Now().Add(-time.Hour), Machine: "mux", From: "COLLECTING", To: "DISTRIBUTING"}},
		})
	}
	for i := range st.Conversations {
		st.Conversations[i] = ctl.Conversation{Port: uint16(i%4 + 1), Frames: uint64(f.looks * i), Bytes: uint64(f.looks * i * 100)}
	}
	return st, nil
}

func (f *fake) Watch(ctx context.Context, call func(ctl.Transition) error) error {
	f.mu.Lock()
	gone := f.gone
	f.mu.Unlock()
	if gone {
		return errGone
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t, ok := <-f.events:
			if !ok {
				return errGone
			}
			if err := call(t); err != nil {
				return err
			}
		}
	}
}

// browserOf reads /events as a browser does.
type browserOf struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	text strings.Builder
}

func (b *browserOf) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *browserOf) Flush() {}

// take is what has come since the last call.
func (b *browserOf) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// scene is a server of a fake, in a bubble of virtual time.
type scene struct {
	f *fake
	s *Server
}

func inBubble(t *testing.T, n int, f func(t *testing.T, s scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &fake{n: n, events: make(chan ctl.Transition)}
		s := scene{d, New(Config{Daemon: d, Host: "here", Program: "test", ID: "x", Now: time.Now})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.s.Run(ctx) }()
		f(t, s)
		cancel()
		<-done
	})
}

// open opens /events; the function ends it.
func (s scene) open(t *testing.T, after string) (*browserOf, func()) {
	t.Helper()
	b := &browserOf{ResponseRecorder: httptest.NewRecorder()}
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/events?after="+after, nil)
	done := make(chan struct{})
	go func() { defer close(done); s.s.ServeHTTP(b, r) }()
	return b, func() { cancel(); <-done }
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func has(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in %.1000s", what, w, text)
		}
	}
}

func TestEvents(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, s scene) {
		b, end := s.open(t, "")
		pass(3 * time.Second)
		has(t, "at first", b.take(), "event: daemon", "event: order", `id=\"agr-agr1\"`, "event: overview", "event: event", "event: tick")
		s.f.events <- ctl.Transition{Seq: 5, Agr: "agr0", Port: "re0", Machine: "mux", From: "A", To: "B", Time: time.Now()}
		pass(breath)
		has(t, "a transition", b.take(), "id: x.8", "re0", "event: agr")
		s.f.events <- ctl.Transition{Seq: 9, Agr: "agr0", Machine: "mux"}
		pass(breath)
		has(t, "a gap", b.take(), "3 transitions are missing here")
		end()

		late, endLate := s.open(t, "x.8")
		pass(breath)
		got := late.take()
		has(t, "reconnected", got, "id: x.9", "id: x.10")
		if strings.Contains(got, "id: x.8\n") {
			t.Error("what the browser had is sent again")
		}
		endLate()
		other, endOther := s.open(t, "y.3")
		pass(breath)
		has(t, "after a restart", other.take(), "transitions are missing here", "id: x.0")
		endOther()
	})
}

// How things are is no event, and what was missed is counted by who knows.
func TestMissedAndSnapshots(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s scene) {
		b, end := s.open(t, "")
		defer end()
		pass(3 * time.Second)
		b.take()
		s.f.events <- ctl.Transition{Seq: 4, Agr: "agr0", Port: "re0", Machine: ctl.MachineSnapshot, To: "DISTRIBUTING", Time: time.Now()}
		pass(breath)
		if got := b.take(); strings.Contains(got, "event: event") {
			t.Errorf("a snapshot is an event: %s", got)
		}
		s.f.events <- ctl.Transition{Seq: 5, Agr: "agr0", Machine: ctl.MachineMissed, Missed: 1, Time: time.Now()}
		pass(breath)
		has(t, "missed", b.take(), "1 transition is missing here")
	})
}

func TestDaemonGone(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s scene) {
		b, end := s.open(t, "")
		defer end()
		pass(3 * time.Second)
		s.f.events <- ctl.Transition{Seq: 1, Agr: "agr0", Machine: "mux"}
		pass(time.Second)
		b.take()
		s.f.mu.Lock()
		s.f.gone = true
		s.f.mu.Unlock()
		close(s.f.events)
		pass(3 * time.Second)
		has(t, "gone", b.take(), `"gone":true`, "agrd does not answer since", "the transitions end here")
		s.f.mu.Lock()
		s.f.gone, s.f.events = false, make(chan ctl.Transition)
		s.f.mu.Unlock()
		pass(3 * time.Second)
		has(t, "back", b.take(), "agrd answers", `id=\"agr-agr0\"`)
	})
}

// asked is how often a status was asked for.
func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

// Nobody is asked while nobody looks, and a hundred aggregates are not asked all
// at once.
func TestPace(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, s scene) {
		pass(time.Minute)
		if n := s.f.asked(); n != 0 {
			t.Errorf("%d looks for nobody", n)
		}
		_, end := s.open(t, "")
		pass(4 * time.Second)
		if n := s.f.asked(); n < 250 || n > 350 {
			t.Errorf("%d looks in 4 s, want one each 20 ms and a first round", n)
		}
		end()
		pass(time.Minute)
		n := s.f.asked()
		pass(time.Minute)
		if s.f.asked() != n {
			t.Error("looks go on for nobody")
		}
	})
}

func TestViewers(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s scene) {
		var ends []func()
		for range maxViewers {
			_, end := s.open(t, "")
			ends = append(ends, end)
		}
		pass(time.Second)
		b, end := s.open(t, "")
		pass(time.Second)
		if b.Code != http.StatusServiceUnavailable {
			t.Errorf("one too many gets %d", b.Code)
		}
		for _, end := range append(ends, end) {
			end()
		}
	})
}

// A page of somebody else gets nothing, whatever its name was made to point to.
func TestRefused(t *testing.T) {
	tests := []struct {
		name, method, host, site, path string
		want                           int
	}{
		{"localhost", "GET", "localhost", "", "/", 200},
		{"with a port", "GET", "localhost:8802", "none", "/", 200},
		{"address", "GET", "127.0.0.1:80", "same-origin", "/", 200},
		{"loopback of IPv6", "GET", "[::1]:8802", "", "/", 200},
		{"loopback of IPv6 without a port", "GET", "[::1]", "", "/", 200},
		{"other name", "GET", "evil.example", "", "/", 421},
		{"other name with our port", "GET", "evil.example:8802", "", "/events", 421},
		{"name that begins like ours", "GET", "localhost.evil.example", "", "/", 421},
		{"other address", "GET", "192.0.2.1:8802", "", "/", 421},
		{"any address", "GET", "0.0.0.0:8802", "", "/", 421},
		{"no name", "GET", "", "", "/", 421},
		{"other page", "GET", "localhost", "cross-site", "/events", 403},
		{"other page of the same machine", "GET", "localhost", "same-site", "/events", 403},
		{"a change", "POST", "localhost", "", "/", 405},
		{"other path", "GET", "localhost", "", "/etc/passwd", 404},
	}
	inBubble(t, 1, func(t *testing.T, s scene) {
		for _, tt := range tests {
			r := httptest.NewRequest(tt.method, "http://localhost"+tt.path, nil)
			r.Host = tt.host
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			w := httptest.NewRecorder()
			s.s.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
			}
			if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
				t.Errorf("%s: policy %q", tt.name, p)
			}
		}
	})
}

// The board forgets the oldest events, and says how many a browser has missed.
func TestBoardForgets(t *testing.T) {
	b := newBoard("x")
	b.add(make([]picture.Event, 3)...)
	c, missed := b.cursorAfter("x.1")
	if c.event != 2 || missed {
		t.Errorf("after x.1: %+v, missed %v", c, missed)
	}
	b.add(make([]picture.Event, remembered+4)...)
	n, _ := b.since(&c)
	if n.missed != 5 || len(n.events) != remembered || n.events[0].ID != "x.7" {
		t.Errorf("missed %d, then %d events from %s", n.missed, len(n.events), n.events[0].ID)
	}
	if n, _ = b.since(&c); n.missed != 0 || len(n.events) != 0 {
		t.Errorf("then missed %d and %d events", n.missed, len(n.events))
	}
	for id, want := range map[string]bool{"": false, "x.": true, "x.9999": true, "x.-2": true, "y.1": true, "x.506": false} {
		if _, missed := b.cursorAfter(id); missed != want {
			t.Errorf("after %q: missed is %v", id, missed)
		}
	}
}
