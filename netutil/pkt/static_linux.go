package pkt

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// AddStatic makes an interface receive frames to a group address until RemoveStatic,
// whatever becomes of this process: `ip maddr add`. Groups, in contrast, ends with
// it. Asking again for what is there is not an error.
func AddStatic(ifindex int, group ether.Addr) error {
	if err := changeStatic(unix.SIOCADDMULTI, ifindex, group); err != nil {
		return fmt.Errorf("pkt add %s to %d: %w", group, ifindex, err)
	}
	return nil
}

// RemoveStatic undoes AddStatic. It is not an error if that is undone already, or
// the interface has gone.
func RemoveStatic(ifindex int, group ether.Addr) error {
	err := changeStatic(unix.SIOCDELMULTI, ifindex, group)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("pkt remove %s from %d: %w", group, ifindex, err)
	}
	return nil
}

// multiRequest is struct ifreq with an address (netdevice(7)).
type multiRequest struct {
	name   [unix.IFNAMSIZ]byte
	family uint16
	addr   [14]byte
	_      [8]byte
}

func changeStatic(request uint, ifindex int, group ether.Addr) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // any will do; a confined daemon may make these
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	name, err := nameOf(fd, ifindex)
	if err != nil {
		return err
	}
	r := multiRequest{name: name, family: unix.AF_UNSPEC}
	copy(r.addr[:], group[:])
	return ioctl(fd, request, unsafe.Pointer(&r))
}

// nameOf is the name that an interface has now.
func nameOf(fd, ifindex int) ([unix.IFNAMSIZ]byte, error) {
	var r struct {
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}
	r.index = int32(ifindex)
	err := ioctl(fd, unix.SIOCGIFNAME, unsafe.Pointer(&r))
	return r.name, err
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
