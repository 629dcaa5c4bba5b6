package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = makeLock(path)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, nil // somebody else was quicker
	}
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
	there, err := os.Lstat(path)
	if err != nil || !os.SameFile(mine, there) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

// makeLock makes the lock file, as one of the directory's owner: root's daemon must not
// leave a lock that the service's user cannot open when it comes after it. Removing one
// that somebody may have would make two holders; the owner who can open it needs not.
//
// The file has no name before it has its owner, so that there is never one with the
// wrong one, also when this process is killed.
func makeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Dir(path), os.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			giveToOwner(f, filepath.Dir(path))
		}
		return f, err
	}
	if err != nil {
		return nil, err
	}
	giveToOwner(f, filepath.Dir(path))
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprint("/proc/self/fd/", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		f.Close()
		return nil, &os.LinkError{Op: "link", Old: "lock", New: path, Err: err}
	}
	return f, nil
}

// giveToOwner gives a new file to the owner of a directory, where this user may: only
// root may, and needs to. Else it stays this user's.
func giveToOwner(f *os.File, dir string) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err == nil && os.Geteuid() == 0 && st.Uid != 0 {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
