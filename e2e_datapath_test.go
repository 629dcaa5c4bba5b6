package ifagr_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// What was asked for is what agr0 is, and ifconfig says so.
func TestDatapathAskedFor(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testDatapathAskedFor)
}

func testDatapathAskedFor(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.aggregated()
	a.isA(datapath, "asked for")
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	if err := killAndWait(pid); err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"kernel": "user", "user": "kernel"}[datapath]
	a.startDaemon("-datapath", other)
	a.isA(datapath, "asked for")
	a.ifconfig("agr1", "create")
	if got := kindOf(a.link("agr1").Kind); got != other {
		t.Errorf("agr1 is made for datapath %s, want %s", got, other)
	}
}

// isA checks that agr0 uses a datapath, for a reason.
func (h *host) isA(datapath, why string) {
	h.t.Helper()
	if got := kindOf(h.link("agr0").Kind); got != datapath {
		h.t.Errorf("agr0 is made for datapath %s, want %s", got, datapath)
	}
	want := fmt.Sprintf("\tdatapath: %s (%s), ports shielded by ", datapath, why)
	if got := h.ifconfig("-v", "agr0"); !strings.Contains(got, want) {
		h.t.Errorf("ifconfig -v does not say %q:\n%s", want, got)
	}
}

// kindOf is the datapath that has interfaces of a kind.
func kindOf(kind string) string { return map[string]string{"veth": "kernel", "tun": "user"}[kind] }

// Without a wish the best is taken that can be had, and without the right to load
// programs that is the user datapath. Who insists on the kernel datapath is told.
func TestDatapathChosen(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testDatapathChosen)
}

func testDatapathChosen(t *testing.T, datapath string) {
	a, _ := pair(t, "auto")
	if datapath == "kernel" {
		a.aggregated()
		a.isA("kernel", "the best that this machine has")
		return
	}
	a.startWithoutBPF("auto")
	a.aggregated()
	a.isA("user", "not permitted to load programs (CAP_BPF)")
}

// startWithoutBPF starts a daemon that may not load eBPF programs.
func (h *host) startWithoutBPF(datapath string) *nettest.Daemon {
	h.t.Helper()
	cmd := exec.Command("setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", filepath.Join(h.bin, "agrd"), "-datapath", datapath)
	d := h.StartCmd(cmd)
	nettest.Eventually(h.t, settle, func() error { _, err := h.daemonPid(); return err })
	return d
}

// A datapath that cannot be had is refused, and nothing is left of the attempt.
func TestDatapathRefused(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	d := a.startWithoutBPF("kernel")
	a.refuses("ifconfig: clone_command: Operation not supported\nifconfig: exec_matches: Operation not supported", "agr0", "create")
	c, err := a.client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Create("agr0"); err == nil || !strings.Contains(err.Error(), "not permitted to load programs (CAP_BPF)") {
		t.Errorf("the daemon says %v: %s", err, d.Output())
	}
	for _, l := range a.links() {
		if strings.HasPrefix(l.Name, "agr") {
			t.Errorf("left: %s", l.Name)
		}
	}
	r := newHost(t, "fast").try("agr0", "create")
	if r.code != 1 || !strings.HasPrefix(r.stderr, "ifconfig: clone_command: ") {
		t.Errorf("with a datapath that is none: %+v", r)
	}
}

// What happens to traffic when the daemon ends is what the datapaths differ in
// (design D11): in the kernel it goes on without a loss, through the end of one
// daemon and the start of the next, and the partner sees no change of state. Without,
// agr0 loses its carrier, and works again when a successor has taken it over.
func TestForwardingOutlives(t *testing.T) { eachDatapath(t, testForwardingOutlives) }

func testForwardingOutlives(t *testing.T, datapath string) {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			a, b := joined(t, datapath)
			s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: netip.MustParseAddr("192.0.2.2")})
			back := nettest.StartStream(t, nettest.StreamConfig{From: b.NS, To: a.NS, Addr: netip.MustParseAddr("192.0.2.1")})
			streams := []*nettest.Stream{s, back}
			passes := func(n uint64) {
				for _, s := range streams {
					waitReceived(t, s, s.Received()+n)
				}
			}
			passes(500)
			changes := b.muxChanges()
			a.endDaemonBy(sig)
			outlives := datapath == "kernel"
			if got := a.link("agr0").Carrier; got != outlives {
				t.Errorf("without a daemon agr0's carrier is %v, want %v", got, outlives)
			}
			if outlives {
				passes(1000)
			}
			a.startDaemon()
			nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
			passes(1000)
			for _, s := range streams {
				r := s.Stop()
				t.Log(r)
				if r.Duplicated != 0 || outlives && (r.Lost != 0 || r.Reordered != 0) {
					t.Errorf("%v", r)
				}
			}
			if after := b.muxChanges(); outlives && after != changes {
				t.Errorf("the far end has seen %d changes of state", after-changes)
			}
		})
	}
}

// muxChanges counts the changes of the mux machines of agr0's ports.
func (h *host) muxChanges() (n uint64) {
	h.t.Helper()
	st, err := h.status()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range st.Ports {
		n += p.Counters.StateChanges
	}
	return n
}

// endDaemonBy ends the host's daemon by a signal and waits until it has ended.
func (h *host) endDaemonBy(sig unix.Signal) {
	h.t.Helper()
	pid, err := h.daemonPid()
	if err == nil {
		err = signalAndWait(pid, sig)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
