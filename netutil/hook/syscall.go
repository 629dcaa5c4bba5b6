package hook

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// detachment is what BPF_PROG_DETACH takes for a list of programs (union bpf_attr
// of linux/bpf.h). The library's call wants a descriptor of the program, and does
// not send the revision.
type detachment struct {
	ifindex    uint32
	prog       uint32 // 0: the one at the place
	attachType uint32
	flags      uint32
	replace    uint32
	relative   uint32
	revision   uint64
}

func (d *detachment) do() error {
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_DETACH, uintptr(unsafe.Pointer(d)), unsafe.Sizeof(*d))
	runtime.KeepAlive(d)
	if errno != 0 {
		return errno
	}
	return nil
}
