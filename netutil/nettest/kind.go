package nettest

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// checkKind makes an interface of a kind, with ip(8), in a namespace of its own,
// which ends with the thread that made it.
func checkKind(kind string, args ...string) error {
	if err := Check(IPRoute); err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- tryKind(kind, args)
	}()
	return <-done
}

func tryKind(kind string, args []string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace: %w", err)
	}
	out, err := exec.Command("ip", append([]string{"link", "add"}, args...)...).CombinedOutput()
	if bytes.Contains(out, []byte("Unknown device type")) || bytes.Contains(out, []byte("not supported")) {
		return fmt.Errorf("%w interfaces of kind %s", ErrFeature, kind)
	}
	if err != nil {
		return fmt.Errorf("interface of kind %s: %w: %s", kind, err, out)
	}
	return nil
}
