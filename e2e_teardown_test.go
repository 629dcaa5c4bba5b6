package ifagr_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// A teardown gives everything back, by the daemon that is there, or by one that it
// starts where another one was killed, and which ends again.
func TestTeardown(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testTeardown)
}

func testTeardown(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.port("re0", "re1")
	b.agr0("192.0.2.2")
	a.ifconfig("re1", "mtu", "1400")
	before := a.pristine()
	for _, tt := range []struct {
		name   string
		killed bool
		args   []string
	}{
		{"all", false, nil},
		{"by name", false, []string{"agr0", "agr7"}},
		{"what a killed daemon has left", true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.ifconfig("agr0", "create")
			a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
			a.ifconfig("agr7", "create")
			nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
			if tt.killed {
				pid, err := a.daemonPid()
				if err != nil {
					t.Fatal(err)
				}
				if err := killAndWait(pid); err != nil {
					t.Fatal(err)
				}
			}
			a.teardown(tt.args...)
			// The daemon that ifconfig has started ends by itself.
			nettest.Eventually(t, settle, func() error {
				if d := cmp.Diff(before, a.pristine()); d != "" {
					return errorString("not everything was put back (-want +got):\n" + d)
				}
				return nil
			})
		})
	}
}

type errorString string

func (e errorString) Error() string { return string(e) }

// What there is nothing of is no failure, what was named and is not there is one, and
// does not keep the rest.
func TestTeardownOfNothing(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	a := newHost(t, "auto")
	a.teardown()
	a.teardown("-f", "agr3")
	want := result{"", "agrd: agr3: SIOCGETAGR: Device not configured (agrd does not answer: ", 1}
	if got := a.runs("agrd", "teardown", "agr3"); got.code != want.code || got.stdout != "" || len(got.stderr) < len(want.stderr) || got.stderr[:len(want.stderr)] != want.stderr {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	a.ifconfig("agr0", "create")
	want = result{"", "agrd: agr3: SIOCGETAGR: Device not configured (no agr interface \"agr3\": Device not configured)\nagrd: teardown: 1 step failed\n", 1}
	if got := a.runs("agrd", "teardown", "agr3", "agr0"); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if files := a.aggregatesLeft(); files != "" {
		t.Errorf("left: %s", files)
	}
	if got := a.runs("agrd", "teardown", "-x"); got.code != 2 {
		t.Errorf("a wrong option: %+v", got)
	}
}

// An interface that is there and that nobody controls whom a teardown can ask, because
// its daemon is elsewhere or its state is lost, is no success. What only has such a name
// does not matter.
func TestTeardownOfTheUnknown(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testTeardownOfTheUnknown)
}

func testTeardownOfTheUnknown(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	elsewhere := filepath.Join(t.TempDir(), "agrd.sock")
	a.socket = elsewhere
	d := a.startDaemon()
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	a.Run("ip", "link", "add", "agr7", "type", "veth", "peer", "name", "agr7p")
	stays := func(what string, args ...string) {
		t.Helper()
		got := a.runs("agrd", append([]string{"teardown"}, args...)...)
		if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "agrd: agr0: not taken down: ") || strings.Contains(got.stderr, "agr7") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	a.socket = ""
	stays("another daemon's")
	stays("another daemon's, by name", "-f", "agr0")
	a.teardown("-f", "agr1") // it does not matter who was not named
	if got, want := a.runs("agrd", "teardown", "-n"), (result{"agr0\n", "", 0}); got != want {
		t.Errorf("what is there is %+v, want %+v", got, want)
	}
	a.ifconfig("agr3", "create") // and with a daemon here, which takes agr3 down
	stays("another daemon's, and one here")
	a.socket = elsewhere
	if err := a.distributes("re0", "re1"); err != nil {
		t.Errorf("the other daemon's has suffered: %v", err)
	}
	a.teardown()
	if got := a.runs("agrd", "teardown", "-n"); got != (result{}) {
		t.Errorf("what is left is %+v", got)
	}

	a.ifconfig("agr0", "create")
	d.Kill()
	states, _ := filepath.Glob(filepath.Join(filepath.Dir(elsewhere), "*.json"))
	for _, state := range states {
		os.Remove(state)
	}
	stays("one whose state is lost")
}

// aggregatesLeft names an agr interface that is there, if any is.
func (h *host) aggregatesLeft() string {
	for _, l := range h.links() {
		if len(l.Name) > 3 && l.Name[:3] == "agr" {
			return l.Name
		}
	}
	return ""
}
