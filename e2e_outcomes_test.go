package ifagr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// stateFile is the state file of the host's namespace.
func (h *host) stateFile() string {
	h.t.Helper()
	for _, f := range h.runFiles() {
		if strings.HasSuffix(f, ".json") {
			return f
		}
	}
	h.t.Fatalf("there is no state file: %q", h.runFiles())
	return ""
}

// rewrite changes a file of the daemon's as edit says, with a checksum that is right.
func rewrite(t *testing.T, path string, edit func(body string) string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct {
		State json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(b, &envelope); err != nil {
		t.Fatal(err)
	}
	body := edit(string(envelope.State))
	if body == string(envelope.State) {
		t.Fatalf("nothing to change in %s", body)
	}
	file := fmt.Sprintf(`{"crc32":%d,"state":%s}`, crc32.ChecksumIEEE([]byte(body)), body)
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
}

// killed is a host whose daemon was killed while agr0 had two ports, and what there
// is since.
func killed(t *testing.T, datapath string) (*host, pristine) {
	t.Helper()
	a, _ := pair(t, datapath)
	a.port("re0", "re1")
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	a.endDaemonBy(unix.SIGKILL)
	return a, a.pristine()
}

// says waits until a daemon's log, which is written when there is time, has a text.
func says(t *testing.T, d *nettest.Daemon, text string) {
	t.Helper()
	nettest.Eventually(t, settle, func() error {
		if !strings.Contains(d.Output(), text) {
			return fmt.Errorf("it does not say %q: %s", text, d.Output())
		}
		return nil
	})
}

// unchanged checks that everything is as it was.
func (h *host) unchanged(before pristine) {
	h.t.Helper()
	if d := cmp.Diff(before, h.pristine()); d != "" {
		h.t.Errorf("something was changed (-before +after):\n%s", d)
	}
}

// A state that another version has written stops the daemon, which touches nothing:
// only the other one knows what to undo.
func TestStateOfAnotherVersion(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		a, before := killed(t, datapath)
		path := a.stateFile()
		rewrite(t, path, func(body string) string { return strings.Replace(body, `"version":1`, `"version":2`, 1) })
		for _, args := range [][]string{nil, {"-check"}} {
			r := a.runs("agrd", args...)
			if want := "written by another version of this program: version 2, this program reads 1"; r.code != 1 || !strings.Contains(r.stderr, want) {
				t.Errorf("agrd %q: %+v", args, r)
			}
		}
		before.Files = slices.DeleteFunc(before.Files, func(f string) bool { return strings.HasSuffix(f, ".lock") })
		a.unchanged(before)
	})
}

// A damaged state is set aside and says nothing any more. Interfaces stay as they are.
func TestStateDamaged(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		a, before := killed(t, datapath)
		path := a.stateFile()
		if err := os.WriteFile(path, []byte("garbage"), 0o644); err != nil {
			t.Fatal(err)
		}
		d := a.startDaemon()
		says(t, d, "state set aside")
		if _, err := os.Stat(path + ".bad"); err != nil {
			t.Error(err)
		}
		after := a.pristine()
		before.Files, after.Files = nil, nil
		if d := cmp.Diff(before, after); d != "" {
			t.Errorf("something was changed (-before +after):\n%s", d)
		}
		a.refuses("ifconfig: clone_command: File exists\nifconfig: exec_matches: File exists", "agr0", "create")
		a.ifconfig("agr1", "create") // and the daemon serves
		a.ifconfig("agr1", "destroy")
	})
}

// A state of another boot is of no use: there is nothing left that it could tell of.
func TestStateOfAnotherBoot(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		a, before := killed(t, datapath)
		rewrite(t, a.stateFile(), func(body string) string {
			i := strings.Index(body, `"boot_id":"`) + len(`"boot_id":"`)
			return body[:i] + "another" + body[i:]
		})
		d := a.startDaemon()
		says(t, d, "written in another boot or network namespace")
		after := a.pristine()
		before.Files, after.Files = nil, nil
		if d := cmp.Diff(before, after); d != "" {
			t.Errorf("something was changed (-before +after):\n%s", d)
		}
		if names := a.aggregates(); len(names) > 0 {
			t.Errorf("it believes in %q", names)
		}
	})
}

// A damaged memory costs time: LACP begins anew, on the ports that there were.
func TestMemoryDamaged(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		a, _ := joined(t, datapath)
		a.endDaemonBy(unix.SIGKILL)
		path := strings.TrimSuffix(a.stateFile(), "json") + "agr0.memory"
		rewrite(t, path, func(body string) string { return strings.Replace(body, `"version":1`, `"version":2`, 1) })
		d := a.startDaemon()
		says(t, d, "LACP begins anew")
		nettest.Eventually(t, 4*settle, func() error { return a.distributes("re0", "re1") })
	})
}

// The second daemon of a namespace ends with a clear message, and touches nothing.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	eachDatapath(t, func(t *testing.T, datapath string) {
		a, _ := pair(t, datapath)
		a.port("re0", "re1")
		a.startDaemon()
		a.ifconfig("agr0", "create")
		a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
		nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
		before := a.pristine()
		r := a.runs("agrd")
		if want := "agrd: another agrd serves this network namespace: "; r.code != 1 || !strings.HasPrefix(r.stderr, want) {
			t.Errorf("the second one: %+v", r)
		}
		a.unchanged(before)
		if err := a.distributes("re0", "re1"); err != nil {
			t.Error(err)
		}
	})
}

// On a full disk no port is taken, because its undo would be lost, and none is kept
// from leaving. A restart finds what was saved last.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testDiskFull)
}

func testDiskFull(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.port("re0", "re1")
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=32k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	a.socket = filepath.Join(dir, "agrd.sock")
	d := a.startDaemon()
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0")
	free := a.settings("re1")
	fill(t, filepath.Join(dir, "ballast"))
	a.refuses("ifconfig: SIOCSETAGR: No space left on device", "agr0", "agrport", "re1")
	if got := a.settings("re1"); got != free {
		t.Errorf("re1 was refused, and is %+v, was %+v", got, free)
	}
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0") })
	d.Kill()
	d = a.startDaemon()
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0") })
	a.ifconfig("agr0", "-agrport", "re0")
	a.ifconfig("agr0", "destroy")
	if got, want := a.settings("re0"), free; got.MTU != want.MTU || got.GenMode != want.GenMode || got.Flags != want.Flags {
		t.Errorf("re0 has %+v", got)
	}
	if !d.Stop() {
		t.Error("it does not end")
	}
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// Where everything is as it should be another look at it changes nothing.
func TestSecondPass(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testSecondPass)
}

func testSecondPass(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	b.agr0("192.0.2.2")
	a.port("re0", "re1")
	d, s := a.startSupervised(0)
	nettest.Eventually(t, settle, func() error { _, err := a.daemonPid(); return err })
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	since := time.Now()
	nettest.Eventually(t, 2*settle, func() error { // the states that follow are written down, too
		if s.restless() {
			since = time.Now()
		}
		if time.Since(since) < time.Second {
			return errors.New("it goes on to make changes")
		}
		return nil
	})
	s.arm(0)
	a.Run("ip", "link", "add", "look0", "type", "veth", "peer", "name", "look1")
	a.Run("ip", "link", "del", "look0")
	a.Run("ip", "link", "set", "re1", "mtu", "1400") // the last thing that it sees: it is put back
	nettest.Eventually(t, settle, func() error {
		if got := a.link("re1").MTU; got != 1500 {
			return fmt.Errorf("mtu %d", got)
		}
		return nil
	})
	if got := s.disarm(); !slices.Equal(got, []string{"RTM_SETLINK"}) {
		t.Errorf("it changed %q: %s", got, d.Output())
	}
}
