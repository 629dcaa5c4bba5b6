package ifagr_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// localExperimental is an EtherType that nobody uses (IEEE 802, clause 9.2.4).
const localExperimental = 0x88b5

var broadcast = ether.Addr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// tag is a VLAN tag.
type tag struct{ tpid, tci uint16 }

// frameOf makes a frame of an EtherType, recognizable by a mark, behind tags.
func frameOf(dst, src ether.Addr, etherType uint16, mark byte, tags ...tag) []byte {
	f := append(slices.Clone(dst[:]), src[:]...)
	for _, t := range tags {
		f = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(f, t.tpid), t.tci)
	}
	f = binary.BigEndian.AppendUint16(f, etherType)
	return append(f, bytes.Repeat([]byte{mark}, 50)...)
}

// marked keeps the frames that frameOf made.
func marked(f nettest.Frame) bool {
	n := len(f.Data)
	return n >= 64 && bytes.Count(f.Data[n-50:], f.Data[n-1:]) == 50
}

// joined is a pair of hosts whose agr0, 192.0.2.1 and 192.0.2.2, distribute on
// both ports and know each other's address.
func joined(t *testing.T, datapath string) (a, b *host) {
	t.Helper()
	a, b = pair(t, datapath)
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error { return h.distributes("re0", "re1") })
	}
	a.Run("ping", "-c", "1", "-W", "2", "192.0.2.2")
	return a, b
}

// sees waits until an interface has received exactly these frames, which in
// another order are not the same, and nothing else.
func sees(t *testing.T, what string, s *nettest.Sniffer, want ...[]byte) {
	t.Helper()
	nettest.Eventually(t, settle, func() error {
		var got [][]byte
		for _, f := range s.Frames() {
			if !f.Out {
				got = append(got, f.Data)
			}
		}
		if slices.EqualFunc(got, want, bytes.Equal) {
			return nil
		}
		return fmt.Errorf("%s received %d frames, want %d:\ngot  %x\nwant %x", what, len(got), len(want), got, want)
	})
}

// seen checks that sniffers have seen n frames in a direction, together, once
// they have had time to tell.
func seen(t *testing.T, what string, n int, out bool, sniffers ...*nettest.Sniffer) {
	t.Helper()
	count := func() (sum int) {
		for _, s := range sniffers {
			sum += s.Count(out)
		}
		return sum
	}
	nettest.Eventually(t, settle, func() error {
		if got := count(); got < n {
			return fmt.Errorf("%s: %d frames were seen, want %d", what, got, n)
		}
		return nil
	})
	if got := count(); got != n {
		t.Errorf("%s: %d frames were seen, want %d", what, got, n)
	}
}

// What ip(8) and ifconfig(8) count of agr0 is what went through it, in both
// directions, and its ports' counters add up to it.
func TestCounters(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testCounters)
}

func testCounters(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	const pings, octets = 50, 14 + 20 + 8 + 1000
	before := map[*host]rtnl.Stats{a: a.link("agr0").Stats, b: b.link("agr0").Stats}
	a.Run("ping", "-c", fmt.Sprint(pings), "-i", "0.01", "-s", "1000", "-W", "2", "192.0.2.2")
	for h, was := range before {
		got := h.link("agr0").Stats
		for what, n := range map[string]uint64{
			"received": got.RxPackets - was.RxPackets, "sent": got.TxPackets - was.TxPackets,
			"octets received, in pings": (got.RxBytes - was.RxBytes) / octets, "octets sent, in pings": (got.TxBytes - was.TxBytes) / octets,
		} {
			if n < pings || n > pings+20 {
				t.Errorf("%s: %s: %d, want %d and a few", h.Name, what, n, pings)
			}
		}
		nettest.Eventually(t, settle, func() error { return h.countersAddUp() })
	}
	verbose := a.ifconfig("-v", "agr0")
	if n := strings.Count(verbose, "\n\t\t\tinput: "); n != 2 {
		t.Errorf("ifconfig -v shows the counters of %d ports:\n%s", n, verbose)
	}
}

// countersAddUp compares the ports' counters with agr0's. What agr0 was sent
// before a port distributed was dropped, and was counted.
func (h *host) countersAddUp() error {
	st, err := h.status()
	if err != nil {
		return err
	}
	link := h.link("agr0").Stats
	var rx, tx uint64
	for _, p := range st.Ports {
		rx += p.Counters.RxFrames
		tx += p.Counters.TxFrames
	}
	tx += st.Drops
	if rx != link.RxPackets || tx != link.TxPackets {
		return fmt.Errorf("%s: agr0 received %d and sent %d, its ports %d and %d", h.Name, link.RxPackets, link.TxPackets, rx, tx)
	}
	return nil
}

// A packet socket on agr0, which is what tcpdump has, sees every frame once in
// each direction, and so do those on its ports.
func TestSniffing(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testSniffing)
}

func testSniffing(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	echoes := func(f nettest.Frame) bool {
		return len(f.Data) > 34 && binary.BigEndian.Uint16(f.Data[12:]) == unix.ETH_P_IP && f.Data[23] == unix.IPPROTO_ICMP
	}
	const pings = 20
	var ends, ports []*nettest.Sniffer
	for _, h := range []*host{a, b} {
		ends = append(ends, nettest.Sniff(t, h.NS, "agr0", echoes))
	}
	for _, port := range []string{"re0", "re1"} {
		ports = append(ports, nettest.Sniff(t, a.NS, port, echoes))
	}
	a.Run("ping", "-c", fmt.Sprint(pings), "-i", "0.01", "-W", "2", "192.0.2.2")
	for _, out := range []bool{true, false} {
		for i, s := range ends {
			seen(t, fmt.Sprintf("agr0 of host %d, sent %v", i, out), pings, out, s)
		}
		seen(t, fmt.Sprintf("ports, sent %v", out), pings, out, ports...)
	}
}

// Tags cross agr0 as they are: a C-tag, two tags, and no tag but a priority. What
// a frame's VLAN is decides about its port.
func TestVLANTagged(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testVLANTagged)
}

func testVLANTagged(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	type direction struct{ from, to *host }
	for _, d := range []direction{{a, b}, {b, a}} {
		src := d.from.link("agr0").Addr
		frames := [][]byte{
			frameOf(broadcast, src, localExperimental, 1, tag{0x8100, 3<<13 | 5}),
			frameOf(d.to.link("agr0").Addr, src, localExperimental, 2, tag{0x8100, 5}),
			frameOf(broadcast, src, localExperimental, 3, tag{0x88a8, 100}, tag{0x8100, 5}),
			frameOf(broadcast, src, localExperimental, 4, tag{0x8100, 6 << 13}),
			frameOf(broadcast, src, localExperimental, 5),
		}
		for i, f := range frames { // one at a time: two conversations have no order
			s := nettest.Sniff(t, d.to.NS, "agr0", marked)
			d.from.Send("agr0", f)
			sees(t, fmt.Sprintf("frame %d: %s", i, d.to.Name), s, f)
			s.Close()
		}
	}
	first, second := nettest.Sniff(t, a.NS, "re0", marked), nettest.Sniff(t, a.NS, "re1", marked)
	const vlans = 64
	for vid := range uint16(vlans) {
		a.Send("agr0", frameOf(broadcast, a.link("agr0").Addr, localExperimental, 6, tag{0x8100, 1 + vid}))
	}
	nettest.Eventually(t, settle, func() error {
		m, n := first.Count(true), second.Count(true)
		if m == 0 || n == 0 || m+n != vlans {
			return fmt.Errorf("of %d VLANs re0 has %d and re1 %d", vlans, m, n)
		}
		return nil
	})
}

// vlan(4) on agr0, where the kernel has 802.1Q.
func TestVLANInterface(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testVLANInterface)
}

func testVLANInterface(t *testing.T, datapath string) {
	nettest.Require(t, nettest.VLAN)
	a, b := joined(t, datapath)
	for i, h := range []*host{a, b} {
		h.ifconfig("vlan0", "create")
		h.ifconfig("vlan0", "vlan", "5", "vlanif", "agr0")
		h.ifconfig("vlan0", "inet", fmt.Sprintf("198.51.100.%d/24", i+1))
	}
	tagged := nettest.Sniff(t, b.NS, "agr0", func(f nettest.Frame) bool {
		return bytes.HasPrefix(f.Data[12:], []byte{0x81, 0, 0, 5, 8, 0})
	})
	a.Run("ping", "-c", "5", "-i", "0.1", "-W", "2", "198.51.100.2")
	seen(t, "tagged at agr0", 5, false, tagged)
}

// An MTU of 9000 is that of every port, and a ping of that size goes through
// whole.
func TestJumboFrames(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testJumboFrames)
}

func testJumboFrames(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	for _, h := range []*host{a, b} {
		h.ifconfig("agr0", "mtu", "9000")
		for _, name := range []string{"agr0", "re0", "re1"} {
			if got := h.link(name).MTU; got != 9000 {
				t.Errorf("%s: %s has an mtu of %d", h.Name, name, got)
			}
		}
	}
	whole := nettest.Sniff(t, b.NS, "agr0", func(f nettest.Frame) bool { return len(f.Data) == 14+9000 })
	a.Run("ping", "-M", "do", "-s", "8972", "-c", "5", "-i", "0.1", "-W", "2", "192.0.2.2")
	seen(t, "whole requests", 5, false, whole)
	seen(t, "whole replies", 5, true, whole)
}

// TCP leaves segmentation to the ports, also with an MTU of 9000: frames of many
// segments cross agr0, and what arrives is what was sent.
func TestJumboSegmentation(t *testing.T) { eachDatapath(t, testJumboSegmentation) }

func testJumboSegmentation(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	for _, mtu := range []int{1500, 9000} {
		for _, h := range []*host{a, b} {
			h.ifconfig("agr0", "mtu", fmt.Sprint(mtu))
		}
		before := a.mustStatus()
		sendIntact(t, a.NS, b.NS, 100<<20)
		after := a.mustStatus()
		var frames, octets uint64
		for i, p := range after.Ports {
			frames += p.Counters.TxFrames - before.Ports[i].Counters.TxFrames
			octets += p.Counters.TxBytes - before.Ports[i].Counters.TxBytes
		}
		if octets < 100<<20 {
			t.Errorf("mtu %d: the ports counted %d octets", mtu, octets)
		}
		if frames == 0 || octets/frames <= uint64(mtu)+14 {
			t.Errorf("mtu %d: %d frames of %d octets crossed agr0: they were segmented before", mtu, frames, octets/max(frames, 1))
		}
	}
}
