package ifagr_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/nettest"
)

// What agr(4) could not configure, on two joined systems: each word is set at one
// end and seen at the other, on the wire or in what happens there (design D13).
func TestOptions(t *testing.T) { eachDatapath(t, testOptions) }

func testOptions(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	t.Run("seen", func(t *testing.T) { optionsSeen(t, a, b) })
	t.Run("hash", func(t *testing.T) { hashSpreads(t, a, b) })
	t.Run("rehash", func(t *testing.T) { rehash(t, a, b) })
	t.Run("coupled", func(t *testing.T) { coupled(t, a, b) })
	t.Run("minlinks", func(t *testing.T) { minLinks(t, a, b) })
	t.Run("maxports", func(t *testing.T) { maxPorts(t, a, b) })
	t.Run("restore", func(t *testing.T) { restore(t, a, b) })
	t.Run("address", func(t *testing.T) { addressFollows(t, a, b) })
	t.Run("fallback", func(t *testing.T) { fallback(t, a, b) })
}

// until waits until a host's status is as it should be.
func until(t *testing.T, h *host, ok func(*ctl.Status) bool) {
	t.Helper()
	nettest.Eventually(t, 3*settle, func() error {
		st, err := h.status()
		if err == nil && !ok(st) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
}

// bothDistribute waits until both ports of both ends do.
func bothDistribute(t *testing.T, hosts ...*host) {
	t.Helper()
	for _, h := range hosts {
		nettest.Eventually(t, 3*settle, func() error { return h.distributes("re0", "re1") })
	}
}

// optionsSeen sets what a LACPDU says, and reads it at the far end.
func optionsSeen(t *testing.T, a, b *host) {
	partner := func(seen func(p ctl.LACPEnd) bool) func(*ctl.Status) bool {
		return func(st *ctl.Status) bool {
			return !slices.ContainsFunc(st.Ports, func(p ctl.PortStatus) bool { return !seen(p.Partner) })
		}
	}
	state := func(bit slow.State, on bool) func(*ctl.Status) bool {
		return partner(func(p ctl.LACPEnd) bool { return slow.State(p.State).Has(bit) == on })
	}
	steps := []struct {
		words string
		seen  func(*ctl.Status) bool
	}{
		{"lacptimeout fast", state(slow.Timeout, true)},
		{"lacpmode passive", state(slow.Activity, false)},
		{"lacpmode active", state(slow.Activity, true)},
		{"lacpsyspri 100", partner(func(p ctl.LACPEnd) bool { return p.SystemPriority == 100 })},
		{"lacpkey 77", partner(func(p ctl.LACPEnd) bool { return p.Key == 77 })},
		{"lacpportpri re0 9 lacpportpri re1 7", func(st *ctl.Status) bool {
			return st.Ports[0].Partner.PortPriority == 9 && st.Ports[1].Partner.PortPriority == 7
		}},
		{"lacpkey 0 lacpsyspri 32768", partner(func(p ctl.LACPEnd) bool { return p.SystemPriority == 32768 && p.Key != 77 })},
	}
	for _, s := range steps {
		a.ifconfig(append([]string{"agr0"}, strings.Fields(s.words)...)...)
		until(t, b, s.seen)
	}
	b.ifconfig("agr0", "lacptimeout", "fast")
	until(t, b, func(st *ctl.Status) bool { return st.Ports[0].Periodic == "FAST_PERIODIC" })
	bothDistribute(t, a, b)
}

// hashSpreads sends many flows of one pair of hosts: the ports of UDP tell them
// apart with l4 only.
func hashSpreads(t *testing.T, a, b *host) {
	spread := func() (ports int) {
		before := a.mustStatus()
		a.Do(func() {
			for i := range 64 {
				conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 20000 + i})
				if err != nil {
					t.Error(err)
					return
				}
				for range 4 { // all of them fit into the queue of a TAP device
					if _, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}); err != nil {
						t.Error(err)
					}
				}
				conn.Close()
			}
		})
		sent := func(st *ctl.Status, i int) uint64 {
			return st.Ports[i].Counters.TxFrames - before.Ports[i].Counters.TxFrames
		}
		until(t, a, func(st *ctl.Status) bool { return sent(st, 0)+sent(st, 1) >= 4*64 })
		for i := range before.Ports {
			if sent(a.mustStatus(), i) >= 40 {
				ports++
			}
		}
		return ports
	}
	for _, tt := range []struct {
		hash string
		want int
	}{{"l3", 1}, {"l4", 2}, {"l2", 1}} {
		a.ifconfig("agr0", "agrhash", tt.hash)
		nettest.Eventually(t, settle, func() error { // it turns when that overtakes no frame
			if got := spread(); got != tt.want {
				return fmt.Errorf("agrhash %s: 64 flows left through %d ports, want %d", tt.hash, got, tt.want)
			}
			return nil
		})
	}
	a.ifconfig("agr0", "agrhash", "l3")
}

// rehash changes the hash while streams cross the ports, of which one has a queue: a
// frame that waits there is not overtaken by those that leave by the other one.
func rehash(t *testing.T, a, b *host) {
	a.Output("tc", "qdisc", "replace", "dev", "re0", "root", "tbf", "rate", "16mbit", "burst", "3000", "latency", "500ms")
	var flows []nettest.Flow
	for i := range 8 {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)})
		b.Output("ip", "addr", "add", addr.String()+"/24", "dev", "agr0")
		flows = append(flows, nettest.Flow{Addr: addr, Rate: 200})
	}
	s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Size: 800, Flows: flows})
	waitReceived(t, s, 1000)
	for _, mode := range []string{"l4", "l2", "l3", "l4", "l3", "l2", "l4", "l3"} {
		a.ifconfig("agr0", "agrhash", mode)
		waitReceived(t, s, s.Received()+500)
	}
	if r := s.Stop(); r.Lost+r.Reordered+r.Duplicated != 0 {
		t.Errorf("by the changes: %v", r)
	}
	a.Output("tc", "qdisc", "del", "dev", "re0", "root")
}

// coupled switches to coupled control and back while a stream crosses the ports.
func coupled(t *testing.T, a, b *host) {
	s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: netip.MustParseAddr("192.0.2.2")})
	waitReceived(t, s, 200)
	for _, step := range []struct{ word, mux string }{{"lacpcoupled", "COLLECTING_DISTRIBUTING"}, {"-lacpcoupled", "DISTRIBUTING"}} {
		a.ifconfig("agr0", step.word)
		until(t, a, func(st *ctl.Status) bool { return st.Ports[0].Mux == step.mux && st.Ports[1].Mux == step.mux })
		waitReceived(t, s, s.Received()+200)
	}
	if r := s.Stop(); r.Lost+r.Reordered+r.Duplicated != 0 {
		t.Errorf("by the change: %v", r)
	}
}

// minLinks asks for two ports at one end. With a cable cut neither end carries
// frames, nor has agr0 a carrier; the reason says why.
func minLinks(t *testing.T, a, b *host) {
	a.ifconfig("agr0", "minlinks", "2")
	bothDistribute(t, a, b)
	b.ifconfig("re1", "down")
	nettest.Eventually(t, settle, func() error { return a.distributes() })
	for _, h := range []*host{a, b} {
		until(t, h, func(st *ctl.Status) bool { return !st.Carrier && st.Speed == 0 && !h.link("agr0").Carrier })
	}
	if got := a.mustStatus().Ports[0].Reason; got != "min-links 2: only 1" {
		t.Errorf("the reason is %q", got)
	}
	b.ifconfig("re1", "up")
	bothDistribute(t, a, b)
	for _, h := range []*host{a, b} {
		until(t, h, func(st *ctl.Status) bool { return h.link("agr0").Carrier })
	}
	a.ifconfig("agr0", "minlinks", "1")
}

// maxPorts lets one port be used. The other one stands by at both ends, takes over
// when the cable is cut, and gives its place back.
func maxPorts(t *testing.T, a, b *host) {
	a.ifconfig("agr0", "lacpsyspri", "1", "lacpportpri", "re0", "1", "lacpportpri", "re1", "2", "maxports", "1")
	only := func(port string) {
		t.Helper()
		for _, h := range []*host{a, b} {
			nettest.Eventually(t, 3*settle, func() error { return h.distributes(port) })
		}
	}
	only("re0")
	if got := a.mustStatus().Ports[1].Reason; got != "max-ports 1: standby behind re0" {
		t.Errorf("the reason is %q", got)
	}
	b.ifconfig("re0", "down")
	only("re1")
	b.ifconfig("re0", "up")
	only("re0")
	a.ifconfig("agr0", "maxports", "0", "lacpsyspri", "32768", "lacpportpri", "re0", "32768", "lacpportpri", "re1", "32768")
	bothDistribute(t, a, b)
}

// restore keeps a port out whose link has flapped, and both ends know.
func restore(t *testing.T, a, b *host) {
	a.ifconfig("agr0", "lacprestore", "600")
	b.ifconfig("re1", "down")
	nettest.Eventually(t, settle, func() error { return a.distributes("re0") })
	b.ifconfig("re1", "up")
	until(t, a, func(st *ctl.Status) bool { return strings.HasPrefix(st.Ports[1].Reason, "restored in ") })
	if p := a.mustStatus().Ports[1]; time.Until(p.HeldUntil) > 20*time.Minute || time.Until(p.HeldUntil) < time.Minute || p.Counters.Flaps == 0 {
		t.Errorf("held until %v, %d flaps", p.HeldUntil, p.Counters.Flaps)
	}
	nettest.Eventually(t, settle, func() error { return b.distributes("re0") })
	a.ifconfig("agr0", "lacprestore", "0")
	bothDistribute(t, a, b)
}

// addressFollows lets agr0 have the address of another port when its owner leaves.
func addressFollows(t *testing.T, a, b *host) {
	st := a.mustStatus()
	a.ifconfig("agr0", "agrmac", "follow")
	a.ifconfig("agr0", "-agrport", "re0")
	if got, want := a.link("agr0").Addr, st.Ports[1].OwnMAC; got != want {
		t.Errorf("agr0 has %s, want that of re1, %s", got, want)
	}
	a.Run("ping", "-c", "2", "-i", "0.2", "-W", "2", "192.0.2.2")
	if got := b.mustStatus().Ports[1].Partner.System; got != st.MAC {
		t.Errorf("the far end knows the system as %s, want %s", got, st.MAC)
	}
	a.ifconfig("agr0", "agrport", "re0", "agrmac", "fixed", "02:cc:00:00:00:01")
	bothDistribute(t, a, b)
	if got := a.link("agr0").Addr.String(); got != "02:cc:00:00:00:01" {
		t.Errorf("agr0 has %s", got)
	}
	a.Run("ping", "-c", "2", "-i", "0.2", "-W", "2", "192.0.2.2")
	a.ifconfig("agr0", "agrmac", "first")
}

// fallback lets the far end fall silent: one port is used then, or none, until
// somebody speaks.
func fallback(t *testing.T, a, b *host) {
	a.ifconfig("agr0", "lacpfallback", "single", "minlinks", "2", "lacpportpri", "re1", "1")
	b.ifconfig("agr0", "link1")
	nettest.Eventually(t, 3*settle, func() error { return a.distributes("re1") })
	if st := a.mustStatus(); !st.Carrier || !st.Fallback {
		t.Errorf("carrier %v, fallback %v", st.Carrier, st.Fallback)
	}
	a.ifconfig("agr0", "lacpstrict")
	nettest.Eventually(t, settle, func() error { return a.distributes() })
	if p := a.mustStatus().Ports[0]; p.Reason != "no LACP partner" || p.LastPartner == nil {
		t.Errorf("the reason is %q, the last partner %+v", p.Reason, p.LastPartner)
	}
	b.ifconfig("agr0", "-link1")
	bothDistribute(t, a, b)
}

// Two groups of ports of one far system: the keys say which, and the port that is
// not used says that.
func TestKeyMismatch(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testKeyMismatch)
}

func testKeyMismatch(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	b.port("re0", "re1")
	for i, key := range []string{"5", "7"} {
		agr := fmt.Sprint("agr", i)
		b.ifconfig(agr, "create", "agrmac", "fixed", "02:cc:00:00:00:09", "lacpkey", key)
		b.ifconfig(agr, "agrport", fmt.Sprint("re", i))
	}
	a.aggregated()
	nettest.Eventually(t, 3*settle, func() error { return a.distributes("re0") })
	until(t, a, func(st *ctl.Status) bool {
		return st.Ports[1].Reason == "partner key 7 differs from the active aggregator's 5"
	})
	if got := a.ifconfig("-v", "agr0"); !strings.Contains(got, "\t\t\treason: partner key 7 differs from the active aggregator's 5\n") {
		t.Errorf("ifconfig -v does not say so:\n%s", got)
	}
	b.ifconfig("agr1", "lacpkey", "5", "-agrport", "re1")
	b.ifconfig("agr0", "agrport", "re1")
	nettest.Eventually(t, 3*settle, func() error { return a.distributes("re0", "re1") })
}
