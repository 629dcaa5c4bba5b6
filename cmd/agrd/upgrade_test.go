package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/agr"
)

// A program has the name that it was called by, if that leads to it.
func TestOwnPath(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(link))
	for _, tt := range []struct{ name, arg0, want string }{
		{"a path", self, self},
		{"a symbolic link", link, link},
		{"a name in PATH", "current", link},
		{"something else", "/bin/sh", self},
		{"nothing", "", self},
	} {
		if got := ownPath(tt.arg0); got != tt.want {
			t.Errorf("%s: ownPath(%q) = %q, want %q", tt.name, tt.arg0, got, tt.want)
		}
	}
}

// A program that cannot take over is refused, and the reason is said.
func TestCanRun(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		wantErr    string
	}{
		{"ours", "#!/bin/sh\n[ \"$*\" = '-check -v' ] && echo agrd 2.0", 0o755, ""},
		{"fails", "#!/bin/sh\necho agrd: no; exit 1", 0o755, "exit status 1: agrd: no"},
		{"another program", "#!/bin/sh\necho hello", 0o755, `says "hello"`},
		{"no program", "hello", 0o755, "exec format error"},
		{"not executable", "#!/bin/sh\necho agrd", 0o644, "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "-"))
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			says, err := canRun(t.Context(), path, []string{"-v"})
			switch {
			case tt.wantErr == "" && (err != nil || says != "agrd 2.0"):
				t.Errorf("it says %q: %v", says, err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("err = %v, want %q", err, tt.wantErr)
			}
		})
	}
}

// What one program leaves the next one takes, and nothing else.
func TestHeritage(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	left := make(agr.Heritage)
	if err := keep(left, "agr0/tap", w); err != nil {
		t.Fatal(err)
	}
	fd := left["agr0/tap"]
	env, err := leave(left)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != 0 {
		t.Errorf("it does not outlive execve: %#x, %v", flags, err)
	}
	name, value, _ := strings.Cut(env, "=")
	t.Setenv(name, value+",closed=4711,standard=2,wrong,=,x=y")
	taken := takeHeritage()
	if len(taken) != 1 || taken["agr0/tap"] != fd || os.Getenv(name) != "" {
		t.Errorf("taken %v of %q, left %q", taken, env, os.Getenv(name))
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("children get it: %#x, %v", flags, err)
	}
	part := taken.Part("agr0")
	if got, ok := part.Take("tap"); !ok || got != fd || len(taken)+len(part) > 0 {
		t.Errorf("part %v, rest %v", part, taken)
	}
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}
