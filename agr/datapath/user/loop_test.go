package user

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is something to wait for.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(unix.Close(p[0]), unix.Close(p[1])) })
	return p[0], p[1]
}

func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(5 * time.Second):
		t.Fatal("nothing happened within 5 s")
		panic("unreachable")
	}
}

func TestLoopWakesAndStops(t *testing.T) {
	r, w := pipe(t)
	l, err := newLoop(r)
	if err != nil {
		t.Fatal(err)
	}
	moved, ended := make(chan byte), make(chan error, 1)
	go func() {
		ended <- l.run(func() error {
			var b [1]byte
			if _, err := unix.Read(r, b[:]); err != nil {
				return err
			}
			moved <- b[0]
			return nil
		})
	}()
	for _, n := range []byte{1, 2, 3} {
		if _, err := unix.Write(w, []byte{n}); err != nil {
			t.Fatal(err)
		}
		if got := within(t, moved); got != n {
			t.Errorf("moved %d, want %d", got, n)
		}
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if err := within(t, ended); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestLoopStopsUnderLoad(t *testing.T) {
	r, _ := pipe(t)
	l, err := newLoop(r)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.run(func() error { return nil }) }()
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if err := within(t, ended); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestLoopEndsWithError(t *testing.T) {
	r, _ := pipe(t)
	l, err := newLoop(r)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := l.run(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("run: %v", err)
	}
	if err := l.stop(); err != nil {
		t.Errorf("stop after the end: %v", err)
	}
}
