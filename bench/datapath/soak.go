package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ifagr/agr/ctl"
	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

// A daemon is to run for years. What grows without end grows within half an hour of
// everything that can happen to it, many times over.
const (
	soakPorts  = 3
	soakRate   = 100 // frames a second of each flow
	soakFlows  = 10
	soakWarm   = 30 * time.Second // until the daemon has what it needs
	soakLook   = 30 * time.Second // between two looks at the daemon
	soakClient = 20               // control connections a second
)

// footprint is what a daemon takes of the machine.
type footprint struct {
	rss, fds, threads, goroutines int // kB, and numbers
}

// soak lets both datapaths live for a long time, at the same time.
func soak(b *lab.Bed, c *config) {
	var kinds []string
	for _, kind := range []string{kernel, user} {
		if c.wants(kind) {
			kinds = append(kinds, kind)
		}
	}
	lines := make([][]string, len(kinds))
	b.Part(func(b *lab.Bed) {
		b.Parallel(len(kinds), func(i int) { lines[i] = soakOf(b, c, kinds[i]) })
	})
	c.title("%v under %d frames a second in each direction, while ports leave and join, cables are cut, options change and clients come and go", c.soak, soakRate*soakFlows)
	fmt.Fprintf(c.out, "%-8s %-24s %10s %10s %10s\n", "way", "", "begin", "most", "end")
	for _, l := range slices.Concat(lines...) {
		fmt.Fprintln(c.out, l)
	}
}

func soakOf(b *lab.Bed, c *config, kind string) []string {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "metrics")
	w := emptyWay(b, kind, soakPorts)
	w.cables = newCables(b, w.a, w.b, w.ports)
	w.sides[1] = newSide(b, c.bin, w.b, agrOptions{kind: kind, poll: defaultPoll, ports: w.ports})
	w.sides[0] = newSide(b, c.bin, w.a, agrOptions{kind: kind, poll: defaultPoll, ports: w.ports, args: []string{"-metrics", "unix:" + socket}})
	w.sides[0].address(addrA)
	w.sides[1].address(addrB)
	nettest.Eventually(b, 3*settle, w.complete)
	w.connect(agr0, agr0)
	there := nettest.StartStream(b, nettest.StreamConfig{From: w.a, To: w.b, Flows: flows(manyFrom, 0, soakFlows, soakRate)})
	back := nettest.StartStream(b, nettest.StreamConfig{From: w.b, To: w.a, Flows: flows(manyBack, 0, soakFlows, soakRate)})
	l := &longLife{b: b, w: w, socket: socket}
	l.live(soakWarm)
	begin := l.look()
	most := begin
	for end := time.Now().Add(c.soak); time.Now().Before(end); {
		l.live(soakLook)
		now := l.look()
		most = footprint{max(most.rss, now.rss), max(most.fds, now.fds), max(most.threads, now.threads), max(most.goroutines, now.goroutines)}
		c.progress("%s: %+v", kind, now)
	}
	last := l.look()
	row := func(what string, of func(footprint) int) string {
		return fmt.Sprintf("%-8s %-24s %10d %10d %10d", kind, what, of(begin), of(most), of(last))
	}
	done := fmt.Sprintf("%-8s %d ports left and joined, %d cuts, %d changes of options, %d clients; frames: %v; %v", kind,
		l.moves, l.cuts, l.changes, l.clients, there.Stop(), back.Stop())
	return []string{
		row("memory, kB", func(f footprint) int { return f.rss }), row("descriptors", func(f footprint) int { return f.fds }),
		row("threads", func(f footprint) int { return f.threads }), row("goroutines", func(f footprint) int { return f.goroutines }), done,
	}
}

// longLife is what happens to a daemon.
type longLife struct {
	b      *lab.Bed
	w      *way
	socket string
	second int

	moves, cuts, changes, clients int
}

// live lets things happen for a time. One link is always left alone.
func (l *longLife) live(d time.Duration) {
	s := l.w.sides[0]
	for end := time.Now().Add(d); time.Now().Before(end); l.second++ {
		next := time.Now().Add(time.Second)
		switch l.second % 6 {
		case 0:
			s.port(l.w.ports[1], ctl.RemovePort)
			l.moves++
		case 1:
			s.port(l.w.ports[1], ctl.AddPort)
		case 2:
			l.w.cables[l.w.ports[2]].cut()
			l.cuts++
		case 3:
			l.w.cables[l.w.ports[2]].mend()
		case 4, 5:
			l.set(ctl.Setting{Option: ctl.OptTimeout, A: uint32(l.second % 2)}, ctl.Setting{Option: ctl.OptMinLinks, A: uint32(1 + l.second%2), B: 1})
			l.changes++
		}
		for range soakClient {
			s.status()
			l.clients++
		}
		l.b.Wait(time.Until(next))
	}
}

// set changes options of the first daemon.
func (l *longLife) set(options ...ctl.Setting) {
	s := l.w.sides[0]
	s.must(s.ask(func(c *ctl.Client) error { return c.SetOptions(agr0, options) }))
}

// look is what the first daemon takes now.
func (l *longLife) look() footprint {
	pid := l.w.sides[0].agrd.Pid()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		l.b.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		l.b.Fatal(err)
	}
	return footprint{
		rss: number(string(status), "VmRSS:"), fds: len(fds), threads: number(string(status), "Threads:"),
		goroutines: number(l.metrics(), "go_goroutines"),
	}
}

// number is the one behind a name at the beginning of a line, 0 if there is none.
func number(text, name string) int {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

func (l *longLife) metrics() string {
	var d net.Dialer
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", l.socket) }}
	defer t.CloseIdleConnections()
	r, err := (&http.Client{Transport: t}).Get("http://agrd/metrics")
	if err != nil {
		l.b.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		l.b.Fatal(err)
	}
	return string(text)
}
