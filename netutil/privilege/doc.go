// Package privilege is about what a process may do: which capabilities(7) it
// has, and giving up what it does not need any more.
//
//	start:         Effective, OverNetwork -> what is missing
//	after start:   Confine -> Landlock: the files that it goes on to use
//	                       -> seccomp:  the system calls that it goes on to make
//
// Both are for good, for every thread that there is and will be. Neither needs a
// privilege; a kernel that lacks one of them is no error.
//
// A system call that is not allowed fails with EPERM, and one that is younger
// than the list with ENOSYS, as on an older kernel; the process goes on. A daemon
// that runs for years meets a library, or a Go runtime, that tries something new:
// it shall do without, not end. With auditd(8) the kernel logs what was refused.
package privilege
