package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// ErrNotSupported says that the kernel has not what was asked for.
var ErrNotSupported = errors.New("not supported by this kernel")

// Files are what a process goes on to open. What is open already stays usable.
type Files struct {
	// Read are directories whose files are read, and files.
	Read []string
	// Write are directories in which files are made, written, renamed and
	// removed, and read.
	Write []string
	// Devices are files that are read, written and controlled (ioctl(2)).
	Devices []string
}

// landlockVersion asks for the version of the kernel's Landlock interface. A
// filter that somebody else has set may refuse to tell.
func landlockVersion() (int, error) {
	const versionFlag = 1 // LANDLOCK_CREATE_RULESET_VERSION, landlock_create_ruleset(2)
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, versionFlag)
	switch errno {
	case 0:
		return int(v), nil
	case unix.ENOSYS, unix.EOPNOTSUPP: // it lacks it, or it is switched off
		return 0, fmt.Errorf("%w: %w", ErrNotSupported, errno)
	}
	return 0, errno
}

// RestrictFiles takes every other file away from this process, as far as the
// kernel's version of Landlock can: reading, writing, making, removing and
// running. What is named and not there is left out. ErrNotSupported says that
// nothing was done.
func RestrictFiles(f Files) error {
	if _, err := landlockVersion(); err != nil {
		return fmt.Errorf("privilege: landlock: %w", err)
	}
	var rules []landlock.Rule
	for _, path := range f.Read {
		rules = append(rules, ruleFor(path, landlock.RODirs, landlock.ROFiles)...)
	}
	for _, path := range f.Write {
		rules = append(rules, ruleFor(path, landlock.RWDirs, landlock.RWFiles)...)
	}
	for _, path := range f.Devices {
		device := func(p ...string) landlock.FSRule { return landlock.RWFiles(p...).WithIoctlDev() }
		rules = append(rules, ruleFor(path, device, device)...)
	}
	// Version 5 is the last that is about files alone. Sockets are the filter's.
	if err := landlock.V5.BestEffort().RestrictPaths(rules...); err != nil {
		return fmt.Errorf("privilege: landlock: %w", err)
	}
	return nil
}

// ruleFor makes the rule that fits what is at path, or none.
func ruleFor(path string, dirs, files func(...string) landlock.FSRule) []landlock.Rule {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && st.IsDir():
		return []landlock.Rule{dirs(path)}
	}
	return []landlock.Rule{files(path)}
}
