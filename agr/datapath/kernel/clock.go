package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is CLOCK_MONOTONIC in nanoseconds, which bpf_ktime_get_ns() is.
func monotonic() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return uint64(time.Duration(ts.Nano()))
}

// barrier returns when every program that was running has returned, and what it
// redirected is where it was sent. It takes some 10 ms.
//
// The programs run under RCU, and membarrier(2) waits for a grace period of it. A
// kernel with nohz_full refuses, and a filter of system calls may; but a packet
// socket waits for one as well when it is closed.
func barrier() {
	const membarrierCmdGlobal = 1
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierCmdGlobal, 0, 0); errno == 0 {
		return
	}
	if fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err == nil {
		_ = unix.Close(fd)
	}
}
