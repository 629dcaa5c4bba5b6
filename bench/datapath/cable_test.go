package main

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// TestCable cuts a cable and mends it: both ends lose their carrier and stay up,
// frames are lost while it is cut and only then, and the kernel takes the ends
// for hardware.
func TestCable(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.Ping, nettest.TCX)
	a, b := nettest.New(t), nettest.New(t)
	c := newCables(t, a, b, []string{"p0"})["p0"]
	a.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "p0")
	b.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "p0")
	ends := []*rtnl.Conn{openLinks(t, a), openLinks(t, b)}
	carrier := func(want ...bool) {
		t.Helper()
		nettest.Eventually(t, 5*time.Second, func() error {
			for i, end := range ends {
				l, err := end.LinkByName("p0")
				if err != nil {
					return err
				}
				if got := l.Flags&unix.IFF_RUNNING != 0; got != want[i] || !l.Up() {
					return fmt.Errorf("end %d: carrier %v, up %v", i, got, l.Up())
				}
				if l.Index != l.Parent {
					return fmt.Errorf("end %d has index %d and iflink %d", i, l.Index, l.Parent)
				}
			}
			return nil
		})
	}
	carrier(true, true)
	a.Run("ping", "-c", "3", "-i", "0.05", "-W", "2", "192.0.2.2")
	c.cut()
	carrier(false, false)
	c.mend()
	carrier(true, true)
	a.Run("ping", "-c", "3", "-i", "0.05", "-W", "2", "192.0.2.2")
	c.light(1, false)
	carrier(true, false)
}
