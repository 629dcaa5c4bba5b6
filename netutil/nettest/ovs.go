package nettest

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

const (
	ovsBond    = "bond0"
	ovsTable   = "ifagr_" // of nftables, before the bond's name
	ovsSchema  = "/usr/share/openvswitch/vswitch.ovsschema"
	ovsTimeout = 20 * time.Second // for one step of starting it
	// ovsctlTimeout bounds one call of a control program, in its own words.
	ovsctlTimeout = "--timeout=10"
)

// OVSConfig says how an Open vSwitch shall aggregate. The zero value of a field
// is its default.
//
// Without LACP the switch takes broadcasts only on the port that it calls active
// (measured with version 3.1), and in mode active-backup unicasts too. Which one
// that is, is chance, and so is whether the other end's ARP request arrives:
// choose with SetActive, or give both ends permanent neighbour entries.
type OVSConfig struct {
	Ports      []string     // at least two interfaces, up
	LACP       string       // active (default), passive, off
	Time       string       // fast (default), slow
	Mode       string       // balance-tcp, balance-slb, active-backup; default balance-tcp, or balance-slb without LACP
	Key        uint16       // 0: its own choice
	System     ether.Addr   // zero: the bridge's MAC address
	Priority   uint16       // of the system, 0: its own choice, 65534
	BridgeName string       // of the bridge and its internal interface, default br0
	Addr       netip.Prefix // of the internal interface; invalid: none
	Bond       string       // its name, default bond0
}

// withDefaults fills in what was left out.
func (cfg OVSConfig) withDefaults() OVSConfig {
	cfg.LACP = cmp.Or(cfg.LACP, "active")
	cfg.Time = cmp.Or(cfg.Time, "fast")
	cfg.BridgeName = cmp.Or(cfg.BridgeName, "br0")
	cfg.Bond = cmp.Or(cfg.Bond, ovsBond)
	if cfg.LACP == "off" {
		cfg.Mode = cmp.Or(cfg.Mode, "balance-slb")
	}
	cfg.Mode = cmp.Or(cfg.Mode, "balance-tcp")
	return cfg
}

// OpenVSwitch is a private Open vSwitch with a bond over interfaces of a namespace: an
// LACP implementation that is not ours. It uses the userspace datapath, which
// needs no kernel module.
type OpenVSwitch struct {
	cfg  OVSConfig   // of the first bond
	more []OVSConfig // of the others
	t    testing.TB
	ns   *NS
	dir  string // its database, sockets and logs
	db   *Daemon
	sw   *Daemon
}

// StartOVS starts an Open vSwitch, which ends with the test at the latest. On
// return its bond exists and nothing is negotiated yet.
func StartOVS(t testing.TB, ns *NS, cfg OVSConfig) *OpenVSwitch {
	t.Helper()
	Require(t, Root, OVS)
	// Not t.TempDir: its paths are too long for a socket's name.
	dir, err := os.MkdirTemp("", ns.Name+"-ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o := &OpenVSwitch{cfg: cfg.withDefaults(), t: t, ns: ns, dir: dir}
	o.start()
	t.Cleanup(o.Stop)
	o.configure(o.cfg)
	return o
}

// AddBond makes another bond, on a bridge that is there or is made. Its name must be
// new, and its ports not be those of another.
func (o *OpenVSwitch) AddBond(cfg OVSConfig) {
	o.t.Helper()
	cfg = cfg.withDefaults()
	o.configure(cfg)
	o.more = append(o.more, cfg)
}

// start starts the two daemons, in the foreground, with everything below dir.
func (o *OpenVSwitch) start() {
	o.t.Helper()
	conf := filepath.Join(o.dir, "conf.db")
	o.tool("ovsdb-tool", "create", conf, ovsSchema)
	o.db = o.ns.StartCmd(o.command("ovsdb-server", conf, "--remote=p"+o.remote(),
		"--unixctl="+filepath.Join(o.dir, "db.ctl"), "-vconsole:off", "--log-file="+filepath.Join(o.dir, "db.log")))
	Eventually(o.t, ovsTimeout, func() error {
		_, err := o.run("ovs-vsctl", "--db="+o.remote(), ovsctlTimeout, "--no-wait", "init",
			"--", "set", "Open_vSwitch", ".", "other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1")
		return err
	})
	o.startSwitch()
}

// startSwitch starts the daemon that moves the frames.
func (o *OpenVSwitch) startSwitch() {
	o.t.Helper()
	o.sw = o.ns.StartCmd(o.command("ovs-vswitchd", o.remote(),
		"--unixctl="+o.control(), "-vconsole:off", "--log-file="+o.log()))
	Eventually(o.t, ovsTimeout, func() error {
		_, err := o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "version")
		return err
	})
}

// Restart starts a switch again that was killed. Its database still says what it has
// to do, and its bonds begin anew.
func (o *OpenVSwitch) Restart() {
	o.t.Helper()
	o.startSwitch()
	o.Vsctl("set", "Open_vSwitch", ".", "external_ids:restarted=yes") // returns when the bonds are there
	for _, cfg := range append([]OVSConfig{o.cfg}, o.more...) {
		o.finish(cfg)
	}
}

func (o *OpenVSwitch) remote() string  { return "unix:" + filepath.Join(o.dir, "db.sock") }
func (o *OpenVSwitch) control() string { return filepath.Join(o.dir, "sw.ctl") }
func (o *OpenVSwitch) log() string     { return filepath.Join(o.dir, "sw.log") }

// configure makes a bridge, where it is not there yet, and a bond, and keeps the
// kernel off the ports.
func (o *OpenVSwitch) configure(cfg OVSConfig) {
	o.t.Helper()
	if len(cfg.Ports) < 2 {
		o.t.Fatal("a bond of Open vSwitch needs at least two interfaces")
	}
	br := cfg.BridgeName
	args := []string{
		"--", "--may-exist", "add-br", br, "--", "set", "bridge", br, "datapath_type=netdev", "fail-mode=standalone",
		"--", "add-bond", br, cfg.Bond,
	}
	args = append(args, cfg.Ports...)
	args = append(args, "bond_mode="+cfg.Mode, "lacp="+cfg.LACP, "other_config:lacp-time="+cfg.Time)
	if !cfg.System.IsZero() {
		args = append(args, "--", "set", "port", cfg.Bond, fmt.Sprintf("other_config:lacp-system-id=%q", cfg.System))
	}
	if cfg.Priority != 0 {
		args = append(args, "--", "set", "port", cfg.Bond, fmt.Sprintf("other_config:lacp-system-priority=%d", cfg.Priority))
	}
	if cfg.Key != 0 {
		for _, p := range cfg.Ports {
			args = append(args, "--", "set", "interface", p, fmt.Sprintf("other_config:lacp-aggregation-key=%d", cfg.Key))
		}
	}
	o.Vsctl(args...)
	o.finish(cfg)
}

// finish brings the bridge's internal interface up and keeps the kernel off the
// ports.
func (o *OpenVSwitch) finish(cfg OVSConfig) {
	o.t.Helper()
	o.ns.Run("ip", "link", "set", cfg.BridgeName, "up")
	if cfg.Addr.IsValid() {
		o.ns.Run("ip", "addr", "replace", cfg.Addr.String(), "dev", cfg.BridgeName)
	}
	if err := o.isolate(cfg); err != nil {
		o.t.Fatal(err)
	}
}

// isolate keeps the kernel's own stack off the ports: it would get a copy of
// every frame and answer ARP for the bridge's address with the port's MAC.
// Packet sockets see a frame before it is dropped. Open vSwitch removes the
// queueing disciplines of a port that it takes, so this comes after.
func (o *OpenVSwitch) isolate(cfg OVSConfig) error {
	table := ovsTable + cfg.Bond
	nft := o.ns.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(fmt.Sprintf(
		"table netdev %[1]s\ndelete table netdev %[1]s\n"+
			"table netdev %[1]s { chain in { type filter hook ingress devices = { %[2]s } priority 0; policy drop; }; }\n",
		table, strings.Join(cfg.Ports, ", ")))
	out, err := nft.CombinedOutput()
	if err == nil {
		return nil
	}
	for _, p := range cfg.Ports {
		_, qerr := o.ns.Command("tc", "qdisc", "replace", "dev", p, "clsact").CombinedOutput()
		tcOut, ferr := o.ns.Command("tc", "filter", "replace", "dev", p, "ingress",
			"protocol", "all", "prio", "1", "handle", "1", "matchall", "action", "drop").CombinedOutput()
		if qerr != nil || ferr != nil {
			return fmt.Errorf("isolate %s: nft: %w: %s; tc: %s", p, err, out, tcOut)
		}
	}
	return nil
}

// Vsctl runs ovs-vsctl on this instance, and ends the test when it fails.
func (o *OpenVSwitch) Vsctl(args ...string) string {
	o.t.Helper()
	return o.tool("ovs-vsctl", append([]string{"--db=" + o.remote(), ovsctlTimeout}, args...)...)
}

// Appctl runs ovs-appctl on this instance, and ends the test when it fails.
func (o *OpenVSwitch) Appctl(args ...string) string {
	o.t.Helper()
	return o.tool("ovs-appctl", append([]string{"-t", o.control(), ovsctlTimeout}, args...)...)
}

// Show is what the switch says of its first bond.
func (o *OpenVSwitch) Show() (OVSState, error) { return o.show(o.cfg) }

// ShowBond is what the switch says of one of its bonds.
func (o *OpenVSwitch) ShowBond(name string) (OVSState, error) {
	for _, cfg := range append([]OVSConfig{o.cfg}, o.more...) {
		if cfg.Bond == name {
			return o.show(cfg)
		}
	}
	return OVSState{}, fmt.Errorf("open vswitch has no bond %s", name)
}

func (o *OpenVSwitch) show(cfg OVSConfig) (OVSState, error) {
	bond, err := o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "bond/show", cfg.Bond)
	if err != nil {
		return OVSState{}, err
	}
	var lacp string
	if cfg.LACP != "off" {
		if lacp, err = o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "lacp/show", cfg.Bond); err != nil {
			return OVSState{}, err
		}
	}
	return parseOVS(lacp, bond), nil
}

// WaitDistributing waits until the switch sends on all its ports and, with
// LACP, says that both ends distribute on them.
func (o *OpenVSwitch) WaitDistributing(timeout time.Duration) {
	o.t.Helper()
	Eventually(o.t, timeout, o.Distributing)
}

// Distributing is nil when WaitDistributing would not wait.
func (o *OpenVSwitch) Distributing() error {
	s, err := o.Show()
	if err != nil {
		return err
	}
	return s.distributing(o.cfg.Ports, o.cfg.LACP != "off")
}

// SetActive makes a port the one that takes broadcasts; see OVSConfig.
func (o *OpenVSwitch) SetActive(port string) {
	o.t.Helper()
	o.Appctl("bond/set-active-member", o.cfg.Bond, port)
}

// Log is the switch's log so far.
func (o *OpenVSwitch) Log() string {
	b, err := os.ReadFile(o.log())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// pollInterval is what a switch logs that was kept from its work.
var pollInterval = regexp.MustCompile(`Unreasonably long (\d+)ms poll interval`)

// Stalled is for how long the switch has done nothing at most, by its own log: it has no
// thread but one that moves frames and speaks LACP, and the kernel may keep that waiting.
func (o *OpenVSwitch) Stalled() (longest time.Duration) {
	o.t.Helper()
	for _, m := range pollInterval.FindAllStringSubmatch(o.Log(), -1) {
		ms, err := strconv.Atoi(m[1])
		if err != nil {
			o.t.Fatal(err)
		}
		longest = max(longest, time.Duration(ms)*time.Millisecond)
	}
	return longest
}

// Stop ends the switch in order and waits for it. A switch that is only killed
// leaves its interfaces behind. It may be called more than once.
func (o *OpenVSwitch) Stop() {
	if o.sw != nil {
		_, _ = o.run("ovs-appctl", "-t", o.control(), "--timeout=5", "exit", "--cleanup")
		_ = o.sw.Wait(stopAfter)
		o.sw.Stop()
	}
	o.db.Stop()
}

// Pid is the process id of ovs-vswitchd, which moves the frames.
func (o *OpenVSwitch) Pid() int { return o.sw.Pid() }

// Kill ends the switch at once: it says no farewell to anybody.
func (o *OpenVSwitch) Kill() { o.sw.Kill() }

// Pause stops the switch (SIGSTOP) until Resume, as if it hung.
func (o *OpenVSwitch) Pause() error { return o.sw.Signal(unix.SIGSTOP) }

// Resume ends a Pause.
func (o *OpenVSwitch) Resume() error { return o.sw.Signal(unix.SIGCONT) }

// tool is run that ends the test.
func (o *OpenVSwitch) tool(name string, args ...string) string {
	o.t.Helper()
	out, err := o.run(name, args...)
	if err != nil {
		o.t.Fatalf("%v\n%s", err, o.Log())
	}
	return out
}

// run runs a control program. Unix sockets do not care about network
// namespaces.
func (o *OpenVSwitch) run(name string, args ...string) (string, error) {
	out, err := o.command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = exit.Stderr
		}
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// command is exec.Command with an environment that keeps a program of Open
// vSwitch away from the system's own instance.
func (o *OpenVSwitch) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+o.dir, "OVS_DBDIR="+o.dir, "OVS_LOGDIR="+o.dir, "OVS_SYSCONFDIR="+o.dir)
	return cmd
}
