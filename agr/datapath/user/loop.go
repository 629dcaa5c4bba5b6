package user

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// patience is how often a frame goroutine, finding no frame, lets other threads
// of the machine run and looks again before it waits. Under load somebody else
// has work and makes frames meanwhile, so the batch is longer and a wake-up, which
// costs more than moving a small frame, is saved. Idle, it costs a microsecond.
const patience = 3

// loop moves frames until it is told to stop. It waits by itself in poll(2),
// because the runtime's poller has itself called back for every single frame,
// whether anybody waits or not.
type loop struct {
	stopping atomic.Bool
	wake     int            // eventfd(2): readable once stopping
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
			_, _ = unix.Poll(l.fds[:], -1) // what it says shows in the next round
		}
	}
	return nil
}

// stop makes run return, waits until it has, and gives back what the loop holds.
// It is called once.
func (l *loop) stop() error {
	l.stopping.Store(true)
	one := [8]byte{1} // a number that is not 0 in either byte order
	_, err := unix.Write(l.wake, one[:])
	if err != nil {
		return fmt.Errorf("eventfd: %w", err) // run might never return
	}
	<-l.done
	return unix.Close(l.wake)
}
