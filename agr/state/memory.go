package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// MemoryVersion is the version of the format of a memory file.
const MemoryVersion = 1

// Memory is what an agr interface has in mind while it works: lost with the boot,
// and no loss but of time when it cannot be read. It has a file of its own, because
// it changes often and the state file seldom.
type Memory struct {
	Version int             `json:"version"`
	BootID  string          `json:"boot_id"`
	Netns   uint64          `json:"netns"`
	Body    json.RawMessage `json:"memory"`
}

// MemoryPath is the memory file of an agr interface, beside the state file.
func MemoryPath(statePath, name string) string {
	return strings.TrimSuffix(statePath, ".json") + "." + name + memorySuffix
}

// Suffixes of file names: of a memory, and of a file that is being written.
const (
	memorySuffix = ".memory"
	newSuffix    = ".new"
)

// SaveMemory replaces the file at path. A reader finds the old memory or the new
// one, whole.
func SaveMemory(path string, m Memory) error {
	m.Version = MemoryVersion
	if err := save(path, m); err != nil {
		return fmt.Errorf("state: save memory: %w", err)
	}
	return nil
}

// LoadMemory reads the file at path. Without a file it returns no Body and no
// error. One of another boot or namespace is ErrForeign; one that is damaged or of
// another version is ErrCorrupt.
func LoadMemory(path, bootID string, netns uint64) (Memory, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{}, nil
	}
	if err != nil {
		return Memory{}, fmt.Errorf("state: load memory: %w", err)
	}
	m, err := decodeMemory(b)
	if err == nil && (m.BootID != bootID || m.Netns != netns) {
		err = ErrForeign
	}
	if err != nil {
		return Memory{}, fmt.Errorf("state: load memory %s: %w", path, err)
	}
	return m, nil
}

// Tidy removes what lies beside the state file at path and nobody will use: what a
// process was writing when it was killed, and memories of agr interfaces that f does
// not have. Nobody else may be writing.
func Tidy(path string, f File) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("state: tidy: %w", err)
	}
	used := map[string]bool{filepath.Base(path): true}
	stem := strings.TrimSuffix(filepath.Base(path), "json")
	for _, a := range f.Agrs {
		used[filepath.Base(MemoryPath(path, a.Name))] = true
	}
	var errs []error
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), newSuffix)
		ours := name == filepath.Base(path) || strings.HasPrefix(name, stem) && strings.HasSuffix(name, memorySuffix)
		if ours && (name != e.Name() || !used[name]) {
			errs = append(errs, os.Remove(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return errors.Join(errs...)
}

func decodeMemory(b []byte) (Memory, error) {
	var m Memory
	if err := open(b, &m); err != nil {
		return Memory{}, err
	}
	if m.Version != MemoryVersion {
		return Memory{}, fmt.Errorf("%w: version %d, this program writes %d", ErrCorrupt, m.Version, MemoryVersion)
	}
	return m, nil
}

// save writes v in an envelope to the file at path, all of it or nothing. There is
// one temporary file, so that kills leave no litter. Nothing is forced to a disk:
// what was written is worth nothing after the boot, and a process that is killed
// leaves what it has written with the kernel.
func save(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b, err := json.Marshal(envelope{CRC32: crc32.ChecksumIEEE(body), State: body})
	if err != nil {
		return err
	}
	return replace(path, append(b, '\n'))
}

// replace gives the file at path other contents, all of them or none. The directory
// may be another user's, so what is there under the temporary name, a symbolic link
// above all, is removed and never written to.
func replace(path string, b []byte) error {
	temporary := path + newSuffix
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
	}
	return err
}

// open takes v out of its envelope.
func open(b []byte, v any) error {
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if sum := crc32.ChecksumIEEE(e.State); sum != e.CRC32 {
		return fmt.Errorf("%w: checksum %#x, file says %#x", ErrCorrupt, sum, e.CRC32)
	}
	if err := json.Unmarshal(e.State, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}
