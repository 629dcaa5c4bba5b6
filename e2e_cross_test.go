package ifagr_test

import (
	"fmt"
	"net/netip"
	"testing"

	"ifagr/netutil/nettest"
)

// speaker is how an end speaks LACP: lacpmode and lacptimeout.
type speaker struct{ mode, timeout string }

var speakers = []speaker{{"active", "slow"}, {"active", "fast"}, {"passive", "slow"}, {"passive", "fast"}}

// crossed is one aggregate of a host whose two ends speak in two ways. It is named
// after a number: agr3 has ports re6 and re7, joined to q6 and q7.
type crossed struct {
	number       int
	ours, theirs speaker
	sniffer      *nettest.Sniffer // of LACPDUs, on the first port
}

// crossings are all ways to speak, with each other.
func crossings() (all []*crossed) {
	for _, ours := range speakers {
		for _, theirs := range speakers {
			all = append(all, &crossed{number: len(all), ours: ours, theirs: theirs})
		}
	}
	return all
}

func (c *crossed) agr() string     { return fmt.Sprint("agr", c.number) }
func (c *crossed) bond() string    { return fmt.Sprint("bond", c.number) }
func (c *crossed) ports() []string { return named("re", 2*c.number, 2) }
func (c *crossed) far() []string   { return named("q", 2*c.number, 2) }

// addr is the address of an end, 1 or 2.
func (c *crossed) addr(end byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(c.number), end})
}

// prefix is addr with its netmask.
func (c *crossed) prefix(end byte) netip.Prefix { return netip.PrefixFrom(c.addr(end), 24) }

// silent says that nobody begins.
func (c *crossed) silent() bool { return c.ours.mode == "passive" && c.theirs.mode == "passive" }

// String names the crossing.
func (c *crossed) String() string {
	return fmt.Sprintf("%s: %s %s, far end %s %s", c.agr(), c.ours.mode, c.ours.timeout, c.theirs.mode, c.theirs.timeout)
}

// create makes the aggregate at an end that speaks in a way.
func (c *crossed) create(h *host, s speaker, ports []string, end byte) {
	h.aggregate(c.agr(), ports, "lacpmode", s.mode, "lacptimeout", s.timeout)
	h.ifconfig(c.agr(), c.prefix(end).String())
}

// bondOf is the switch's end.
func (c *crossed) bondOf() nettest.OVSConfig {
	return nettest.OVSConfig{
		Bond: c.bond(), BridgeName: fmt.Sprint("br", c.number), Ports: c.far(), Addr: c.prefix(2),
		LACP: c.theirs.mode, Time: c.theirs.timeout,
	}
}

// Open vSwitch and we speak LACP with each other in every way there is: both carry
// frames, say the same about each other, and send as often as the other end asks
// for. Where nobody begins, no LACPDU is seen, and we fall back.
func testOpenVSwitchCrossed(t *testing.T, datapath string) {
	all := crossings()
	var bonds []nettest.OVSConfig
	for _, c := range all {
		bonds = append(bonds, c.bondOf())
	}
	a, sw := besideSwitch(t, datapath, 2*len(all), bonds...)
	for _, c := range all {
		c.sniffer = nettest.Sniff(t, a.NS, c.ports()[0], isLACPDU)
		c.create(a, c.ours, c.ports(), 1)
	}
	for _, c := range all {
		nettest.Eventually(t, patience, func() error { return a.distributesOn(c.agr(), c.ports()...) })
		if c.silent() {
			c.fellBack(t, a)
			continue
		}
		nettest.Eventually(t, patience, func() error { return bondUses(sw, c.bond(), c.far()...) })
		a.agreesWith(sw, c.agr(), c.bond(), c.far()...)
		a.reaches(c.addr(2))
	}
	ratesAsAsked(t, all)
	for _, c := range all {
		if c.silent() {
			c.switchWaits(t, sw)
			a.ifconfig(c.agr(), "lacpmode", "active")
		}
	}
	for _, c := range all {
		if c.silent() {
			nettest.Eventually(t, patience, func() error { return c.partners(a) })
			nettest.Eventually(t, patience, func() error { return bondUses(sw, c.bond(), c.far()...) })
			a.reaches(c.addr(2))
		}
	}
}

// fellBack checks an aggregate whose ends both wait for the other to speak.
func (c *crossed) fellBack(t *testing.T, h *host) {
	t.Helper()
	st := h.mustStatusOf(c.agr())
	if !st.Fallback || !st.Carrier {
		t.Errorf("%v: fallback %v, carrier %v", c, st.Fallback, st.Carrier)
	}
	for _, p := range st.Ports {
		if p.Receive != "DEFAULTED" || p.Periodic != "NO_PERIODIC" || p.LastPartner != nil {
			t.Errorf("%v: %s is %s, %s, last partner %+v", c, p.Name, p.Receive, p.Periodic, p.LastPartner)
		}
	}
}

// switchWaits checks the switch's end of a silent aggregate: without a partner it
// carries nothing (lacp-fallback-ab is off at first; ovs-vswitchd.conf.db(5)).
func (c *crossed) switchWaits(t *testing.T, sw openVSwitch) {
	t.Helper()
	st, err := sw.ShowBond(c.bond())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range c.far() {
		if p := st.Ports[name]; p.State != "defaulted" || p.Enabled {
			t.Errorf("%v: the switch: %s: %+v", c, name, p)
		}
	}
}

// ratesAsAsked compares the LACPDUs that are sent on quiet links, in each direction,
// with what the receiver asks for: while every fast direction brings five, the slow
// ones bring one at most, and silent ones have never brought any (IEEE 802.1AX-2014
// 6.4.13).
func ratesAsAsked(t *testing.T, all []*crossed) {
	t.Helper()
	const fast = 5
	type direction struct {
		c   *crossed
		out bool
	}
	before := make(map[direction]int)
	for _, c := range all {
		for _, out := range []bool{false, true} {
			before[direction{c, out}] = c.sniffer.Count(out)
		}
	}
	more := func(d direction) int { return d.c.sniffer.Count(d.out) - before[d] }
	asks := func(d direction) string {
		return map[bool]string{false: d.c.ours.timeout, true: d.c.theirs.timeout}[d.out]
	}
	for d := range before {
		if !d.c.silent() && asks(d) == "fast" {
			nettest.Eventually(t, patience, func() error {
				if n := more(d); n < fast {
					return fmt.Errorf("%v: sent by us %v: %d LACPDUs, want %d", d.c, d.out, n, fast)
				}
				return nil
			})
		}
	}
	counts := make(map[string]int)
	for d, n := range before {
		switch got := more(d); {
		case d.c.silent() && n+got > 0:
			t.Errorf("%v: sent by us %v: %d LACPDUs, want none at all", d.c, d.out, n+got)
		case !d.c.silent() && asks(d) == "slow":
			counts["slow"] = max(counts["slow"], got)
			if got > 1 {
				t.Errorf("%v: sent by us %v: %d LACPDUs, want 1 at most", d.c, d.out, got)
			}
		case !d.c.silent():
			counts["fast"] = max(counts["fast"], got)
		}
	}
	t.Logf("at most %d LACPDUs where fast was asked for, %d where slow was", counts["fast"], counts["slow"])
}

// The same with our own daemon at both ends, one with each datapath. Two ends that
// both wait fall back, and reach each other.
func testOwnPartnerCrossed(t *testing.T, datapath string) {
	all := crossings()
	a, b := manyLinks(t, datapath, "user", 2*len(all))
	for _, c := range all {
		c.sniffer = nettest.Sniff(t, a.NS, c.ports()[0], isLACPDU)
		c.create(a, c.ours, c.ports(), 1)
		c.create(b, c.theirs, c.ports(), 2)
	}
	for _, c := range all {
		for _, h := range []*host{a, b} {
			nettest.Eventually(t, patience, func() error { return h.distributesOn(c.agr(), c.ports()...) })
			if c.silent() {
				c.fellBack(t, h)
			} else {
				c.rateShown(t, h)
			}
		}
		a.reaches(c.addr(2))
	}
	ratesAsAsked(t, all)
	for _, c := range all {
		if c.silent() {
			b.ifconfig(c.agr(), "lacpmode", "active")
			nettest.Eventually(t, patience, func() error { return c.partners(a, b) })
			a.reaches(c.addr(2))
		}
	}
}

// rateShown checks that an end says how often it sends, as its partner asks.
func (c *crossed) rateShown(t *testing.T, h *host) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		st, err := h.statusOf(c.agr())
		if err != nil {
			return err
		}
		for _, p := range st.Ports {
			want := map[bool]string{false: "SLOW_PERIODIC", true: "FAST_PERIODIC"}[p.Partner.State&2 != 0]
			if p.Periodic != want {
				return fmt.Errorf("%v: %s: %s is %s, want %s", c, h.Name, p.Name, p.Periodic, want)
			}
		}
		return nil
	})
}

// partners is nil when both ends have LACP partners and use all ports.
func (c *crossed) partners(hosts ...*host) error {
	for _, h := range hosts {
		st, err := h.statusOf(c.agr())
		switch {
		case err != nil:
			return err
		case st.Fallback:
			return fmt.Errorf("%v: %s falls back", c, h.Name)
		}
		if err := h.distributesOn(c.agr(), c.ports()...); err != nil {
			return err
		}
	}
	return nil
}

// manyLinks is two hosts with a datapath each, joined by re0, re1 and so on.
func manyLinks(t *testing.T, datapath, far string, links int) (a, b *host) {
	t.Helper()
	a, b = newHost(t, datapath), newHost(t, far)
	for _, port := range named("re", 0, links) {
		nettest.Veth(a.NS, port, b.NS, port, nettest.NoIPv6)
	}
	return a, b
}
