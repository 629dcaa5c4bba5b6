package datapath

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Heritage are open descriptors by name, which a program leaves to the one that
// takes its place in the same process (execve(2)). A name has no comma and no
// equals sign. The zero value has none.
type Heritage map[string]int

// Bequeather is a Device that does not forward without a process, but can let what
// arrives wait for a successor that begins at once.
type Bequeather interface {
	// Bequeath is Close without destroy, except that agrN keeps its carrier, and that
	// what arrives from now on waits at the descriptors that it returns, which are
	// the caller's. After an error there is none.
	Bequeath() (Heritage, error)
}

// Keep adds a copy of a descriptor under a name.
func (h Heritage) Keep(name string, fd int) error {
	kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	h[name] = kept
	return nil
}

// Take is the descriptor of a name, which is the caller's from now on.
func (h Heritage) Take(name string) (fd int, ok bool) {
	fd, ok = h[name]
	delete(h, name)
	return fd, ok
}

// Part takes all whose names begin with that of an owner and a slash, under what
// follows it.
func (h Heritage) Part(owner string) Heritage {
	part := make(Heritage)
	for name, fd := range h {
		if rest, ok := strings.CutPrefix(name, owner+"/"); ok {
			part[rest] = fd
			delete(h, name)
		}
	}
	return part
}

// Add takes over those of an owner, under names that Part finds.
func (h Heritage) Add(owner string, part Heritage) {
	for name, fd := range part {
		h[owner+"/"+name] = fd
	}
	clear(part)
}

// Close closes those that nobody has taken.
func (h Heritage) Close() error {
	var errs []error
	for name, fd := range h {
		if err := unix.Close(fd); err != nil {
			errs = append(errs, os.NewSyscallError("close "+name, err))
		}
	}
	clear(h)
	return errors.Join(errs...)
}
