package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// TestLoadUnprivileged loads the programs with no more than agrd needs as another
// uid. The verifier allows less without CAP_PERFMON.
func TestLoadUnprivileged(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	spec := specOf(t, onLo())
	err := withCapabilities(func() error {
		return loadAndClose(spec)
	}, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF)
	if err != nil {
		t.Error(err)
	}
	err = withCapabilities(func() error {
		return loadAndClose(spec)
	}, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW)
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("without CAP_BPF: %v, want %v", err, os.ErrPermission)
	}
}

// TestNotPermitted tells what is missing: without CAP_BPF there is no kernel
// datapath, and whoever cannot make interfaces has no other one either.
func TestNotPermitted(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	n := nettest.New(t)
	for name, tt := range map[string]struct {
		has         int
		unsupported bool
	}{
		"CAP_NET_ADMIN is missing": {has: unix.CAP_BPF},
		"CAP_BPF is missing":       {has: unix.CAP_NET_ADMIN, unsupported: true},
	} {
		var err error
		n.Do(func() {
			restore := onlyEffective(t, tt.has)
			_, err = New("agr0", ether.Addr{}, Options{})
			restore()
		})
		if !errors.Is(err, os.ErrPermission) || errors.Is(err, ErrUnsupported) != tt.unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out := n.Output("ip", "link", "show"); strings.Contains(out, "agr0") {
		t.Errorf("left behind:\n%s", out)
	}
}

// onlyEffective leaves the calling thread one capability, until it is restored.
func onlyEffective(t *testing.T, keep int) (restore func()) {
	t.Helper()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&hdr, &before[0]); err != nil {
		t.Fatal(err)
	}
	change := func(data [2]unix.CapUserData) {
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			t.Error(err)
		}
	}
	few := before
	few[0].Effective, few[1].Effective = 0, 0
	few[keep/32].Effective = 1 << (keep % 32)
	change(few)
	return func() { change(before) }
}

func loadAndClose(spec *ebpf.CollectionSpec) error {
	c, err := ebpf.NewCollection(spec)
	var rejected *ebpf.VerifierError
	if errors.As(err, &rejected) {
		return fmt.Errorf("%+v", rejected)
	}
	if err != nil {
		return err
	}
	c.Close()
	return nil
}

// withCapabilities runs f in a thread that has these capabilities and no other.
// The thread ends with it.
func withCapabilities(f func() error, caps ...int) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		for _, c := range caps {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			done <- fmt.Errorf("capset: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}
