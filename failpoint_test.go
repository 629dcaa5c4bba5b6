package ifagr_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// failpoints says that the daemon is killed at every change, and not only at some.
var failpoints = flag.Bool("failpoints", false, "kill the daemon before every change that it makes")

// operation is something that a daemon does, during which it is killed.
type operation struct {
	name string
	// ports are attached before, and wait says that they must distribute.
	ports []string
	wait  bool
	bare  bool // there is no agr0 before
	// begin starts it; nil: it is the daemon's start, after another one was killed.
	begin func(h *host, s *supervisor)
	// lives is how often the daemon begins to serve meanwhile, 0 for an end.
	lives  int
	sample int // the change before which it is killed when it is not killed before each
}

func operations() []operation {
	ifconfig := func(args ...string) func(*host, *supervisor) {
		return func(h *host, _ *supervisor) { h.try(args...) }
	}
	// Not by ifconfig, which starts another daemon when this one is killed.
	create := func(h *host, _ *supervisor) {
		c, err := h.client()
		if err != nil {
			h.t.Fatal(err)
		}
		defer c.Close()
		_ = c.Create("agr1")
	}
	signal := func(sig unix.Signal) func(*host, *supervisor) {
		return func(_ *host, s *supervisor) { _ = unix.PidfdSendSignal(s.pidfd, sig, nil, 0) }
	}
	return []operation{
		{name: "start", lives: 1, ports: []string{"re0", "re1"}, sample: 3},
		{name: "start of a daemon that forwards", lives: 1, ports: []string{"re0", "re1"}, wait: true, sample: 9},
		{name: "first create", bare: true, lives: 1, begin: create, sample: 2},
		{name: "create", lives: 1, begin: create, sample: 2},
		{name: "first agrport", lives: 1, begin: ifconfig("agr0", "agrport", "re0"), sample: 6},
		{name: "second agrport", lives: 1, ports: []string{"re0"}, begin: ifconfig("agr0", "agrport", "re1"), sample: 4},
		{name: "-agrport", lives: 1, ports: []string{"re0", "re1"}, begin: ifconfig("agr0", "-agrport", "re0"), sample: 5},
		{name: "-agrport of a port that forwards", lives: 1, ports: []string{"re0", "re1"}, wait: true, begin: ifconfig("agr0", "-agrport", "re0"), sample: 7},
		{name: "last -agrport", lives: 1, ports: []string{"re1"}, begin: ifconfig("agr0", "-agrport", "re1"), sample: 1},
		{name: "groups", lives: 1, ports: []string{"re0", "re1"}, begin: joinGroups, sample: 2},
		{name: "destroy", lives: 1, begin: ifconfig("agr0", "destroy"), sample: 1},
		{name: "upgrade", ports: []string{"re0", "re1"}, begin: signal(unix.SIGUSR2), lives: 2, sample: 8},
		{name: "SIGTERM", ports: []string{"re0", "re1"}, begin: signal(unix.SIGTERM), sample: 2},
	}
}

// joinGroups makes agr0 join a group, and waits until its ports let that in or the daemon
// is no more.
func joinGroups(h *host, _ *supervisor) {
	const group = "01:00:5e:7f:01:02"
	h.Run("ip", "maddr", "add", group, "dev", "agr0")
	h.Run("ip", "link", "set", "agr0", "up") // of which the daemon hears
	nettest.Eventually(h.t, settle, func() error {
		if _, err := h.daemonPid(); err != nil {
			return nil
		}
		if maddr := h.Run("ip", "maddr", "show", "dev", "re1"); !strings.Contains(maddr, group) {
			return fmt.Errorf("re1 does not let the group in:\n%s", maddr)
		}
		return nil
	})
}

// A daemon is killed before each change that it makes, in every operation. Its
// successor comes up, says what there is, and gives everything back.
func TestFailpoints(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		for _, op := range operations() {
			t.Run(op.name, func(t *testing.T) { testFailpoints(t, datapath, op) })
		}
	})
}

func testFailpoints(t *testing.T, datapath string, op operation) {
	t.Parallel()
	a, _ := pair(t, datapath)
	a.port("re0", "re1")
	a.ifconfig("re1", "mtu", "1400")
	before := a.pristine()
	if !*failpoints {
		if !a.survives(op, op.sample, before) {
			t.Errorf("there is no change %d", op.sample)
		}
		return
	}
	n := 1
	for a.survives(op, n, before) {
		n++
	}
	t.Logf("killed %d times", n-1)
	if n == 1 {
		t.Error("there is no change")
	}
}

// survives kills a daemon before the n-th change of an operation, and checks that
// everything can be put back. It reports whether there are so many.
func (h *host) survives(op operation, n int, before pristine) bool {
	h.t.Helper()
	where := h.killedDuring(op, n)
	h.recovers(n)
	if d := cmp.Diff(before, h.pristine()); d != "" {
		h.t.Fatalf("killed before change %d, %q: not everything was put back (-want +got):\n%s", n, where, d)
	}
	if where != "" {
		h.t.Logf("killed before change %d: %s", n, where)
	}
	return where != ""
}

// killedDuring kills a daemon before the n-th change of an operation, and says which
// one that was; it is empty when there are not so many, and the daemon is killed then
// when all is done.
func (h *host) killedDuring(op operation, n int) string {
	h.t.Helper()
	var args []string
	if op.name == "upgrade" {
		args = []string{"-confine", "no"} // else it is refused
	}
	d, s := h.startSupervised(0, args...)
	nettest.Eventually(h.t, settle, func() error { _, err := h.daemonPid(); return err })
	if !op.bare {
		h.ifconfig("agr0", "create")
	}
	for _, p := range op.ports {
		h.ifconfig("agr0", "agrport", p)
	}
	if op.wait {
		nettest.Eventually(h.t, 2*settle, func() error { return h.distributes(op.ports...) })
	}
	if op.begin == nil {
		d.Kill()
		d, s = h.startSupervised(n)
	} else {
		s.arm(n)
		op.begin(h, s)
	}
	nettest.Eventually(h.t, settle, func() error { return h.isDone(op, d) })
	s.quiet(h.t)
	calls := s.disarm()
	if s.was() == "" {
		if len(calls) >= n {
			h.t.Errorf("%d changes, and not killed: %q", len(calls), calls)
		}
	}
	d.Kill()
	return s.was()
}

// isDone is nil when the daemon has done what it was told to, or has ended.
func (h *host) isDone(op operation, d *nettest.Daemon) error {
	switch lives := strings.Count(d.Output(), "msg=serving"); {
	case d.Ended():
		return nil
	case op.lives == 0 || lives < op.lives:
		return fmt.Errorf("it serves for the %d. time: %s", lives, d.Output())
	}
	_, err := h.daemonPid()
	return err
}

// recovers starts a daemon where another one was killed: it must come up, say what
// there is, and give everything back, in one of two ways.
func (h *host) recovers(n int) {
	h.t.Helper()
	d := h.startDaemon()
	nettest.Eventually(h.t, settle, h.consistent)
	if n%2 == 0 {
		h.teardown()
	} else {
		h.dismantle()
	}
	if !d.Stop() {
		h.t.Errorf("the daemon does not end")
	}
}

// dismantle takes everything back by ifconfig.
func (h *host) dismantle() {
	h.t.Helper()
	for _, name := range h.aggregates() {
		for line := range strings.Lines(h.ifconfig(name)) {
			if port, ok := strings.CutPrefix(strings.TrimSpace(line), "agrport: "); ok {
				port, _, _ = strings.Cut(port, ",")
				h.ifconfig(name, "-agrport", port)
			}
		}
		h.ifconfig(name, "destroy")
	}
}

// teardown runs agrd teardown, which must succeed without a word.
func (h *host) teardown(args ...string) {
	h.t.Helper()
	if r := h.runs("agrd", append([]string{"teardown"}, args...)...); r != (result{}) {
		h.t.Fatalf("agrd teardown: %+v", r)
	}
}

// aggregates lists what the daemon controls.
func (h *host) aggregates() []string {
	h.t.Helper()
	c, err := h.client()
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	names, err := c.List()
	if err != nil {
		h.t.Fatal(err)
	}
	return names
}

// consistent is nil when the daemon controls the agr interfaces that there are, and
// their ports have what ports have.
func (h *host) consistent() error {
	c, err := h.client()
	if err != nil {
		return err
	}
	defer c.Close()
	names, err := c.List()
	if err != nil {
		return err
	}
	there := 0
	for _, l := range h.links() {
		if strings.HasPrefix(l.Name, "agr") && strings.Trim(l.Name[3:], "0123456789") == "" {
			there++
		}
	}
	if there != len(names) {
		return fmt.Errorf("there are %d agr interfaces, the daemon controls %q", there, names)
	}
	for _, name := range names {
		st, err := c.Status(name)
		if err != nil {
			return err
		}
		if err := h.portsFollow(st); err != nil {
			return err
		}
	}
	return nil
}

// portsFollow is nil when every port has its aggregate's address and MTU.
func (h *host) portsFollow(st *ctl.Status) error {
	agr := h.link(st.Name)
	for _, p := range st.Ports {
		l := h.link(p.Name)
		if l.Addr != st.MAC || l.MTU != agr.MTU || l.AddrGenMode != rtnl.AddrGenNone {
			return fmt.Errorf("%s: %v, mtu %d, mode %v, is not as a port of %s: %v, %d", p.Name, l.Addr, l.MTU, l.AddrGenMode, st.Name, st.MAC, agr.MTU)
		}
	}
	return nil
}

// pristine is everything in a namespace that a daemon may change.
type pristine struct {
	Links    map[string]settings
	Promisc  map[string]int
	Addrs    map[string]string
	Groups   map[string]string
	Programs map[string]string
	Qdiscs   string
	Sysctls  map[string]string
	Files    []string
}

// pristine looks at all of it.
func (h *host) pristine() pristine {
	h.t.Helper()
	p := pristine{
		Links: map[string]settings{}, Promisc: map[string]int{}, Addrs: map[string]string{},
		Groups: map[string]string{}, Programs: map[string]string{}, Sysctls: map[string]string{},
	}
	var cookie uint64
	var err error
	groups := map[int]string{}
	h.Do(func() {
		if cookie, err = ctl.NetnsCookie(); err != nil {
			return
		}
		all, groupsErr := rtnl.Multicast()
		for index, list := range all {
			groups[index] = fmt.Sprint(list)
		}
		err = groupsErr
	})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, l := range h.links() {
		p.Links[l.Name] = settings{l.Addr, l.MTU, l.AddrGenMode, l.Flags & 0xffff}
		p.Promisc[l.Name] = l.Promiscuity
		p.Addrs[l.Name] = fmt.Sprint(h.addrsOf(l))
		p.Groups[l.Name] = groups[l.Index]
		h.Do(func() {
			list, err := hook.List(l.Index)
			p.Programs[l.Name] = fmt.Sprint(list, err)
		})
		for _, s := range []string{"ipv4/conf/%s/rp_filter", "ipv6/conf/%s/disable_ipv6"} {
			path := fmt.Sprintf("/proc/sys/net/"+s, l.Name)
			p.Sysctls[path] = h.Run("cat", path)
		}
	}
	p.Qdiscs = h.Run("tc", "qdisc", "show")
	p.Files, _ = filepath.Glob(filepath.Join(ctl.RunDir, fmt.Sprint(cookie)+".*"))
	return p
}
