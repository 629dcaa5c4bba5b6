package eth

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn asks drivers in one network namespace. Its methods may be called at the
// same time.
type Conn struct {
	fd int
}

// Open makes a Conn for the network namespace of the calling thread, and for no
// other, whatever thread uses it later.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("eth open: %w", err)
	}
	return &Conn{fd: fd}, nil
}

// Close releases the Conn, which must not be in use.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Carrier reports whether the interface is up and its link is (ETHTOOL_GLINK).
// A driver that cannot tell has carrier when the interface is running, which the
// kernel may notice up to a second late. The error unwraps to unix.ENODEV when
// there is no such interface.
func (c *Conn) Carrier(name string) (bool, error) {
	v := ethtoolValue{cmd: unix.ETHTOOL_GLINK}
	err := c.ethtool(name, unsafe.Pointer(&v))
	if errors.Is(err, unix.EOPNOTSUPP) {
		return c.running(name)
	}
	if err != nil {
		return false, fmt.Errorf("eth carrier %s: %w", name, err)
	}
	return v.data != 0, nil
}

// running reads IFF_RUNNING.
func (c *Conn) running(name string) (bool, error) {
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(c.fd, unix.SIOCGIFFLAGS, ifr)
	}
	if err != nil {
		return false, fmt.Errorf("eth carrier %s: %w", name, err)
	}
	return ifr.Uint16()&unix.IFF_RUNNING != 0, nil
}

// ethtoolValue is the kernel's struct ethtool_value.
type ethtoolValue struct {
	cmd, data uint32
}

// ifreq is the kernel's struct ifreq with ifr_data. The union is as long as its
// longest member, struct ifmap.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ethtool makes the SIOCETHTOOL request that data points to. The kernel writes
// the answer there.
func (c *Conn) ethtool(name string, data unsafe.Pointer) error {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return unix.ENODEV
	}
	ifr := ifreq{data: data}
	copy(ifr.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(c.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}
