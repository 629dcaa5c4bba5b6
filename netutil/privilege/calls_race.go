//go:build race && amd64

package privilege

import "golang.org/x/sys/unix"

// raceCalls are those of the race detector as it writes a report, and of the C
// library as it makes a thread.
var raceCalls = []uint32{
	unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_READLINK, unix.SYS_DUP2, unix.SYS_GETRLIMIT, unix.SYS_PRLIMIT64,
}
