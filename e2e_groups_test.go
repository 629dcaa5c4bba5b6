package ifagr_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// What agr0 receives comes in at its ports while no daemon runs as well: a NIC would
// filter a group that nobody asks for. A port that leaves has what it had.
func TestGroupsOutlive(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	const ours, theirs = "01:00:5e:01:02:03", "01:00:5e:01:02:04"
	a, _ := pair(t, "kernel")
	a.port("re0", "re1")
	a.Run("ip", "maddr", "add", theirs, "dev", "re1")
	before := map[string][]string{"re0": a.staticGroups("re0"), "re1": a.staticGroups("re1")}
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "up")
	for _, g := range []string{ours, theirs} {
		a.Run("ip", "maddr", "add", g, "dev", "agr0")
	}
	a.ifconfig("agr0", "agrport", "re1")
	has := func(want bool, groups ...string) func() error {
		return func() error {
			for _, port := range []string{"re0", "re1"} {
				for _, g := range groups {
					if got := slices.Contains(a.staticGroups(port), g); got != want {
						return fmt.Errorf("%s: group %s without a socket: %v, want %v", port, g, got, want)
					}
				}
			}
			return nil
		}
	}
	nettest.Eventually(t, settle, has(true, ours, theirs))
	a.endDaemonBy(unix.SIGKILL)
	if err := has(true, ours, theirs)(); err != nil {
		t.Error(err)
	}
	a.startDaemon()
	a.Run("ip", "maddr", "del", ours, "dev", "agr0")
	a.Run("ip", "link", "set", "agr0", "promisc", "on") // of which everybody is told
	nettest.Eventually(t, settle, has(false, ours))
	if err := has(true, theirs)(); err != nil {
		t.Error(err)
	}
	a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
	for port, want := range before {
		if diff := cmp.Diff(want, a.staticGroups(port)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", port, diff)
		}
	}
	a.ifconfig("agr0", "destroy")
}

// staticGroups are those that an interface receives though no socket asks for them.
func (h *host) staticGroups(name string) (groups []string) {
	h.t.Helper()
	for line := range strings.Lines(h.Output("ip", "maddr", "show", "dev", name)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "link" && slices.Contains(f, "static") {
			groups = append(groups, f[1])
		}
	}
	return groups
}
