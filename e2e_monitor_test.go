package ifagr_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// A monitor that goes on sees the daemon killed and started again, and replaced by an
// upgrade, and each time the present state behind it: no change of state is doubled, and
// numbers go up as long as a daemon serves.
func TestMonitorGoesOn(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testMonitorGoesOn)
}

func testMonitorGoesOn(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.startDaemon("-confine", "no")
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	ended := a.Start(filepath.Join(a.bin, "agrd"), "monitor", "-j")
	m := a.Start(filepath.Join(a.bin, "agrd"), "monitor", "-j", "-r")
	for _, end := range []*nettest.Daemon{ended, m} {
		nettest.Eventually(t, settle, func() error { return snapshots(end, 1) })
	}
	a.endDaemonBy(unix.SIGKILL)
	if err := ended.Wait(settle); err == nil || !strings.Contains(ended.Output(), "agrd: the daemon has ended or was exchanged") {
		t.Errorf("one that does not go on: %v: %s", err, ended.Output())
	}
	d := a.startDaemon("-confine", "no")
	nettest.Eventually(t, settle, func() error { return snapshots(m, 2) })
	lives := served(d)
	a.upgrade(d)
	nettest.Eventually(t, settle, func() error { return servesAgain(d, lives) })
	nettest.Eventually(t, settle, func() error { return snapshots(m, 3) })
	a.ifconfig("agr0", "-agrport", "re1")
	nettest.Eventually(t, settle, func() error {
		if all := told(t, m); all[len(all)-1].Seq == 0 || !strings.Contains(m.Output(), `"to":"","reason":"port has left agr0"`) {
			return fmt.Errorf("the departure is not told: %s", m.Output())
		}
		return nil
	})
	checkOrder(t, told(t, m))
}

// told is what a monitor has shown in whole lines.
func told(t *testing.T, m *nettest.Daemon) (all []ctl.Transition) {
	t.Helper()
	out := m.Output()
	for line := range strings.Lines(out[:strings.LastIndexByte(out, '\n')+1]) {
		var tr ctl.Transition
		if err := json.Unmarshal([]byte(line), &tr); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, tr)
	}
	return all
}

// snapshots is nil when a monitor has shown the present state so often.
func snapshots(m *nettest.Daemon, times int) error {
	if n := strings.Count(m.Output(), `"port":"re1","machine":"snapshot"`); n != times {
		return fmt.Errorf("the present state was shown %d times, want %d: %s", n, times, m.Output())
	}
	return nil
}

// checkOrder looks at the numbers: they begin anew with each daemon, the first thing of
// which is a snapshot, and go up by one.
func checkOrder(t *testing.T, all []ctl.Transition) {
	t.Helper()
	last, begins, gone := uint64(0), true, 0
	for _, tr := range all {
		switch {
		case tr.Machine == ctl.MachineDaemon:
			begins = true
			if tr.To == "gone" {
				gone++
			}
			if tr.Seq != 0 {
				t.Errorf("%+v has a number", tr)
			}
		case tr.Machine == ctl.MachineSnapshot:
			if !begins && tr.Seq < last {
				t.Errorf("%+v is older than number %d", tr, last)
			}
			last, begins = tr.Seq, false
		case begins || tr.Seq != last+1:
			t.Errorf("%+v came behind number %d", tr, last)
			fallthrough
		default:
			last = tr.Seq
		}
	}
	if gone != 2 {
		t.Errorf("the daemon was gone %d times, want 2", gone)
	}
}
