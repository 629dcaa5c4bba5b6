package privilege

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// machineCalls are those whose name only this machine has.
var machineCalls = []uint32{unix.SYS_FSTATAT}
