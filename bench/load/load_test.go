package load

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

// TestMain lets the test program be started in a role.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := Roles()[os.Args[1]]; ok {
			if err := role(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// link is two namespaces that are joined by one bare veth pair; a whole network
// of addresses is b's.
func link(t *testing.T) (a, b *nettest.NS) {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	a, b = nettest.New(t), nettest.New(t)
	nettest.Veth(a, "p0", b, "p0", nettest.NoIPv6)
	a.Run("ip", "addr", "add", "10.77.0.1/24", "dev", "p0")
	b.Run("ip", "addr", "add", "10.77.0.2/24", "dev", "p0")
	b.Run("ip", "route", "add", "local", "10.77.1.0/24", "dev", "lo")
	a.Run("ip", "route", "add", "10.77.1.0/24", "via", "10.77.0.2")
	return a, b
}

const first = "10.77.1.1"

// dropOneInTen drops every tenth packet of a protocol that comes in.
func dropOneInTen(n *nettest.NS, protocol string) {
	n.Run("nft", fmt.Sprintf("add table netdev tenth; add chain netdev tenth in "+
		"{ type filter hook ingress device p0 priority 0; }; "+
		"add rule netdev tenth in ip protocol %s numgen inc mod 10 == 0 drop", protocol))
}

// read waits until a process has counted so many, and reads it.
func read(t *testing.T, p *lab.Process, i int, atLeast uint64) lab.Reading {
	t.Helper()
	var r lab.Reading
	nettest.Eventually(t, 10*time.Second, func() error {
		if r = p.Read(); r.Counts[i] < atLeast {
			return fmt.Errorf("counted %d, want %d", r.Counts[i], atLeast)
		}
		return nil
	})
	return r
}

// TestTCP compares what was sent with what has arrived: everything.
func TestTCP(t *testing.T) {
	a, b := link(t)
	sink := lab.Start(t, b, "tcp-sink")
	source := lab.Start(t, a, "tcp-source", first, "8")
	busy := read(t, source, 0, 50<<20)
	sent := source.Ask(Stop)
	got := read(t, sink, 0, sent.Counts[0])
	if got.Counts[0] != sent.Counts[0] || sent.Counts[1] != 0 {
		t.Errorf("sent %d octets (%d streams failed), received %d", sent.Counts[0], sent.Counts[1], got.Counts[0])
	}
	if busy.CPU == 0 || got.CPU == 0 {
		t.Errorf("no processor time: source %v, sink %v", busy.CPU, got.CPU)
	}
}

// TestUDP knows where every datagram is: in the sink, or dropped for want of
// room in its socket, or dropped by a filter that takes each tenth.
func TestUDP(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprintf("drop=%v", drop), func(t *testing.T) {
			a, b := link(t)
			if drop {
				dropOneInTen(b, "udp")
			}
			sink := lab.Start(t, b, "udp-sink")
			source := lab.Start(t, a, "udp-source", first, "16")
			read(t, source, 0, 200_000)
			sent := source.Ask(Stop)
			arrive := sent.Counts[0]
			if drop {
				arrive -= arrive / 10
			}
			nettest.Eventually(t, 5*time.Second, func() error {
				got := sink.Read()
				// The filter may begin with a kept packet or with a dropped one.
				if sum := got.Counts[0] + got.Counts[1]; sum+1 < arrive || sum > arrive+1 {
					return fmt.Errorf("sent %v, want %d, received %v", sent.Counts, arrive, got.Counts)
				}
				return nil
			})
		})
	}
}

// TestEcho loses each tenth request to a filter.
func TestEcho(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprintf("drop=%v", drop), func(t *testing.T) {
			a, b := link(t)
			if drop {
				dropOneInTen(b, "icmp")
			}
			e := lab.Start(t, a, "echo", first)
			r := read(t, e, 0, 31)
			want := r.Counts[0]
			if drop {
				want -= (want + 9) / 10
			}
			if got := r.Counts[1]; got > want+1 || got+1 < want {
				t.Errorf("%d requests, %d replies, want %d", r.Counts[0], got, want)
			}
			if r.Counts[2] == 0 {
				t.Error("no round trip time")
			}
		})
	}
}

func TestChecksum(t *testing.T) {
	// RFC 1071 section 3: the sum of these is ddf2 before it is complemented.
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("got %#x", got)
	}
}

func TestAfter(t *testing.T) {
	if got := After(netip.MustParseAddr("10.0.0.255"), 2); got != netip.MustParseAddr("10.0.1.1") {
		t.Errorf("got %v", got)
	}
}
