package nettest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names lists the interfaces that the calling thread sees.
func names(t testing.TB) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range all {
		out = append(out, i.Name)
	}
	slices.Sort(out)
	return out
}

func TestDoGoesThereAndBack(t *testing.T) {
	a, b := New(t), New(t)
	Veth(a, "re0", b, "q0")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := names(t)
	a.Do(func() {
		if diff := cmp.Diff([]string{"lo", "re0"}, names(t)); diff != "" {
			t.Errorf("in a: -want +got\n%s", diff)
		}
		b.Do(func() {
			if diff := cmp.Diff([]string{"lo", "q0"}, names(t)); diff != "" {
				t.Errorf("in b, from a: -want +got\n%s", diff)
			}
		})
		if diff := cmp.Diff([]string{"lo", "re0"}, names(t)); diff != "" {
			t.Errorf("back in a: -want +got\n%s", diff)
		}
	})
	if diff := cmp.Diff(before, names(t)); diff != "" {
		t.Errorf("back home: -want +got\n%s", diff)
	}
}

func TestVeth(t *testing.T) {
	a, b := New(t), New(t)
	Veth(a, "re0", b, "q0")
	Veth(a, "re1", b, "q1", NoIPv6, Down)
	show := func(n *NS, name string) *net.Interface {
		t.Helper()
		var i *net.Interface
		n.Do(func() {
			var err error
			if i, err = net.InterfaceByName(name); err != nil {
				t.Fatal(err)
			}
		})
		return i
	}
	re0, q0, re1 := show(a, "re0"), show(b, "q0"), show(a, "re1")
	if re0.Index == q0.Index {
		t.Errorf("both ends have index %d", re0.Index)
	}
	if got, want := re0.HardwareAddr.String(), a.LinkAddr(0).String(); got != want {
		t.Errorf("re0 has %s, LinkAddr says %s", got, want)
	}
	if got, want := re1.HardwareAddr.String(), a.LinkAddr(1).String(); got != want {
		t.Errorf("re1 has %s, LinkAddr says %s", got, want)
	}
	if re0.Flags&net.FlagUp == 0 || q0.Flags&net.FlagUp == 0 || re1.Flags&net.FlagUp != 0 {
		t.Errorf("flags of re0, q0, re1: %v, %v, %v", re0.Flags, q0.Flags, re1.Flags)
	}
	a.Run("ip", "link", "set", "re1", "up")
	for name, want := range map[string]bool{"re0": true, "re1": false} {
		out := a.Output("ip", "-6", "addr", "show", "dev", name, "scope", "link")
		if got := strings.Contains(out, "fe80:"); got != want {
			t.Errorf("%s has a link-local address: %v, want %v", name, got, want)
		}
	}
}

// TestRemoved checks that nothing of a test stays behind, however it ended.
func TestRemoved(t *testing.T) {
	Require(t, Root, IPRoute)
	var ns *NS
	var d *Daemon
	ran := recordFailure(t, func(t testing.TB) {
		ns = New(t)
		d = ns.Start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")
		if err := ns.Command("sh", "-c", "sleep 600 >/dev/null 2>&1 &").Run(); err != nil {
			t.Fatal(err)
		}
		t.Fatal("as wanted")
	})
	if !strings.Contains(ran, "as wanted") {
		t.Fatalf("the inner test failed with %q", ran)
	}
	if _, err := os.Stat(ns.path()); !os.IsNotExist(err) {
		t.Errorf("namespace %s is still there: %v", ns.Name, err)
	}
	if err := d.Signal(syscall.Signal(0)); err == nil {
		t.Error("the daemon still runs")
	}
}

// TestStale makes a namespace as a killed test would leave it, with a program in
// it and a directory, and expects New to remove them.
func TestStale(t *testing.T) {
	Require(t, Root, IPRoute)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s%d-n1", nsPrefix, dead.Process.Pid)
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = removeNS(name) })
	dir, err := os.MkdirTemp("", name+"-ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	left := exec.Command("ip", "netns", "exec", name, "sleep", "600")
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = left.Process.Kill() })
	Eventually(t, 5*time.Second, func() error {
		out, err := exec.Command("ip", "netns", "pids", name).Output()
		if err != nil || len(out) == 0 {
			return fmt.Errorf("no process in %s: %w", name, err)
		}
		return nil
	})
	New(t)
	for _, p := range []string{filepath.Join(nsDir, name), dir} {
		if _, err := os.Stat(p); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", p, err)
		}
	}
	if err := left.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the program ended with %v, want it killed", err)
	}
}

func TestOwnerOf(t *testing.T) {
	tests := []struct {
		name string
		pid  int
		ok   bool
	}{
		{"ifagr-123-n1", 123, true},
		{"ifagr-123", 0, false},
		{"ifagr-x-n1", 0, false},
		{"ifagr--1-n1", -1, false},
		{"ifagr-0-n1", 0, false},
		{"other-123-n1", 0, false},
	}
	for _, tt := range tests {
		pid, ok := ownerOf(tt.name)
		if ok != tt.ok || ok && pid != tt.pid {
			t.Errorf("ownerOf(%s) = %d, %v, want %d, %v", tt.name, pid, ok, tt.pid, tt.ok)
		}
	}
}

func TestDaemon(t *testing.T) {
	n := New(t)
	d := n.Start("sh", "-c", "echo out; echo err >&2; ls /sys/class/net >/dev/null; exec sleep 600")
	Eventually(t, 5*time.Second, func() error {
		if got := d.Output(); !strings.Contains(got, "out\n") || !strings.Contains(got, "err\n") {
			return fmt.Errorf("output is %q", got)
		}
		return nil
	})
	want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", d.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(n.Output("readlink", "/proc/self/ns/net")); got != want {
		t.Errorf("the daemon is in %s, a command in %s", want, got)
	}
	if err := d.Wait(time.Millisecond); err == nil {
		t.Error("Wait says that it ended")
	}
	for range 2 {
		if !d.Stop() {
			t.Error("it did not end by itself")
		}
	}
	if err := d.Wait(time.Second); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("it ended with %v, want terminated", err)
	}
}

func TestFailures(t *testing.T) {
	n := New(t)
	tests := []struct {
		name string
		do   func(testing.TB)
		want string
	}{
		{"program fails", func(t testing.TB) {
			inner := &NS{Name: n.Name, t: t}
			inner.Run("ip", "link", "show", "re0")
		}, `Device "re0" does not exist`},
		{"output of a program that fails", func(t testing.TB) {
			inner := &NS{Name: n.Name, t: t}
			inner.Output("sh", "-c", "echo no >&2; exit 3")
		}, "exit status 3: no"},
		{"never", func(t testing.TB) {
			Eventually(t, 0, func() error { return os.ErrNotExist })
		}, "not within 0s: file does not exist"},
		{"one interface is no bond", func(t testing.TB) {
			StartOVS(t, n, OVSConfig{Ports: []string{"re0"}})
		}, "at least two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := recordFailure(t, tt.do); !strings.Contains(got, tt.want) {
				t.Errorf("failed with %q, want %q in it", got, tt.want)
			}
		})
	}
}
