package ifagr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/nettest"
)

// patience is how long a test waits that says how far somebody has to get, and not
// how fast.
const patience = 30 * time.Second

// What real partners do and we with them: Open vSwitch, our own daemon, and what
// NetBSD's agr(4) was recorded to say. All at the same time, each in namespaces of its
// own, as nearly all of it is waiting.
func TestPartners(t *testing.T) {
	t.Parallel()
	both := func(f func(*testing.T, string)) func(*testing.T) {
		return func(t *testing.T) { bothDatapaths(t, f) }
	}
	together(t, map[string]func(*testing.T){
		"OpenVSwitchCrossed":   func(t *testing.T) { withDatapath(t, "kernel", testOpenVSwitchCrossed) },
		"OwnCrossed":           func(t *testing.T) { withDatapath(t, "kernel", testOwnPartnerCrossed) },
		"OwnLimits":            both(testOwnPartnerLimits),
		"OwnCoupled":           both(testOwnPartnerCoupled),
		"TwoAggregators":       both(testTwoAggregators),
		"SwitchConfiguredAnew": both(testSwitchConfiguredAnew),
		"SwitchDies":           both(testSwitchDies),
		"ReplayedNetBSD":       both(testReplayedNetBSD),
	})
}

// together runs tests at the same time, however many go test runs at a time: they
// wait for partners nearly all the time.
func together(t *testing.T, tests map[string]func(t *testing.T)) {
	t.Helper()
	var all sync.WaitGroup
	for name, f := range tests {
		all.Go(func() { t.Run(name, f) })
	}
	all.Wait()
}

// bothDatapaths is eachDatapath at the same time.
func bothDatapaths(t *testing.T, f func(t *testing.T, datapath string)) {
	t.Helper()
	tests := make(map[string]func(*testing.T))
	for _, datapath := range datapaths {
		tests[datapath] = func(t *testing.T) { withDatapath(t, datapath, f) }
	}
	together(t, tests)
}

// besideSwitch is a host with ports re0, re1 and so on, joined to q0, q1 and so on
// in the namespace of an Open vSwitch that has bonds over some of those.
func besideSwitch(t *testing.T, datapath string, links int, bonds ...nettest.OVSConfig) (*host, openVSwitch) {
	t.Helper()
	nettest.Require(t, nettest.OVS)
	a, far := newHost(t, datapath), nettest.New(t)
	for i := range links {
		nettest.Veth(a.NS, fmt.Sprint("re", i), far, fmt.Sprint("q", i), nettest.NoIPv6)
		a.NoOffload(fmt.Sprint("re", i))
	}
	sw := openVSwitch{nettest.StartOVS(t, far, bonds[0]), far}
	for _, cfg := range bonds[1:] {
		sw.AddBond(cfg)
	}
	return a, sw
}

// aggregate makes an agr interface with options, and then ports: a passive system
// must not begin as an active one.
func (h *host) aggregate(agr string, ports []string, options ...string) {
	h.t.Helper()
	h.ifconfig(agr, "create")
	args := append([]string{agr}, options...)
	for _, p := range ports {
		args = append(args, "agrport", p)
	}
	h.ifconfig(args...)
}

// named is several names: named("re", 2, 2) are re2 and re3.
func named(prefix string, first, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, first+i))
	}
	return names
}

// mustStatusOf is statusOf when there must be one.
func (h *host) mustStatusOf(agr string) *ctl.Status {
	h.t.Helper()
	st, err := h.statusOf(agr)
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// portOf is a port of a status.
func portOf(st *ctl.Status, name string) ctl.PortStatus {
	i := slices.IndexFunc(st.Ports, func(p ctl.PortStatus) bool { return p.Name == name })
	if i < 0 {
		return ctl.PortStatus{Reason: name + " is no port"}
	}
	return st.Ports[i]
}

// hasReason is nil when a port of agr0 does not distribute for a reason that begins
// so, and ifconfig -v gives it.
func (h *host) hasReason(port, reason string) error {
	st, err := h.status()
	if err != nil {
		return err
	}
	p := portOf(st, port)
	if !strings.HasPrefix(p.Reason, reason) || p.Flags != 0 {
		return fmt.Errorf("%s has flags %d: %q, want %q", port, p.Flags, p.Reason, reason)
	}
	if got := h.ifconfig("-v", "agr0"); !strings.Contains(got, "\t\t\treason: "+reason) {
		return fmt.Errorf("ifconfig -v does not say %q:\n%s", reason, got)
	}
	return nil
}

// bondUses is nil when the switch carries frames on these ports of a bond, because
// we are in sync there and collect.
func bondUses(sw openVSwitch, bond string, ports ...string) error {
	st, err := sw.ShowBond(bond)
	if err != nil {
		return err
	}
	for _, name := range ports {
		p := st.Ports[name]
		if !p.Attached || !p.Enabled || p.State != "current" || !p.Partner.Has("synchronized", "collecting") {
			return fmt.Errorf("switch: %s: %+v", name, p)
		}
	}
	return nil
}

// switchRests is nil when the switch does not use a port because we are not in
// sync there.
func switchRests(sw openVSwitch, bond, port string) error {
	st, err := sw.ShowBond(bond)
	if err != nil {
		return err
	}
	if p := st.Ports[port]; p.Enabled || p.Partner.Has("synchronized") {
		return fmt.Errorf("switch: %s: %+v", port, p)
	}
	return nil
}

// end is what is compared of one end of a link.
type end struct {
	System              string
	SystemPriority, Key uint16
	Port, PortPriority  uint16
	State               string
}

// ourEnd is an end in our words.
func ourEnd(e ctl.LACPEnd) end {
	var bits []string
	for i, name := range []string{"activity", "timeout", "aggregation", "synchronized", "collecting", "distributing", "defaulted", "expired"} {
		if e.State&(1<<i) != 0 {
			bits = append(bits, name)
		}
	}
	return theirEnd(nettest.OVSEnd{
		System: e.System, Priority: e.SystemPriority, Key: e.Key, Port: e.Port, PortPriority: e.PortPriority, State: bits,
	})
}

// theirEnd is an end in the words of Open vSwitch.
func theirEnd(e nettest.OVSEnd) end {
	return end{
		System: e.System.String(), SystemPriority: e.Priority, Key: e.Key, Port: e.Port, PortPriority: e.PortPriority,
		State: strings.Join(e.State, " "),
	}
}

// agreesWith checks that each end says of the other what the other says of itself,
// down to the last bit, and that ifconfig -v and -j say the same as the daemon. One
// bit may be late: who begins to distribute says so with its next LACPDU, and sends
// none for it (IEEE 802.1AX-2014 6.4.15).
func (h *host) agreesWith(sw openVSwitch, agr, bond string, far ...string) {
	h.t.Helper()
	var st *ctl.Status
	nettest.Eventually(h.t, patience, func() error {
		switchs, err := sw.ShowBond(bond)
		if err == nil {
			st, err = h.statusOf(agr)
		}
		if err != nil {
			return err
		}
		var diffs []error
		for i, p := range st.Ports {
			q := switchs.Ports[far[i]]
			got := []end{ourEnd(p.Actor), ourEnd(p.Partner)}
			want := []end{theirEnd(q.Partner), theirEnd(q.Actor)}
			if !q.Actor.Has("timeout") && !q.Partner.Has("distributing") {
				got[0].State = strings.TrimSuffix(got[0].State, " distributing")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				diffs = append(diffs, fmt.Errorf("%s and %s: -the switch +ours\n%s", p.Name, far[i], diff))
			}
		}
		return errors.Join(diffs...)
	})
	h.showsPartners(agr, st)
}

// showsPartners checks that ifconfig -v and -j show the partners of a status.
func (h *host) showsPartners(agr string, st *ctl.Status) {
	h.t.Helper()
	var shown ctl.Status
	if err := json.Unmarshal([]byte(h.ifconfig("-j", agr)), &shown); err != nil {
		h.t.Fatal(err)
	}
	verbose := h.ifconfig("-v", agr)
	for i, p := range st.Ports {
		if diff := cmp.Diff(p.Partner, shown.Ports[i].Partner); diff != "" {
			h.t.Errorf("%s: ifconfig -j: -want +got\n%s", p.Name, diff)
		}
		system := strings.ToUpper(strings.ReplaceAll(p.Partner.System.String(), ":", "-"))
		if want := fmt.Sprintf("%04X,%s,%04X", p.Partner.SystemPriority, system, p.Partner.Key); !strings.Contains(verbose, want) {
			h.t.Errorf("ifconfig -v does not show the partner %s:\n%s", want, verbose)
		}
	}
}

// reaches pings an address through an agr interface.
func (h *host) reaches(addr netip.Addr) {
	h.t.Helper()
	h.Run("ping", "-c", "2", "-i", "0.05", "-W", "5", addr.String())
}

// isLACPDU keeps LACPDUs.
func isLACPDU(f nettest.Frame) bool {
	subtype, ok := slow.Subtype(f.Data)
	return ok && subtype == slow.SubtypeLACP
}
