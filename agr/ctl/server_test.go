package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// fakeHandler has one interface, agr0, and writes down what it is asked.
type fakeHandler struct {
	mu     sync.Mutex
	calls  []string
	status Status
	err    error
}

func (h *fakeHandler) note(format string, args ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf(format, args...))
	return h.err
}

func (h *fakeHandler) Create(name string) error  { return h.note("create %s", name) }
func (h *fakeHandler) Destroy(name string) error { return h.note("destroy %s", name) }
func (h *fakeHandler) SetPort(name, port string, cmd Command) error {
	return h.note("port %s %s %d", name, port, cmd)
}

func (h *fakeHandler) SetFlags(name string, set, clear LinkFlags) error {
	return h.note("flags %s %#x %#x", name, set, clear)
}
func (h *fakeHandler) SetMTU(name string, mtu int32) error { return h.note("mtu %s %d", name, mtu) }
func (h *fakeHandler) SetAddr(name string, a ether.Addr) error {
	return h.note("addr %s %s", name, a)
}

func (h *fakeHandler) SetOptions(name string, all []Setting) error {
	return h.note("options %s %v", name, all)
}
func (h *fakeHandler) List() []string { return []string{"agr0", "agr1"} }
func (h *fakeHandler) Exists(name string) error {
	if name != "agr0" {
		return ENXIO
	}
	return nil
}

func (h *fakeHandler) Status(name string) (*Status, error) {
	if err := h.Exists(name); err != nil {
		return nil, err
	}
	return &h.status, nil
}

func (h *fakeHandler) Owner(ifname string) string {
	if ifname == "re0" {
		return "agr0"
	}
	return ""
}

func (h *fakeHandler) Subscribe(ctx context.Context, name string, f func(Transition) error) error {
	if name == "agr9" {
		return ENXIO
	}
	for seq := uint64(1); seq <= 3; seq++ {
		if err := f(Transition{Seq: seq, Agr: "agr0"}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

const testNetns = 4711

// startServer serves h and returns the socket's path.
func startServer(t *testing.T, h Handler) string { return startPatient(t, h, 0) }

// startPatient is startServer with another patience.
func startPatient(t *testing.T, h Handler, patience time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agrd.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Handler: h, Netns: testNetns, Group: -1, Log: slog.New(slog.DiscardHandler), patience: patience}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := DialPath(t.Context(), path, testNetns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestRequestsReachTheHandler(t *testing.T) {
	h := &fakeHandler{}
	c := dial(t, startServer(t, h))
	for _, err := range []error{
		c.Create("agr1"),
		c.Destroy("agr1"),
		c.SetPort("agr0", "re0", AddPort),
		c.SetPort("agr0", "re0", RemovePort),
		c.SetFlags("agr0", Link0, Link1),
		c.SetMTU("agr0", -5),
		c.SetAddr("agr0", ether.Addr{2, 0, 0, 0, 0, 9}),
		c.SetOptions("agr0", []Setting{{Option: OptPortPrio, Port: "re0", A: 5}, {Option: OptMinLinks, A: 3, B: 2}}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"create agr1", "destroy agr1", "port agr0 re0 1", "port agr0 re0 2",
		"flags agr0 0x1000 0x2000", "mtu agr0 -5", "addr agr0 02:00:00:00:00:09",
		"options agr0 [{5 re0 5 0 00:00:00:00:00:00} {7  3 2 00:00:00:00:00:00}]",
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := cmp.Diff(want, h.calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestReading(t *testing.T) {
	h := &fakeHandler{status: Status{
		Version: StatusVersion, Name: "agr0", LinkFlags: Link1,
		Ports: []PortStatus{{Name: "re0", Flags: 3}, {Name: "re1", Flags: 1}},
	}}
	c := dial(t, startServer(t, h))
	st, err := c.Status("agr0")
	if d := cmp.Diff(&h.status, st); err != nil || d != "" {
		t.Errorf("status: %v (-want +got):\n%s", err, d)
	}
	ports, err := c.Ports("agr0")
	if d := cmp.Diff([]PortInfo{{"re0", 3}, {"re1", 1}}, ports); err != nil || d != "" {
		t.Errorf("ports: %v (-want +got):\n%s", err, d)
	}
	if f, err := c.Flags("agr0"); f != Link1 || err != nil {
		t.Errorf("flags = %#x, %v", f, err)
	}
	if o, err := c.Owner("re0"); o != "agr0" || err != nil {
		t.Errorf("owner of re0 = %q, %v", o, err)
	}
	if o, err := c.Owner("re7"); o != "" || err != nil {
		t.Errorf("owner of re7 = %q, %v", o, err)
	}
	if l, err := c.List(); err != nil || len(l) != 2 {
		t.Errorf("list = %q, %v", l, err)
	}
	if l, err := c.Cloners(); err != nil || len(l) != 1 || l[0] != "agr" {
		t.Errorf("cloners = %q, %v", l, err)
	}
}

// A status longer than a message travels in several.
func TestLongStatus(t *testing.T) {
	h := &fakeHandler{status: Status{Name: "agr0"}}
	for i := range 400 {
		h.status.Ports = append(h.status.Ports, PortStatus{Name: fmt.Sprint("re", i), Reason: strings.Repeat("x", 300)})
	}
	c := dial(t, startServer(t, h))
	st, err := c.Status("agr0")
	if d := cmp.Diff(&h.status, st); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// What a handler refuses arrives as NetBSD's error, with its sentence.
func TestErrorsTravel(t *testing.T) {
	h := &fakeHandler{err: fmt.Errorf("re0 has inet 192.0.2.1: %w", EBUSY)}
	c := dial(t, startServer(t, h))
	err := c.SetPort("agr0", "re0", AddPort)
	var re *RequestError
	if !errors.As(err, &re) || re.Errno != EBUSY || !strings.Contains(re.Detail, "192.0.2.1") {
		t.Errorf("err = %#v", err)
	}
	other := dial(t, startServer(t, &fakeHandler{err: errors.New("something else")}))
	if err := other.Destroy("agr0"); !errors.Is(err, EIO) {
		t.Errorf("an error without a number is %v, want EIO", err)
	}
	if _, err := c.Status("agr9"); !errors.Is(err, ENXIO) {
		t.Errorf("status of a missing interface: %v, want ENXIO", err)
	}
	if IsGone(err) {
		t.Error("a refusal is taken for a missing daemon")
	}
}

// raw sends one message and returns the reply to it.
func raw(t *testing.T, path string, b []byte) (reply, error) {
	t.Helper()
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(b); err != nil {
		return reply{}, err
	}
	got, err := receive(conn, make([]byte, MaxMessage))
	if err != nil {
		return reply{}, err
	}
	return parseReply(bytes.Clone(got))
}

func TestGarbageIsAnswered(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	good, err := message{version: Version, code: SIOCGIFFLAGS, name: "agr0"}.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	patch := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		return b
	}
	agrreq := func(version uint32, cmd Command, code Request, name string) []byte {
		payload := agrReq{version: version, cmd: cmd, buflen: 3, buf: []byte("re0")}.append(nil)
		b, err := message{version: Version, code: code, name: name, payload: payload}.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name string
		send []byte
		want Errno
	}{
		{"one octet", []byte{1}, EINVAL},
		{"cut header", good[:requestHeader-1], EINVAL},
		{"another version", patch(0, 99), EINVAL},
		{"unknown request", patch(4, 0xff, 0xff), ENOTTY},
		{"name without NUL", patch(8, []byte("aaaaaaaaaaaaaaaa")...), EINVAL},
		{"octets behind the name's NUL", patch(8, []byte("agr0\x00x")...), EINVAL},
		{"agrreq of version 1", agrreq(1, AddPort, SIOCSETAGR, "agr0"), EINVAL},
		{"agrreq of version 1 to a missing interface", agrreq(1, AddPort, SIOCSETAGR, "agr9"), ENXIO},
		{"unknown get command", agrreq(2, 77, SIOCGETAGR, "agr0"), EINVAL},
		{"port list into too small a buffer", agrreq(2, PortList, SIOCGETAGR, "agr0"), E2BIG},
		{"unknown set command", agrreq(2, 177, SIOCSETAGR, "agr0"), EINVAL},
		{"options that are none", agrreq(2, SetOptions, SIOCSETAGR, "agr0"), EINVAL},
		{"options of a missing interface", agrreq(2, SetOptions, SIOCSETAGR, "agr9"), ENXIO},
		{"agrreq cut short", agrreq(2, PortList, SIOCGETAGR, "agr0")[:requestHeader+5], EINVAL},
		{"a message that is too long", make([]byte, MaxMessage+1), EMSGSIZE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := raw(t, path, tt.send)
			if err != nil {
				t.Fatal(err)
			}
			if r.errno != tt.want {
				t.Errorf("answered %s (%s), want %s", r.errno.Symbol(), r.payload, tt.want.Symbol())
			}
		})
	}
}

// Whoever asks for something newer than the daemon is told so.
func TestUnknownIsSaid(t *testing.T) {
	c := dial(t, startServer(t, &fakeHandler{}))
	for what, err := range map[string]error{
		"option 99":            c.SetOptions("agr0", []Setting{{Option: 99}}),
		"agrreq command 177":   c.SetPort("agr0", "re0", 177),
		"agrreq command 178":   func() error { _, err := c.get(178, "agr0"); return err }(),
		"longer than 15 octet": c.SetOptions("agr0", []Setting{{Option: OptPortPrio, Port: "abcdefghijklmnop"}}),
	} {
		if !errors.Is(err, EINVAL) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A size query is a port list with no buffer.
func TestPortListSizeQuery(t *testing.T) {
	h := &fakeHandler{status: Status{Ports: []PortStatus{{Name: "re0"}, {Name: "re1"}}}}
	payload := agrReq{version: AgrReqVersion, cmd: PortList}.append(nil)
	b, err := message{version: Version, code: SIOCGETAGR, name: "agr0", payload: payload}.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := raw(t, startServer(t, h), b)
	if err != nil || r.errno != OK || len(r.payload) != 8 || r.payload[0] != 44 {
		t.Errorf("reply %+v, %v; want the size 44", r, err)
	}
}

func TestClientRefusesAnotherNamespace(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	c, err := DialPath(t.Context(), path, testNetns+1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.List(); !errors.Is(err, ENXIO) {
		t.Errorf("err = %v, want ENXIO", err)
	}
}

// uid 0 has connections of its own, each other user only so many.
func TestCensus(t *testing.T) {
	var c census
	count := func(uid uint32) (n int) {
		for c.enter(uid) {
			n++
		}
		return n
	}
	for _, tt := range []struct {
		uid  uint32
		want int
	}{{1, maxConnsOfUser}, {2, maxConnsOfUser}, {3, maxConnsOfUser}, {4, maxConnsOfUser}, {5, 0}, {0, maxConns}} {
		if got := count(tt.uid); got != tt.want {
			t.Errorf("uid %d has %d connections, want %d", tt.uid, got, tt.want)
		}
	}
	c.leave(1)
	if !c.enter(5) || c.enter(1) {
		t.Error("what one user leaves is not another's")
	}
}

// Whoever is refused is told so.
func TestTooManyConnections(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	for range maxConns {
		c := dial(t, path)
		if _, err := c.List(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(t, path).List(); !errors.Is(err, EAGAIN) {
		t.Errorf("one too many: %v, want EAGAIN", err)
	}
}

// A file that is no socket is not removed for one.
func TestListenSparesFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a socket took its place")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "x" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// The daemon that is gone is told from one that refuses.
func TestNoDaemon(t *testing.T) {
	_, err := DialPath(t.Context(), filepath.Join(t.TempDir(), "none.sock"), 0)
	if !IsGone(err) {
		t.Errorf("%v is not taken for a missing daemon", err)
	}
}

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	if _, err := Listen(path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a living daemon's socket: %v, want EADDRINUSE", err)
	}
	dead := filepath.Join(t.TempDir(), "dead.sock")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: dead, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	again, err := Listen(dead)
	if err != nil {
		t.Fatalf("a dead daemon's socket: %v", err)
	}
	again.Close()
}

// What somebody has put in the place of a new socket keeps its mode.
func TestOpenToAllFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "agrd.sock")
	if err := os.WriteFile(victim, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := openToAll(path); err == nil {
		t.Error("a link was taken for a socket")
	}
	if st, err := os.Stat(victim); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", st, err)
	}
}
