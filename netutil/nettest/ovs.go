package nettest

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

const (
	ovsBond    = "bond0"
	ovsTable   = "ifagr_ovs" // of nftables
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
}

// OpenVSwitch is a private Open vSwitch with one bond over interfaces of a namespace: an
// LACP implementation that is not ours. It uses the userspace datapath, which
// needs no kernel module.
type OpenVSwitch struct {
	cfg OVSConfig
	t   testing.TB
	ns  *NS
	dir string // its database, sockets and logs
	db  *Daemon
	sw  *Daemon
}

// StartOVS starts an Open vSwitch, which ends with the test at the latest. On
// return its bond exists and nothing is negotiated yet.
func StartOVS(t testing.TB, ns *NS, cfg OVSConfig) *OpenVSwitch {
	t.Helper()
	Require(t, Root, OVS)
	if len(cfg.Ports) < 2 {
		t.Fatal("a bond of Open vSwitch needs at least two interfaces")
	}
	cfg.LACP = cmp.Or(cfg.LACP, "active")
	cfg.Time = cmp.Or(cfg.Time, "fast")
	cfg.BridgeName = cmp.Or(cfg.BridgeName, "br0")
	if cfg.LACP == "off" {
		cfg.Mode = cmp.Or(cfg.Mode, "balance-slb")
	}
	cfg.Mode = cmp.Or(cfg.Mode, "balance-tcp")
	// Not t.TempDir: its paths are too long for a socket's name.
	dir, err := os.MkdirTemp("", ns.Name+"-ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o := &OpenVSwitch{cfg: cfg, t: t, ns: ns, dir: dir}
	o.start()
	t.Cleanup(o.Stop)
	o.configure()
	if err := o.isolate(); err != nil {
		t.Fatal(err)
	}
	return o
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
	o.sw = o.ns.StartCmd(o.command("ovs-vswitchd", o.remote(),
		"--unixctl="+o.control(), "-vconsole:off", "--log-file="+o.log()))
	Eventually(o.t, ovsTimeout, func() error {
		_, err := o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "version")
		return err
	})
}

func (o *OpenVSwitch) remote() string  { return "unix:" + filepath.Join(o.dir, "db.sock") }
func (o *OpenVSwitch) control() string { return filepath.Join(o.dir, "sw.ctl") }
func (o *OpenVSwitch) log() string     { return filepath.Join(o.dir, "sw.log") }

// configure makes the bridge and the bond, and brings the bridge's internal
// interface up.
func (o *OpenVSwitch) configure() {
	o.t.Helper()
	br := o.cfg.BridgeName
	args := []string{
		"--", "add-br", br, "--", "set", "bridge", br, "datapath_type=netdev", "fail-mode=standalone",
		"--", "add-bond", br, ovsBond,
	}
	args = append(args, o.cfg.Ports...)
	args = append(args, "bond_mode="+o.cfg.Mode, "lacp="+o.cfg.LACP, "other_config:lacp-time="+o.cfg.Time)
	if !o.cfg.System.IsZero() {
		args = append(args, "--", "set", "port", ovsBond, fmt.Sprintf("other_config:lacp-system-id=%q", o.cfg.System))
	}
	if o.cfg.Priority != 0 {
		args = append(args, "--", "set", "port", ovsBond, fmt.Sprintf("other_config:lacp-system-priority=%d", o.cfg.Priority))
	}
	if o.cfg.Key != 0 {
		for _, p := range o.cfg.Ports {
			args = append(args, "--", "set", "interface", p, fmt.Sprintf("other_config:lacp-aggregation-key=%d", o.cfg.Key))
		}
	}
	o.Vsctl(args...)
	o.ns.Run("ip", "link", "set", br, "up")
	if o.cfg.Addr.IsValid() {
		o.ns.Run("ip", "addr", "add", o.cfg.Addr.String(), "dev", br)
	}
}

// isolate keeps the kernel's own stack off the ports: it would get a copy of
// every frame and answer ARP for the bridge's address with the port's MAC.
// Packet sockets see a frame before it is dropped. Open vSwitch removes the
// queueing disciplines of a port that it takes, so this comes after.
func (o *OpenVSwitch) isolate() error {
	nft := o.ns.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(fmt.Sprintf(
		"table netdev %s { chain in { type filter hook ingress devices = { %s } priority 0; policy drop; }; }\n",
		ovsTable, strings.Join(o.cfg.Ports, ", ")))
	out, err := nft.CombinedOutput()
	if err == nil {
		return nil
	}
	for _, p := range o.cfg.Ports {
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

// Show is what the switch says of its bond.
func (o *OpenVSwitch) Show() (OVSState, error) {
	bond, err := o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "bond/show", ovsBond)
	if err != nil {
		return OVSState{}, err
	}
	var lacp string
	if o.cfg.LACP != "off" {
		if lacp, err = o.run("ovs-appctl", "-t", o.control(), ovsctlTimeout, "lacp/show", ovsBond); err != nil {
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
	o.Appctl("bond/set-active-member", ovsBond, port)
}

// Log is the switch's log so far.
func (o *OpenVSwitch) Log() string {
	b, err := os.ReadFile(o.log())
	if err != nil {
		return err.Error()
	}
	return string(b)
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
