package ifagr_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// A supervised daemon asks before each system call that may change something, and is
// killed before the one that is chosen (seccomp_unotify(2)). The daemon itself knows
// nothing of it.
//
//	test -> this program again -> filter -> agrd -> call -> supervisor: count, let pass or kill

// supervisedEnv says that this program is to become another one, supervised.
const supervisedEnv = "IFAGR_SUPERVISED"

// listenerFD is where the supervisor finds the other end of the filter.
const listenerFD = 99

// suspects are the system calls that the filter lets the supervisor see.
var suspects = []uint32{
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_BPF, unix.SYS_IOCTL, unix.SYS_SETSOCKOPT, unix.SYS_BIND,
	unix.SYS_OPENAT, unix.SYS_WRITE, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT,
	unix.SYS_FCHMODAT, unix.SYS_MKDIRAT,
}

// becomeSupervised puts the filter before this thread, lets the supervisor take its
// other end, and becomes the program of the arguments. It returns only an error.
func becomeSupervised(args []string) error {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	for _, nr := range suspects {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is the thread's, and goes over to what it becomes
	// A call that waits for an answer is not to be interrupted by the runtime's signals,
	// or it would be counted twice; kernels before 5.19 cannot do that.
	fd, errno := putFilter(&prog, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errno == unix.EINVAL {
		fd, errno = putFilter(&prog, 0)
	}
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if err := unix.Dup3(fd, listenerFD, unix.O_CLOEXEC); err != nil {
		return err
	}
	var b [1]byte
	if _, err := unix.Read(0, b[:]); err != nil {
		return err
	}
	return unix.Exec(path, args, os.Environ())
}

// putFilter puts a filter before this thread and returns its other end.
func putFilter(prog *unix.SockFprog, flags uintptr) (fd int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|flags, uintptr(unsafe.Pointer(prog)))
	return int(r), errno
}

// supervisor watches one daemon.
type supervisor struct {
	t      *testing.T
	pid    int
	pidfd  int
	notify int

	mu     sync.Mutex
	armed  bool
	killAt int // 0: never
	calls  []string
	killed string // the call that it was killed before
}

// startSupervised starts an agrd whose changes can be counted, and kills it before
// the killAt-th one from the start on; 0: not.
func (h *host) startSupervised(killAt int, args ...string) (*nettest.Daemon, *supervisor) {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{filepath.Join(h.bin, "agrd")}, args...)...)
	cmd.Env = append(h.env(), supervisedEnv+"=1")
	gate, start, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	defer start.Close()
	cmd.Stdin = gate
	d := h.StartCmd(cmd)
	gate.Close()
	s := &supervisor{t: h.t, pid: d.Pid(), armed: true, killAt: killAt}
	if s.pidfd, err = unix.PidfdOpen(s.pid, 0); err != nil {
		h.t.Fatal(err)
	}
	nettest.Eventually(h.t, settle, func() (err error) {
		s.notify, err = unix.PidfdGetfd(s.pidfd, listenerFD, 0)
		return err
	})
	done := make(chan struct{})
	go func() { defer close(done); s.run() }()
	h.t.Cleanup(func() {
		if h.t.Failed() && !d.Ended() {
			s.autopsy(d)
		}
		d.Kill()
		<-done
		unix.Close(s.notify)
		unix.Close(s.pidfd)
	})
	if _, err := io.WriteString(start, "x"); err != nil {
		h.t.Fatal(err)
	}
	return d, s
}

// arm begins to count again, and kills before the n-th change; 0: not.
func (s *supervisor) arm(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.killAt, s.calls = true, n, nil
}

// disarm ends the counting, and returns what changed something.
func (s *supervisor) disarm() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	return s.calls
}

// was is the call that the daemon was killed before, empty if it was not.
func (s *supervisor) was() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed
}

// request is struct seccomp_notif.
type request struct {
	id    uint64
	pid   uint32 // of the thread
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// run answers until nobody asks any more.
func (s *supervisor) run() {
	for {
		p := []unix.PollFd{{Fd: int32(s.notify), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		switch {
		case p[0].Revents&unix.POLLIN != 0:
			var r request
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.notify), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&r))); errno == 0 && s.passes(r) {
				a := response{id: r.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
				unix.Syscall(unix.SYS_IOCTL, uintptr(s.notify), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
			}
		case p[0].Revents != 0:
			return
		}
	}
}

// passes counts a call that changes something, and kills the daemon instead of an
// answer when its turn has come.
func (s *supervisor) passes(r request) bool {
	change := s.change(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if change == "" || !s.armed {
		return true
	}
	s.calls = append(s.calls, change)
	if len(s.calls) != s.killAt {
		return true
	}
	s.killed = change
	_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0)
	return false
}

// change says what a call would change that outlives the daemon, empty if nothing. A
// child of the daemon is not watched.
func (s *supervisor) change(r request) string {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", s.pid, r.pid)); err != nil {
		return ""
	}
	switch uint32(r.nr) {
	case unix.SYS_SENDTO:
		return s.netlink(r, r.args[1])
	case unix.SYS_SENDMSG:
		iov := s.word(r, r.args[1]+16) // msghdr.msg_iov
		return s.netlink(r, s.word(r, iov))
	case unix.SYS_BPF:
		return injectNamed("bpf", r.args[0], map[uint64]string{
			2: "MAP_UPDATE_ELEM", 3: "MAP_DELETE_ELEM", 6: "OBJ_PIN", 8: "PROG_ATTACH", 9: "PROG_DETACH",
			28: "LINK_CREATE", 29: "LINK_UPDATE", 34: "LINK_DETACH",
		})
	case unix.SYS_IOCTL:
		return injectNamed("ioctl", r.args[1], map[uint64]string{
			unix.TUNSETIFF: "TUNSETIFF", unix.TUNSETPERSIST: "TUNSETPERSIST", unix.TUNSETOWNER: "TUNSETOWNER",
			unix.TUNSETCARRIER: "TUNSETCARRIER", unix.SIOCSIFFLAGS: "SIOCSIFFLAGS", unix.SIOCSIFMTU: "SIOCSIFMTU",
			unix.SIOCSIFHWADDR: "SIOCSIFHWADDR", unix.SIOCADDMULTI: "SIOCADDMULTI", unix.SIOCDELMULTI: "SIOCDELMULTI",
		})
	case unix.SYS_SETSOCKOPT:
		if r.args[1] != unix.SOL_PACKET {
			return ""
		}
		return injectNamed("setsockopt", r.args[2], map[uint64]string{
			unix.PACKET_ADD_MEMBERSHIP: "PACKET_ADD_MEMBERSHIP", unix.PACKET_DROP_MEMBERSHIP: "PACKET_DROP_MEMBERSHIP",
		})
	}
	return s.fileChange(r)
}

// fileChange is change for what concerns files.
func (s *supervisor) fileChange(r request) string {
	switch uint32(r.nr) {
	case unix.SYS_BIND:
		if b := s.memory(r, r.args[1], 2); len(b) == 2 && binary.NativeEndian.Uint16(b) == unix.AF_UNIX {
			return "bind " + s.text(r, r.args[1]+2)
		}
	case unix.SYS_OPENAT:
		const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC
		if path := s.text(r, r.args[1]); r.args[2]&writes != 0 && lasting(path) {
			return "open " + path
		}
	case unix.SYS_WRITE:
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.pid, r.args[0]))
		if lasting(path) {
			return "write " + path
		}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return "rename to " + s.text(r, r.args[3])
	case unix.SYS_UNLINKAT:
		return "unlink " + s.text(r, r.args[1])
	case unix.SYS_FCHMODAT:
		return "chmod " + s.text(r, r.args[1])
	case unix.SYS_MKDIRAT:
		return "mkdir " + s.text(r, r.args[1])
	}
	return ""
}

// lasting reports a file that other processes see.
func lasting(path string) bool {
	return strings.HasPrefix(path, ctl.RunDir+"/") || strings.HasPrefix(path, "/proc/sys/")
}

func injectNamed(call string, number uint64, names map[uint64]string) string {
	if name := names[number&0xffffffff]; name != "" {
		return call + " " + name
	}
	return ""
}

// netlink is the rtnetlink request at an address, if it is one that changes
// something: of the four kinds of each message one only reads.
func (s *supervisor) netlink(r request, addr uint64) string {
	fd, err := unix.PidfdGetfd(s.pidfd, int(r.args[0]), 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	protocol, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	header := s.memory(r, addr, unix.NLMSG_HDRLEN)
	if domain != unix.AF_NETLINK || protocol != unix.NETLINK_ROUTE || len(header) < unix.NLMSG_HDRLEN {
		return ""
	}
	const kindNew, kindDel, kindSet = 0, 1, 3
	typ := binary.NativeEndian.Uint16(header[4:])
	kind := map[uint16]string{kindNew: "NEW", kindDel: "DEL", kindSet: "SET"}[typ&3]
	if typ < unix.RTM_NEWLINK || kind == "" {
		return ""
	}
	what := map[uint16]string{unix.RTM_NEWLINK: "LINK", unix.RTM_NEWADDR: "ADDR", unix.RTM_NEWQDISC: "QDISC", unix.RTM_NEWTFILTER: "TFILTER"}[typ&^3]
	return "RTM_" + kind + what
}

// memory reads the daemon's memory; what cannot be read is empty.
func (s *supervisor) memory(r request, addr uint64, n int) []byte {
	b := make([]byte, n)
	local := []unix.Iovec{{Base: &b[0], Len: uint64(n)}}
	got, err := unix.ProcessVMReadv(int(r.pid), local, []unix.RemoteIovec{{Base: uintptr(addr), Len: n}}, 0)
	if err != nil {
		return nil
	}
	return b[:got]
}

func (s *supervisor) word(r request, addr uint64) uint64 {
	if b := s.memory(r, addr, 8); len(b) == 8 {
		return binary.NativeEndian.Uint64(b)
	}
	return 0
}

// text reads a path, which may lie before memory that cannot be read.
func (s *supervisor) text(r request, addr uint64) string {
	const page = 4096
	n := page - int(addr%page)
	b := append(s.memory(r, addr, n), s.memory(r, addr+uint64(n), page)...)
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// runSupervised is what this program does when it is started as a supervised one.
func runSupervised() {
	if os.Getenv(supervisedEnv) == "" {
		return
	}
	os.Unsetenv(supervisedEnv)
	fmt.Fprintln(os.Stderr, "not supervised:", becomeSupervised(os.Args[1:]))
	os.Exit(1)
}

// quiet waits until the daemon has made no change for a moment, or was killed.
func (s *supervisor) quiet(t *testing.T) {
	t.Helper()
	last := -1
	nettest.Eventually(t, settle, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		n := len(s.calls)
		if s.killed == "" && n != last {
			last = n
			return errors.New("it goes on to make changes")
		}
		return nil
	})
}

// restless reports whether the daemon has made a change since this was asked last.
func (s *supervisor) restless() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.calls)
	s.calls = nil
	return n > 0
}

// autopsy logs what a daemon is doing: where its threads are in the kernel, and all of
// its goroutines. It ends by that.
func (s *supervisor) autopsy(d *nettest.Daemon) {
	stacks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stack", s.pid))
	for _, path := range stacks {
		b, _ := os.ReadFile(path)
		s.t.Logf("%s:\n%s", path, b)
	}
	_ = d.Signal(unix.SIGQUIT)
	_ = d.Wait(settle)
	s.t.Logf("the daemon:\n%s", d.Output())
}
