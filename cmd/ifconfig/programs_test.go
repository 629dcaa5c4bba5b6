package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// binDir is where the programs that the tests run are.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if binDir, err = os.MkdirTemp("", "ifagr-test-"); err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(binDir)
	if err := os.Chmod(binDir, 0o755); err != nil { // for everybody, as installed
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// build builds ifconfig and agrd once, side by side as they are installed.
var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", binDir+"/", "ifagr/cmd/ifconfig", "ifagr/cmd/agrd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

// programs is the directory of the built programs.
func programs(t testing.TB) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return binDir
}

// machine is a namespace in which the built programs run.
type machine struct {
	*nettest.NS
	t   testing.TB
	bin string
}

// newMachine makes one. What ifconfig starts in it ends with the test.
func newMachine(t testing.TB) *machine {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN)
	m := &machine{t: t, bin: programs(t)}
	var cookie uint64
	t.Cleanup(func() { // when the namespace and its processes are gone
		left, _ := filepath.Glob(strings.TrimSuffix(ctl.SocketPath(ctl.RunDir, cookie), "sock") + "*")
		left = append(left, filepath.Join("/run/ifagr", fmt.Sprint(cookie)+".json"))
		for _, path := range left {
			os.Remove(path)
		}
	})
	m.NS = nettest.New(t)
	var err error
	m.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ifconfig runs the program.
func (m *machine) ifconfig(args ...string) result {
	m.t.Helper()
	return m.run(append([]string{filepath.Join(m.bin, "ifconfig")}, args...)...)
}

// run runs a program in the namespace.
func (m *machine) run(argv ...string) result {
	m.t.Helper()
	return finish(m.t, m.Command(argv[0], argv[1:]...))
}

// finish runs a command to its end.
func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must is run for a program that has to succeed without a word on stderr; it
// gives what it printed.
func (m *machine) must(argv ...string) string {
	m.t.Helper()
	r := m.run(argv...)
	if r.Status != 0 || r.Stderr != "" {
		m.t.Fatalf("%q: %+v", argv, r)
	}
	return r.Stdout
}

// hasKind reports whether the kernel has a kind of link, of those that need
// nothing but a name.
func (m *machine) hasKind(kind string) bool {
	m.t.Helper()
	if kind == "vlan" {
		return m.run("sh", "-c", "ip link add ifagrdown type bridge && ip link add link ifagrdown ifagrprobe type vlan id 5; "+
			"s=$?; ip link del ifagrdown; exit $s").Status == 0
	}
	if m.run("ip", "link", "add", "ifagrprobe", "type", kind).Status != 0 {
		return false
	}
	m.must("ip", "link", "del", "ifagrprobe")
	return true
}

// inside is a program in the namespace, run as `ip netns exec` runs it.
func (m *machine) inside(argv ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", m.Name}, argv...)...)
}

// hosts gives the machine a hosts file that says what NetBSD's does, and no
// name server. What runs inside sees them.
func (m *machine) hosts() {
	m.t.Helper()
	dir := filepath.Join("/etc/netns", m.Name)
	m.t.Cleanup(func() {
		os.RemoveAll(dir)
		os.Remove(filepath.Dir(dir)) // unless others use it
	})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	for name, text := range map[string]string{"hosts": "127.0.0.1 localhost\n::1 localhost\n", "resolv.conf": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
}
