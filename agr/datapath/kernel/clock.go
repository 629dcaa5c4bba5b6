package kernel

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is what bpf_ktime_get_ns() is, in nanoseconds: CLOCK_MONOTONIC without
// what a time namespace adds to it.
func monotonic() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return uint64(time.Duration(ts.Nano()) - clockOffset())
}

// clockOffset is what the time namespace of this process adds to CLOCK_MONOTONIC.
// It is fixed before the first process is in there (time_namespaces(7)).
var clockOffset = sync.OnceValue(func() time.Duration {
	b, err := os.ReadFile("/proc/self/timens_offsets")
	if err != nil {
		return 0 // a kernel without time namespaces
	}
	return parseOffsets(string(b))
})

// parseOffsets reads the line of CLOCK_MONOTONIC: its name, seconds, nanoseconds.
func parseOffsets(text string) time.Duration {
	for line := range strings.Lines(text) {
		var name string
		var s, ns int64
		if n, _ := fmt.Sscan(line, &name, &s, &ns); n == 3 && name == "monotonic" {
			return time.Duration(s)*time.Second + time.Duration(ns)
		}
	}
	return 0
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
