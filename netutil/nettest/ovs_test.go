package nettest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// pair joins two namespaces by two links.
func pair(t testing.TB) (a, b *NS) {
	a, b = New(t), New(t)
	Veth(a, "re0", b, "q0")
	Veth(a, "re1", b, "q1")
	return a, b
}

var (
	left  = netip.MustParsePrefix("192.0.2.1/24")
	right = netip.MustParsePrefix("192.0.2.2/24")
)

func TestOVSNegotiates(t *testing.T) {
	a, b := pair(t)
	system := ether.Addr{0x02, 0, 0, 0, 0, 0x09}
	active := StartOVS(t, a, OVSConfig{Ports: []string{"re0", "re1"}, Addr: left})
	passive := StartOVS(t, b, OVSConfig{
		Ports: []string{"q0", "q1"}, Addr: right, BridgeName: "br9",
		LACP: "passive", Time: "slow", Key: 7, System: system, Priority: 77,
	})
	active.WaitDistributing(10 * time.Second)
	passive.WaitDistributing(10 * time.Second)
	s, err := active.Show()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range s.Ports {
		e := p.Partner
		if e.System != system || e.Priority != 77 || e.Key != 7 || e.Has("activity") || e.Has("timeout") {
			t.Errorf("%s has partner %+v", name, e)
		}
	}
	b.Run("ping", "-c", "3", "-i", "0.2", left.Addr().String())
	if log := passive.Log(); strings.Contains(log, "/var/run") {
		t.Errorf("it reached for the system's files:\n%s", log)
	}
	passive.Stop()
	passive.Stop()
	if out := b.Run("ip", "link"); strings.Contains(out, "br9") {
		t.Errorf("the bridge is still there:\n%s", out)
	}
}

// neighbours tells two namespaces each other's address and MAC address, so that
// they need no ARP.
func neighbours(t testing.TB, a, b *NS, dev string) {
	t.Helper()
	for _, way := range []struct {
		from, to *NS
		addr     netip.Prefix
	}{{a, b, right}, {b, a, left}} {
		var mac ether.Addr
		way.to.rtnl(func(c *rtnl.Conn) error {
			l, err := c.LinkByName(dev)
			mac = l.Addr
			return err
		})
		way.from.Run("ip", "neigh", "replace", way.addr.Addr().String(), "lladdr", mac.String(), "dev", dev)
	}
}

// TestOVSStatic has no LACP at either end, and then one end that is killed: its
// frames stop.
func TestOVSStatic(t *testing.T) {
	a, b := pair(t)
	x := StartOVS(t, a, OVSConfig{Ports: []string{"re0", "re1"}, Addr: left, LACP: "off"})
	y := StartOVS(t, b, OVSConfig{Ports: []string{"q0", "q1"}, Addr: right, LACP: "off"})
	x.WaitDistributing(10 * time.Second)
	y.WaitDistributing(10 * time.Second)
	neighbours(t, a, b, "br0")
	b.Run("ping", "-c", "3", "-i", "0.2", left.Addr().String())
	x.Kill()
	if err := b.Command("ping", "-c", "1", "-W", "1", left.Addr().String()).Run(); err == nil {
		t.Error("a switch that was killed still forwards")
	}
}

// TestOVSActive holds OVSConfig to what it says of broadcasts: they arrive on
// the active port only, and SetActive moves it.
func TestOVSActive(t *testing.T) {
	a, b := New(t), New(t)
	Veth(a, "re0", b, "q0", NoIPv6)
	Veth(a, "re1", b, "q1", NoIPv6)
	o := StartOVS(t, b, OVSConfig{Ports: []string{"q0", "q1"}, Addr: right, LACP: "off"})
	o.WaitDistributing(10 * time.Second)
	received := func() (n uint64) {
		b.rtnl(func(c *rtnl.Conn) error {
			l, err := c.LinkByName("br0")
			n = l.Stats.RxPackets
			return err
		})
		return n
	}
	a.Run("ip", "addr", "add", left.String(), "dev", "re0")
	a.Run("ip", "neigh", "add", right.Addr().String(), "lladdr", "ff:ff:ff:ff:ff:ff", "dev", "re0")
	for port, want := range map[string]bool{"q0": true, "q1": false} {
		o.SetActive(port)
		before := received()
		// Nobody answers: what counts is what reaches the bridge.
		_ = a.Command("ping", "-c", "5", "-i", "0.05", "-W", "0.5", right.Addr().String()).Run()
		if got := received() - before; (got >= 5) != want {
			t.Errorf("active %s: %d of 5 broadcasts through q0 arrived", port, got)
		}
	}
}

// TestOVSPause lets the far end hang: its partner must notice, and recover.
func TestOVSPause(t *testing.T) {
	a, b := pair(t)
	x := StartOVS(t, a, OVSConfig{Ports: []string{"re0", "re1"}})
	y := StartOVS(t, b, OVSConfig{Ports: []string{"q0", "q1"}})
	x.WaitDistributing(10 * time.Second)
	y.WaitDistributing(10 * time.Second)
	if err := x.Pause(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 10*time.Second, func() error {
		s, err := y.Show()
		if err != nil {
			return err
		}
		if p := s.Ports["q0"]; p.State == "current" {
			return fmt.Errorf("q0 is %s", p.State)
		}
		return nil
	})
	if err := x.Resume(); err != nil {
		t.Fatal(err)
	}
	y.WaitDistributing(10 * time.Second)
}

// TestOVSRestart kills a switch that has two bonds, and starts it again: both are
// back, and what is none is not shown.
func TestOVSRestart(t *testing.T) {
	a, b := pair(t)
	Veth(a, "re2", b, "q2")
	Veth(a, "re3", b, "q3")
	x := StartOVS(t, a, OVSConfig{Ports: []string{"re0", "re1"}})
	x.AddBond(OVSConfig{Ports: []string{"re2", "re3"}, Bond: "bond1", Key: 7})
	y := StartOVS(t, b, OVSConfig{Ports: []string{"q0", "q1"}})
	y.AddBond(OVSConfig{Ports: []string{"q2", "q3"}, Bond: "bond1", BridgeName: "br1", Addr: right})
	both := func() error {
		s, err := y.ShowBond("bond1")
		if err == nil && s.Ports["q3"].Partner.Key != 7 {
			err = fmt.Errorf("the partner of q3 is %+v", s.Ports["q3"].Partner)
		}
		return errors.Join(y.Distributing(), err, s.distributing([]string{"q2", "q3"}, true))
	}
	Eventually(t, 10*time.Second, both)
	x.Kill()
	x.Restart()
	Eventually(t, 40*time.Second, both)
	if s, err := y.ShowBond("bond2"); err == nil {
		t.Errorf("there is a third bond: %+v", s)
	}
}

func TestOVSLeavesNothing(t *testing.T) {
	a, _ := pair(t)
	var dir string
	recordFailure(t, func(t testing.TB) {
		o := StartOVS(t, a, OVSConfig{Ports: []string{"re0", "re1"}})
		dir = o.dir
		t.Fatal("as wanted")
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if out := a.Run("ip", "link"); strings.Contains(out, "br0") {
		t.Errorf("the bridge is still there:\n%s", out)
	}
}
