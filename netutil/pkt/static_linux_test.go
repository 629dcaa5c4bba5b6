package pkt_test

import (
	"strings"
	"testing"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// TestStatic adds a group twice and removes it twice; each time the interface is
// what it was.
func TestStatic(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	n := nettest.New(t)
	nettest.Veth(n, "re0", n, "re1", nettest.NoIPv6)
	re0 := index(t, n, "re0")
	has := func() bool {
		return strings.Contains(n.Output("ip", "maddr", "show", "dev", "re0"), ether.SlowProtocols.String()+" static")
	}
	for _, step := range []struct {
		what string
		do   func(int, ether.Addr) error
		want bool
	}{
		{"remove before", pkt.RemoveStatic, false},
		{"add", pkt.AddStatic, true},
		{"add again", pkt.AddStatic, true},
		{"remove", pkt.RemoveStatic, false},
		{"remove again", pkt.RemoveStatic, false},
	} {
		n.Do(func() {
			if err := step.do(re0, ether.SlowProtocols); err != nil {
				t.Errorf("%s: %v", step.what, err)
			}
		})
		if has() != step.want {
			t.Errorf("%s: static %v, want %v", step.what, has(), step.want)
		}
	}
	n.Run("ip", "link", "delete", "re0")
	n.Do(func() {
		if err := pkt.RemoveStatic(re0, ether.SlowProtocols); err != nil {
			t.Errorf("from one that has gone: %v", err)
		}
		if err := pkt.AddStatic(re0, ether.SlowProtocols); err == nil {
			t.Error("added to one that has gone")
		}
	})
}
