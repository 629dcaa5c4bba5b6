package privilege

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// answer runs the filter for a system call, in the virtual machine that the
// filter's own package brings.
func answer(t *testing.T, arch, number uint32, args ...uint32) uint32 {
	t.Helper()
	// That one loads big-endian, as packets are, and the kernel's as the machine
	// does; whole words and nothing else are loaded.
	data := make([]byte, offArgs+6*sizeArg)
	binary.BigEndian.PutUint32(data[offNumber:], number)
	binary.BigEndian.PutUint32(data[offArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offArgs+i*sizeArg:], a)
	}
	vm, err := bpf.NewVM(program())
	if err != nil {
		t.Fatal(err)
	}
	got, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}

func TestFilter(t *testing.T) {
	const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD
	tests := []struct {
		name   string
		number uint32
		args   []uint32
		want   bpf.RetConstant
	}{
		{"read", unix.SYS_READ, nil, allow},
		{"bpf", unix.SYS_BPF, nil, allow},
		{"another program", unix.SYS_EXECVE, nil, refuse},
		{"another namespace", unix.SYS_SETNS, nil, refuse},
		{"a namespace of one's own", unix.SYS_UNSHARE, nil, refuse},
		{"another process", unix.SYS_PTRACE, nil, refuse},
		{"its memory", unix.SYS_PROCESS_VM_WRITEV, nil, refuse},
		{"a mount", unix.SYS_MOUNT, nil, refuse},
		{"a module", unix.SYS_FINIT_MODULE, nil, refuse},
		{"a signal to another", unix.SYS_KILL, nil, refuse},
		{"another user", unix.SYS_SETRESUID, nil, refuse},
		{"a thread", unix.SYS_CLONE, []uint32{threadFlags}, allow},
		{"a process", unix.SYS_CLONE, []uint32{uint32(unix.SIGCHLD)}, refuse},
		{"clone3 is not there", unix.SYS_CLONE3, nil, absent},
		{"younger than the list", newestCall + 1, nil, absent},
		{"of another table", 0x40000000 + unix.SYS_READ, nil, absent},
		{"memory", unix.SYS_MMAP, []uint32{0, 0, unix.PROT_READ | unix.PROT_WRITE}, allow},
		{"memory to run", unix.SYS_MMAP, []uint32{0, 0, unix.PROT_READ | unix.PROT_EXEC}, refuse},
		{"memory made to run", unix.SYS_MPROTECT, []uint32{0, 0, unix.PROT_EXEC}, refuse},
		{"packet socket", unix.SYS_SOCKET, []uint32{unix.AF_PACKET}, allow},
		{"netlink socket", unix.SYS_SOCKET, []uint32{unix.AF_NETLINK}, allow},
		{"Internet socket", unix.SYS_SOCKET, []uint32{unix.AF_INET}, refuse},
		{"vsock socket", unix.SYS_SOCKET, []uint32{unix.AF_VSOCK}, refuse},
		{"crypto socket", unix.SYS_SOCKET, []uint32{unix.AF_ALG}, refuse},
	}
	for _, tt := range tests {
		if got := answer(t, auditArch, tt.number, tt.args...); got != tt.want.Val {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.want.Val)
		}
	}
	if got := answer(t, unix.AUDIT_ARCH_I386, unix.SYS_READ); got != refuse.Val {
		t.Errorf("a call of another machine's: %#x, want %#x", got, refuse.Val)
	}
}

// Nothing is listed twice, and what is newer than the list's end is not in it.
func TestCalls(t *testing.T) {
	seen := make(map[uint32]bool)
	all := append(append([]uint32{}, calls...), machineCalls...)
	for _, c := range conditions {
		all = append(all, c.number)
	}
	for _, n := range all {
		if seen[n] || n > newestCall {
			t.Errorf("system call %d is listed twice, or is newer than %d", n, newestCall)
		}
		seen[n] = true
	}
}

func TestSet(t *testing.T) {
	tests := []struct {
		set  Set
		c    Capability
		want bool
	}{
		{0, NetAdmin, false},
		{1 << NetAdmin, NetAdmin, true},
		{1 << NetAdmin, NetRaw, false},
		{1 << BPF, BPF, true},
		{1 << unix.CAP_SYS_ADMIN, BPF, true},
		{1 << unix.CAP_SYS_ADMIN, NetAdmin, false},
	}
	for _, tt := range tests {
		if got := tt.set.Has(tt.c); got != tt.want {
			t.Errorf("%#x has %s: %v, want %v", tt.set, tt.c, got, tt.want)
		}
	}
}

// asConfined, in the environment, makes this test binary a process that gives
// up what it does not need; asLooking one that says what it may do.
const (
	asConfined = "PRIVILEGE_TEST_CONFINED"
	asLooking  = "PRIVILEGE_TEST_LOOKING"
)

func TestMain(m *testing.M) {
	if os.Getenv(asLooking) != "" {
		set, err := Effective()
		over, overErr := OverNetwork()
		fmt.Println(set.Has(NetAdmin), set.Has(NetRaw), set.Has(BPF), err, over, overErr)
		os.Exit(0)
	}
	if dir := os.Getenv(asConfined); dir != "" {
		confined(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// confined tries, on a thread that was there before, what is allowed and what
// is not.
func confined(dir string) {
	other := make(chan func())
	go func() { // it keeps its thread
		runLocked(other)
	}()
	other <- func() {}
	fmt.Println("landlock", RestrictFiles(Files{
		Read: []string{"/proc", filepath.Join(dir, "read"), filepath.Join(dir, "missing")}, Write: []string{filepath.Join(dir, "write")},
		Devices: []string{os.DevNull},
	}))
	fmt.Println("seccomp", RestrictCalls())
	try := func() {
		_, err := os.ReadFile("/proc/self/status")
		fmt.Println("read what is listed:", err == nil)
		_, err = os.ReadFile("/etc/passwd")
		fmt.Println("read another file:", short(err))
		fmt.Println("write what is listed:", short(os.WriteFile(filepath.Join(dir, "write", "x"), nil, 0o600)))
		fmt.Println("write what is to be read:", short(os.WriteFile(filepath.Join(dir, "read", "x"), nil, 0o600)))
		fmt.Println("device:", short(os.WriteFile(os.DevNull, []byte("x"), 0)))
		fmt.Println("namespace:", short(unix.Unshare(unix.CLONE_NEWNET)))
		fmt.Println("program:", short(exec.Command("/proc/self/exe").Run()))
	}
	try()
	done := make(chan struct{})
	other <- func() { try(); close(done) }
	<-done
}

// short is the number of an error.
func short(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return fmt.Sprint(err)
}

// child runs this binary as something else.
func child(t *testing.T, attr *syscall.SysProcAttr, env ...string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, env...)
	cmd.SysProcAttr = attr
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// Every thread is confined, and what is allowed still works.
func TestConfined(t *testing.T) {
	nettest.Require(t, nettest.Landlock)
	dir := t.TempDir()
	for _, name := range []string{"read", "write"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	once := strings.Join([]string{
		"read what is listed: true", "read another file: EACCES", "write what is listed: <nil>",
		"write what is to be read: EACCES", "device: <nil>", "namespace: EPERM", "program: EPERM",
	}, "\n")
	want := "landlock <nil>\nseccomp <nil>\n" + once + "\n" + once
	if d := cmp.Diff(want, child(t, nil, asConfined+"="+dir)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Capabilities are those of a process that is not root, and count only in a
// network namespace of the own user namespace.
func TestEffective(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.UserNS)
	self := func(cloneflags uintptr) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{
			Cloneflags:  cloneflags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		}
	}
	tests := []struct {
		name string
		attr *syscall.SysProcAttr
		want string
	}{
		{"root", nil, "true true true <nil> true <nil>"},
		{"nobody", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, "false false false <nil> true <nil>"},
		{"nobody with one", &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: []uintptr{unix.CAP_NET_RAW},
		}, "false true false <nil> true <nil>"},
		{"root of a user namespace", self(unix.CLONE_NEWUSER), "true true true <nil> false <nil>"},
		{"and of its network", self(unix.CLONE_NEWUSER | unix.CLONE_NEWNET), "true true true <nil> true <nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := child(t, tt.attr, asLooking+"=1"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// runLocked runs functions on one thread.
func runLocked(calls <-chan func()) {
	runtime.LockOSThread()
	for f := range calls {
		f()
	}
}
