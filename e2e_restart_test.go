package ifagr_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// restartTimes is how often the daemon is exchanged in each way; make restarts does
// it a thousand times.
const restartTimes = 10

// A daemon is exchanged again and again under numbered frames in both directions, with
// a partner that gives up after 3 s. Nothing is lost, doubled or overtaken, and the
// partner's state machines do not move. In the user datapath that holds for an upgrade.
func TestRestarts(t *testing.T) { eachDatapath(t, testRestarts) }

func testRestarts(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	if datapath == "user" && raceDetector {
		// A start takes as long as the partner waits, and frames in a TAP device.
		a.Run("ip", "link", "set", "agr0", "txqueuelen", "20000")
	} else {
		for _, h := range []*host{a, b} {
			h.ifconfig("agr0", "lacptimeout", "fast")
		}
	}
	a.endDaemonBy(unix.SIGKILL)
	d := a.startDaemon("-confine", "no")
	end := func(sig unix.Signal) func() {
		return func() { a.endDaemonBy(sig); d = a.startDaemon("-confine", "no") }
	}
	ways := map[string]func(){"SIGKILL": end(unix.SIGKILL), "SIGTERM": end(unix.SIGTERM)}
	if datapath == "user" {
		clear(ways)
	}
	ways["upgrade"] = func() {
		lives := served(d)
		if err := d.Signal(unix.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, 4*settle, func() error { return servesAgain(d, lives) })
	}
	for name, exchange := range ways {
		t.Run(name, func(t *testing.T) { a.exchanges(t, b, exchange) })
	}
}

// exchanges counts what is lost while the daemon of a is exchanged.
func (h *host) exchanges(t *testing.T, b *host, exchange func()) {
	both := func() error { return errors.Join(h.distributes("re0", "re1"), b.distributes("re0", "re1")) }
	nettest.Eventually(t, 2*settle, both)
	changes := b.muxChanges()
	streams := []*nettest.Stream{
		nettest.StartStream(t, nettest.StreamConfig{From: h.NS, To: b.NS, Addr: netip.MustParseAddr("192.0.2.2"), Rate: 250}),
		nettest.StartStream(t, nettest.StreamConfig{From: b.NS, To: h.NS, Addr: netip.MustParseAddr("192.0.2.1"), Rate: 250}),
	}
	for range restartTimes {
		exchange()
		nettest.Eventually(t, 2*settle, both)
		for _, s := range streams {
			waitReceived(t, s, s.Received()+20)
		}
	}
	for i, s := range streams {
		if r := s.Stop(); r.Lost+r.Duplicated+r.Reordered > 0 {
			t.Errorf("from %s: %v", [...]string{"it", "the far end"}[i], r)
		}
	}
	if t.Failed() {
		for _, x := range []*host{h, b} {
			t.Logf("%s\n%s", x.Output("ip", "-s", "link"), x.Output("ip", "neigh"))
		}
	}
	if after := b.muxChanges(); after != changes {
		t.Errorf("the far end has seen %d changes of state", after-changes)
	}
}

// served is how often a daemon has begun to serve.
func served(d *nettest.Daemon) int { return strings.Count(d.Output(), "msg=serving") }

// servesAgain is nil when it has done so once more.
func servesAgain(d *nettest.Daemon, before int) error {
	if served(d) <= before {
		return fmt.Errorf("not upgraded: %s", d.Output())
	}
	return nil
}

// An upgrade exchanges the program of the process. One that cannot run is refused, and
// nothing has happened; clients find a daemon all the time.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testUpgrade)
}

func testUpgrade(t *testing.T, datapath string) {
	a := newHost(t, datapath)
	bin := t.TempDir()
	for _, name := range []string{"agrd", "ifconfig"} {
		replaceBy(t, filepath.Join(bin, name), filepath.Join(a.bin, name))
	}
	a.bin = bin
	agrd := filepath.Join(bin, "agrd")
	d := a.startDaemon("-confine", "no")
	a.ifconfig("agr0", "create")
	broken := filepath.Join(bin, "broken")
	for _, text := range []string{"no program", "#!/bin/sh\necho agrd; exit 1\n", "#!/bin/sh\necho something else\n"} {
		if err := os.WriteFile(broken, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		replaceBy(t, agrd, broken)
		refused := strings.Count(d.Output(), "upgrade refused")
		a.upgrade(d)
		nettest.Eventually(t, settle, func() error {
			if strings.Count(d.Output(), "upgrade refused") == refused {
				return errors.New("nothing is refused")
			}
			return nil
		})
		a.mustStatus()
	}
	replaceBy(t, agrd, filepath.Join(binDir, "agrd"))
	want, err := os.Stat(agrd)
	if err != nil {
		t.Fatal(err)
	}
	lives := served(d)
	a.upgrade(d)
	for served(d) == lives {
		a.ifconfig("agr0", "link0", "-link0")
	}
	got, err := os.Stat(fmt.Sprintf("/proc/%d/exe", d.Pid()))
	if err != nil || !os.SameFile(want, got) {
		t.Errorf("another program runs: %v", err)
	}
	a.ifconfig("agr0", "destroy")
	if !d.Stop() {
		t.Error("it does not end")
	}
	if files := a.runFiles(); len(files) > 0 {
		t.Errorf("left: %q", files)
	}
}

// upgrade asks a daemon to exchange its program.
func (h *host) upgrade(d *nettest.Daemon) {
	h.t.Helper()
	if err := d.Signal(unix.SIGUSR2); err != nil {
		h.t.Fatal(err)
	}
}

// replaceBy puts a copy of a program where another one is, which may run.
func replaceBy(t *testing.T, path, by string) {
	t.Helper()
	from, err := os.Open(by)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path+".copy", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close(), os.Rename(path+".copy", path)); err != nil {
		t.Fatal(err)
	}
}

// runFiles are the daemon's files of the host's namespace.
func (h *host) runFiles() []string {
	h.t.Helper()
	var cookie uint64
	var err error
	h.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		h.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(ctl.RunDir, fmt.Sprint(cookie)+".*"))
	if err != nil {
		h.t.Fatal(err)
	}
	return files
}
