package ifagr_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// serviceUser is a user that nobody else is, and has no name.
const serviceUser = 4242

// serviceCaps are all capabilities that a daemon needs, as setpriv(1) has them.
var serviceCaps = []string{"net_admin", "net_raw", "bpf"}

// withTUN runs a command where everybody may use TAP devices, as on a machine
// with udev(7).
const withTUN = `set -e
dir=$1; shift
mount -t tmpfs -o mode=755 none "$dir"
mknod -m 666 "$dir/tun" c 10 200
mount --bind "$dir/tun" /dev/net/tun
exec "$@"`

// asUser is a command that runs another one as a user without a privilege but
// these capabilities.
func asUser(t *testing.T, caps []string, command ...string) *exec.Cmd {
	t.Helper()
	list := "-all"
	for _, c := range caps {
		list += ",+" + c
	}
	args := append([]string{
		"-m", "--", "/bin/sh", "-c", withTUN, "sh", t.TempDir(), "setpriv", fmt.Sprint("--reuid=", serviceUser), fmt.Sprint("--regid=", serviceUser),
		"--clear-groups", "--bounding-set=" + list, "--inh-caps=" + list, "--ambient-caps=" + list,
	}, command...)
	return exec.Command("unshare", args...)
}

// runDirOf makes a directory for the state of a daemon of a user.
func (h *host) runDirOf(uid int) {
	h.t.Helper()
	dir, err := os.MkdirTemp("", "ifagr-user-")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { os.RemoveAll(dir) })
	h.socket = filepath.Join(dir, "agrd.sock")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, uid, uid)); err != nil {
		h.t.Fatal(err)
	}
}

// giveTo makes all that a daemon has left a user's, as systemd does with a
// RuntimeDirectory (systemd.exec(5)).
func (h *host) giveTo(uid int) {
	h.t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(h.socket), "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range append(left, filepath.Dir(h.socket)) {
		if err := os.Lchown(path, uid, uid); err != nil {
			h.t.Fatal(err)
		}
	}
}

// startUser starts a daemon of the user without privilege.
func (h *host) startUser(caps []string, args ...string) *nettest.Daemon {
	h.t.Helper()
	cmd := asUser(h.t, caps, append([]string{filepath.Join(h.bin, "agrd")}, args...)...)
	cmd.Env = h.env()
	return h.StartCmd(cmd)
}

// serves waits until a daemon answers.
func (h *host) serves(d *nettest.Daemon) {
	h.t.Helper()
	nettest.Eventually(h.t, settle, func() error {
		if _, err := h.client(); err != nil {
			return fmt.Errorf("%w: %s", err, d.Output())
		}
		return nil
	})
}

// unprivileged is a host whose daemon is another user's, joined with one whose
// daemon is root's.
func unprivileged(t *testing.T, datapath string) (a, b *host, d *nettest.Daemon) {
	t.Helper()
	a, b = pair(t, datapath)
	a.runDirOf(serviceUser)
	d = a.startUser(serviceCaps)
	a.serves(d)
	return a, b, d
}

// As another user with its three capabilities, and with no other, the daemon
// does all that it does as root: also when it was killed and comes again.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testUnprivileged)
}

func testUnprivileged(t *testing.T, datapath string) {
	a, b, d := unprivileged(t, datapath)
	a.checkBounds(d)
	before := []settings{}
	a.port("re0", "re1")
	for _, port := range []string{"re0", "re1"} {
		before = append(before, a.settings(port))
	}
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	a.isA(datapath, "asked for")
	carries := func() {
		t.Helper()
		nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
		nettest.Eventually(t, 2*settle, func() error { return b.distributes("re0", "re1") })
		a.Run("ping", "-c", "3", "-i", "0.01", "-W", "2", "192.0.2.2")
	}
	carries()
	a.ifconfig("agr0", "mtu", "1400")
	a.ifconfig("agr0", "-agrport", "re1")
	a.ifconfig("agr0", "agrport", "re1")
	carries()
	d.Kill()
	d = a.startUser(serviceCaps)
	a.serves(d)
	carries()
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
	for i, port := range []string{"re0", "re1"} {
		if got := a.settings(port); got != before[i] {
			t.Errorf("%s has %+v, want %+v", port, got, before[i])
		}
	}
	a.ifconfig("agr0", "destroy")
	for _, l := range a.links() {
		if strings.HasPrefix(l.Name, "agr") {
			t.Errorf("left: %s", l.Name)
		}
	}
}

// checkBounds looks at what a daemon may do, as the kernel sees it.
func (h *host) checkBounds(d *nettest.Daemon) {
	h.t.Helper()
	nettest.Eventually(h.t, settle, func() error {
		if want := "seccomp=true"; !strings.Contains(d.Output(), want) {
			return fmt.Errorf("the log lacks %s:\n%s", want, d.Output())
		}
		return nil
	})
	pid, err := h.daemonPid()
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprint("/proc/", pid, "/status"))
	if err != nil {
		h.t.Fatal(err)
	}
	caps := uint64(1)<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_BPF
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", serviceUser),
		fmt.Sprintf("CapEff:\t%016x\n", caps), fmt.Sprintf("CapBnd:\t%016x\n", caps),
		"NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	} {
		if !strings.Contains(string(b), want) {
			h.t.Errorf("the daemon's status lacks %q:\n%s", want, b)
		}
	}
}

// Each capability that is missing is named, with what does not work without it.
func TestCapabilityMissing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		caps []string
		want string
	}{
		{"CAP_NET_ADMIN", []string{"net_raw", "bpf"}, "agrd: CAP_NET_ADMIN is missing: no interface can be made or changed without it\n"},
		{"CAP_NET_RAW", []string{"net_admin", "bpf"}, "agrd: CAP_NET_RAW is missing: no LACPDU can be sent or received without it\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newHost(t, "auto")
			a.runDirOf(serviceUser)
			d := a.startUser(tt.caps)
			err := d.Wait(settle)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || d.Output() != tt.want {
				t.Errorf("%v, %q; want exit status 1 and %q", err, d.Output(), tt.want)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(a.socket), "*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
	t.Run("CAP_BPF", testWithoutBPF)
}

// Without CAP_BPF the daemon says so and uses the datapath that needs none.
func testWithoutBPF(t *testing.T) {
	a, b := pair(t, "auto")
	a.runDirOf(serviceUser)
	d := a.startUser([]string{"net_admin", "net_raw"})
	a.serves(d)
	want := `level=WARN msg="capability missing" capability=CAP_BPF without="datapath kernel; ports' own protocol stacks are kept out by settings of the ports"`
	if !strings.Contains(d.Output(), want) {
		t.Errorf("the log lacks %s:\n%s", want, d.Output())
	}
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	a.isA("user", "not permitted to load programs (CAP_BPF)")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	a.Run("ping", "-c", "3", "-i", "0.01", "-W", "2", "192.0.2.2")
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
}

// A daemon of root's is succeeded by one of another user's, and that by root's:
// what they own is handed over with the directory.
func TestAnotherUserSucceeds(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testAnotherUserSucceeds)
}

func testAnotherUserSucceeds(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.runDirOf(0)
	root := a.startDaemon()
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	works := func() {
		t.Helper()
		nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
		a.Run("ping", "-c", "3", "-i", "0.01", "-W", "5", "192.0.2.2")
	}
	works()
	root.Kill()
	a.giveTo(serviceUser)
	user := a.startUser(serviceCaps)
	a.serves(user)
	works()
	if !user.Stop() {
		t.Errorf("the daemon did not end in time: %s", user.Output())
	}
	a.startDaemon()
	works()
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
	a.ifconfig("agr0", "destroy")
}

// A second daemon in the same namespace, of whatever user, touches nothing.
func TestSecondDaemonOfAnotherUser(t *testing.T) {
	t.Parallel()
	a, _, _ := unprivileged(t, "auto")
	cmd := exec.Command(filepath.Join(a.bin, "agrd"))
	cmd.Env = a.env()
	second := a.StartCmd(cmd)
	if err := second.Wait(lockPatience); err == nil || !strings.Contains(second.Output(), "another agrd serves this network namespace") {
		t.Errorf("%v: %s", err, second.Output())
	}
	a.ifconfig("agr0", "create")
}

// lockPatience is more than a start waits for a predecessor.
const lockPatience = 15 * time.Second
