package privilege

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// machineCalls are those that only this machine has.
var machineCalls = []uint32{
	unix.SYS_NEWFSTATAT, unix.SYS_POLL, unix.SYS_EPOLL_WAIT,
}
