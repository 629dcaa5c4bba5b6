package nettest

import (
	"fmt"
	"time"

	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// Option is a wish about the ends of a link; options are joined with |.
type Option uint8

// The wishes. By default both ends are up, have IPv6 and so get their automatic
// addresses.
const (
	NoIPv6 Option = 1 << iota // both ends carry no IPv6
	Down                      // both ends are left down
)

// indexesPerNS keeps the interface indexes of two namespaces apart.
const indexesPerNS = 1000

// Veth joins two namespaces, which may be the same, by a link.
//
// The two ends have different interface indexes: with equal ones the kernel
// takes them for hardware and reports a loss of carrier up to a second late.
// Their MAC addresses are LinkAddr of namespace and end. Unless they are left
// down, frames pass when Veth returns: the kernel drops what is sent between the
// coming of a carrier and its own look at it.
func Veth(a *NS, aName string, b *NS, bName string, opts ...Option) {
	a.t.Helper()
	var want Option
	for _, o := range opts {
		want |= o
	}
	v := rtnl.Veth{Name: aName, FarName: bName, FarNS: b.fd}
	v.Index, v.Addr = a.nextLink()
	v.FarIndex, v.FarAddr = b.nextLink()
	a.rtnl(func(c *rtnl.Conn) error { return c.AddVeth(v) })
	ends := []vethEnd{{a, aName, v.Index}, {b, bName, v.FarIndex}}
	for _, end := range ends {
		if want&NoIPv6 != 0 {
			end.ns.Sysctl("net/ipv6/conf/"+end.name+"/disable_ipv6", "1")
		}
		if want&Down == 0 {
			end.ns.rtnl(func(c *rtnl.Conn) error { return c.SetUp(end.index) })
		}
	}
	if want&Down == 0 {
		for _, end := range ends {
			Eventually(a.t, vethWait, end.operates)
		}
	}
}

// vethEnd is one end of a link.
type vethEnd struct {
	ns    *NS
	name  string
	index int
}

// vethWait is how long the kernel may take to notice a carrier.
const vethWait = 10 * time.Second

// operates is nil when frames pass through an interface that is up.
func (e vethEnd) operates() error {
	var link rtnl.Link
	e.ns.rtnl(func(c *rtnl.Conn) (err error) {
		link, err = c.LinkByIndex(e.index)
		return err
	})
	if link.OperState != rtnl.OperUp {
		return fmt.Errorf("%s is %s", e.name, link.OperState)
	}
	return nil
}

// LinkAddr is the MAC address of the i-th end of a link that was made in the
// namespace, counted from 0.
func (n *NS) LinkAddr(i int) ether.Addr {
	return ether.Addr{0x02, 0x1f, 0xa9, byte(n.number), byte((i + 1) >> 8), byte(i + 1)}
}

// nextLink is the index and the MAC address of the next end of a link.
func (n *NS) nextLink() (index int, a ether.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.links
	n.links++
	return indexesPerNS*n.number + i, n.LinkAddr(i)
}
