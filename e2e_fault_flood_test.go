package ifagr_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// garbage are frames of the slow protocols that mean nothing to a port: Markers that
// ask, LACPDUs that are too short, subtypes that nobody knows.
func garbage(n int) [][]byte {
	src := ether.Addr{2, 0, 0, 0, 0x66, 3}
	ask := slow.AppendMarker(nil, src, slow.Marker{Type: slow.MarkerInformation, RequesterSystem: src, TransactionID: 1})
	unknown := slices.Clone(ask)
	unknown[ether.HeaderLen] = 0x77
	kinds := [][]byte{ask, stranger()[:60], unknown}
	var all [][]byte
	for i := range n {
		all = append(all, kinds[i%len(kinds)])
	}
	return all
}

// A flood of slow protocols at one port does not disturb what a partner says that
// speaks every second, and is not kept.
func faultFlood(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	everySecond(t, a, b)
	before, memory := a.changes(), a.rss()
	frames, begin := garbage(1000), time.Now()
	total := inFull(300000, 20000)
	for range total / len(frames) {
		b.Send("re1", frames...)
	}
	t.Logf("%d frames in %v", total, time.Since(begin).Round(time.Millisecond))
	a.Run("ping", "-c", "5", "-i", "0.2", "-W", "5", "192.0.2.2")
	for port, n := range a.changes() {
		if n != before[port] {
			t.Errorf("%s has changed its state %d times", port, n-before[port])
		}
	}
	p := a.mustStatus().Ports[1]
	t.Logf("%d over the budget, %d Markers answered", p.Counters.SlowDropped, p.Counters.MarkerTx)
	works(t, both, a, b)
	a.grown(memory)
}

// crowd opens connections of another user to a daemon's socket, one wave after the
// other, each with a message that is cut short, and keeps those of the last wave.
func crowd(t *testing.T, h *host, path string, n, wave int) (leave func()) {
	t.Helper()
	var fds []int
	leave = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
		fds = nil
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and ends with the goroutine, as it is somebody else's
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		for i := range n {
			if i%wave == 0 {
				leave()
			}
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				fds = append(fds, fd)
				err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			}
			if err != nil {
				done <- err
				return
			}
			_ = unix.Send(fd, []byte{1, 0, 0}, unix.MSG_NOSIGNAL)
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return leave
}

// More connections than anybody needs, messages that end too soon, and somebody who
// asks for events and does not read them: root is served all the time, and nothing of
// it is left.
func faultConnections(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	files := len(descriptors(t, pid))
	memory := a.rss()
	deaf := a.deafListener()
	path := a.socketPath()
	leave := crowd(t, a, path, inFull(10000, 1500), 500)
	a.ifconfig("agr0", "-agrport", "re1")
	a.rejoins("re1")
	for range inFull(200, 20) { // each with some 20 transitions
		b.ifconfig("re1", "down")
		b.ifconfig("re1", "up")
	}
	works(t, both, a, b)
	leave()
	deaf.Close()
	nettest.Eventually(t, patience, func() error {
		if n := len(descriptors(t, pid)); n > files+2 { // re1 has its own again
			return fmt.Errorf("%d descriptors, had %d", n, files)
		}
		return nil
	})
	a.grown(memory)
}

// socketPath is that of the host's daemon.
func (h *host) socketPath() string {
	h.t.Helper()
	var cookie uint64
	var err error
	h.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		h.t.Fatal(err)
	}
	return ctl.SocketPath(ctl.RunDir, cookie)
}

// deafListener asks for events, and does not come back from the first one until it is
// closed.
func (h *host) deafListener() *ctl.Client {
	h.t.Helper()
	c, err := h.client()
	if err != nil {
		h.t.Fatal(err)
	}
	stop := make(chan struct{})
	h.t.Cleanup(func() { close(stop) })
	go c.Watch(context.Background(), "", func(ctl.Transition) error { <-stop; return nil })
	return c
}

// A daemon that may open nothing any more says so, keeps what it has, and goes on
// when it may again.
func faultNoDescriptors(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	a.ifconfig("agr0", "-agrport", "re1")
	a.port("re1")
	before := a.settings("re1")
	c, err := a.client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.List(); err != nil { // it is served
		t.Fatal(err)
	}
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	limit, free := tightLimit(descriptors(t, pid))
	old := limitDescriptors(t, pid, uint64(limit))
	var held []*ctl.Client
	for range free {
		h, err := a.client()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, h)
	}
	nettest.Eventually(t, patience, func() error {
		if _, err := a.status(); !errors.Is(err, ctl.EMFILE) {
			return fmt.Errorf("refused with %v, want EMFILE", err)
		}
		return nil
	})
	if err := c.SetPort("agr0", "re1", ctl.AddPort); !errors.Is(err, ctl.EMFILE) {
		t.Errorf("agrport: %v, want EMFILE", err)
	}
	if got := a.settings("re1"); got != before {
		t.Errorf("re1 is %+v, was %+v", got, before)
	}
	a.Run("ping", "-c", "2", "-i", "0.05", "-W", "5", "192.0.2.2")
	limitDescriptors(t, pid, old)
	for _, h := range held {
		h.Close()
	}
	a.rejoins("re1")
	works(t, both, a, b)
}

// Without room for its state a daemon takes no new port, as it could not put it back
// after a crash, but lets go of one; and goes on when there is room.
func faultDiskFull(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	socket := filepath.Join(dir, "agrd.sock")
	cmd := exec.Command(filepath.Join(a.bin, "agrd"))
	cmd.Env = append(a.env(), ctl.SocketEnv+"="+socket)
	a.StartCmd(cmd)
	var c *ctl.Client
	nettest.Eventually(t, patience, func() (err error) {
		c, err = ctl.DialPath(context.Background(), socket, 0)
		return err
	})
	defer c.Close()
	a.Run("ip", "link", "set", "dev", "re0", "addrgenmode", "none")
	a.Run("ip", "addr", "flush", "dev", "re0")
	a.Run("ip", "link", "set", "dev", "re1", "addrgenmode", "none")
	a.Run("ip", "addr", "flush", "dev", "re1")
	before := a.settings("re1")
	mustDo(t, c.Create("agr0"), c.SetPort("agr0", "re0", ctl.AddPort))
	fillUp(t, dir)
	for _, err := range []error{c.SetPort("agr0", "re1", ctl.AddPort), c.Create("agr1")} {
		if !errors.Is(err, ctl.ENOSPC) {
			t.Errorf("%v, want ENOSPC", err)
		}
	}
	if got := a.settings("re1"); got != before {
		t.Errorf("re1 is %+v, was %+v", got, before)
	}
	mustDo(t, c.SetPort("agr0", "re0", ctl.RemovePort))
	mustDo(t, os.Remove(filepath.Join(dir, "full")))
	mustDo(t, c.SetPort("agr0", "re1", ctl.AddPort))
	left, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(left) != 1 {
		t.Fatalf("%q, %v", left, err)
	}
	b, err := os.ReadFile(left[0])
	if err != nil || strings.Contains(string(b), `"re0"`) || !strings.Contains(string(b), `"re1"`) {
		t.Errorf("%v: %s", err, b)
	}
}

// mustDo ends the test with the first error.
func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// fillUp leaves no room in a file system.
func fillUp(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "full"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// Sixteen processes want all of the processor: LACPDUs of every second come late, but
// not so late that anybody takes the other for silent.
func faultStarved(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	everySecond(t, a, b)
	before := a.changes()
	stop := spin(t, a, 16)
	defer stop()
	plain := latest(t, b, inFull(20, 3))
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	if err := reniced(pid, -10); err != nil {
		t.Fatal(err)
	}
	nice := latest(t, b, inFull(20, 3))
	stop()
	t.Logf("longest time between LACPDUs of every second: %v; with nice -10: %v", plain, nice)
	for port, n := range a.changes() {
		if n != before[port] {
			t.Errorf("%s has changed its state %d times", port, n-before[port])
		}
	}
	works(t, both, a, b)
}

// latest is the longest time between two of so many LACPDUs that arrive at re0.
func latest(t *testing.T, h *host, n int) (worst time.Duration) {
	t.Helper()
	arrived := make(chan time.Time, 1000)
	s := nettest.Sniff(t, h.NS, "re0", func(f nettest.Frame) bool {
		if !f.Out && isLACPDU(f) {
			select {
			case arrived <- time.Now():
			default:
			}
		}
		return false
	})
	defer s.Close()
	last := <-arrived
	for range n {
		at := <-arrived
		worst = max(worst, at.Sub(last))
		last = at
	}
	return worst.Round(time.Millisecond)
}

// reniced gives all threads of a process a priority.
func reniced(pid, nice int) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, e := range threads {
		var tid int
		if _, err := fmt.Sscan(e.Name(), &tid); err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
