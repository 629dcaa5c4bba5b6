package ifagr_test

import (
	"bytes"
	"fmt"
	"testing"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// bridge makes br0 of interfaces. Its options are ip(8)'s.
func (h *host) bridge(options []string, ports ...string) {
	h.t.Helper()
	h.Run("ip", append([]string{"link", "add", "br0", "type", "bridge"}, options...)...)
	for _, port := range ports {
		h.Run("ip", "link", "set", port, "master", "br0")
	}
	h.Run("ip", "link", "set", "br0", "up")
}

// aggregated makes agr0 of re0 and re1, up and without an address.
func (h *host) aggregated() {
	h.t.Helper()
	h.port("re0", "re1")
	h.ifconfig("agr0", "create")
	h.ifconfig("agr0", "agrport", "re0", "agrport", "re1", "up")
}

// agr0 is a port of a bridge, and what is behind the bridge is reached through
// it; its own ports belong to no bridge, and take whatever agr0 takes.
func TestBridge(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testBridge)
}

func testBridge(t *testing.T, datapath string) {
	nettest.Require(t, nettest.Bridge)
	a, b := pair(t, datapath)
	behind := nettest.New(t)
	nettest.Veth(a.NS, "p0", behind, "q0")
	behind.Run("ip", "addr", "add", "192.0.2.3/24", "dev", "q0")
	a.aggregated()
	a.bridge(nil, "agr0", "p0")
	b.agr0("192.0.2.2")
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error { return h.distributes("re0", "re1") })
	}
	if agr0, br0 := a.link("agr0"), a.link("br0"); agr0.Master != br0.Index || agr0.Promiscuity == 0 {
		t.Errorf("agr0 belongs to %d, want %d, with promiscuity %d", agr0.Master, br0.Index, agr0.Promiscuity)
	}
	for _, port := range []string{"re0", "re1"} {
		nettest.Eventually(t, settle, func() error {
			if l := a.link(port); l.Master != 0 || l.Promiscuity == 0 {
				return fmt.Errorf("%s belongs to %d, want nobody, with promiscuity %d", port, l.Master, l.Promiscuity)
			}
			return nil
		})
	}
	replies := nettest.Sniff(t, behind, "q0", func(f nettest.Frame) bool { return bytes.HasPrefix(f.Data[12:], []byte{8, 0, 0x45}) })
	behind.Run("ping", "-c", "10", "-i", "0.05", "-W", "2", "192.0.2.2")
	seen(t, "replies", 10, false, replies)
	sendIntact(t, behind, b.NS, 20<<20)
	group := ether.Addr{3, 0, 0, 0, 0, 1}
	in, out := nettest.Sniff(t, behind, "q0", marked), nettest.Sniff(t, b.NS, "agr0", marked)
	fromBehind := frameOf(group, behind.LinkAddr(0), localExperimental, 1, tag{0x8100, 7})
	behind.Send("q0", fromBehind)
	sees(t, "agr0 of the far end", out, fromBehind)
	toBehind := frameOf(group, b.link("agr0").Addr, localExperimental, 2)
	b.Send("agr0", toBehind)
	sees(t, "the host behind the bridge", in, toBehind)
}

// A bridge with a spanning tree on agr0: its BPDUs leave through agr0 and arrive at
// the far end's, each once, and all on one link. What a bridge makes of those that
// it receives cannot be seen here, since Linux takes them in the initial network
// namespace only.
func TestSpanningTree(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testSpanningTree)
}

func testSpanningTree(t *testing.T, datapath string) {
	nettest.Require(t, nettest.Bridge)
	a, b := pair(t, datapath)
	for _, h := range []*host{a, b} {
		h.aggregated()
	}
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error { return h.distributes("re0", "re1") })
	}
	bpdu := func(f nettest.Frame) bool { return bytes.HasPrefix(f.Data, []byte{1, 0x80, 0xc2, 0, 0, 0}) }
	sent, arrived := nettest.Sniff(t, a.NS, "agr0", bpdu), nettest.Sniff(t, b.NS, "agr0", bpdu)
	first, second := nettest.Sniff(t, b.NS, "re0", bpdu), nettest.Sniff(t, b.NS, "re1", bpdu)
	a.bridge([]string{"stp_state", "1", "hello_time", "100"}, "agr0")
	nettest.Eventually(t, 2*settle, func() error {
		if n := arrived.Count(false); n < 3 {
			return fmt.Errorf("%d BPDUs have arrived, %d were sent", n, sent.Count(true))
		}
		return nil
	})
	a.Run("ip", "link", "set", "br0", "down")
	nettest.Eventually(t, settle, func() error {
		if m, n := sent.Count(true), arrived.Count(false); m != n {
			return fmt.Errorf("%d BPDUs were sent, %d have arrived", m, n)
		}
		return nil
	})
	seen(t, "BPDUs on the links", arrived.Count(false), false, first, second)
	if m, n := first.Count(false), second.Count(false); m != 0 && n != 0 {
		t.Errorf("%d BPDUs came through re0 and %d through re1: one conversation has one link", m, n)
	}
}
