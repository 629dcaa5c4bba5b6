package softstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

const (
	// Directory is where the state of the system is.
	Directory = "/run/ifagr"

	version    = 1
	maxSize    = 64 << 20 // octets; some 50,000 interfaces have less
	bootIDPath = "/proc/sys/kernel/random/boot_id"
)

// Store is the file of one network namespace.
type Store struct {
	paths []string
	netns uint64
}

// file is what lies on disk.
type file struct {
	Version int    `json:"version"`
	BootID  string `json:"boot_id"`
	Netns   uint64 `json:"netns"`
	State
}

// Directories are where the state of the system is, and where that of a user is
// who is root only in a user namespace of his own, and cannot write there.
func Directories() []string {
	dirs := []string{Directory}
	if own := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(own) {
		dirs = append(dirs, filepath.Join(own, "ifagr"))
	}
	return dirs
}

// Open names the file of the network namespace with that cookie. It need not be
// there. It is written in the first of the directories where that is possible,
// and read in the last one that has it.
func Open(netns uint64, dirs ...string) *Store {
	s := &Store{netns: netns}
	for _, dir := range dirs {
		s.paths = append(s.paths, filepath.Join(dir, strconv.FormatUint(netns, 10)+".json"))
	}
	return s
}

// Load reads what is remembered. A file that is not there, cannot be read or is
// not to be believed is an empty state.
func (s *Store) Load() State {
	for _, path := range slices.Backward(s.paths) {
		b, err := read(path)
		if err != nil {
			continue
		}
		boot, err := bootID()
		if err != nil {
			return State{}
		}
		if st, ok := s.believe(b, boot); ok {
			return st
		}
	}
	return State{}
}

// believe gives the state of a file that was written here and in this boot.
func (s *Store) believe(b []byte, boot string) (State, bool) {
	var f file
	ok := json.Unmarshal(b, &f) == nil && f.Version == version && f.BootID == boot && f.Netns == s.netns
	if !ok {
		return State{}, false
	}
	return f.State, true
}

// read reads a file of root's or of this user's.
func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 && st.Uid != uint32(os.Geteuid()) || st.Size > maxSize {
		return nil, fs.ErrPermission
	}
	return io.ReadAll(io.LimitReader(f, maxSize))
}

func bootID() (string, error) {
	b, err := os.ReadFile(bootIDPath)
	return strings.TrimSpace(string(b)), err
}

// Update changes what is remembered and gives the state after that. When the
// change cannot be kept nothing has changed.
func (s *Store) Update(change func(*State)) (State, error) {
	var first error
	for i, path := range s.paths {
		st, err := s.update(path, change)
		if err == nil {
			for _, older := range s.paths[i+1:] {
				_ = os.Remove(older) // there is none, nearly always
			}
			return st, nil
		}
		if first == nil {
			first = fmt.Errorf("soft state: %w", err)
		}
	}
	return State{}, first
}

func (s *Store) update(path string, change func(*State)) (State, error) {
	boot, err := bootID()
	if err != nil {
		return State{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return State{}, err
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return State{}, err
	}
	defer unlock()
	st := s.Load()
	change(&st)
	st.tidy()
	if st.empty() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return State{}, err
		}
		return st, nil
	}
	b, err := json.Marshal(file{Version: version, BootID: boot, Netns: s.netns, State: st})
	if err != nil {
		return State{}, err
	}
	return st, renameio.WriteFile(path, append(b, '\n'), 0o644)
}

// lock keeps other processes from changing a file of the directory until unlock
// is called. Only those who may write there can hold it.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
