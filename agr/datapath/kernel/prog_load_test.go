package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

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
