package user

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how often a frame goroutine, finding no frame, lets other threads
// of the machine run and looks again before it waits. Under load somebody else
// has work and makes frames meanwhile, so the batch is longer and a wake-up, which
// costs more than moving a small frame, is saved. Idle, it costs a microsecond.
const patience = 3

// reserveThreads lets the runtime run more goroutines at a time than there are
// processors: twice as many and two. A frame goroutine keeps its place among them
// through its system calls, and in poll(2) until somebody else needs it; when
// there are too few places, the runtime looks for one 50,000 times a second, and
// who has frames to move waits for that. Which of them run is the kernel's affair.
func reserveThreads() {
	if n := 2*runtime.NumCPU() + 2; runtime.GOMAXPROCS(0) < n {
		runtime.GOMAXPROCS(n)
	}
}

// errNoRound says that a loop did not come to its next round in time.
var errNoRound = errors.New("its frames are not moved in time")

// loop moves frames until it is told to stop. It waits by itself in poll(2),
// because the runtime's poller has itself called back for every single frame,
// whether anybody waits or not.
type loop struct {
	stopping atomic.Bool
	wake     int            // eventfd(2): readable when the next round is not to wait
	fds      [2]unix.PollFd // frames, wake
	done     chan struct{}  // closed when run has returned
}

// newLoop makes a loop that waits for frames at a descriptor.
func newLoop(fd int) (*loop, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &loop{
		wake: wake,
		fds:  [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}},
		done: make(chan struct{}),
	}, nil
}

// run calls move again and again until stop, or until move fails. move moves the
// frames that there are; an error that is unix.EAGAIN says that there are none.
func (l *loop) run(move func() error) error {
	defer close(l.done)
	tries := 0
	for !l.stopping.Load() {
		err := move()
		switch {
		case err == nil:
			tries = 0
		case !errors.Is(err, unix.EAGAIN):
			return err
		case tries < patience:
			tries++
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		default:
			tries = 0
			l.wait()
		}
	}
	return nil
}

// wait waits for a frame, or to be woken. What else poll(2) has to say shows in
// the next round.
func (l *loop) wait() {
	n, _ := unix.Poll(l.fds[:], -1)
	if n > 0 && l.fds[1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:])
	}
}

// rouse makes the next round begin.
func (l *loop) rouse() error {
	one := [8]byte{1} // a number that is not 0 in either byte order
	if _, err := unix.Write(l.wake, one[:]); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("eventfd: %w", err)
	}
	return nil
}

// await waits until a round has closed c, at most for wait. The round begins at
// once, also when there is no frame. Nothing is awaited of a loop that has ended.
func (l *loop) await(c <-chan struct{}, wait time.Duration) error {
	select {
	case <-l.done:
		return nil
	default:
	}
	if err := l.rouse(); err != nil {
		return err
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case <-c:
		return nil
	case <-l.done:
		return nil
	case <-timeout.C:
		return errNoRound
	}
}

// stop makes run return, waits until it has, and gives back what the loop holds.
// It is called once.
func (l *loop) stop() error {
	l.stopping.Store(true)
	if err := l.rouse(); err != nil {
		return err // run might never return
	}
	<-l.done
	return unix.Close(l.wake)
}
