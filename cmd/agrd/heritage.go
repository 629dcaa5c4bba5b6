package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/netutil/sd"
)

// heritageEnv names the environment variable that tells a program, which has taken
// the place of another one in the same process, what descriptors it has from it:
// name=number, separated by commas.
const heritageEnv = "AGRD_HERITAGE"

// takeHeritage takes what the program before this one has left. Nobody else gets it.
func takeHeritage() agr.Heritage {
	h := parseHeritage(os.Getenv(heritageEnv))
	os.Unsetenv(heritageEnv)
	for name, fd := range h {
		if closeOnExec(fd, true) != nil {
			delete(h, name) // nothing is open there
		}
	}
	return h
}

// takeSockets takes what a service manager has handed over. What the environment of a
// successor says of that its predecessor has had: there are others under these numbers.
func takeSockets(left agr.Heritage) ([]*os.File, error) {
	if len(left) > 0 {
		sd.Forget()
		return nil, nil
	}
	return sd.Sockets()
}

// parseHeritage reads what leave has written, and leaves out what it has not.
func parseHeritage(text string) agr.Heritage {
	h := make(agr.Heritage)
	for item := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(item, "=")
		fd, err := strconv.Atoi(number)
		if ok && err == nil && fd > 2 {
			h[name] = fd
		}
	}
	return h
}

// leave lets descriptors outlive execve(2), and returns what tells of them in the
// environment.
func leave(all ...agr.Heritage) (env string, err error) {
	var items []string
	for _, h := range all {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if err := closeOnExec(h[name], false); err != nil {
				return "", fmt.Errorf("leave %s: %w", name, err)
			}
			items = append(items, fmt.Sprintf("%s=%d", name, h[name]))
		}
	}
	return heritageEnv + "=" + strings.Join(items, ","), nil
}

// stay takes back what leave has done.
func stay(h agr.Heritage) {
	for _, fd := range h {
		_ = closeOnExec(fd, true)
	}
}

func closeOnExec(fd int, on bool) error {
	flags := 0
	if on {
		flags = unix.FD_CLOEXEC
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return err
}

// file is a descriptor of a heritage as a file, nil if there is none.
func file(h agr.Heritage, name string) *os.File {
	fd, ok := h.Take(name)
	if !ok {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

// keep adds a copy of a file's descriptor to a heritage.
func keep(h agr.Heritage, name string, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = h.Keep(name, int(fd)) }); err != nil {
		return err
	}
	return failed
}
