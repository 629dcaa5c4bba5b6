package ifagr_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// links lists the interfaces of the host.
func (h *host) links() []rtnl.Link {
	h.t.Helper()
	var all []rtnl.Link
	h.rtnl(func(c *rtnl.Conn) (err error) { all, err = c.Links(); return err })
	return all
}

// addrsOf lists the network addresses of an interface.
func (h *host) addrsOf(l rtnl.Link) []netip.Addr {
	h.t.Helper()
	var all []rtnl.Addr
	h.rtnl(func(c *rtnl.Conn) (err error) { all, err = c.Addrs(l.Index, unix.AF_UNSPEC); return err })
	var ips []netip.Addr
	for _, a := range all {
		ips = append(ips, a.IP)
	}
	return ips
}

func (h *host) rtnl(f func(*rtnl.Conn) error) {
	h.t.Helper()
	var err error
	h.Do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err == nil {
			err = f(c)
			c.Close()
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// inner says that an interface is part of agr0, and not agr0.
func inner(l rtnl.Link) bool { return strings.HasPrefix(l.Name, "agr0") && l.Name != "agr0" }

// Of an aggregate only agr0 has addresses: its ports and what it is made of get
// none by themselves, and are not listed. They get theirs back as they leave.
func TestNoAutomaticAddresses(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testNoAutomaticAddresses)
}

func testNoAutomaticAddresses(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error {
			if ips := h.addrsOf(h.link("agr0")); !slices.ContainsFunc(ips, netip.Addr.IsLinkLocalUnicast) {
				return fmt.Errorf("%s: agr0 has no automatic address yet: %v", h.Name, ips)
			}
			return nil
		})
		parts := 0
		for _, l := range h.links() {
			if inner(l) {
				parts++
			} else if l.Name != "re0" && l.Name != "re1" {
				continue
			}
			if ips := h.addrsOf(l); len(ips) > 0 || l.AddrGenMode != rtnl.AddrGenNone {
				t.Errorf("%s: %s has the addresses %v, and mode %v to make them", h.Name, l.Name, ips, l.AddrGenMode)
			}
		}
		if (parts > 0) != (datapath == "kernel") {
			t.Errorf("%s: agr0 is made of %d further interfaces", h.Name, parts)
		}
		for _, listing := range []string{h.ifconfig("-l"), h.ifconfig("-a")} {
			if strings.Contains(listing, "agr0p") || strings.Contains(listing, "agr0h") || !strings.Contains(listing, "agr0") {
				t.Errorf("%s: listed:\n%s", h.Name, listing)
			}
		}
	}
}

// groupAddr is one of the reserved group addresses, or one behind them.
func groupAddr(last byte) ether.Addr { return ether.Addr{1, 0x80, 0xc2, 0, 0, last} }

// crossing are frames and whether they may cross agr0 (design D8).
func crossing(src, dst ether.Addr) (frames [][]byte, cross []bool) {
	add := func(may bool, f []byte) { frames, cross = append(frames, f), append(cross, may) }
	for last := range byte(0x10) {
		add(last == 0, frameOf(groupAddr(last), src, localExperimental, last))
		add(last == 0, frameOf(groupAddr(last), src, localExperimental, 0x10+last, tag{0x8100, 5}))
	}
	add(true, frameOf(groupAddr(0x10), src, localExperimental, 0x20))
	add(true, frameOf(groupAddr(0x21), src, localExperimental, 0x21))
	for i, to := range []ether.Addr{dst, broadcast} {
		mark := byte(0x30 + 4*i)
		add(false, frameOf(to, src, ether.TypeSlow, mark))
		add(false, frameOf(to, src, ether.TypeSlow, mark+1, tag{0x8100, 3 << 13}))
		add(true, frameOf(to, src, ether.TypeSlow, mark+2, tag{0x8100, 5}))
	}
	return frames, cross
}

// Frames that concern one link stay on it, in both directions and at both ends,
// and all others cross.
func TestReservedAddresses(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testReservedAddresses)
}

func testReservedAddresses(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	frames, cross := crossing(ether.Addr{2, 0, 0, 0, 0, 0x99}, a.link("agr0").Addr)
	check := func(what string, s *nettest.Sniffer) {
		t.Helper()
		last := frames[len(frames)-1] // which crosses
		nettest.Eventually(t, settle, func() error {
			for _, f := range s.Frames() {
				if !f.Out && slices.Equal(f.Data, last) {
					return nil
				}
			}
			return fmt.Errorf("%s: the last frame has not arrived", what)
		})
		for i, f := range frames {
			n := 0
			for _, got := range s.Frames() {
				if !got.Out && slices.Equal(got.Data, f) {
					n++
				}
			}
			if want := map[bool]int{true: 1}[cross[i]]; n != want {
				t.Errorf("%s received %d times, want %d: %x", what, n, want, f[:20])
			}
		}
	}
	up := nettest.Sniff(t, a.NS, "agr0", marked)
	b.Send("re1", frames...)
	check("from a port up to agr0", up)
	// Each conversation has its own port, so the frames out can overtake each
	// other: they are sent through one.
	a.ifconfig("agr0", "-agrport", "re0")
	nettest.Eventually(t, settle, func() error { return a.distributes("re1") })
	down := nettest.Sniff(t, b.NS, "re1", marked)
	a.Send("agr0", frames...)
	check("from agr0 down to a port", down)
}

// A program that waits for the frames of one link finds them on the port.
func TestOtherProtocolsOnPort(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testOtherProtocolsOnPort)
}

func testOtherProtocolsOnPort(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	const lldp = 0x88cc
	conn := listenType(t, a.NS, "re0", lldp)
	defer conn.Close()
	sent := frameOf(groupAddr(0x0e), b.link("re0").Addr, lldp, 1)
	b.Send("re0", sent)
	got := make([]byte, 2048)
	if n, _, err := conn.ReadFrom(got); err != nil || !slices.Equal(got[:n], sent) {
		t.Errorf("LLDP on the port: %x, %v", got[:n], err)
	}
}

// listenType listens to one EtherType of an interface.
func listenType(t *testing.T, ns *nettest.NS, name string, etherType int) *packet.Conn {
	t.Helper()
	var conn *packet.Conn
	var err error
	ns.Do(func() {
		var ifi *net.Interface
		if ifi, err = net.InterfaceByName(name); err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, etherType, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Only what is untagged and addressed to the group is a slow protocol's.
func TestSlowProtocolsOnly(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testSlowProtocolsOnly)
}

func testSlowProtocolsOnly(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	const organization = 10 // a subtype that nobody here speaks (IEEE 802.3 57A.4)
	src := b.link("re0").Addr
	b.Send("re0",
		frameOf(ether.SlowProtocols, src, ether.TypeSlow, organization, tag{0x8100, 0}),
		frameOf(ether.SlowProtocols, src, ether.TypeSlow, organization, tag{0x8100, 5}),
		frameOf(ether.SlowProtocols, src, ether.TypeSlow, organization, tag{0x88a8, 0}),
		frameOf(a.link("re0").Addr, src, ether.TypeSlow, organization),
		frameOf(broadcast, src, ether.TypeSlow, organization),
		frameOf(ether.SlowProtocols, src, ether.TypeSlow, byte(slow.SubtypeLACP), tag{0x8100, 0}),
		frameOf(ether.SlowProtocols, src, ether.TypeSlow, organization)) // the only right one
	var unknown, bad uint64
	nettest.Eventually(t, settle, func() error {
		p := a.mustStatus().Ports[0]
		if unknown, bad = p.Counters.UnknownRx, p.Counters.LACPBad.Total(); unknown == 0 {
			return fmt.Errorf("nothing has arrived on %s", p.Name)
		}
		return nil
	})
	if unknown != 1 || bad != 0 {
		t.Errorf("%d frames of an unknown subtype and %d bad LACPDUs were counted, want 1 and 0", unknown, bad)
	}
}
