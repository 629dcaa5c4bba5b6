package ifagr_test

import (
	"fmt"
	"strings"
	"testing"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// The far end of a cable is deleted, and the port with it. A new cable works.
func faultPortDeleted(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	b.Run("ip", "link", "del", "re1")
	for _, h := range []*host{a, b} {
		h.hasPorts(1)
	}
	works(t, []string{"re0"}, a, b)
	nettest.Veth(a.NS, "re1", b.NS, "re1")
	a.rejoins("re1")
	b.rejoins("re1")
	works(t, both, a, b)
}

// A port is renamed: it is none any more, and has back what it had.
func faultPortRenamed(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	was := a.mustStatus().Ports[1].OwnMAC
	a.ifconfig("agr0", "mtu", "1400")
	a.Run("ip", "link", "set", "re1", "name", "eth7")
	a.hasPorts(1)
	works(t, []string{"re0"}, a, b)
	if got := a.link("eth7"); got.Addr != was || got.MTU != 1500 {
		t.Errorf("eth7 has %s and mtu %d, want %s and 1500", got.Addr, got.MTU, was)
	}
	a.Run("ip", "link", "set", "eth7", "name", "re1")
	a.rejoins("re1")
	works(t, both, a, b)
}

// A port is moved to another namespace, where nobody can give it back what it had,
// and gets that when it is back.
func faultPortMoved(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	was := a.mustStatus().Ports[1].OwnMAC
	a.ifconfig("agr0", "mtu", "1400")
	away := nettest.New(t)
	a.Run("ip", "link", "set", "re1", "netns", away.Name)
	a.hasPorts(1)
	works(t, []string{"re0"}, a, b)
	away.Run("ip", "link", "set", "re1", "netns", a.Name)
	nettest.Eventually(t, patience, func() error {
		if got := a.link("re1"); got.Addr != was || got.MTU != 1500 {
			return fmt.Errorf("re1 has %s and mtu %d, want %s and 1500", got.Addr, got.MTU, was)
		}
		return nil
	})
	a.rejoins("re1")
	works(t, both, a, b)
}

// A port is made one of a bridge: it is none of ours any more.
func faultPortBridged(t *testing.T, datapath string) {
	nettest.Require(t, nettest.Bridge)
	a, b := joined(t, datapath)
	was := a.mustStatus().Ports[1].OwnMAC
	a.Run("ip", "link", "add", "br0", "type", "bridge")
	a.Run("ip", "link", "set", "re1", "master", "br0")
	a.hasPorts(1)
	if got := a.link("re1").Addr; got != was {
		t.Errorf("re1 has %s, had %s", got, was)
	}
	works(t, []string{"re0"}, a, b)
	a.Run("ip", "link", "set", "re1", "nomaster")
	a.rejoins("re1")
	works(t, both, a, b)
}

// A port's address and MTU are put back three times a minute, then left alone and
// shown, until they are right again.
func faultPortSettings(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	own := a.mustStatus().MAC
	right := func() error {
		if l := a.link("re1"); l.Addr != own || l.MTU != 1500 {
			return fmt.Errorf("re1 has %s and mtu %d", l.Addr, l.MTU)
		}
		return nil
	}
	a.Run("ip", "link", "set", "re1", "address", "02:00:00:00:99:01")
	nettest.Eventually(t, patience, right)
	a.Run("ip", "link", "set", "re1", "mtu", "1300")
	nettest.Eventually(t, patience, right)
	a.Run("ip", "link", "set", "re1", "mtu", "1200")
	nettest.Eventually(t, patience, right)
	a.Run("ip", "link", "set", "re1", "mtu", "1300")
	until(t, a, func(st *ctl.Status) bool { return strings.Contains(conflict(st, "re1"), "mtu 1300") })
	works(t, both, a, b)
	a.Run("ip", "link", "set", "re1", "mtu", "1500")
	until(t, a, func(st *ctl.Status) bool { return conflict(st, "re1") == "" })
	works(t, both, a, b)
}

// Flags that do not matter are left alone; a port that is set down carries nothing
// until it is up.
func faultPortFlags(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	for _, change := range []string{"arp off", "multicast off", "allmulticast on", "promisc on"} {
		a.Run("ip", append([]string{"link", "set", "re1"}, strings.Fields(change)...)...)
		works(t, both, a, b)
	}
	a.Run("ip", "link", "set", "re1", "down")
	works(t, []string{"re0"}, a, b)
	a.Run("ip", "link", "set", "re1", "up")
	works(t, both, a, b)
}

// An address of a port is shown and not deleted (design D3).
func faultPortAddress(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	a.Run("ip", "addr", "add", "198.51.100.1/24", "dev", "re1")
	foreign := func(n int) func(*ctl.Status) bool {
		return func(st *ctl.Status) bool { return len(st.Ports[1].ForeignAddrs) == n }
	}
	until(t, a, foreign(1))
	works(t, both, a, b)
	a.refuses("ifconfig: SIOCAIFADDR: Device busy", "re1", "inet", "198.51.100.2/24", "alias")
	a.Run("ip", "addr", "del", "198.51.100.1/24", "dev", "re1")
	until(t, a, foreign(0))
}

// agr0 gets its name back, three times a minute.
func faultAgrRenamed(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	index := a.link("agr0").Index
	for range 3 {
		a.Run("ip", "link", "set", "agr0", "name", "lan0")
		nettest.Eventually(t, patience, func() error {
			if out, err := a.Command("ip", "link", "show", "agr0").CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	a.Run("ip", "link", "set", "agr0", "name", "lan0")
	until(t, a, func(st *ctl.Status) bool { return st.Conflict != "" })
	works(t, both, a, b) // by its first name
	a.Run("ip", "link", "set", "lan0", "name", "agr0")
	until(t, a, func(st *ctl.Status) bool { return st.Conflict == "" })
	if got := a.link("agr0").Index; got != index {
		t.Errorf("agr0 has index %d, had %d", got, index)
	}
}

// agr0 that is set down is down: LACP goes on, and it works at once when it is up.
func faultAgrDown(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	a.Run("ip", "link", "set", "agr0", "down")
	nettest.Eventually(t, patience, func() error { return a.distributes(both...) })
	nettest.Eventually(t, patience, func() error { return b.distributes(both...) })
	if l := a.link("agr0"); l.Up() {
		t.Error("agr0 was set up again")
	}
	before := a.changes()
	a.Run("ip", "link", "set", "agr0", "up")
	works(t, both, a, b)
	for port, n := range a.changes() {
		if n != before[port] {
			t.Errorf("%s has changed its state %d times", port, n-before[port])
		}
	}
}

// agr0 that is moved to another namespace ends there, and leaves nothing here.
func faultAgrMoved(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	was := a.mustStatus().Ports[1].OwnMAC
	away := nettest.New(t)
	a.Run("ip", "link", "set", "agr0", "netns", away.Name)
	a.ended(was)
	for _, ns := range []*nettest.NS{a.NS, away} {
		nettest.Eventually(t, patience, func() error {
			if links := ns.Run("ip", "link", "show"); strings.Contains(links, "agr0") {
				return fmt.Errorf("left in %s:\n%s", ns.Name, links)
			}
			return nil
		})
	}
	a.again(t, b)
}

// agr0 that was moved to another namespace while no daemon ran is made anew, without
// its addresses, and what is left of the old one goes.
func faultAgrMovedUnwatched(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	if err := killAndWait(pid); err != nil {
		t.Fatal(err)
	}
	away := nettest.New(t)
	a.Run("ip", "link", "set", "agr0", "netns", away.Name)
	a.startDaemon()
	nettest.Eventually(t, patience, func() error { return a.distributes(both...) })
	a.ifconfig("agr0", "inet", "192.0.2.1", "netmask", "255.255.255.0")
	works(t, both, a, b)
	if links := away.Run("ip", "link", "show"); strings.Contains(links, "agr0") {
		t.Errorf("left in %s:\n%s", away.Name, links)
	}
}

// ended waits until agr0 is no more and its ports have back what they had.
func (h *host) ended(re1 fmt.Stringer) {
	h.t.Helper()
	nettest.Eventually(h.t, patience, func() error {
		if got := h.link("re1").Addr; got.String() != re1.String() {
			return fmt.Errorf("re1 has %s, had %s", got, re1)
		}
		if out, err := h.Command("ip", "link", "show", "agr0p").CombinedOutput(); err == nil {
			return fmt.Errorf("left: %s", out)
		}
		return nil
	})
}

// again makes agr0 anew after it has ended.
func (h *host) again(t *testing.T, far *host) {
	t.Helper()
	nettest.Eventually(t, patience, func() error { // its daemon may be ending
		if r := h.try("agr0", "create"); r.code != 0 {
			return fmt.Errorf("create: %s", r.stderr)
		}
		return nil
	})
	h.rejoins("re0")
	h.rejoins("re1")
	h.ifconfig("agr0", "inet", "192.0.2.1", "netmask", "255.255.255.0")
	works(t, both, h, far)
}

// The inner end of the kernel datapath's pair is put back, except that an
// administrator who wants its name changed three times a minute gets it.
func faultInnerChanged(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	inner := a.link("agr0p")
	a.Run("ip", "link", "set", "agr0p", "down")
	works(t, both, a, b)
	a.Run("ip", "link", "set", "agr0p", "mtu", "1200") // which takes its IPv6 away as well
	nettest.Eventually(t, patience, func() error {
		if l := a.link("agr0p"); l.MTU != inner.MTU || l.AddrGenMode != inner.AddrGenMode {
			return fmt.Errorf("agr0p: mtu %d, mode %v", l.MTU, l.AddrGenMode)
		}
		return nil
	})
	a.Run("ip", "link", "set", "agr0p", "name", "other0")
	nettest.Eventually(t, patience, func() error {
		if out, err := a.Command("ip", "link", "show", "agr0p").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	works(t, both, a, b)
	if c := a.mustStatus().Conflict; c != "" {
		t.Errorf("conflict: %s", c)
	}
}

// An end of the pair that got another name while no daemon ran is found by the other,
// and gets its name back.
func faultRenamedUnwatched(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	for _, name := range []string{"agr0", "agr0p"} {
		pid, err := a.daemonPid()
		if err != nil {
			t.Fatal(err)
		}
		index := a.link(name).Index
		if err := killAndWait(pid); err != nil {
			t.Fatal(err)
		}
		a.Run("ip", "link", "set", name, "name", "other0")
		a.startDaemon()
		nettest.Eventually(t, patience, func() error {
			if out, err := a.Command("ip", "link", "show", name).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
		if got := a.link(name).Index; got != index {
			t.Errorf("%s has index %d, had %d", name, got, index)
		}
		works(t, both, a, b)
	}
}

// While the inner end is elsewhere nothing can be forwarded: agr0 has no carrier and
// the status says why. When it is back everything is.
func faultInnerMoved(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	away := nettest.New(t)
	a.Run("ip", "link", "set", "agr0p", "netns", away.Name)
	until(t, a, func(st *ctl.Status) bool { return st.Conflict != "" })
	if a.link("agr0").Carrier {
		t.Error("agr0 has carrier")
	}
	away.Run("ip", "link", "set", "agr0p", "netns", a.Name)
	until(t, a, func(st *ctl.Status) bool { return st.Conflict == "" })
	nettest.Eventually(t, patience, func() error {
		if !a.link("agr0").Carrier {
			return fmt.Errorf("agr0 has no carrier")
		}
		return nil
	})
	works(t, both, a, b)
}

// Who deletes one end of the pair deletes both.
func faultInnerDeleted(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	was := a.mustStatus().Ports[1].OwnMAC
	a.Run("ip", "link", "del", "agr0p")
	a.ended(was)
	a.again(t, b)
}
