package nettest

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Overflow is how many datagrams a socket has dropped because it had no room for
// them (the ninth word of SO_MEMINFO, linux/sock_diag.h).
func Overflow(fd int) (uint64, error) {
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("SO_MEMINFO: %w", errno)
	}
	return uint64(info[8]), nil
}
