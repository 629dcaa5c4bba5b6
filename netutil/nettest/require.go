package nettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

// Need is something that a test cannot do without.
type Need uint8

// What a test may need. Packages are Debian's.
const (
	Root     Need = iota
	IPRoute       // ip and tc: package iproute2
	Ping          // package iputils-ping
	OVS           // a private Open vSwitch: packages openvswitch-switch and nftables
	Tshark        // package tshark
	TUN           // kernel: /dev/net/tun
	TCX           // kernel: eBPF programs on tcx hooks (6.6)
	Clsact        // kernel: eBPF programs as filters of a clsact qdisc (4.5); needs root
	VLAN          // kernel: VLAN interfaces; needs root
	Bridge        // kernel: bridges; needs root
	Chromium      // package chromium
	Promtool      // package prometheus
	Landlock      // kernel: restriction of files (5.13, and switched on)
	UserNS        // kernel: user namespaces
	TimeNS        // kernel: time namespaces (5.6)
)

// ErrFeature is wrapped by the errors of Check that mean that the running kernel
// lacks something, so that a test may be skipped.
var ErrFeature = errors.New("the kernel lacks")

// Require ends the test unless everything that it needs is there: it fails for
// want of root or of a package, and is skipped for want of a kernel feature.
func Require(t testing.TB, needs ...Need) {
	t.Helper()
	for _, n := range needs {
		err := Check(n)
		switch {
		case errors.Is(err, ErrFeature):
			t.Skipf("SKIP-FEATURE: %s: %v", n, err)
		case err != nil:
			t.Fatal(err)
		}
	}
}

// Check is nil when the need is met, else a sentence that says what to do.
func Check(n Need) error {
	switch n {
	case Root:
		if os.Geteuid() != 0 {
			return errors.New("this test makes network namespaces and must run as root: sudo make test")
		}
		return nil
	case IPRoute:
		return programs("iproute2", "ip", "tc")
	case Ping:
		return programs("iputils-ping", "ping")
	case Tshark:
		return programs("tshark", "tshark")
	case OVS:
		return errors.Join(
			programs("openvswitch-switch", "ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl"),
			programs("nftables", "nft"))
	case TUN:
		return checkTUN()
	case TCX:
		return checkTCX()
	case Clsact:
		return checkClsact()
	case VLAN:
		return checkKind("vlan", "link", "lo", "name", "v0", "type", "vlan", "id", "5")
	case Bridge:
		return checkKind("bridge", "name", "b0", "type", "bridge")
	case Chromium:
		return programs("chromium", "chromium")
	case Promtool:
		return programs("prometheus", "promtool")
	case Landlock:
		return checkLandlock()
	case UserNS:
		return checkUserNS()
	case TimeNS:
		if _, err := os.Stat("/proc/self/timens_offsets"); err != nil {
			return fmt.Errorf("%w time namespaces: %w", ErrFeature, err)
		}
		return nil
	}
	return fmt.Errorf("unknown need %d", n)
}

// String names the need.
func (n Need) String() string {
	names := [...]string{
		"root", "iproute2", "ping", "openvswitch", "tshark", "tun", "tcx", "clsact", "8021q", "bridge", "chromium", "promtool",
		"landlock", "user namespaces", "timens",
	}
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("need %d", n)
}

// programs looks for the programs of a package.
func programs(pkg string, names ...string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing: make test installs it, or apt-get install %s", name, pkg)
		}
	}
	return nil
}

func checkTUN() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w TUN/TAP devices: %w", ErrFeature, err)
	}
	return f.Close()
}

// checkLandlock asks for the version of the kernel's interface.
func checkLandlock() error {
	const versionFlag = 1 // landlock_create_ruleset(2)
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, versionFlag); errno != 0 {
		return fmt.Errorf("%w Landlock: %w", ErrFeature, errno)
	}
	return nil
}

func checkUserNS() error {
	if _, err := os.Stat("/proc/self/ns/user"); err != nil {
		return fmt.Errorf("%w user namespaces: %w", ErrFeature, err)
	}
	return nil
}

// passAll loads a program that does nothing.
func passAll() (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.SchedCLS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "BSD",
	})
	if err != nil {
		return nil, fmt.Errorf("%w eBPF: %w", ErrFeature, err)
	}
	return p, nil
}

// checkTCX attaches a program to an interface that does not exist: a kernel that
// has tcx complains about the interface.
func checkTCX() error {
	const noInterface = 1<<31 - 1
	p, err := passAll()
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	l, err := link.AttachTCX(link.TCXOptions{Interface: noInterface, Program: p, Attach: ebpf.AttachTCXIngress})
	if errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("%w tcx: %w", ErrFeature, err)
	}
	if err == nil {
		return l.Close()
	}
	return nil
}

// checkClsact adds a filter to the loopback interface of a namespace of its own,
// which ends with the thread that made it.
func checkClsact() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- tryClsact()
	}()
	return <-done
}

func tryClsact() error {
	p, err := passAll()
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace: %w", err)
	}
	c, err := rtnl.Open()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err = c.AddClsact(1); err == nil {
		err = c.AddClassifier(rtnl.BPFClassifier{Index: 1, Priority: 1, Handle: 1, Program: p.FD()})
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w clsact with cls_bpf: %w", ErrFeature, err)
	}
	return err
}
