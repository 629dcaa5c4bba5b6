package ifagr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// switchAddr is where the switch is, and hostAddr where we are.
var (
	switchAddr = netip.MustParsePrefix("192.0.2.2/24")
	hostAddr   = netip.MustParsePrefix("192.0.2.1/24")
)

// twoBonds are those of one switch, with the keys 5 and 7.
func twoBonds() []nettest.OVSConfig {
	return []nettest.OVSConfig{
		{Bond: "bond0", Ports: named("q", 0, 2), Addr: switchAddr, Key: 5},
		{Bond: "bond1", Ports: named("q", 2, 2), Key: 7},
	}
}

// One aggregate has the cables of two bonds of a switch. One bond is used, and the
// other waits; it takes over when the cables of the first are cut, and goes on when
// they are mended. When the switch gives both the same key there is no way to tell
// them apart, and all are used.
func testTwoAggregators(t *testing.T, datapath string) {
	a, sw := besideSwitch(t, datapath, 4, twoBonds()...)
	a.aggregate("agr0", named("re", 0, 4), "lacptimeout", "fast")
	a.ifconfig("agr0", hostAddr.String())
	uses := func(first int, bond string) func() error {
		return func() error {
			return errors.Join(a.distributes(named("re", first, 2)...), bondUses(sw, bond, named("q", first, 2)...))
		}
	}
	nettest.Eventually(t, patience, uses(0, "bond0"))
	for _, port := range []string{"re2", "re3"} {
		nettest.Eventually(t, patience, func() error {
			return a.hasReason(port, "partner key 7 differs from the active aggregator's 5")
		})
		nettest.Eventually(t, patience, func() error { return switchRests(sw, "bond1", "q"+port[2:]) })
	}
	a.reaches(switchAddr.Addr())
	stream := func() *nettest.Stream {
		s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: sw.ns, Addr: switchAddr.Addr()})
		waitReceived(t, s, 300)
		return s
	}
	s := stream()
	sw.ns.Run("ip", "link", "set", "q0", "down")
	sw.ns.Run("ip", "link", "set", "q1", "down")
	nettest.Eventually(t, patience, uses(2, "bond1"))
	waitReceived(t, s, s.Received()+300)
	t.Logf("both links of the active aggregator cut: %v", s.Stop())
	for _, port := range []string{"re0", "re1"} {
		nettest.Eventually(t, patience, func() error { return a.hasReason(port, "link down") })
	}
	a.reaches(switchAddr.Addr())

	s = stream()
	arrived := countStream(t, sw.ns, s.Port(), named("q", 0, 4)...)
	waitReceived(t, s, s.Received()+100)
	sw.ns.Run("ip", "link", "set", "q0", "up")
	sw.ns.Run("ip", "link", "set", "q1", "up")
	for _, port := range []string{"re0", "re1"} {
		nettest.Eventually(t, patience, func() error {
			return a.hasReason(port, "partner key 5 differs from the active aggregator's 7")
		})
	}
	waitReceived(t, s, s.Received()+300)
	r := s.Stop()
	if n := lostBefore(nettest.Report{Flows: []nettest.Report{r}}, arrived()); n > 0 || r.Duplicated > 0 {
		t.Errorf("the links of the other aggregator returned: %v; %d never reached the switch", r, n)
	}
	if err := uses(2, "bond1")(); err != nil {
		t.Error(err)
	}
	for _, q := range named("q", 2, 2) {
		sw.Vsctl("set", "interface", q, "other_config:lacp-aggregation-key=5")
	}
	nettest.Eventually(t, patience, func() error { return a.distributes(named("re", 0, 4)...) })
}

// The switch is configured anew while its bond is in use: each end follows, and says
// the same as the other again.
func testSwitchConfiguredAnew(t *testing.T, datapath string) {
	a, sw := besideSwitch(t, datapath, 2, nettest.OVSConfig{Ports: named("q", 0, 2), Addr: switchAddr, Key: 5})
	a.aggregate("agr0", named("re", 0, 2), "lacptimeout", "fast")
	a.ifconfig("agr0", hostAddr.String())
	key := func(n string, ports ...string) {
		for _, q := range ports {
			sw.Vsctl("set", "interface", q, "other_config:lacp-aggregation-key="+n)
		}
	}
	of := func(name string, field func(ctl.LACPEnd) uint16, want uint16) func() error {
		return func() error {
			st, err := a.status()
			if err != nil {
				return err
			}
			for _, p := range st.Ports {
				if got := field(p.Partner); got != want {
					return fmt.Errorf("%s: %s of the partner is %d, want %d", p.Name, name, got, want)
				}
			}
			return nil
		}
	}
	both := func() error {
		return errors.Join(a.distributes("re0", "re1"), bondUses(sw, "bond0", "q0", "q1"))
	}
	partnerKey := func(e ctl.LACPEnd) uint16 { return e.Key }
	priority := func(e ctl.LACPEnd) uint16 { return e.SystemPriority }
	steps := []struct {
		do    func()
		check func() error
	}{
		{func() {}, of("key", partnerKey, 5)},
		{func() { key("9", "q0", "q1") }, of("key", partnerKey, 9)},
		{func() {
			sw.Vsctl("set", "port", "bond0", "other_config:lacp-system-priority=100")
		}, of("system priority", priority, 100)},
		{func() { a.ifconfig("agr0", "lacpsyspri", "50") }, of("system priority", priority, 100)},
		{func() { a.ifconfig("agr0", "lacpkey", "77") }, of("key", partnerKey, 9)},
		{func() { key("11", "q0", "q1"); a.ifconfig("agr0", "lacpkey", "0") }, of("key", partnerKey, 11)},
	}
	for _, s := range steps {
		s.do()
		nettest.Eventually(t, patience, s.check)
		nettest.Eventually(t, patience, both)
		a.agreesWith(sw, "agr0", "bond0", "q0", "q1")
		a.reaches(switchAddr.Addr())
	}
}
