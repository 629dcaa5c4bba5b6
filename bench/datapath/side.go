package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// settle is how long two ends may take from the first agrport to frames on every
// port.
const settle = 20 * time.Second

const agr0 = "agr0"

// defaultPoll is agrd's own -carrier-poll.
const defaultPoll = 8 * time.Millisecond

// agrOptions say how agr0 is made at both ends.
type agrOptions struct {
	kind  string        // -datapath
	poll  time.Duration // -carrier-poll
	ports []string
	args  []string // further arguments
}

// side is one end of an aggregation of ours: a network namespace with an agrd.
type side struct {
	t    testing.TB
	ns   *nettest.NS
	agrd *nettest.Daemon
	args []string // agrd and its arguments
}

// logs is the environment variable that names a directory for the daemons' logs.
const logs = "BENCH_LOGS"

// keepLog writes the daemon's log, if anybody wants it.
func (s *side) keepLog() {
	if dir := os.Getenv(logs); dir != "" {
		s.must(os.WriteFile(filepath.Join(dir, s.ns.Name+".log"), []byte(s.agrd.Output()), 0o644))
	}
}

// newSide starts agrd in a namespace, and makes agr0 with its ports. The ports
// must have been made.
func newSide(t testing.TB, bin string, ns *nettest.NS, o agrOptions) *side {
	s := &side{t: t, ns: ns, args: []string{filepath.Join(bin, "agrd"), "-datapath", o.kind, "-carrier-poll", o.poll.String()}}
	s.args = append(s.args, o.args...)
	s.launch()
	t.Cleanup(s.keepLog)
	nettest.Eventually(t, settle, func() error {
		err := s.ask(func(c *ctl.Client) error { return nil })
		if err != nil {
			return fmt.Errorf("agrd: %w: %s", err, s.agrd.Output())
		}
		return nil
	})
	s.must(s.ask(func(c *ctl.Client) error { return c.Create(agr0) }))
	for _, p := range o.ports {
		s.port(p, ctl.AddPort)
	}
	if got := s.status().Datapath; got != o.kind {
		t.Fatalf("asked for the datapath %s, got %s", o.kind, got)
	}
	return s
}

// launch starts the daemon.
func (s *side) launch() { s.agrd = s.ns.StartCmd(exec.Command(s.args[0], s.args[1:]...)) }

// ask connects to the daemon for one request: it does not keep a connection that
// is silent for long.
func (s *side) ask(f func(*ctl.Client) error) error {
	var c *ctl.Client
	var err error
	s.ns.Do(func() { c, err = ctl.Dial(s.t.Context()) })
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

func (s *side) must(err error) {
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", s.ns.Name, err, tail(s.agrd.Output()))
	}
}

// tail is the end of a log.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// port adds a port to agr0 or removes one.
func (s *side) port(name string, cmd ctl.Command) {
	s.must(s.ask(func(c *ctl.Client) error { return c.SetPort(agr0, name, cmd) }))
}

func (s *side) status() *ctl.Status {
	var st *ctl.Status
	s.must(s.ask(func(c *ctl.Client) (err error) { st, err = c.Status(agr0); return err }))
	return st
}

// distributing lists the ports that collect and distribute.
func (s *side) distributing() map[string]bool {
	found := make(map[string]bool)
	for _, p := range s.status().Ports {
		if p.Flags == ctl.PortCollecting|ctl.PortDistributing {
			found[p.Name] = true
		}
	}
	return found
}

// distributes is nil when exactly so many ports collect and distribute.
func (s *side) distributes(want int) error {
	if n := len(s.distributing()); n != want {
		return fmt.Errorf("%s: %d ports distribute, want %d", s.ns.Name, n, want)
	}
	return nil
}

// address gives agr0 an address and brings it up.
func (s *side) address(p netip.Prefix) {
	s.ns.Run("ip", "addr", "add", p.String(), "dev", agr0)
	s.ns.Run("ip", "link", "set", agr0, "up")
}
