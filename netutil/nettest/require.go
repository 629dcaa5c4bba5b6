package nettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Need is something that a test cannot do without.
type Need uint8

// What a test may need. Packages are Debian's.
const (
	Root    Need = iota
	IPRoute      // ip and tc: package iproute2
	Ping         // package iputils-ping
	OVS          // a private Open vSwitch: packages openvswitch-switch and nftables
	Tshark       // package tshark
	TUN          // kernel: /dev/net/tun
	TCX          // kernel: eBPF programs on tcx hooks (6.6)
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
	}
	return fmt.Errorf("unknown need %d", n)
}

// String names the need.
func (n Need) String() string {
	names := [...]string{"root", "iproute2", "ping", "openvswitch", "tshark", "tun", "tcx"}
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

// checkTCX attaches a program to an interface that does not exist: a kernel that
// has tcx complains about the interface.
func checkTCX() error {
	const noInterface = 1<<31 - 1
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.SchedCLS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "BSD",
	})
	if err != nil {
		return fmt.Errorf("%w eBPF: %w", ErrFeature, err)
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
