package ctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// startDoors serves one server at several sockets, and returns their paths.
func startDoors(t *testing.T, n int) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Handler: &fakeHandler{}, Netns: testNetns, Group: -1, Log: slog.New(slog.DiscardHandler)}
	done := make(chan error, n)
	var paths []string
	for i := range n {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- s.Serve(ctx, l) }()
		paths = append(paths, path)
	}
	t.Cleanup(func() {
		cancel()
		for range n {
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	})
	return paths
}

// fill takes every connection that user 0 may have.
func fill(t *testing.T, path string) {
	t.Helper()
	for range maxConns {
		if _, err := dial(t, path).List(); err != nil {
			t.Fatal(err)
		}
	}
}

// Limits are those of a daemon, at however many sockets it listens.
func TestLimitsAreTheDaemons(t *testing.T) {
	paths := startDoors(t, 2)
	fill(t, paths[0])
	if _, err := dial(t, paths[1]).List(); !errors.Is(err, EAGAIN) {
		t.Errorf("one too many, at another socket: %v, want EAGAIN", err)
	}
}

// connect makes a connection that is nothing but a descriptor.
func connect(t *testing.T, path string) int {
	t.Helper()
	var fds descriptors
	t.Cleanup(fds.close)
	return fds.connect(t, path)
}

// descriptors are connections that cost this process next to nothing.
type descriptors []int

func (d *descriptors) connect(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	*d = append(*d, fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func (d *descriptors) close() {
	for _, fd := range *d {
		unix.Close(fd)
	}
}

// memory is what is in use for objects and for stacks.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Ten thousand who are refused, send nothing, read nothing and stay cost no goroutine
// each, and no memory.
func TestRefusedAreBounded(t *testing.T) {
	const crowd, goroutines, most = 10000, 20, 1 << 20
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < crowd+3*maxConns {
		t.Fatalf("%d descriptors, %v: want %d", limit.Cur, err, crowd+3*maxConns)
	}
	path := startServer(t, &fakeHandler{})
	fill(t, path)
	before, memoryBefore := runtime.NumGoroutine(), memory()
	worst, worstMemory, last := before, memoryBefore, 0
	var all descriptors
	defer all.close()
	for i := range crowd {
		last = all.connect(t, path)
		worst = max(worst, runtime.NumGoroutine())
		if i%500 == 0 {
			worstMemory = max(worstMemory, memory())
		}
	}
	t.Logf("%d refused: %d goroutines and %d KiB more at worst", crowd, worst-before, (worstMemory-memoryBefore)>>10)
	if worst > before+goroutines {
		t.Errorf("%d goroutines, had %d", worst, before)
	}
	if worstMemory > memoryBefore+most {
		t.Errorf("%d KiB, had %d", worstMemory>>10, memoryBefore>>10)
	}
	b := make([]byte, 200)
	n, err := unix.Read(last, b)
	r, parseErr := parseReply(b[:max(0, n)])
	if err != nil || parseErr != nil || r.errno != EAGAIN {
		t.Errorf("the last of them was told %+v, %v, %v", r, err, parseErr)
	}
}

// Whoever is refused learns why, however late he asks.
func TestRefusedAsksLate(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	fill(t, path)
	late := dial(t, path)
	raw, err := late.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, time.Minute, func() (err error) { // until the daemon has let go of it
		ctlErr := raw.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd)}}
			if _, err = unix.Poll(p, 0); err == nil && p[0].Revents&unix.POLLHUP == 0 {
				err = errors.New("still there")
			}
		})
		return errors.Join(ctlErr, err)
	})
	if _, err := late.List(); !errors.Is(err, EAGAIN) {
		t.Errorf("asked late: %v, want EAGAIN", err)
	}
}

// Whoever is refused learns why, however much he has sent.
func TestRefusedHasSentMuch(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	fill(t, path)
	fd := connect(t, path)
	for range 5 {
		if err := unix.Send(fd, make([]byte, 5000), unix.MSG_NOSIGNAL); err != nil && !errors.Is(err, unix.EPIPE) {
			t.Fatal(err)
		}
	}
	b := make([]byte, 200)
	n, err := unix.Read(fd, b)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := parseReply(b[:n]); err != nil || r.errno != EAGAIN {
		t.Errorf("%+v, %v; want EAGAIN", r, err)
	}
}

// Whoever watches and asks for something else is told that he gets no answer here,
// and the stream ends.
func TestWatcherAsks(t *testing.T) {
	c := dial(t, startServer(t, &fakeHandler{}))
	last := uint64(0)
	err := c.Watch(t.Context(), "agr0", func(tr Transition) error {
		if last = tr.Seq; last == 3 {
			return c.send(SIOCIFGCLONERS, "", nil)
		}
		return nil
	})
	if !errors.Is(err, EINVAL) || !strings.Contains(err.Error(), "transitions") || last != 3 {
		t.Errorf("the stream ended behind number %d with %v, want EINVAL and a sentence", last, err)
	}
}

// Whoever sends more behind a message that is too long learns what is wrong.
func TestTooLongAndMore(t *testing.T) {
	fd := connect(t, startServer(t, &fakeHandler{}))
	for range 3 {
		if err := unix.Send(fd, make([]byte, MaxMessage+1), unix.MSG_NOSIGNAL); err != nil && !errors.Is(err, unix.EPIPE) {
			t.Fatal(err)
		}
	}
	b := make([]byte, 200)
	n, err := unix.Read(fd, b)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := parseReply(b[:n]); err != nil || r.errno != EMSGSIZE {
		t.Errorf("%+v, %v; want EMSGSIZE", r, err)
	}
}

// crowded is a listening socket whose queue is full, and what makes room in it.
func crowded(t *testing.T) (path string, accept func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "crowded.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	connect(t, path)
	return path, func() {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { unix.Close(conn) })
	}
}

// A daemon at whose socket many wait is not taken for none.
func TestDialWaitsItsTurn(t *testing.T) {
	path, accept := crowded(t)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := DialPath(short, path, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no room: %v, want a deadline", err)
	}
	done := make(chan error)
	go func() {
		c, err := DialPath(t.Context(), path, 0)
		if err == nil {
			err = c.Close()
		}
		done <- err
	}()
	accept()
	if err := <-done; err != nil {
		t.Errorf("when there was room: %v", err)
	}
}

// A socket at which many wait is a living daemon's.
func TestListenSparesTheCrowded(t *testing.T) {
	path, _ := crowded(t)
	if l, err := Listen(path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("%v, want EADDRINUSE", err)
		if err == nil {
			l.Close()
		}
	}
}

// Who has asked once and is idle costs no buffer.
func TestIdleIsCheap(t *testing.T) {
	path := startServer(t, &fakeHandler{})
	before := memory()
	var fds []int
	for range maxConns {
		fds = append(fds, connect(t, path))
	}
	b := make([]byte, 200)
	for _, fd := range fds { // each is being served
		if err := unix.Send(fd, []byte{1}, unix.MSG_NOSIGNAL); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Read(fd, b); err != nil {
			t.Fatal(err)
		}
	}
	each := (memory() - before) / maxConns >> 10
	t.Logf("%d KiB for each of %d connections", each, maxConns)
	if each > 24 {
		t.Errorf("%d KiB for each connection", each)
	}
}
