package ifagr_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// installed is a directory into which make installs.
type installed struct {
	t   *testing.T
	dir string
}

// make runs make, with a prefix of its own.
func (d installed) make(prefix string, targets ...string) {
	d.t.Helper()
	cmd := exec.Command("make", append([]string{"--no-print-directory", "DESTDIR=" + d.dir, "PREFIX=" + prefix}, targets...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("make %s: %v\n%s", strings.Join(targets, " "), err, out)
	}
}

// files are those that are there.
func (d installed) files() (all []string) {
	d.t.Helper()
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, strings.TrimPrefix(path, d.dir))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// What make install-system has put there make uninstall takes away again. What the
// administrator has written stays, also when it is installed once more; and so do the
// files of another installation.
func TestInstallSystem(t *testing.T) {
	d := installed{t, t.TempDir()}
	const options = "/etc/default/agrd"
	d.make("/usr/local", "install-system")
	unit, err := os.ReadFile(d.dir + "/usr/lib/systemd/system/agrd.service")
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/local/sbin/agrd ") {
		t.Errorf("the unit, %v:\n%s", err, unit)
	}
	before := d.files()
	d.make("/opt", "uninstall")
	if diff := cmp.Diff(before, d.files()); diff != "" {
		t.Errorf("another installation was removed (-want +got):\n%s", diff)
	}
	d.make("/usr/local", "uninstall")
	if left := d.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}

	d.make("/usr/local", "install-system")
	const mine = "AGRD_OPTIONS=\"-group netadmin\"\n"
	if err := os.WriteFile(d.dir+options, []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	d.make("/usr/local", "install-system")
	if b, err := os.ReadFile(d.dir + options); err != nil || string(b) != mine {
		t.Errorf("the options were overwritten: %q, %v", b, err)
	}
	d.make("/usr/local", "uninstall")
	if diff := cmp.Diff([]string{options}, d.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
