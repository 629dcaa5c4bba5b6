package scale

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

const (
	// portsEach is how many ports an aggregate has.
	portsEach = 2
	pollEvery = 10 * time.Millisecond
	// The interface indexes of the two ends differ, see rtnl.AddVeth.
	firstIndexA, firstIndexB = 10_000, 100_000
)

func portName(i int) string { return "p" + strconv.Itoa(i) }

// addLinks joins two namespaces by n links, all up and without IPv6.
func addLinks(t testing.TB, a, b *nettest.NS, n int) {
	for _, ns := range []*nettest.NS{a, b} {
		ns.Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	}
	far, err := unix.Open(filepath.Join("/run/netns", b.Name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(far)
	in(t, a, func(c *rtnl.Conn) error {
		for i := range n {
			v := rtnl.Veth{
				Name: portName(i), Index: firstIndexA + i,
				FarName: portName(i), FarIndex: firstIndexB + i, FarNS: far,
			}
			if err := c.AddVeth(v); err != nil {
				return err
			}
			if err := c.SetUp(v.Index); err != nil {
				return err
			}
		}
		return nil
	})
	in(t, b, func(c *rtnl.Conn) error {
		for i := range n {
			if err := c.SetUp(firstIndexB + i); err != nil {
				return err
			}
		}
		return nil
	})
}

// in runs f with a connection to a namespace's rtnetlink.
func in(t testing.TB, ns *nettest.NS, f func(*rtnl.Conn) error) {
	var err error
	ns.Do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err == nil {
			err = f(c)
			c.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
