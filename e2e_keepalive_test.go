package ifagr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/nettest"
)

// stopped is how long a daemon is stopped or dead in the tests of the keepalive,
// in datagrams of a stream of 1,000 a second: five times as long as it takes a
// partner that expects a LACPDU each second to give up.
const stopped = 15000

// far is the partner of a host whose daemon is stopped: what a test asks of it.
type far struct {
	ns          *nettest.NS
	ports       []string
	distributes func() error
	// changes is what has changed of its states, in its own words, so far.
	changes func() string
	// stalled is for how long it has done nothing at most, where it says so.
	stalled func() time.Duration
}

// noticeable is for how long a partner must have done nothing to lose frames.
const noticeable = 100 * time.Millisecond

// A daemon that is stopped or killed loses no frame and no partner: the kernel
// answers for it. The partner sees nothing of it.
func TestKeepalive(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	partners := map[string]func(*testing.T) (*host, far){"Open vSwitch": keptBySwitch, "agrd": besideOurs}
	for name, beside := range partners {
		for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGKILL} {
			t.Run(name+"/"+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				for try := 1; ; try++ {
					a, partner := beside(t)
					wrong := testKeepalive(t, a, partner, sig)
					stalled := partner.stalled()
					if wrong == nil || try == 3 || stalled < noticeable {
						for _, err := range wrong {
							t.Error(err)
						}
						return
					}
					t.Logf("again, for the partner says that it was kept from its work for %v: %v", stalled, wrong)
				}
			})
		}
	}
}

// keptBySwitch is a host with an agr0 beside an Open vSwitch that wants fast
// LACPDUs, and gets them.
func keptBySwitch(t *testing.T) (*host, far) {
	a, sw := withSwitch(t, "kernel", nettest.OVSConfig{LACP: "active", Time: "fast"})
	a.fast0("192.0.2.1")
	partner := far{
		ns:          sw.ns,
		stalled:     sw.Stalled,
		ports:       []string{"q0", "q1"},
		distributes: func() error { return switchDistributes(sw, "q0", "q1") },
		changes: func() string {
			var lines []string
			for line := range strings.Lines(sw.Log()) {
				if strings.Contains(line, "|bond|") || strings.Contains(line, "|lacp|") {
					lines = append(lines, line)
				}
			}
			return strings.Join(lines, "")
		},
	}
	return a, partner
}

// fast0 is agr0 with a short timeout from the beginning.
func (h *host) fast0(addr string) {
	h.t.Helper()
	h.port("re0", "re1")
	h.ifconfig("agr0", "create", "lacptimeout", "fast")
	h.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	h.ifconfig("agr0", "inet", addr, "netmask", "255.255.255.0")
}

// besideOurs is a host with an agr0 beside another one.
func besideOurs(t *testing.T) (*host, far) {
	a, b := pair(t, "kernel")
	a.fast0("192.0.2.1")
	b.fast0("192.0.2.2")
	partner := far{
		ns:          b.NS,
		stalled:     func() time.Duration { return 0 },
		ports:       []string{"re0", "re1"},
		distributes: func() error { return b.distributes("re0", "re1") },
		changes: func() string {
			var lines []string
			for _, p := range b.mustStatus().Ports {
				lines = append(lines, fmt.Sprintf("%s: %d changes, mux %s %v", p.Name, len(p.History), p.Mux, p.LastChange))
			}
			return strings.Join(lines, "\n")
		},
	}
	return a, partner
}

// testKeepalive returns what went wrong.
func testKeepalive(t *testing.T, a *host, partner far, sig unix.Signal) (wrong []error) {
	unless := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	nettest.Eventually(t, 2*settle, func() error {
		return errors.Join(a.distributes("re0", "re1"), partner.distributes(), a.covered("re0", "re1"))
	})
	a.Run("ping", "-c", "1", "-W", "2", "192.0.2.2")
	there := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: partner.ns, Addr: netip.MustParseAddr("192.0.2.2")})
	reached := countStream(t, partner.ns, there.Port(), partner.ports...)
	back := nettest.StartStream(t, nettest.StreamConfig{From: partner.ns, To: a.NS, Addr: netip.MustParseAddr("192.0.2.1")})
	waitReceived(t, there, 500)
	before := partner.changes()
	a.signalDaemon(sig)
	waitLong(t, there, stopped)
	diff := cmp.Diff(before, partner.changes())
	unless(diff == "", "the partner has noticed: -before +after\n%s", diff)
	if sig == unix.SIGSTOP {
		a.signalDaemon(unix.SIGCONT)
		waitReceived(t, there, there.Received()+2000)
		diff := cmp.Diff(before, partner.changes())
		unless(diff == "", "the partner has noticed the end: -before +after\n%s", diff)
		err := errors.Join(a.distributes("re0", "re1"), a.answered("re0", "re1"))
		unless(err == nil, "%w", err)
	}
	err := partner.distributes()
	unless(err == nil, "%w", err)
	sent, received := there.Stop(), back.Stop()
	t.Logf("there: %v; back: %v", sent, received)
	n := unseen(sent, reached())
	unless(n == 0, "%d datagrams did not reach the partner", n)
	unless(received.Lost == 0 && sent.Reordered+received.Reordered == 0 && sent.Duplicated+received.Duplicated == 0,
		"lost, reordered or duplicated")
	return wrong
}

// unseen counts the datagrams of a stream that were lost before they came to the
// partner's ports. What an Open vSwitch without a processor drops is not our loss.
func unseen(r nettest.Report, reached map[uint64]bool) (n int) {
	for _, run := range r.Runs {
		for i := run.First; i < run.First+run.Count; i++ {
			if !reached[i] {
				n++
			}
		}
	}
	return n
}

// A link that dies while the daemon is stopped is left out when its partner has
// been silent for too long; what goes through the other one goes on.
func TestLinkDiesUnattended(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	a, partner := besideOurs(t)
	nettest.Eventually(t, 2*settle, func() error {
		return errors.Join(a.distributes("re0", "re1"), partner.distributes(), a.covered("re0", "re1"))
	})
	s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: partner.ns, Addr: netip.MustParseAddr("192.0.2.2")})
	waitReceived(t, s, 1000)
	carrier := busiest(a.mustStatus())
	a.signalDaemon(unix.SIGSTOP)
	waitReceived(t, s, s.Received()+2000)
	partner.ns.Run("ip", "link", "set", carrier, "down")
	received := s.Received()
	waitLong(t, s, received+1000)
	r := s.Stop()
	a.signalDaemon(unix.SIGCONT)
	t.Log(r)
	if r.Lost < 500 || r.Lost > 4500 || r.Duplicated != 0 {
		t.Errorf("%d datagrams were lost, want those of about 3.5 s; %d duplicated", r.Lost, r.Duplicated)
	}
}

// What was heard before the keepalive was switched off says nothing about a partner that
// has spoken all the time: a daemon that switches it on again believes it.
func TestKeepaliveOffAndOn(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	a, partner := besideOurs(t)
	nettest.Eventually(t, 2*settle, func() error { return errors.Join(a.distributes("re0", "re1"), a.covered("re0", "re1")) })
	a.endDaemonBy(unix.SIGTERM)
	a.startDaemon("-keepalive", "0")
	before := a.mustStatus().Ports[0].Counters.LACPRx
	nettest.Eventually(t, 4*settle, func() error { // for longer than a partner is believed
		if n := a.mustStatus().Ports[0].Counters.LACPRx - before; n < 6 {
			return fmt.Errorf("%d LACPDUs", n)
		}
		return nil
	})
	seen := partner.changes()
	a.endDaemonBy(unix.SIGTERM)
	a.startDaemon()
	nettest.Eventually(t, 2*settle, func() error { return errors.Join(a.distributes("re0", "re1"), a.covered("re0", "re1")) })
	for _, p := range a.mustStatus().Ports {
		for _, c := range p.History {
			if c.To == "EXPIRED" && c.From == "CURRENT" {
				t.Errorf("%s has given its partner up: %s", p.Name, c.Reason)
			}
		}
	}
	if diff := cmp.Diff(seen, partner.changes()); diff != "" {
		t.Errorf("the partner has noticed: -before +after\n%s", diff)
	}
}

// Whether a port is covered depends on how often its partner sends, and on what
// the daemon was told.
func TestKeepaliveShown(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testKeepaliveShown)
}

func testKeepaliveShown(t *testing.T, datapath string) {
	a, sw := withSwitch(t, datapath, nettest.OVSConfig{LACP: "active", Time: "fast"})
	a.startDaemon("-keepalive", "0")
	a.agr0("192.0.2.1")
	shown := func(want string) {
		t.Helper()
		nettest.Eventually(t, 2*settle, func() error {
			if got := a.ifconfig("-v", "agr0"); strings.Count(got, "keepalive: "+want+"\n") != 2 {
				return fmt.Errorf("want %q twice:\n%s", want, got)
			}
			return nil
		})
	}
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	if datapath == "user" {
		shown("none, user datapath")
		return
	}
	shown("none, keepalive off")
	a.endDaemonBy(unix.SIGTERM)
	a.startDaemon()
	shown("none, partner sends every 30 s")
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1", "lacptimeout", "fast")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	shown("by the kernel")
	sw.Vsctl("set", "port", "bond0", "lacp=off")
	shown("none, no LACP partner")
}

// signalDaemon sends a signal that may end the daemon.
func (h *host) signalDaemon(sig unix.Signal) {
	h.t.Helper()
	pid, err := h.daemonPid()
	if err == nil && sig == unix.SIGKILL {
		err = killAndWait(pid)
	} else if err == nil {
		err = unix.Kill(pid, sig)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// waitLong is waitReceived for as long as a daemon is stopped.
func waitLong(t *testing.T, s *nettest.Stream, n uint64) {
	t.Helper()
	nettest.Eventually(t, 60*time.Second, func() error {
		if got := s.Received(); got < n {
			return fmt.Errorf("%d datagrams have arrived, want %d", got, n)
		}
		return nil
	})
}

// covered is nil when the kernel would speak for the daemon on these ports.
func (h *host) covered(ports ...string) error {
	return h.eachPort(ports, func(p *ctl.PortStatus) error {
		if !slow.State(p.Partner.State).Has(slow.Timeout) {
			return fmt.Errorf("%s has a patient partner", p.Name)
		}
		if !p.Keepalive {
			return fmt.Errorf("%s is not covered: %s", p.Name, p.KeepaliveWhy)
		}
		return nil
	})
}

// answered is nil when it has.
func (h *host) answered(ports ...string) error {
	return h.eachPort(ports, func(p *ctl.PortStatus) error {
		h.t.Logf("%s: the kernel has answered %d times", p.Name, p.Counters.LACPAnswered)
		if p.Counters.LACPAnswered == 0 {
			return fmt.Errorf("%s: nothing was answered", p.Name)
		}
		return nil
	})
}

// eachPort calls f with the status of ports, which must be there.
func (h *host) eachPort(names []string, f func(p *ctl.PortStatus) error) error {
	st, err := h.status()
	if err != nil {
		return err
	}
	found := 0
	for i := range st.Ports {
		for _, name := range names {
			if st.Ports[i].Name == name {
				found++
				err = errors.Join(err, f(&st.Ports[i]))
			}
		}
	}
	if found != len(names) {
		return fmt.Errorf("%d ports of %v", found, names)
	}
	return err
}
