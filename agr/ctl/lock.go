package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how long a lock that somebody else has is left alone.
const lockRetry = 10 * time.Millisecond

// ErrLocked says that somebody else has kept a lock for too long.
var ErrLocked = errors.New("locked")

// Locked is a lock file that this process has. A process that has inherited its
// descriptor has the lock, too.
type Locked struct {
	path string
	file *os.File
}

// Inherit is the lock of a process that this one has replaced, by its descriptor.
func Inherit(path string, file *os.File) *Locked { return &Locked{path: path, file: file} }

// File is the descriptor, which stays the lock's.
func (l *Locked) File() *os.File { return l.file }

// Unlock removes the file and gives the lock back.
func (l *Locked) Unlock() {
	os.Remove(l.path)
	l.file.Close()
}

// Lock takes the lock file at path, and makes it if there is none. It waits
// until the context ends, then the error is ErrLocked.
func Lock(ctx context.Context, path string) (*Locked, error) {
	for {
		f, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("ctl: lock: %w", err)
		}
		if f != nil {
			return Inherit(path, f), nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("ctl: %s: %w", path, ErrLocked)
		case <-time.After(lockRetry):
		}
	}
}

// tryLock returns the locked file, or nil when somebody else has it. A file that
// was removed between its opening and its locking is no lock. A symbolic link is
// not followed: the directory may be another user's.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	mine, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	there, err := os.Stat(path)
	if err != nil || !os.SameFile(mine, there) {
		f.Close()
		return nil, nil
	}
	return f, nil
}
