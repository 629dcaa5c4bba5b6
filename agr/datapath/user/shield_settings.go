package user

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctlRoot is the network namespace's settings as the calling thread sees
// them; unlike /sys/class/net it follows ip-netns(8) without a new mount.
const sysctlRoot = "/proc/sys/net/"

// protectBySettings makes the stack of an interface as deaf as settings can.
func protectBySettings(ifindex int) (undo func() error, err error) {
	var undos []func() error
	undo = func() error {
		var errs []error
		for i := len(undos) - 1; i >= 0; i-- {
			errs = append(errs, undos[i]())
		}
		return errors.Join(errs...)
	}
	steps := []func() (func() error, error){
		func() (func() error, error) { return setNoARP(ifindex) },
		func() (func() error, error) { return setSysctl(ifindex, "ipv6/conf/", "disable_ipv6", "1") },
		func() (func() error, error) { return setSysctl(ifindex, "ipv4/conf/", "rp_filter", "1") },
	}
	for _, step := range steps {
		u, err := step()
		if err != nil {
			return nil, errors.Join(err, undo())
		}
		undos = append(undos, u)
	}
	return undo, nil
}

// setSysctl writes one setting of an interface and gives what puts the old value
// back. The interface may have another name by then, or be gone. A protocol
// that the kernel does not have needs no setting.
func setSysctl(ifindex int, family, setting, value string) (func() error, error) {
	ifi, err := net.InterfaceByIndex(ifindex)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	path := sysctlRoot + family + ifi.Name + "/" + setting
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return nil, err
	}
	return func() error {
		ifi, err := net.InterfaceByIndex(ifindex)
		if err != nil {
			return nil //nolint:nilerr // gone, and its settings with it
		}
		path := sysctlRoot + family + ifi.Name + "/" + setting
		return os.WriteFile(path, []byte(strings.TrimSpace(string(old))), 0o644)
	}, nil
}

// setNoARP sets IFF_NOARP, and gives what clears it again unless it was set.
func setNoARP(ifindex int) (func() error, error) {
	was, err := changeNoARP(ifindex, true)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := changeNoARP(ifindex, was)
		if errors.Is(err, unix.ENODEV) {
			return nil
		}
		return err
	}, nil
}

// changeNoARP sets or clears IFF_NOARP and tells what it was.
func changeNoARP(ifindex int, on bool) (was bool, err error) {
	// Of any family: a service that may make no Internet sockets needs none.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("noarp: %w", err)
	}
	defer unix.Close(fd)
	ifi, err := net.InterfaceByIndex(ifindex)
	if err != nil {
		return false, fmt.Errorf("noarp: %w", unix.ENODEV)
	}
	req, err := unix.NewIfreq(ifi.Name)
	if err != nil {
		return false, fmt.Errorf("noarp: %w", err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return false, fmt.Errorf("noarp: SIOCGIFFLAGS: %w", err)
	}
	flags := req.Uint16()
	was = flags&unix.IFF_NOARP != 0
	if was == on {
		return was, nil
	}
	req.SetUint16(flags ^ unix.IFF_NOARP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return was, fmt.Errorf("noarp: SIOCSIFFLAGS: %w", err)
	}
	return was, nil
}

// hostOrder16 is a number in network byte order as this machine loads it.
func hostOrder16(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}
