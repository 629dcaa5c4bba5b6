package main

import (
	"fmt"
	"net/netip"
	"testing"

	"ifagr/bench/load"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// The ways that frames may take from one namespace to the other.
const (
	bare   = "bare"   // one veth pair, nothing aggregated: the yardstick
	kernel = "kernel" // ours, eBPF
	user   = "user"   // ours, through the daemon
	ovs    = "ovs"    // Open vSwitch, userspace datapath, balance-tcp with LACP
)

// The addresses, the same for each way: of its two ends, and the many that each
// end has besides, which traffic is spread over.
var (
	addrA    = netip.MustParsePrefix("10.78.0.1/24")
	addrB    = netip.MustParsePrefix("10.78.0.2/24")
	manyB    = netip.MustParsePrefix("10.78.1.0/24")
	manyA    = netip.MustParsePrefix("10.78.2.0/24")
	manyFrom = netip.MustParseAddr("10.78.1.1") // the first of B
	manyBack = netip.MustParseAddr("10.78.2.1") // the first of A
)

// way is two namespaces and what joins them.
type way struct {
	t        testing.TB
	name     string
	a, b     *nettest.NS
	links    [2]*rtnl.Conn          // of a and b
	sides    [2]*side               // of ours only
	switches []*nettest.OpenVSwitch // of Open vSwitch only
	daemons  []int                  // process ids of what moves the frames, if processes do
	ports    []string
	cables   map[string]*cable // by port; of a way with cables only
}

// portNames are p0 and so on.
func portNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	return names
}

// newWay makes a way with so many links. The bare one always has one.
func newWay(t testing.TB, bin, name string, ports int) *way {
	if name == bare {
		ports = 1
	}
	w := emptyWay(t, name, ports)
	for _, p := range w.ports {
		nettest.Veth(w.a, p, w.b, p, nettest.NoIPv6)
	}
	w.fill(bin, agrOptions{kind: name, poll: defaultPoll, ports: w.ports})
	return w
}

// newCabledWay makes a way whose links can be cut.
func newCabledWay(t testing.TB, bin, name string, o agrOptions) *way {
	w := emptyWay(t, name, len(o.ports))
	w.cables = newCables(t, w.a, w.b, w.ports)
	w.fill(bin, o)
	return w
}

func emptyWay(t testing.TB, name string, ports int) *way {
	w := &way{t: t, name: name, a: nettest.New(t), b: nettest.New(t), ports: portNames(ports)}
	w.links = [2]*rtnl.Conn{openLinks(t, w.a), openLinks(t, w.b)}
	return w
}

// fill puts what the way is about between links and addresses.
func (w *way) fill(bin string, o agrOptions) {
	dev := agr0
	switch w.name {
	case bare:
		dev = w.ports[0]
		w.a.Run("ip", "addr", "add", addrA.String(), "dev", dev)
		w.b.Run("ip", "addr", "add", addrB.String(), "dev", dev)
	case ovs:
		dev = "br0"
		w.startSwitches()
	default:
		w.startSides(bin, o)
	}
	nettest.Eventually(w.t, 3*settle, w.complete)
	w.connect(dev, dev)
}

// startSides starts our daemons.
func (w *way) startSides(bin string, o agrOptions) {
	for i, ns := range []*nettest.NS{w.a, w.b} {
		w.sides[i] = newSide(w.t, bin, ns, o)
		w.daemons = append(w.daemons, w.sides[i].agrd.Pid())
	}
	w.sides[0].address(addrA)
	w.sides[1].address(addrB)
}

// startSwitches starts an Open vSwitch at both ends, which reads its ports
// without their virtio_net_hdr: they must carry whole frames.
func (w *way) startSwitches() {
	for _, end := range []struct {
		ns   *nettest.NS
		addr netip.Prefix
	}{{w.a, addrA}, {w.b, addrB}} {
		for _, p := range w.ports {
			end.ns.NoOffload(p)
		}
		sw := nettest.StartOVS(w.t, end.ns, nettest.OVSConfig{Ports: w.ports, Addr: end.addr})
		w.switches = append(w.switches, sw)
		w.daemons = append(w.daemons, sw.Pid())
	}
}

// complete is nil when every port carries frames at both ends.
func (w *way) complete() error {
	for _, s := range w.sides {
		if s != nil {
			if err := s.distributes(len(w.ports)); err != nil {
				return err
			}
		}
	}
	for _, sw := range w.switches {
		if err := sw.Distributing(); err != nil {
			return err
		}
	}
	return nil
}

// connect gives the ends their many addresses and each other's link-layer
// address, so that no frame waits for ARP, then or later.
func (w *way) connect(devA, devB string) {
	w.b.Run("ip", "route", "add", "local", manyB.String(), "dev", "lo")
	w.a.Run("ip", "route", "add", "local", manyA.String(), "dev", "lo")
	w.a.Run("ip", "route", "add", manyB.String(), "via", addrB.Addr().String())
	w.b.Run("ip", "route", "add", manyA.String(), "via", addrA.Addr().String())
	w.neighbour(w.a, devA, w.links[1], devB, addrB.Addr())
	w.neighbour(w.b, devB, w.links[0], devA, addrA.Addr())
	w.a.Run("ping", "-c", "1", "-W", "5", manyFrom.String())
}

// neighbour tells ns, behind its interface dev, the link-layer address of an
// interface of the far end.
func (w *way) neighbour(ns *nettest.NS, dev string, far *rtnl.Conn, farDev string, addr netip.Addr) {
	l, err := far.LinkByName(farDev)
	if err != nil {
		w.t.Fatal(err)
	}
	ns.Run("ip", "neigh", "replace", addr.String(), "lladdr", l.Addr.String(), "dev", dev, "nud", "permanent")
}

// openLinks opens rtnetlink in a namespace, until the end.
func openLinks(t testing.TB, ns *nettest.NS) *rtnl.Conn {
	var c *rtnl.Conn
	var err error
	ns.Do(func() { c, err = rtnl.Open() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// flows are n numbered conversations, each to an address of its own, the skip-th
// after first and so on: addresses are what the default hash tells conversations
// apart by.
func flows(first netip.Addr, skip, n, rate int) []nettest.Flow {
	var f []nettest.Flow
	for i := range n {
		f = append(f, nettest.Flow{Addr: load.After(first, skip+i), Rate: rate})
	}
	return f
}
