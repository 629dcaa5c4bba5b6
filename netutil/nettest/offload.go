package nettest

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloads are what a veth takes over from the stack: sums and segmentation
// (ethtool(8) -K).
var offloads = [...]uint32{
	unix.ETHTOOL_STXCSUM, unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO,
}

// ethtoolValue is the kernel's struct ethtool_value.
type ethtoolValue struct{ cmd, data uint32 }

// ifreqData is the kernel's struct ifreq with a pointer to data.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// NoOffload makes an interface send what a cable would carry: whole sums, and no
// frame longer than its MTU. A far end that reads frames in userspace without
// their virtio_net_hdr, as Open vSwitch does, cannot take anything else.
func (n *NS) NoOffload(name string) {
	n.t.Helper()
	n.Do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			n.t.Fatal(err)
		}
		defer unix.Close(fd)
		for _, cmd := range offloads {
			if err := setOffload(fd, name, cmd); err != nil {
				n.t.Fatal(err)
			}
		}
	})
}

func setOffload(fd int, name string, cmd uint32) error {
	value := ethtoolValue{cmd: cmd}
	req := ifreqData{data: unsafe.Pointer(&value)}
	copy(req.name[:len(req.name)-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return fmt.Errorf("ethtool %#x %s: %w", cmd, name, errno)
	}
	return nil
}
