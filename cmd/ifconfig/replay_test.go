package main

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// The transcripts again, now with the real programs on the real kernel, each in
// a fresh namespace that was made like the recorded machine: lo is called lo0
// and has its MTU, flags and addresses, and a "virtN create" makes a veth pair
// whose near end is virtN with the recorded MAC address. The far end is up.
//
// What is compared is stdout, stderr and exit status, after this and no more:
//
//   - on both sides, normal: counters, and whether an address is tentative;
//   - the recording of a virtN is what onVeth makes of it: a veth has no media;
//     its status line is "no carrier" while it is down, because Linux cannot
//     tell; and its offload capabilities are those of a fresh veth;
//   - a scope id is compared with the index that the interface has here;
//   - a line that only looks may be asked again, for as long as the recording
//     slept before it and five seconds more: Linux tells of carrier and of its
//     automatic addresses late, and LACP's times are not agr's.
func TestReplay(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.Ping)
	programs(t)
	for _, sc := range replayed() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			sc.run(t)
		})
	}
}

// replayScenario is a transcript with what differs on Linux, and why.
type replayScenario struct {
	name   string
	agree  int                  // so many lines agree at least
	differ reasons              // sentence -> lines that have to differ
	skip   reasons              // sentence -> lines that are not run
	needs  map[string][]int     // kind of link -> lines that are skipped where the kernel lacks it
	before map[int]func(*stage) // what is done before a line
}

// Why lines that are not in a scenario's own table are skipped.
const (
	madeByTest   = "the test makes and removes virtN"
	otherProgram = "not ifconfig"
)

// skipReason is why a line is not run, or "".
func (sc *replayScenario) skipReason(s *stage, l line) string {
	for kind, lines := range sc.needs {
		if slices.Contains(lines, l.N) && !s.hasKind(kind) {
			return "SKIP-FEATURE: " + kind
		}
	}
	if l.Argv[0] != "ifconfig" {
		return otherProgram
	}
	return sc.skip.of(l.N)
}

// stage is what a transcript runs on.
type stage struct {
	*machine
	far    *machine
	fresh  []string // the capability lines of a fresh veth
	slept  time.Duration
	number int // of the next far end
}

func newStage(t *testing.T) *stage {
	s := &stage{machine: newMachine(t), far: newMachine(t), number: 1000}
	s.hosts()
	s.must("ip", "link", "set", "lo", "name", "lo0", "mtu", "33624", "multicast", "on")
	s.must("ip", "addr", "add", "fe80::1/64", "dev", "lo0")
	s.cable("probe", "02:00:00:00:00:01")
	s.fresh = capabilities(s.ifconfig("probe").Stdout)
	s.must("ip", "link", "del", "probe")
	return s
}

// cable makes a veth pair whose far end is up and silent. The near end gets the
// next index, as a new interface does, so that listings have the order of
// creation.
func (s *stage) cable(name, mac string) {
	s.number++
	s.must("ip", "link", "add", name, "address", mac, "type", "veth", "peer", "name", name,
		"index", fmt.Sprint(s.number), "address", strings.Replace(mac, ":01:", ":02:", 1), "netns", s.far.Name)
	s.far.must("ip", "link", "set", name, "addrgenmode", "none", "up")
}

// capabilities are the lines about capabilities in a status.
func capabilities(status string) []string {
	var lines []string
	for l := range strings.Lines(status) {
		if capabilityLine.MatchString(l) {
			lines = append(lines, l)
		}
	}
	return lines
}

var capabilityLine = regexp.MustCompile(`^\t(ec_)?(capabilities|enabled)=`)

func (sc *replayScenario) run(t *testing.T) {
	s := newStage(t)
	sum := score{expected: sc.differ, why: map[string]int{}}
	for _, l := range recorded(t, sc.name) {
		if len(l.Argv) == 0 {
			s.act(t, l.Note)
			continue
		}
		if f := sc.before[l.N]; f != nil {
			f(s)
		}
		if why := sc.skipReason(s, l); why != "" {
			sum.why[why]++
			continue
		}
		words := s.prepare(l)
		if words == nil {
			sum.why[madeByTest]++
			continue
		}
		sum.judge(t, l, s.compare(l, words, sum.expected.of(l.N) == ""))
	}
	sum.report(t, sc.agree)
}

// act does what the scenario did between two lines.
func (s *stage) act(t *testing.T, note string) {
	var link int
	var state string
	var secs int
	if n, _ := fmt.Sscanf(note, "!sleep %d", &secs); n == 1 {
		s.slept = time.Duration(secs) * time.Second
		nettest.Eventually(t, s.slept, s.settled)
	} else if n, _ := fmt.Sscanf(note, "!link %d %s", &link, &state); n == 2 {
		s.far.must("ip", "link", "set", fmt.Sprintf("virt%d", link), state)
	} else {
		t.Fatalf("the recording did %q", note)
	}
}

// prepare makes what NetBSD's cloner of virtN would, and gives the words that
// are left for ifconfig, nil when there are none.
func (s *stage) prepare(l line) []string {
	a := l.Argv
	if len(a) < 3 || !strings.HasPrefix(a[1], "virt") || l.Status != 0 {
		return a[1:]
	}
	switch a[2] {
	case "create":
		s.cable(a[1], "b2:0a:01:0b:0e:0"+strings.TrimPrefix(a[1], "virt"))
		if len(a) > 3 {
			return append([]string{a[1]}, a[3:]...)
		}
		return nil
	case "destroy":
		s.must("ip", "link", "del", a[1])
		return nil
	}
	return a[1:]
}

// patience is how long an answer may take to become the recorded one.
const patience = 5 * time.Second

// compare runs a line and gives how it differs.
func (s *stage) compare(l line, words []string, patient bool) string {
	want := result{normal(s.onVeth(l.Stdout)), normal(l.Stderr), l.Status}
	end := time.Now().Add(patience + s.slept)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.ifconfig(words...)
		got.Stdout, got.Stderr = normal(s.scopes(got.Stdout)), normal(got.Stderr)
		diff := cmp.Diff(want, got)
		if diff == "" || !patient || !looks(words) || time.Now().After(end) {
			if patient {
				s.slept = 0
			}
			return diff
		}
		<-tick.C
	}
}

// looks reports whether a line changes nothing.
func looks(words []string) bool {
	o, operands, err := parseOptions(words, func(string) {})
	if err != nil || o.show.Zero {
		return false
	}
	cmd, err := ifcfg.Parse(o.form, operands, nil)
	return err == nil && len(cmd.Ops) == 0
}

var (
	blockHead = regexp.MustCompile(`(?m)^([a-z]+[0-9]*): flags=.*\n`)
	mediaLine = regexp.MustCompile(`(?m)^\t(media: |supported |\tmedia ).*\n`)
	scopeID   = regexp.MustCompile(`scopeid 0x[0-9a-f]+`)
)

// blocks calls f for each interface of a status and joins what it makes of it.
func blocks(status string, f func(name, block string) string) string {
	starts := blockHead.FindAllStringSubmatchIndex(status, -1)
	if len(starts) == 0 {
		return status
	}
	out := status[:starts[0][0]]
	for i, m := range starts {
		end := len(status)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		out += f(status[m[2]:m[3]], status[m[0]:end])
	}
	return out
}

// onVeth is what NetBSD would have printed had virtN been a veth of Linux.
func (s *stage) onVeth(status string) string {
	return blocks(status, func(name, block string) string {
		block = scopeID.ReplaceAllString(block, "scopeid of "+name)
		if !strings.HasPrefix(name, "virt") {
			return block
		}
		block = mediaLine.ReplaceAllString(block, "")
		head, rest, _ := strings.Cut(block, "\n")
		for capabilityLine.MatchString(rest) {
			_, rest, _ = strings.Cut(rest, "\n")
		}
		if !strings.Contains(head, "<UP") {
			rest = strings.Replace(rest, "\tstatus: active\n", "\tstatus: no carrier\n", 1)
		}
		return head + "\n" + strings.Join(s.fresh, "") + rest
	})
}

// scopes replaces each scope id that is the index of its interface.
func (s *stage) scopes(status string) string {
	if !strings.Contains(status, "scopeid") {
		return status
	}
	index := map[string]int{}
	s.Do(func() {
		all, err := net.Interfaces()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, i := range all {
			index[i.Name] = i.Index
		}
	})
	return blocks(status, func(name, block string) string {
		return strings.ReplaceAll(block, fmt.Sprintf("scopeid 0x%x", index[name]), "scopeid of "+name)
	})
}

// settled is nil when every interface that is up and has a carrier has the
// link-local address that the kernel gives it.
func (s *stage) settled() (err error) {
	s.Do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err == nil {
			defer c.Close()
			err = hasLocals(c)
		}
	})
	return err
}

func hasLocals(c *rtnl.Conn) error {
	links, err := c.Links()
	if err != nil {
		return err
	}
	addrs, err := c.Addrs(0, unix.AF_INET6)
	if err != nil {
		return err
	}
	for _, l := range links {
		if !l.Up() || !l.Carrier || l.AddrGenMode == rtnl.AddrGenNone {
			continue
		}
		if !slices.ContainsFunc(addrs, func(a rtnl.Addr) bool { return a.Index == l.Index && a.IP.IsLinkLocalUnicast() }) {
			return fmt.Errorf("%s has no link-local address", l.Name)
		}
	}
	return nil
}

// ifconfig runs the program with the machine's own hosts file, and without a
// name server: the recorded machine had none.
func (s *stage) ifconfig(words ...string) result {
	s.t.Helper()
	start := time.Now()
	r := finish(s.t, s.inside(append([]string{filepath.Join(s.bin, "ifconfig")}, words...)...))
	nettest.Eventually(s.t, time.Second, func() error { return nextStamp(start) })
	return r
}

// ping asks the far end's agr0 to answer.
func ping(s *stage) {
	s.t.Helper()
	nettest.Eventually(s.t, patience, func() error {
		if r := s.run("ping", "-6", "-c", "2", "-i", "0.2", "-W", "1", "fe80::b00a:2ff:fe0b:e00%agr0"); r.Status != 0 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
}

// farAgr is another machine with an agr0 of both ports at the far end.
func farAgr(s *stage) {
	s.t.Helper()
	for _, words := range []string{"agr0 create", "agr0 agrport virt0 agrport virt1", "agr0 up"} {
		if r := s.far.ifconfig(strings.Fields(words)...); r != (result{}) {
			s.t.Fatalf("far end: %s: %+v", words, r)
		}
	}
}
