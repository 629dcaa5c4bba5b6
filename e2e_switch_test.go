package ifagr_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"ifagr/agr/slow"
	"ifagr/netutil/nettest"
)

// The manual's example against an Open vSwitch: both ends see both ports
// distribute soon, and traffic is intact.
func TestExampleAgainstOpenVSwitch(t *testing.T) { eachDatapath(t, testExampleAgainstOpenVSwitch) }

func testExampleAgainstOpenVSwitch(t *testing.T, datapath string) {
	a, sw := withSwitch(t, datapath, nettest.OVSConfig{LACP: "active", Time: "fast"})
	cmd := a.Command("testdata/e2e/example.sh")
	cmd.Env = a.env()
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("the example: %v\n%s", err, out)
	}
	nettest.Eventually(t, settle, func() error { return a.distributes("re0", "re1") })
	nettest.Eventually(t, settle, func() error { return switchDistributes(sw, "q0", "q1") })
	t.Logf("both ends distribute on both ports %v after the example began", time.Since(start).Round(time.Millisecond))
	a.agreesWith(sw, "agr0", "bond0", "q0", "q1")
	a.Run("ping", "-c", "3", "-i", "0.2", "-W", "2", "192.0.2.2")
	sendIntact(t, a.NS, sw.ns, 200<<20)
}

// switchDistributes is nil when the switch uses ports of bond0 and knows that we
// distribute.
func switchDistributes(sw openVSwitch, ports ...string) error {
	st, err := sw.Show()
	for _, name := range ports {
		if p := st.Ports[name]; err == nil && !p.Partner.Has("distributing") {
			err = fmt.Errorf("switch: %s: %+v", name, p)
		}
	}
	return errors.Join(err, bondUses(sw, "bond0", ports...))
}

// sendIntact sends n octets over TCP from a namespace to 192.0.2.2 in another,
// and compares what arrives.
func sendIntact(t *testing.T, from, to *nettest.NS, n int64) {
	t.Helper()
	var l net.Listener
	var err error
	to.Do(func() { l, err = net.Listen("tcp", "192.0.2.2:0") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan [sha256.Size]byte, 1)
	go func() {
		defer close(got)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		h := sha256.New()
		if m, err := io.Copy(h, conn); err == nil && m == n {
			got <- [sha256.Size]byte(h.Sum(nil))
		}
	}()
	var conn net.Conn
	from.Do(func() { conn, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	want := sha256.New()
	if _, err := io.Copy(io.MultiWriter(conn, want), io.LimitReader(rand.NewChaCha8([32]byte{1}), n)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if sum, ok := <-got; !ok || sum != [sha256.Size]byte(want.Sum(nil)) {
		t.Errorf("%d MB over TCP did not arrive intact", n>>20)
	}
	t.Logf("%d MB over TCP in %v", n>>20, time.Since(start).Round(time.Millisecond))
}

// Beside a static switch traffic flows, with link1 without a single LACPDU, and
// without it through the optimistic default partner (design D5).
func TestStaticSwitch(t *testing.T) { eachDatapath(t, testStaticSwitch) }

func testStaticSwitch(t *testing.T, datapath string) {
	for _, link1 := range []bool{true, false} {
		t.Run(fmt.Sprintf("link1=%v", link1), func(t *testing.T) {
			t.Parallel()
			a, sw := withSwitch(t, datapath, nettest.OVSConfig{LACP: "off", Mode: "balance-slb"})
			seen := countLACPDUs(t, sw.ns, "q0")
			a.port("re0", "re1")
			a.ifconfig("agr0", "create")
			if link1 {
				a.ifconfig("agr0", "link1")
			}
			a.ifconfig("agr0", "agrport", "re0", "agrport", "re1", "192.0.2.1/24")
			nettest.Eventually(t, 10*time.Second, func() error { return a.distributes("re0", "re1") })
			knowEachOther(a, sw)
			a.Run("ping", "-c", "5", "-i", "0.2", "-W", "2", "192.0.2.2")
			a.ifconfig("agr0", "-agrport", "re0")
			if frames, defaulted := seen(); link1 != (frames == 0) || !link1 && defaulted == 0 {
				t.Errorf("%d LACPDUs, %d of them Defaulted", frames, defaulted)
			}
		})
	}
}

// knowEachOther saves both ends the broadcasts of ARP: balance-slb takes them on
// one port only, and which one we send them through is the hash's choice.
func knowEachOther(a *host, sw openVSwitch) {
	far := linkIn(a.t, sw.ns, "br0").Addr
	a.Run("ip", "neigh", "replace", "192.0.2.2", "lladdr", far.String(), "nud", "permanent", "dev", "agr0")
	sw.ns.Run("ip", "neigh", "replace", "192.0.2.1", "lladdr", a.link("agr0").Addr.String(), "nud", "permanent", "dev", "br0")
}

// countLACPDUs counts the LACPDUs that arrive on an interface, and those that
// say Defaulted, until the function that it returns is called.
func countLACPDUs(t *testing.T, ns *nettest.NS, name string) func() (frames, defaulted int) {
	t.Helper()
	conn := listenAll(t, ns, name) // sees what the switch's shield drops
	type count struct{ frames, defaulted int }
	done := make(chan count)
	go func() {
		var c count
		b := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				done <- c
				return
			}
			if subtype, ok := slow.Subtype(b[:n]); !ok || subtype != slow.SubtypeLACP {
				continue
			}
			if pdu, err := slow.ParseLACPDU(b[:n]); err == nil {
				c.frames++
				if pdu.Actor.State.Has(slow.Defaulted) {
					c.defaulted++
				}
			}
		}
	}()
	return func() (int, int) {
		conn.Close()
		c := <-done
		return c.frames, c.defaulted
	}
}

// The same against an Open vSwitch, which says that it collects before it does:
// every frame that we send while a link comes back reaches the switch. The
// switch may drop some while it changes its flows, which is told.
func TestLinkReturnsToOpenVSwitch(t *testing.T) { eachDatapath(t, testLinkReturnsToOpenVSwitch) }

func testLinkReturnsToOpenVSwitch(t *testing.T, datapath string) {
	a, sw := withSwitch(t, datapath, nettest.OVSConfig{LACP: "active", Time: "fast"})
	a.agr0("192.0.2.1")
	both := func() error {
		return errors.Join(a.distributes("re0", "re1"), switchDistributes(sw, "q0", "q1"))
	}
	nettest.Eventually(t, 2*settle, both)
	a.Run("ping", "-c", "1", "-W", "2", "192.0.2.2")
	for _, port := range []string{"q0", "q1"} {
		s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: sw.ns, Addr: netip.MustParseAddr("192.0.2.2")})
		waitReceived(t, s, 500)
		sw.ns.Run("ip", "link", "set", port, "down")
		waitReceived(t, s, s.Received()+1000)
		cut := s.Stop()
		s = nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: sw.ns, Addr: netip.MustParseAddr("192.0.2.2")})
		arrived := countStream(t, sw.ns, s.Port(), "q0", "q1")
		waitReceived(t, s, s.Received()+500)
		sw.ns.Run("ip", "link", "set", port, "up")
		nettest.Eventually(t, 2*settle, both)
		waitReceived(t, s, s.Received()+1000)
		back := s.Stop()
		reached := arrived()
		t.Logf("%s cut: %v", port, cut)
		t.Logf("%s back: %v; %d frames reached the switch", port, back, len(reached))
		if back.Duplicated != 0 {
			t.Errorf("%s: %d duplicated when the link came back", port, back.Duplicated)
		}
		for _, run := range back.Runs {
			missing := 0
			for n := run.First; n < run.First+run.Count; n++ {
				if !reached[n] {
					missing++
				}
			}
			if missing > 0 {
				t.Errorf("%s: %d of the %d datagrams from %d on never reached the switch", port, missing, run.Count, run.First)
			}
		}
	}
}

// countStream notes which datagrams of a stream arrive on interfaces, until the
// function that it returns is called. It sees them before anything on the
// interface can drop them.
func countStream(t *testing.T, ns *nettest.NS, port uint16, names ...string) func() map[uint64]bool {
	t.Helper()
	const header = 14 + 20 + 8 // Ethernet, IPv4, UDP
	numbered := func(f nettest.Frame) bool {
		return !f.Out && len(f.Data) >= header+8 && f.Data[23] == unix.IPPROTO_UDP && binary.BigEndian.Uint16(f.Data[36:]) == port
	}
	var sniffers []*nettest.Sniffer
	for _, name := range names {
		sniffers = append(sniffers, nettest.Sniff(t, ns, name, numbered))
	}
	return func() map[uint64]bool {
		seen := make(map[uint64]bool)
		for _, s := range sniffers {
			s.Close()
			for _, f := range s.Frames() {
				seen[binary.BigEndian.Uint64(f.Data[header:])] = true
			}
		}
		return seen
	}
}

// listenAll listens to every frame of an interface.
func listenAll(t *testing.T, ns *nettest.NS, name string) *packet.Conn {
	t.Helper()
	var conn *packet.Conn
	var err error
	ns.Do(func() {
		var ifi *net.Interface
		if ifi, err = net.InterfaceByName(name); err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// A port that leaves tells the partner at once, and is what it was.
func TestRemoveDistributingPort(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testRemoveDistributingPort)
}

func testRemoveDistributingPort(t *testing.T, datapath string) {
	a, sw := withSwitch(t, datapath, nettest.OVSConfig{LACP: "active", Time: "slow"})
	a.ifconfig("re1", "mtu", "1700")
	a.port("re0", "re1")
	before := a.settings("re1")
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	if got := a.settings("re1"); got.MAC == before.MAC || got.MTU != 1500 || got.GenMode == before.GenMode {
		t.Errorf("as a port re1 is %+v", got)
	}
	a.ifconfig("agr0", "-agrport", "re1")
	if got := a.settings("re1"); got != before {
		t.Errorf("re1 is %+v, was %+v", got, before)
	}
	nettest.Eventually(t, time.Second, func() error {
		st, err := sw.Show()
		if err != nil {
			return err
		}
		if q := st.Ports["q1"]; q.Partner.Has("synchronized") || q.Partner.Has("collecting") || q.Partner.Has("distributing") || !q.Partner.Has("aggregation") {
			return fmt.Errorf("the switch believes of re1: %v", q.Partner.State)
		}
		return nil
	})
}
