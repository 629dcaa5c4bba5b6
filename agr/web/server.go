package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"ifagr/agr/picture"
)

// Config says what a Server shows.
type Config struct {
	Daemon  Daemon
	Host    string // whose aggregates they are, for the heading
	Program string // for the last line
	ID      string // of this server, different after each start
	Now     func() time.Time
}

const (
	maxViewers   = 32
	firstLook    = 2 * time.Second  // how long a page waits for its first picture
	writeTimeout = 10 * time.Second // after which a browser that does not read is gone
	breath       = 50 * time.Millisecond
	tickEvery    = time.Second
)

// Server shows a daemon's aggregates.
type Server struct {
	cfg      Config
	board    *board
	follower *follower
	mux      *http.ServeMux
}

// New makes a Server.
func New(cfg Config) *Server {
	b := newBoard(cfg.ID)
	s := &Server{cfg: cfg, board: b, follower: newFollower(cfg.Daemon, b, cfg.Now), mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /events", s.events)
	return s
}

// Run follows the daemon until the context ends.
func (s *Server) Run(ctx context.Context) error {
	s.follower.since = s.cfg.Now()
	var group errgroup.Group
	group.Go(func() error { s.follower.events(ctx); return nil })
	group.Go(func() error { s.follower.look(ctx); return nil })
	return group.Wait()
}

// ServeHTTP answers requests that come from this machine's own browser.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", picture.Policy+"; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !ownHost(r.Host):
		http.Error(w, "this server is for localhost only, and the request was for another name", http.StatusMisdirectedRequest)
	case foreign(r.Header.Get("Sec-Fetch-Site")):
		http.Error(w, "this server is not for pages of others", http.StatusForbidden)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// ownHost reports whether a Host header names this machine's loopback, with any
// port: ssh -L gives it another one.
func ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		name = host[1 : n-1]
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// foreign reports whether a browser says that somebody else's page is asking.
func foreign(site string) bool { return site != "" && site != "same-origin" && site != "none" }

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	defer s.follower.come()()
	s.ready(r.Context())
	p := s.board.page()
	p.Host, p.Program, p.Made = s.cfg.Host, s.cfg.Program, s.cfg.Now()
	var b bytes.Buffer
	if err := p.Live(&b); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.NewResponseController(w).SetWriteDeadline(s.cfg.Now().Add(writeTimeout))
	w.Write(b.Bytes())
}

// ready waits a little until something is known of the daemon.
func (s *Server) ready(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	for {
		s.board.mu.Lock()
		known, changed := s.board.daemon.version > 0, s.board.changed
		s.board.mu.Unlock()
		if known {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// events tells a browser what is new until it goes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	leave := s.follower.come()
	defer leave()
	if s.follower.viewers.Load() > maxViewers {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	st := &stream{w: w, flush: http.NewResponseController(w), now: s.cfg.Now}
	c, missed := s.board.cursorAfter(r.FormValue("after"))
	if missed {
		st.event(missing(s.cfg.Now(), 0, "agrd web was started anew, or was away for too long"))
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for st.err == nil {
		n, changed := s.board.since(&c)
		st.send(n)
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			wait(r.Context(), breath) // what comes together is sent together
		case <-tick.C:
			st.write("tick", "", struct{}{})
		}
	}
}

// stream writes Server-Sent Events until one fails.
type stream struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	now   func() time.Time
	err   error
}

// write writes one event.
func (s *stream) write(kind, id string, data any) {
	if s.err != nil {
		return
	}
	b, err := json.Marshal(data)
	if err == nil {
		// A server that cannot have deadlines is one of a test.
		s.flush.SetWriteDeadline(s.now().Add(writeTimeout))
		if id != "" {
			id = "id: " + id + "\n"
		}
		_, err = fmt.Fprintf(s.w, "event: %s\n%sdata: %s\n\n", kind, id, b)
	}
	s.err = err
}

// message is what the page's program takes.
type message struct {
	HTML  string   `json:"html,omitempty"`
	Title string   `json:"title,omitempty"`
	Names []string `json:"names,omitempty"`
	Place int      `json:"place,omitempty"`
	Gone  bool     `json:"gone,omitempty"`
}

func (s *stream) event(e picture.Event) { s.write("event", e.ID, message{HTML: e.HTML()}) }

// send writes what is new.
func (s *stream) send(n news) {
	if n.daemon != nil {
		s.write("daemon", "", message{HTML: n.daemon.HTML(), Gone: n.daemon.Gone})
	}
	if n.ordered {
		s.write("order", "", message{Names: n.order})
	}
	for i := range n.agrs {
		s.write("agr", "", message{HTML: n.agrs[i].HTML(), Place: n.agrs[i].place})
	}
	if n.all != nil {
		s.write("overview", "", message{HTML: picture.Overview(n.all), Title: picture.Title(n.all)})
	}
	if n.missed > 0 {
		s.event(missing(s.now(), n.missed, "this page was too slow"))
	}
	for _, e := range n.events {
		s.event(e)
	}
	if s.err == nil {
		s.err = s.flush.Flush()
	}
}
