package privilege

import "golang.org/x/sys/unix"

// newestCall is the last system call that the list below was made with
// (futex_requeue, Linux 6.7). What is younger fails as on a kernel without it.
const newestCall = 456

// calls are the system calls that a Go program makes that moves frames, speaks
// rtnetlink and eBPF, serves sockets and keeps a state file. There is none to
// run another program, to enter another namespace, to change who one is, to look
// into another process, or to mount.
var calls = []uint32{
	// The Go runtime: memory, threads, signals, time.
	unix.SYS_BRK, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_MINCORE,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_TGKILL, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK,
	unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY,
	unix.SYS_GETRANDOM, unix.SYS_GETRUSAGE, unix.SYS_MEMBARRIER,

	// Who and where one is.
	unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_UNAME,

	// Files; which ones is Landlock's.
	unix.SYS_OPENAT, unix.SYS_CLOSE, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV,
	unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_LSEEK, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_READLINKAT,
	unix.SYS_GETDENTS64, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_FLOCK, unix.SYS_FCHMOD,
	unix.SYS_FCHMODAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT,

	// Descriptors, and waiting for them.
	unix.SYS_FCNTL, unix.SYS_DUP3, unix.SYS_IOCTL, unix.SYS_EVENTFD2, unix.SYS_PIPE2, unix.SYS_PPOLL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT,

	// Sockets; of which kinds is a condition.
	unix.SYS_BIND, unix.SYS_CONNECT, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_SHUTDOWN,
	unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT,
	unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMMSG,
	unix.SYS_SENDFILE,

	// The kernel datapath.
	unix.SYS_BPF,
}

// conditions are for system calls that can do much else.
var conditions = []condition{
	{number: unix.SYS_CLONE, arg: 0, needed: unix.CLONE_THREAD}, // threads, no processes
	{number: unix.SYS_MMAP, arg: 2, unwanted: unix.PROT_EXEC},
	{number: unix.SYS_MPROTECT, arg: 2, unwanted: unix.PROT_EXEC},
	// An Internet socket that listens is made before, and goes on to accept.
	{number: unix.SYS_SOCKET, arg: 0, values: []uint32{unix.AF_UNIX, unix.AF_NETLINK, unix.AF_PACKET}},
}
