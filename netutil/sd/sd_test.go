package sd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// manager is the socket of a service manager, and its path.
func manager(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

// A datagram has all states of a call, whether the socket has a path or an
// abstract name.
func TestSend(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "n"), "@ifagr-sd-test-" + strconv.Itoa(os.Getpid())} {
		c := manager(t, path)
		n := NewNotifier()
		if err := n.Send(Ready, Status("two\nlines")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		got, err := c.Read(b)
		if want := "READY=1\nSTATUS=two lines"; err != nil || string(b[:got]) != want {
			t.Errorf("%s: received %q, %v; want %q", path, b[:got], err, want)
		}
	}
}

func TestNobodyToNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := NewNotifier()
	if err := n.Send(Ready); err != nil || n.Active() {
		t.Errorf("err %v, active %v", err, n.Active())
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := NewNotifier().Send(Ready); err == nil {
		t.Error("a manager that is not there took a state")
	}
}

func TestWatchdogInterval(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	tests := []struct {
		name, usec, pid string
		want            time.Duration
		fails           bool
	}{
		{"none", "", "", 0, false},
		{"for whoever", "2000000", "", 2 * time.Second, false},
		{"for us", "1", self, time.Microsecond, false},
		{"for another", "2000000", "1", 0, false},
		{"no number", "2s", self, 0, true},
		{"zero", "0", self, 0, true},
		{"too much", "9223372036854775807", self, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			got, err := WatchdogInterval()
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%v, %v; want %v, failure %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

// asService, in the environment, makes this test binary a service that says
// what it was handed over.
const asService = "SD_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) == "" {
		os.Exit(m.Run())
	}
	all, err := Sockets()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, f := range all {
		flags, err := fdFlags(f)
		l, listenErr := Listener(f)
		if listenErr != nil {
			fmt.Println(listenErr)
			os.Exit(1)
		}
		fmt.Println(filepath.Base(l.Addr().String()), flags&unix.FD_CLOEXEC != 0, err)
		l.Close()
		if _, err := f.Stat(); err != nil {
			fmt.Println("closed with its listener:", err)
		}
	}
	if again, err := Sockets(); len(again) > 0 || err != nil {
		fmt.Println("taken twice:", again, err)
	}
	for _, variable := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if value, ok := os.LookupEnv(variable); ok {
			fmt.Println("left for a child:", variable, value)
		}
	}
}

// fdFlags are the flags of a file's descriptor.
func fdFlags(f *os.File) (flags int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	ctlErr := raw.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0) })
	if ctlErr != nil {
		err = ctlErr
	}
	return flags, err
}

// service runs one with these sockets, as systemd does: the process id is known
// to the shell that becomes the service.
func service(t *testing.T, pid string, files ...*os.File) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", "LISTEN_PID="+pid+" exec "+self)
	cmd.Env = append(os.Environ(), asService+"=1", "GORACE=atexit_sleep_ms=0", "LISTEN_FDNAMES=x", fmt.Sprint("LISTEN_FDS=", len(files)))
	cmd.ExtraFiles = files
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// socketFile is a listening unix socket, as a file.
func socketFile(t *testing.T, network, path string) *os.File {
	t.Helper()
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSockets(t *testing.T) {
	dir := t.TempDir()
	a := socketFile(t, "unixpacket", filepath.Join(dir, "a"))
	b := socketFile(t, "unixpacket", filepath.Join(dir, "b"))
	if d := cmp.Diff("a true <nil>\nb true <nil>", service(t, "$$", a, b)); d != "" {
		t.Errorf("two sockets (-want +got):\n%s", d)
	}
	if got := service(t, "1", a); got != "" {
		t.Errorf("sockets of another process were taken: %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err != nil {
		t.Errorf("the manager's socket was removed: %v", err)
	}
	stream := socketFile(t, "unix", filepath.Join(dir, "c"))
	if got := service(t, "$$", a, stream); got != "sd: descriptor 4: "+errSocket.Error() {
		t.Errorf("a stream socket: %s", got)
	}
}
