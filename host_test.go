package ifagr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// settle is how long an aggregate may take from its last agrport to carrying
// frames on every port.
const settle = 5 * time.Second

// binDir is where the programs that the tests run are.
var binDir string

func TestMain(m *testing.M) {
	runSupervised()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if binDir, err = os.MkdirTemp("", "ifagr-test-"); err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(binDir)
	if err := os.Chmod(binDir, 0o777|os.ModeSticky); err != nil { // other users run what is there
		fmt.Println(err)
		return 1
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0 log_path="+filepath.Join(binDir, "race"))
	code := m.Run()
	for _, report := range races(binDir) {
		fmt.Printf("a program that the tests ran has a data race:\n%s\n", report)
		code = 1
	}
	return code
}

// build builds ifconfig and agrd once, side by side as they are installed.
var build = sync.OnceValue(func() error {
	args := []string{"build", "-o", binDir + "/"}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/ifconfig", "./cmd/agrd")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

// programs is the directory of the built programs.
func programs(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return binDir
}

// races is what the race detector has found in the programs that ran.
func races(dir string) []string {
	var reports []string
	files, _ := filepath.Glob(filepath.Join(dir, "race.*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			reports = append(reports, string(b))
		}
	}
	return reports
}

// datapaths are those that every test of the whole is run with.
var datapaths = []string{"kernel", "user"}

// eachDatapath runs a test with each datapath.
func eachDatapath(t *testing.T, f func(t *testing.T, datapath string)) {
	t.Helper()
	for _, datapath := range datapaths {
		t.Run(datapath, func(t *testing.T) { withDatapath(t, datapath, f) })
	}
}

// withDatapath runs a test with a datapath, when this kernel can have it.
func withDatapath(t *testing.T, datapath string, f func(t *testing.T, datapath string)) {
	t.Helper()
	requireDatapath(t, datapath)
	f(t, datapath)
}

// requireDatapath skips a test whose datapath the kernel does not have.
func requireDatapath(t *testing.T, datapath string) {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN)
	if datapath == "kernel" && nettest.Check(nettest.TCX) != nil {
		nettest.Require(t, nettest.Clsact)
	}
}

// datapathEnv is the environment of a daemon that shall use a datapath.
func datapathEnv(datapath string) string { return "AGRD_DATAPATH=" + datapath }

// host is a network namespace in which our programs run.
type host struct {
	*nettest.NS
	t        *testing.T
	bin      string
	datapath string
	socket   string // of a daemon that cannot write to the usual directory, else empty
}

// newHost makes one whose aggregates use a datapath. A daemon that ifconfig
// starts in it ends with the test.
func newHost(t *testing.T, datapath string) *host {
	t.Helper()
	h := &host{NS: nettest.New(t), t: t, bin: programs(t), datapath: datapath}
	t.Cleanup(h.endDaemon)
	return h
}

// result is what a program did.
type result struct {
	stdout, stderr string
	code           int
}

// env is an environment in which our programs are found first, and use the
// host's datapath.
func (h *host) env() []string {
	env := append(os.Environ(), "PATH="+h.bin+":"+os.Getenv("PATH"), "IFCONFIG_HINTS=0", datapathEnv(h.datapath))
	if h.socket != "" {
		env = append(env, ctl.SocketEnv+"="+h.socket)
	}
	return env
}

// startDaemon starts an agrd by hand, with options, and waits until it serves.
func (h *host) startDaemon(args ...string) *nettest.Daemon {
	h.t.Helper()
	cmd := exec.Command(filepath.Join(h.bin, "agrd"), args...)
	cmd.Env = h.env()
	d := h.StartCmd(cmd)
	nettest.Eventually(h.t, settle, func() error { _, err := h.daemonPid(); return err })
	return d
}

// try runs ifconfig.
func (h *host) try(args ...string) result {
	h.t.Helper()
	return h.runs("ifconfig", args...)
}

// runs runs one of our programs to its end.
func (h *host) runs(program string, args ...string) result {
	h.t.Helper()
	cmd := h.Command(filepath.Join(h.bin, program), args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env(), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ifconfig runs ifconfig, which must succeed without a word on stderr, and
// returns what it printed.
func (h *host) ifconfig(args ...string) string {
	h.t.Helper()
	r := h.try(args...)
	if r.code != 0 || r.stderr != "" {
		h.t.Fatalf("ifconfig %s: exit %d, %s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r.stdout
}

// refuses runs ifconfig, which must fail with exactly these lines on stderr and
// nothing on stdout.
func (h *host) refuses(stderr string, args ...string) {
	h.t.Helper()
	want := result{"", stderr + "\n", 1}
	if got := h.try(args...); got != want {
		h.t.Errorf("ifconfig %s:\ngot  %+v\nwant %+v", strings.Join(args, " "), got, want)
	}
}

// port brings an interface up without any address.
func (h *host) port(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.ifconfig(name, "up")
		h.deleteAddrs(name)
	}
}

// deleteAddrs removes the automatic link-local address of an interface.
func (h *host) deleteAddrs(name string) {
	h.t.Helper()
	for _, a := range h.addrs(name) {
		h.ifconfig(name, "inet6", a, "delete")
	}
}

// addrs lists the inet6 addresses of an interface.
func (h *host) addrs(name string) []string {
	h.t.Helper()
	var addrs []string
	for line := range strings.Lines(h.ifconfig(name, "inet6")) {
		if f := strings.Fields(line); f[0] == "inet6" {
			addrs = append(addrs, f[1])
		}
	}
	return addrs
}

// agr0 makes agr0 with ports re0 and re1 and an address.
func (h *host) agr0(addr string) {
	h.t.Helper()
	h.port("re0", "re1")
	h.ifconfig("agr0", "create")
	h.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	h.ifconfig("agr0", "inet", addr, "netmask", "255.255.255.0")
}

// link is an interface as the kernel has it.
func (h *host) link(name string) rtnl.Link {
	h.t.Helper()
	return linkIn(h.t, h.NS, name)
}

// linkIn is an interface of a namespace as the kernel has it.
func linkIn(t *testing.T, ns *nettest.NS, name string) rtnl.Link {
	t.Helper()
	var l rtnl.Link
	var err error
	ns.Do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err == nil {
			l, err = c.LinkByName(name)
			c.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// settings is what a port gets back.
type settings struct {
	MAC     ether.Addr
	MTU     int
	GenMode rtnl.AddrGenMode
	Flags   uint32
}

func (h *host) settings(name string) settings {
	h.t.Helper()
	l := h.link(name)
	return settings{l.Addr, l.MTU, l.AddrGenMode, l.Flags & 0xffff}
}

// client connects to the host's daemon.
func (h *host) client() (c *ctl.Client, err error) {
	h.Do(func() {
		if h.socket != "" {
			c, err = ctl.DialPath(context.Background(), h.socket, 0)
			return
		}
		c, err = ctl.Dial(context.Background())
	})
	return c, err
}

// status asks the daemon about agr0.
func (h *host) status() (*ctl.Status, error) { return h.statusOf("agr0") }

// statusOf asks the daemon about an agr interface.
func (h *host) statusOf(agr string) (*ctl.Status, error) {
	c, err := h.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Status(agr)
}

// mustStatus is status when there must be one.
func (h *host) mustStatus() *ctl.Status {
	h.t.Helper()
	st, err := h.status()
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// distributes is nil when exactly these ports of agr0 collect and distribute.
func (h *host) distributes(ports ...string) error { return h.distributesOn("agr0", ports...) }

// distributesOn is distributes for any agr interface.
func (h *host) distributesOn(agr string, ports ...string) error {
	st, err := h.statusOf(agr)
	if err != nil {
		return err
	}
	for _, p := range st.Ports {
		want := ctl.PortFlags(0)
		if slices.Contains(ports, p.Name) {
			want = ctl.PortCollecting | ctl.PortDistributing
		}
		if p.Flags != want {
			return fmt.Errorf("%s: %s has flags %d, want %d: %s", agr, p.Name, p.Flags, want, p.Reason)
		}
	}
	return nil
}

// daemonPid is the process that answers on the host's socket.
func (h *host) daemonPid() (int, error) {
	if h.socket != "" {
		return socketOwner(h.socket)
	}
	var cookie uint64
	var err error
	h.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		return 0, err
	}
	return socketOwner(ctl.SocketPath(ctl.RunDir, cookie))
}

// endDaemon ends what ifconfig has started, and what it has left.
func (h *host) endDaemon() {
	if pid, err := h.daemonPid(); err == nil {
		if err := killAndWait(pid); err != nil {
			h.t.Errorf("agrd: %v", err)
		}
	}
	var cookie uint64
	h.Do(func() { cookie, _ = ctl.NetnsCookie() })
	left, _ := filepath.Glob(strings.TrimSuffix(ctl.SocketPath(ctl.RunDir, cookie), "sock") + "*")
	for _, path := range left {
		os.Remove(path)
	}
}

// pair is two hosts, joined by re0 and re1 of both.
func pair(t *testing.T, datapath string) (a, b *host) {
	t.Helper()
	a, b = newHost(t, datapath), newHost(t, datapath)
	for _, port := range []string{"re0", "re1"} {
		nettest.Veth(a.NS, port, b.NS, port)
	}
	return a, b
}

// withSwitch is a host, joined by re0 and re1 to the ports q0 and q1 of an Open
// vSwitch that has the address 192.0.2.2.
func withSwitch(t *testing.T, datapath string, cfg nettest.OVSConfig) (*host, openVSwitch) {
	t.Helper()
	nettest.Require(t, nettest.OVS)
	a, far := newHost(t, datapath), nettest.New(t)
	nettest.Veth(a.NS, "re0", far, "q0")
	nettest.Veth(a.NS, "re1", far, "q1")
	a.NoOffload("re0")
	a.NoOffload("re1")
	cfg.Ports = []string{"q0", "q1"}
	cfg.Addr = netip.MustParsePrefix("192.0.2.2/24")
	return a, openVSwitch{nettest.StartOVS(t, far, cfg), far}
}

// openVSwitch is the switch and where it is.
type openVSwitch struct {
	*nettest.OpenVSwitch
	ns *nettest.NS
}
