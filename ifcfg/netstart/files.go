package netstart

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

var errNotRegular = errors.New("not a plain file")

func (r *run) exists(name string) bool {
	_, err := fs.Stat(r.Files, name)
	return err == nil
}

// read gives a file and whether its lines may be run by a shell. A file that
// is not there is an empty one.
func (r *run) read(name string) (text string, trusted bool, err error) {
	// To open a pipe could take for ever.
	if info, err := fs.Stat(r.Files, name); errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	} else if err == nil && !info.Mode().IsRegular() {
		return "", false, errNotRegular
	}
	f, err := r.Files.Open(name)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	b, err := io.ReadAll(f)
	return string(b), onlyRoots(info), err
}

// onlyRoots reports a file that belongs to root and that nobody else may write.
// An access list shows in the bits of the group.
func onlyRoots(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0 && info.Mode().Perm()&0o022 == 0
}
