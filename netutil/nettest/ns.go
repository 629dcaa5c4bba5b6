package nettest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

const (
	nsDir    = "/run/netns" // where ip-netns(8) keeps its names
	nsPrefix = "ifagr-"
	// maxNS is how many namespaces one test process may have at a time.
	maxNS = 200
)

// NS is a network namespace that lives as long as its test. Loopback is up in
// it, and there is nothing else.
type NS struct {
	Name string // for ip netns exec

	t      testing.TB
	number int // unique among the living namespaces of this process
	fd     int

	mu    sync.Mutex
	links int // how many ends of links were made here
}

// New makes a namespace. It needs root and iproute2.
func New(t testing.TB) *NS {
	t.Helper()
	Require(t, Root, IPRoute)
	removeStale()
	n := &NS{t: t}
	for n.number = 1; ; n.number++ {
		n.Name = fmt.Sprintf("%s%d-n%d", nsPrefix, os.Getpid(), n.number)
		out, err := exec.Command("ip", "netns", "add", n.Name).CombinedOutput()
		if err == nil {
			break
		}
		if !strings.Contains(string(out), "File exists") || n.number == maxNS {
			t.Fatalf("ip netns add %s: %v: %s", n.Name, err, out)
		}
	}
	t.Cleanup(func() {
		if err := removeNS(n.Name); err != nil {
			t.Errorf("remove namespace %s: %v", n.Name, err)
		}
	})
	var err error
	if n.fd, err = unix.Open(n.path(), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatalf("open namespace %s: %v", n.Name, err)
	}
	t.Cleanup(func() { _ = unix.Close(n.fd) })
	n.rtnl(func(c *rtnl.Conn) error { return c.SetUp(1) })
	return n
}

func (n *NS) path() string { return filepath.Join(nsDir, n.Name) }

// Do runs f in the namespace. It runs in the calling goroutine, so f may end the
// test, but goroutines that f starts run elsewhere.
func (n *NS) Do(f func()) {
	n.t.Helper()
	runtime.LockOSThread()
	back, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Setns(n.fd, unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		n.t.Fatalf("enter namespace %s: %v", n.Name, err)
	}
	defer func() {
		// A thread that cannot come back stays locked, and ends with its
		// goroutine instead of serving another.
		if err := unix.Setns(back, unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
		_ = unix.Close(back)
	}()
	f()
}

// rtnl runs f with a connection to the namespace, and ends the test when f
// fails.
func (n *NS) rtnl(f func(*rtnl.Conn) error) {
	n.t.Helper()
	n.Do(func() {
		c, err := rtnl.Open()
		if err != nil {
			n.t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if err := f(c); err != nil {
			n.t.Fatalf("namespace %s: %v", n.Name, err)
		}
	})
}

// Sysctl writes a setting of the namespace: Sysctl("net/ipv4/ip_forward", "1").
func (n *NS) Sysctl(path, value string) {
	n.t.Helper()
	n.Do(func() {
		if err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0); err != nil {
			n.t.Fatalf("namespace %s: %v", n.Name, err)
		}
	})
}

// removeStale removes the namespaces of test processes that are dead, with
// whatever runs in them, and their files. Other tests may do the same at the same
// time.
func removeStale() {
	for _, name := range stale(nsDir) {
		_ = removeNS(name)
	}
	for _, name := range stale(os.TempDir()) {
		_ = os.RemoveAll(filepath.Join(os.TempDir(), name))
	}
}

// stale lists what dead test processes left in a directory.
func stale(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if pid, ok := ownerOf(e.Name()); ok && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			names = append(names, e.Name())
		}
	}
	return names
}

// ownerOf reads the process id in the name of a namespace, or of a directory
// that is named after one.
func ownerOf(name string) (pid int, ok bool) {
	rest, ok := strings.CutPrefix(name, nsPrefix)
	if !ok {
		return 0, false
	}
	number, _, ok := strings.Cut(rest, "-n")
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(number)
	return pid, err == nil && pid > 0
}

// removeNS ends the processes in a namespace and removes its name.
func removeNS(name string) error {
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(nsDir, name), &st); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	end := time.Now().Add(5 * time.Second)
	for killAll(&st) && time.Now().Before(end) {
		pause(10 * time.Millisecond)
	}
	if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// killAll kills the processes whose network namespace is st, except for this
// one, and reports whether there were any.
func killAll(st *unix.Stat_t) bool {
	procs, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return false
	}
	found := false
	for _, p := range procs {
		var have unix.Stat_t
		if unix.Stat(p, &have) != nil || have.Ino != st.Ino || have.Dev != st.Dev {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(p, "/")[2])
		if err != nil || pid == os.Getpid() {
			continue // our first thread may just be visiting
		}
		found = unix.Kill(pid, unix.SIGKILL) == nil || found
	}
	return found
}
