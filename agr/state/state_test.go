package state

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/ether"
)

func example() File {
	return File{
		Version: Version, BootID: "boot-a", Netns: 7,
		Agrs: []Agr{{
			Name: "agr0", LinkFlags: 0x1000, System: ether.Addr{2, 0, 0, 0, 0, 1}, Seed: 42,
			Options: Options{Mode: "passive", Fallback: "single", FallbackAfter: 5, MinLinks: 2, MinLinksDown: 1, Hash: "l4"},
			Ports: []Port{
				{Name: "re0", Index: 3, Number: 1, Priority: 7, Undo: Undo{MAC: ether.Addr{2, 0, 0, 0, 0, 1}, MTU: 1500, AddrGenMode: 1}},
				{Name: "re1", Index: 4, Number: 2, Undo: Undo{MAC: ether.Addr{2, 0, 0, 0, 0, 2}, MTU: 9000}},
			},
		}},
	}
}

func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "7.json")
	want := example()
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path, "boot-a", 7)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("round trip (-want +got):\n%s", d)
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestLoadWithoutFile(t *testing.T) {
	got, err := Load(filepath.Join(t.TempDir(), "7.json"), "boot-a", 7)
	want := File{Version: Version, BootID: "boot-a", Netns: 7}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("err %v (-want +got):\n%s", err, d)
	}
}

// What cannot be believed gives an empty state and says why.
func TestLoadDoesNotBelieve(t *testing.T) {
	tests := []struct {
		name, boot string
		netns      uint64
		damage     func(string) string
		want       error
	}{
		{"another boot", "boot-b", 7, nil, ErrForeign},
		{"another namespace", "boot-a", 8, nil, ErrForeign},
		{"cut short", "boot-a", 7, func(s string) string { return s[:len(s)/2] }, ErrCorrupt},
		{"one octet changed", "boot-a", 7, func(s string) string { return strings.Replace(s, "re1", "re2", 1) }, ErrCorrupt},
		{"empty", "boot-a", 7, func(string) string { return "" }, ErrCorrupt},
		{"something else", "boot-a", 7, func(string) string { return "{}" }, ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "7.json")
			if err := Save(path, example()); err != nil {
				t.Fatal(err)
			}
			if tt.damage != nil {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(tt.damage(string(b))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(path, tt.boot, tt.netns)
			if !errors.Is(err, tt.want) {
				t.Errorf("err = %v, want %v", err, tt.want)
			}
			if len(got.Agrs) != 0 {
				t.Errorf("believed %+v", got.Agrs)
			}
		})
	}
}

// What another version has written is told from what is damaged, and matters only
// in the boot and namespace that it is for.
func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		body string
		want error
	}{
		{`{"version":99,"boot_id":"boot-a","netns":7,"agrs":"in another format"}`, ErrVersion},
		{`{"version":99,"boot_id":"boot-b","netns":7}`, ErrForeign},
		{`{"version":1,"boot_id":"boot-a","netns":7,"agrs":"in another format"}`, ErrCorrupt},
		{`{"boot_id":"boot-a","netns":7}`, ErrCorrupt},
	} {
		file := fmt.Sprintf(`{"crc32":%d,"state":%s}`, crc32.ChecksumIEEE([]byte(tt.body)), tt.body)
		if _, err := decode([]byte(file), "boot-a", 7); !errors.Is(err, tt.want) {
			t.Errorf("%s: err = %v, want %v", tt.body, err, tt.want)
		}
	}
}

// A file that was written before there were options and priorities.
func TestOldFile(t *testing.T) {
	const body = `{"version":1,"boot_id":"boot-a","netns":7,"agrs":[{"name":"agr0","link_flags":0,"system":"02:00:00:00:00:01",` +
		`"seed":42,"ports":[{"name":"re0","ifindex":3,"number":1,"undo":{"mac":"02:00:00:00:00:01","mtu":1500,"addr_gen_mode":1,"noarp":false}}]}]}`
	path := filepath.Join(t.TempDir(), "7.json")
	file := fmt.Sprintf(`{"crc32":%d,"state":%s}`, crc32.ChecksumIEEE([]byte(body)), body)
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path, "boot-a", 7)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(DefaultOptions(), f.Agrs[0].Options); d != "" {
		t.Errorf("options (-want +got):\n%s", d)
	}
	if p := f.Agrs[0].Ports[0]; p.Priority != DefaultPriority || p.Undo.MTU != 1500 {
		t.Errorf("port %+v", p)
	}
}

func TestOwner(t *testing.T) {
	f := example()
	for _, tt := range []struct {
		index int
		name  string
		want  string
	}{{3, "re0", "agr0"}, {4, "renamed", "agr0"}, {5, "re0", ""}, {0, "re1", "agr0"}, {0, "re9", ""}} {
		if got := f.Owner(tt.index, tt.name); got != tt.want {
			t.Errorf("Owner(%d, %q) = %q, want %q", tt.index, tt.name, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"crc32":0,"state":{"version":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b, "", 0)
		if err == nil && s.Version != Version {
			t.Errorf("accepted version %d", s.Version)
		}
	})
}

// What a killed process was writing goes, and memories of what is not there any more.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "7.json")
	keep := []string{"7.agr0.memory", "7.json", "7.json.bad", "7.json.lock", "7.sock", "77.agr5.memory", "77.json.new"}
	for _, name := range append([]string{"7.agr0.memory.new", "7.agr5.memory", "7.agr5.memory.new", "7.json.new"}, keep...) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Tidy(path, example()); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if d := cmp.Diff(keep, left); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// The directory may be another user's: what he has put where the new file is written
// is not followed, and no file of somebody else's changes.
func TestSaveFollowsNoLink(t *testing.T) {
	tests := map[string]func(path string) error{
		"state":  func(path string) error { return Save(path, example()) },
		"memory": func(path string) error { return SaveMemory(path, Memory{BootID: "boot-a", Body: []byte("{}")}) },
	}
	for name, write := range tests {
		for kind, link := range map[string]func(old, name string) error{"symbolic": os.Symlink, "hard": os.Link} {
			t.Run(name+" "+kind, func(t *testing.T) {
				dir := t.TempDir()
				victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "7.json")
				if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := link(victim, path+newSuffix); err != nil {
					t.Fatal(err)
				}
				if err := write(path); err != nil {
					t.Errorf("not written: %v", err)
				}
				if b, err := os.ReadFile(victim); err != nil || string(b) != "mine" {
					t.Errorf("somebody else's file has become %q, %v", b, err)
				}
				if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() {
					t.Errorf("the file is %v, %v", st, err)
				}
			})
		}
	}
}
