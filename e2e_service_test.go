package ifagr_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// servicePatience is how long the service manager of the tests waits for a sign of
// life.
const servicePatience = 400 * time.Millisecond

// serviceManager does for a daemon what systemd does: it listens for it, and is
// told how it is.
type serviceManager struct {
	t      *testing.T
	dir    string
	notify *net.UnixConn
	listen *os.File
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	m := &serviceManager{t: t, dir: t.TempDir()}
	var err error
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"), Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.notify.Close() })
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: m.socket(), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if m.listen, err = l.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.listen.Close() })
	return m
}

// socket is where the manager listens.
func (m *serviceManager) socket() string { return filepath.Join(m.dir, "handed-over.sock") }

// start starts the daemon of a host as a service, with options.
func (m *serviceManager) start(h *host, options ...string) *nettest.Daemon {
	args := append([]string{"-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@"`, filepath.Join(h.bin, "agrd")}, options...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = append(h.env(), "LISTEN_FDS=1", "LISTEN_FDNAMES=agrd.socket", "NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"),
		fmt.Sprint("WATCHDOG_USEC=", servicePatience.Microseconds()))
	cmd.ExtraFiles = []*os.File{m.listen}
	return h.StartCmd(cmd)
}

// next is what the daemon says next, within a time.
func (m *serviceManager) next(wait time.Duration) (string, error) {
	b := make([]byte, 512)
	m.notify.SetReadDeadline(time.Now().Add(wait))
	n, err := m.notify.Read(b)
	return string(b[:n]), err
}

// hears waits until the daemon says something that begins so, and lets signs of
// life pass.
func (m *serviceManager) hears(want string) {
	m.t.Helper()
	for end := time.Now().Add(2 * settle); ; {
		got, err := m.next(time.Until(end))
		if err != nil {
			m.t.Fatalf("the daemon does not say %s: %v", want, err)
		}
		if strings.HasPrefix(got, want) {
			return
		}
		if got != "WATCHDOG=1" {
			m.t.Fatalf("the daemon says %q, want %s", got, want)
		}
	}
}

// isSilent waits until the daemon has said nothing for as long as the manager
// has servicePatience.
func (m *serviceManager) isSilent() {
	m.t.Helper()
	for end := time.Now().Add(settle); ; {
		_, err := m.next(servicePatience)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil || time.Now().After(end) {
			m.t.Fatalf("the daemon is not silent: %v", err)
		}
	}
}

// As a service the daemon says when it is ready, is heard as long as its control
// loop runs, answers on the socket that it was handed and on its own, and leaves
// the manager's where it is.
func TestService(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	m := newServiceManager(t)
	d := m.start(a)
	m.hears("READY=1\nSTATUS=serving, resumed 0 interfaces")
	for range 3 {
		m.hears("WATCHDOG=1")
	}
	c, err := ctl.DialPath(t.Context(), m.socket(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Create("agr0"); err != nil {
		t.Fatal(err)
	}
	if got := a.ifconfig("-l"); !strings.Contains(got, "agr0") {
		t.Errorf("over its own socket: %q", got)
	}
	if err := d.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.isSilent()
	if err := d.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	m.hears("WATCHDOG=1")
	if err := d.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	if err := d.Wait(settle); err != nil {
		t.Errorf("%v: %s", err, d.Output())
	}
	if _, err := os.Stat(m.socket()); err != nil {
		t.Errorf("the manager's socket: %v", err)
	}
	m.start(a)
	m.hears("READY=1\nSTATUS=serving, resumed 1 interface")
	a.ifconfig("agr0", "destroy")
}

// A service that is upgraded answers on the socket that it was handed as before, again
// and again, and its manager hears of no end.
func TestServiceUpgrade(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testServiceUpgrade)
}

func testServiceUpgrade(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	m := newServiceManager(t)
	d := m.start(a, "-confine", "no")
	m.hears("READY=1\nSTATUS=serving, resumed 0 interfaces")
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	up := func() error { return errors.Join(a.distributes("re0", "re1"), b.distributes("re0", "re1")) }
	nettest.Eventually(t, 2*settle, up)
	want := 0
	for range 3 {
		lives := served(d)
		a.upgrade(d)
		m.hears("READY=1\nSTATUS=serving, resumed 1 interface")
		nettest.Eventually(t, settle, func() error { return servesAgain(d, lives) })
		nettest.Eventually(t, 2*settle, up)
		if err := m.answers(); err != nil {
			t.Errorf("over the manager's socket: %v", err)
		}
		if got := a.ifconfig("-l"); !strings.Contains(got, "agr0") {
			t.Errorf("over its own socket: %q", got)
		}
		if n := len(descriptors(t, d.Pid())); want == 0 {
			want = n
		} else if n > want {
			t.Errorf("%d descriptors after an upgrade, after the first %d", n, want)
		}
	}
	if n := strings.Count(d.Output(), `"handed over"=1`); n != 4 {
		t.Errorf("a socket was handed over in %d of 4 lives:\n%s", n, d.Output())
	}
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
	a.ifconfig("agr0", "destroy")
	if err := d.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	if err := d.Wait(settle); err != nil {
		t.Errorf("%v: %s", err, d.Output())
	}
	if _, err := os.Stat(m.socket()); err != nil {
		t.Errorf("the manager's socket: %v", err)
	}
}

// A service whose next program is gone when its turn comes goes on, with all of its
// sockets.
func TestServiceUpgradeFails(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	bin := t.TempDir()
	for _, name := range []string{"agrd", "ifconfig"} {
		replaceBy(t, filepath.Join(bin, name), filepath.Join(a.bin, name))
	}
	a.bin = bin
	m := newServiceManager(t)
	d := m.start(a, "-confine", "no")
	m.hears("READY=1\nSTATUS=serving, resumed 0 interfaces")
	a.ifconfig("agr0", "create")
	passing := filepath.Join(t.TempDir(), "passing")
	if err := os.WriteFile(passing, []byte("#!/bin/sh\nrm \"$0\"; echo agrd 2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		replaceBy(t, filepath.Join(bin, "agrd"), passing)
		a.upgrade(d)
		m.hears("READY=1\nSTATUS=serving, resumed 1 interface")
		if err := m.answers(); err != nil {
			t.Errorf("over the manager's socket: %v", err)
		}
		if got := a.ifconfig("-l"); !strings.Contains(got, "agr0") {
			t.Errorf("over its own socket: %q", got)
		}
	}
	if !strings.Contains(d.Output(), "this program goes on") {
		t.Errorf("it does not say that it goes on:\n%s", d.Output())
	}
	a.ifconfig("agr0", "destroy")
}

// answers is an error unless somebody answers at the manager's socket.
func (m *serviceManager) answers() error {
	c, err := ctl.DialPath(m.t.Context(), m.socket(), 0)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.List()
	return err
}

// A daemon that ifconfig has started already keeps its place.
func TestServiceBesideADaemon(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	a.ifconfig("agr0", "create")
	d := newServiceManager(t).start(a)
	if err := d.Wait(lockPatience); err == nil || !strings.Contains(d.Output(), "another agrd serves this network namespace") {
		t.Errorf("%v: %s", err, d.Output())
	}
	a.ifconfig("agr0", "destroy")
}
