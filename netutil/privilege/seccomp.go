package privilege

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a filter answers (seccomp(2)).
var (
	allow  = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	refuse = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	absent = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
)

// Where struct seccomp_data has what. Both machines that are supported have the
// low half of an argument first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
	sizeArg   = 8
)

// RestrictCalls takes every system call away from this process that is not in
// the package's list. ErrNotSupported says that nothing was done.
func RestrictCalls() error {
	raw, err := assemble()
	if err != nil {
		return fmt.Errorf("privilege: seccomp: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("privilege: no_new_privs: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errors.Is(errno, unix.ENOSYS) || errors.Is(errno, unix.EINVAL):
		return fmt.Errorf("privilege: seccomp: %w: %w", ErrNotSupported, errno)
	case errno != 0:
		return fmt.Errorf("privilege: seccomp: %w", errno)
	case thread != 0:
		return fmt.Errorf("privilege: seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}

// assemble makes the kernel's form of the filter.
func assemble() ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}

// program is the filter: a list, because the kernel remembers for each system
// call whose answer hangs on nothing else that it is allowed, and asks no more.
func program() []bpf.Instruction {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		refuse, // a call of another machine's, which no code of ours can make
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newestCall, SkipTrue: 1},
		absent,
	}
	for _, number := range slices.Concat(calls, machineCalls, raceCalls) {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: 1}, allow)
	}
	for _, c := range conditions {
		p = append(p, c.program()...)
	}
	p = append(p, // what asks for it does without where it is absent
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1},
		absent)
	return append(p, refuse)
}

// condition allows a system call by one of its arguments.
type condition struct {
	number   uint32
	arg      uint32
	needed   uint32   // one of these bits must be set, 0 = none
	unwanted uint32   // none of these bits may be set
	values   []uint32 // it must be one of these, nil = any
}

func (c condition) program() []bpf.Instruction {
	body := []bpf.Instruction{bpf.LoadAbsolute{Off: offArgs + c.arg*sizeArg, Size: 4}}
	if c.needed != 0 {
		body = append(body, bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: c.needed, SkipTrue: 1}, refuse)
	}
	if c.unwanted != 0 {
		body = append(body, bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: c.unwanted, SkipTrue: 1}, refuse)
	}
	for _, v := range c.values {
		body = append(body, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v, SkipTrue: 1}, allow)
	}
	last := allow
	if c.values != nil {
		last = refuse
	}
	body = append(body, last)
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: c.number, SkipTrue: uint8(len(body))}}, body...)
}
