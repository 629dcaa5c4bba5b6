package ctl

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// asClient, in the environment, makes this test binary a client of a socket,
// and asServer a server of one for the group in asServerGroup.
const (
	asClient      = "CTL_TEST_AS_CLIENT"
	asServer      = "CTL_TEST_AS_SERVER"
	asServerGroup = "CTL_TEST_AS_SERVER_GROUP"
)

func TestMain(m *testing.M) {
	var err error
	if path := os.Getenv(asClient); path != "" {
		err = beClient(path)
	} else if path := os.Getenv(asServer); path != "" {
		err = beServer(path)
	} else if path := os.Getenv(asHolder); path != "" {
		err = beHolder(path)
	} else {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beClient makes each request once and prints what it was answered.
func beClient(path string) error {
	c, err := DialPath(context.Background(), path, 0)
	if err != nil {
		return err
	}
	defer c.Close()
	_, listErr := c.List()
	_, statusErr := c.Status("agr0")
	fmt.Println(ErrnoOf(c.Create("agr1")).Symbol(), ErrnoOf(c.Destroy("agr0")).Symbol(),
		ErrnoOf(c.SetPort("agr0", "re0", AddPort)).Symbol(), ErrnoOf(c.SetPort("agr9", "re0", AddPort)).Symbol(),
		ErrnoOf(c.SetMTU("agr0", 1500)).Symbol(), ErrnoOf(c.SetOptions("agr0", []Setting{{Option: OptMode}})).Symbol(), listErr, statusErr)
	return nil
}

// What a client is answered that may make changes, and one that may only read.
// A missing interface is ENXIO before the privilege is looked at (agr(4)).
const (
	mayChange = "OK OK OK ENXIO OK OK <nil> <nil>"
	mayRead   = "EPERM EPERM EPERM ENXIO EPERM EPERM <nil> <nil>"
)

// beServer serves until its standard input ends.
func beServer(path string) error {
	group, err := strconv.Atoi(os.Getenv(asServerGroup))
	if err != nil {
		return err
	}
	l, err := Listen(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	s := &Server{Handler: &fakeHandler{}, Group: group, Log: slog.New(slog.DiscardHandler)}
	return s.Serve(ctx, l)
}

// process is a copy of this binary that every user may run.
type process struct {
	t   *testing.T
	dir string // of sockets that every user may make
}

func newProcess(t *testing.T) process {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.UserNS)
	dir, err := os.MkdirTemp("", "ctl-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "self"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return process{t, dir}
}

func (p process) command(attr *syscall.SysProcAttr, env ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.dir, "self"))
	cmd.Env = append(env, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	return cmd
}

// client is what a client of a socket is answered.
func (p process) client(attr *syscall.SysProcAttr, path string) string {
	out, err := p.command(attr, asClient+"="+path).CombinedOutput()
	if err != nil {
		p.t.Errorf("client: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// server starts one that lets a group make changes, and returns its socket.
func (p process) server(attr *syscall.SysProcAttr, group int) string {
	p.t.Helper()
	path := filepath.Join(p.dir, fmt.Sprintf("%p.sock", attr))
	cmd := p.command(attr, asServer+"="+path, asServerGroup+"="+strconv.Itoa(group))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("server: %v", err)
		}
	})
	nettest.Eventually(p.t, 10*time.Second, func() error {
		c, err := DialPath(p.t.Context(), path, 0)
		if err != nil {
			return err
		}
		return c.Close()
	})
	return path
}

// asUser runs a process as a user, in groups of which the first is its own.
func asUser(uid uint32, groups ...uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: groups[0], Groups: groups[1:]}}
}

// asRootOf runs a process as root of a user namespace in which root is hostUser,
// and in which there is nobody else.
func asRootOf(hostUser int) *syscall.SysProcAttr {
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: hostUser, Size: 1}}
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: one, GidMappings: one,
		Credential: &syscall.Credential{NoSetGroups: true},
	}
}

// Reading is for everybody, changing for uid 0 or the group (design D4).
func TestAuthorisation(t *testing.T) {
	p := newProcess(t)
	const group, user = 300, 65534
	tests := []struct {
		name   string
		group  int
		client *syscall.SysProcAttr
		want   string
	}{
		{"root", -1, nil, mayChange},
		{"root in another group", group, asUser(0, user), mayChange},
		{"a stranger", -1, asUser(user, user), mayRead},
		{"a stranger in root's group", -1, asUser(user, 0), mayRead},
		{"another group", group, asUser(user, user, 301), mayRead},
		{"the group", group, asUser(user, group), mayChange},
		{"a supplementary group", group, asUser(user, user, 299, group), mayChange},
		{"many groups", group, asUser(user, append(manyGroups(1000), group)...), mayChange},
		{"capabilities alone", -1, withCaps(asUser(user, user)), mayRead},
		{"root of a user namespace", -1, asRootOf(user), mayRead},
		{"root of a user namespace, of the group", group, asRootOf(group), mayChange},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.client(tt.client, p.server(&syscall.SysProcAttr{}, tt.group)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// manyGroups are more than one getsockopt(2) has room for at first.
func manyGroups(n uint32) []uint32 {
	var all []uint32
	for i := range n {
		all = append(all, 10000+i)
	}
	return all
}

// withCaps adds every capability that has to do with networks.
func withCaps(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
	return attr
}

// A server in a user namespace sees whoever is not known there as nobody, and
// never as root: not even the machine's root. Who is root there may change.
func TestAuthorisationInUserNamespace(t *testing.T) {
	p := newProcess(t)
	const user, other = 4242, 4243
	path := p.server(asRootOf(user), -1)
	tests := []struct {
		name   string
		client *syscall.SysProcAttr
		want   string
	}{
		{"the machine's root, who is unknown there", nil, mayRead},
		{"a user who is unknown there", asUser(other, other), mayRead},
		{"root of another user namespace", asRootOf(other), mayRead},
		{"the user who is root there", asUser(user, user), mayChange},
		{"root there, from a namespace of the same user", asRootOf(user), mayChange},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.client(tt.client, path); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
