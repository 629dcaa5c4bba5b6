package ifagr_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// bigFaults makes the floods and storms as large as docs/faults.md says, instead of
// large enough to see what breaks.
var bigFaults = flag.Bool("faults", false, "the faults in full size")

// faultsAtOnce is how many faults are tested at a time: they wait for most of it.
const faultsAtOnce = 10

// faultTest is the test of one fault.
type faultTest struct {
	run   func(t *testing.T, datapath string)
	only  string // datapath; empty: both
	alone bool   // it takes the processor from others
}

// faultTests are those of TestFaults, by the names that docs/faults.md has.
func faultTests() map[string]faultTest {
	return map[string]faultTest{
		"PortDeleted":       {run: faultPortDeleted},
		"PortRenamed":       {run: faultPortRenamed},
		"PortMoved":         {run: faultPortMoved},
		"PortBridged":       {run: faultPortBridged},
		"PortSettings":      {run: faultPortSettings},
		"PortFlags":         {run: faultPortFlags},
		"PortAddress":       {run: faultPortAddress},
		"AgrRenamed":        {run: faultAgrRenamed},
		"AgrDown":           {run: faultAgrDown},
		"AgrMoved":          {run: faultAgrMoved},
		"AgrMovedUnwatched": {run: faultAgrMovedUnwatched, only: "kernel"},
		"InnerChanged":      {run: faultInnerChanged, only: "kernel"},
		"InnerMoved":        {run: faultInnerMoved, only: "kernel"},
		"InnerDeleted":      {run: faultInnerDeleted, only: "kernel"},
		"RenamedUnwatched":  {run: faultRenamedUnwatched, only: "kernel"},
		"LinkFlaps":         {run: faultLinkFlaps},
		"OneWay":            {run: faultOneWay},
		"Crossed":           {run: faultCrossed},
		"Loop":              {run: faultLoop},
		"QueueFull":         {run: faultQueueFull},
		"Forged":            {run: faultForged},
		"NoDescriptors":     {run: faultNoDescriptors},
		"DiskFull":          {run: faultDiskFull},
		"TimeNamespace":     {run: faultTimeNamespace},
		"NetlinkOverrun":    {run: faultNetlinkOverrun, alone: true},
		"Flood":             {run: faultFlood, alone: true},
		"Connections":       {run: faultConnections, only: "kernel", alone: true},
		"Starved":           {run: faultStarved, alone: true},
	}
}

// What other tools, neighbours, full queues and empty processors do to an aggregate:
// what could be kept is kept, and nothing stays wrong after the cause has gone.
func TestFaults(t *testing.T) {
	shared, alone := map[string]func(*testing.T){}, map[string]func(*testing.T){}
	room := make(chan struct{}, faultsAtOnce)
	for name, f := range faultTests() {
		for _, datapath := range datapaths {
			if f.only != "" && f.only != datapath {
				continue
			}
			run := func(t *testing.T) { withDatapath(t, datapath, f.run) }
			if f.alone {
				alone[name+"/"+datapath] = run
				continue
			}
			shared[name+"/"+datapath] = func(t *testing.T) {
				room <- struct{}{}
				defer func() { <-room }()
				run(t)
			}
		}
	}
	together(t, shared)
	for name, f := range alone {
		t.Run(name, f)
	}
}

// inFull is how often something is done: less in a test of every change.
func inFull(full, short int) int {
	if *bigFaults {
		return full
	}
	return short
}

// ports waits until agr0 has exactly so many ports.
func (h *host) hasPorts(n int) {
	h.t.Helper()
	nettest.Eventually(h.t, patience, func() error {
		st, err := h.status()
		if err == nil && len(st.Ports) != n {
			err = fmt.Errorf("%d ports, want %d", len(st.Ports), n)
		}
		return err
	})
}

// rejoins makes an interface a port of agr0 again. It may get an automatic address
// in between.
func (h *host) rejoins(name string) {
	h.t.Helper()
	nettest.Eventually(h.t, patience, func() error {
		h.port(name)
		if r := h.try("agr0", "agrport", name); r.code != 0 {
			return fmt.Errorf("agrport %s: %s", name, r.stderr)
		}
		return nil
	})
}

// works waits until these ports of all hosts distribute and frames pass.
func works(t *testing.T, ports []string, hosts ...*host) {
	t.Helper()
	for _, h := range hosts {
		nettest.Eventually(t, patience, func() error { return h.distributes(ports...) })
	}
	hosts[0].Run("ping", "-c", "2", "-i", "0.05", "-W", "5", "192.0.2.2")
}

// both are the ports of a host in a pair.
var both = []string{"re0", "re1"}

// everySecond makes partners speak every second, and waits until both rely on it: what was
// heard before is valid for longer.
func everySecond(t *testing.T, a, b *host) {
	t.Helper()
	a.ifconfig("agr0", "lacptimeout", "fast")
	b.ifconfig("agr0", "lacptimeout", "fast")
	for _, h := range []*host{a, b} {
		before := h.mustStatus().Ports
		until(t, h, func(st *ctl.Status) bool {
			for i, p := range st.Ports {
				if p.Counters.LACPRx < before[i].Counters.LACPRx+2 {
					return false
				}
			}
			return true
		})
	}
	works(t, both, a, b)
}

// changes are the transitions of the ports' muxes since their agrport.
func (h *host) changes() map[string]uint64 {
	h.t.Helper()
	n := map[string]uint64{}
	for _, p := range h.mustStatus().Ports {
		n[p.Name] = p.Counters.StateChanges
	}
	return n
}

// rss is the resident memory of the host's daemon in octets.
func (h *host) rss() int {
	h.t.Helper()
	pid, err := h.daemonPid()
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		h.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s*(\d+) kB`).FindSubmatch(b)
	if m == nil {
		h.t.Fatal("no VmRSS")
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb << 10
}

// mayGrow is how much more memory a daemon may have after a flood: what the garbage
// collector has not looked at yet, and with the race detector its shadow.
func mayGrow() int {
	if raceDetector {
		return 128 << 20
	}
	return 32 << 20
}

// grown checks that a daemon has not kept what a flood brought.
func (h *host) grown(before int) {
	h.t.Helper()
	after := h.rss()
	h.t.Logf("memory: %d MiB before, %d MiB after", before>>20, after>>20)
	if after > before+mayGrow() {
		h.t.Errorf("memory grew from %d to %d octets", before, after)
	}
}

// descriptors are those that a process has, in ascending order.
func descriptors(t *testing.T, pid int) (all []int) {
	t.Helper()
	dir, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dir {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, fd)
		}
	}
	slices.Sort(all)
	return all
}

// tightLimit is a limit of descriptors that leaves a process a few, and how many. A
// descriptor that is far above the others does not count.
func tightLimit(fds []int) (limit, free int) {
	for i, fd := range fds {
		if fd > 2*i+10 {
			break
		}
		limit, free = fd+1, fd-i
	}
	return limit, free
}

// limitDescriptors is how many descriptors a process may have.
func limitDescriptors(t *testing.T, pid int, n uint64) (old uint64) {
	t.Helper()
	var have unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &have); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: have.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return have.Cur
}

// every calls f n times, with a pause after each.
func every(pause time.Duration, n int, f func(i int)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := range n {
		f(i)
		<-tick.C
	}
}

// spin starts processes that do nothing but use processors, until the function that it
// returns is called.
func spin(t *testing.T, h *host, n int) (stop func()) {
	t.Helper()
	var all []*nettest.Daemon
	for range n {
		all = append(all, h.Start("sh", "-c", "while :; do :; done"))
	}
	return sync.OnceFunc(func() {
		for _, d := range all {
			d.Kill()
		}
	})
}

// conflict is what a status has of it, of agr0 or of a port.
func conflict(st *ctl.Status, port string) string {
	for _, p := range st.Ports {
		if p.Name == port {
			return p.Conflict
		}
	}
	return st.Conflict
}
