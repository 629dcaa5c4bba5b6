package tap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// attach opens a descriptor and attaches it to the device of that name, which is
// made if there is none.
func attach(name string, flags uint16) (int, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("name: %w", err)
	}
	fd, err := unix.Open(cloneDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", cloneDevice, err)
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return -1, closeAfter(fd, fmt.Errorf("TUNSETIFF: %w", err))
	}
	return fd, nil
}

// checkOurs looks, before anything is touched, whether the interface is one that
// Create could have made for this user or a predecessor. The kernel would let CAP_NET_ADMIN
// attach to any TAP device and would change its flags on the way.
func checkOurs(name string, predecessors []uint32) error {
	h, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return os.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	t, ok := link.(*netlink.Tuntap)
	if !ok || t.Mode != netlink.TUNTAP_MODE_TAP || t.NonPersist ||
		t.Flags&netlink.TUNTAP_MULTI_QUEUE != 0 || !mayAdopt(t.Owner, uint32(os.Geteuid()), predecessors) {
		return ErrNotOurs
	}
	return nil
}

// mayAdopt says whose devices a user takes over: his own, and those of the users
// who were there before him.
func mayAdopt(owner, user uint32, predecessors []uint32) bool {
	const nobody = ^uint32(0) // TUNSETOWNER was never called
	return owner != nobody && (owner == user || slices.Contains(predecessors, owner))
}

func isPersistent(fd int, name string) (bool, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return false, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNGETIFF, req); err != nil {
		return false, fmt.Errorf("TUNGETIFF: %w", err)
	}
	return req.Uint16()&unix.IFF_PERSIST != 0, nil
}

// setAddr sets the Ethernet address through the device's own descriptor.
func setAddr(fd int, name string, a ether.Addr) error {
	if a.IsZero() {
		return nil
	}
	req := struct {
		name [unix.IFNAMSIZ]byte
		addr unix.RawSockaddr
		_    [8]byte // struct ifreq is longer than a sockaddr
	}{addr: unix.RawSockaddr{Family: unix.ARPHRD_ETHER}}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	for i, o := range a {
		*(*byte)(unsafe.Pointer(&req.addr.Data[i])) = o
	}
	return ioctlPtr(fd, "SIOCSIFHWADDR", unix.SIOCSIFHWADDR, unsafe.Pointer(&req))
}

func setCarrier(fd int, on bool) error {
	var v uint32
	if on {
		v = 1
	}
	return ioctlPtr(fd, "TUNSETCARRIER", unix.TUNSETCARRIER, unsafe.Pointer(&v))
}

func ioctl(fd int, what string, request uint, arg uintptr) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), arg); e != 0 {
		return fmt.Errorf("%s: %w", what, syscall.Errno(e))
	}
	return nil
}

func ioctlPtr(fd int, what string, request uint, arg unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); e != 0 {
		return fmt.Errorf("%s: %w", what, syscall.Errno(e))
	}
	return nil
}

// closeAfter closes fd and gives err, which is why.
func closeAfter(fd int, err error) error {
	_ = unix.Close(fd)
	return err
}
