package linux

import (
	"slices"
	"testing"

	"ifagr/netutil/ether"
)

// Addresses in an interface's filter are found, also on those kinds of
// interface that are believed to have none as long as they are not promiscuous.
func TestLinkAddrsOfKindsWithoutFilter(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		if err := k.Create("tap0"); err != nil {
			t.Fatal(err)
		}
		tap0, err := k.Link("tap0")
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range []int{re0, tap0.Index} {
			for _, up := range []bool{true, false} {
				checkFilter(t, k, index, up)
			}
		}
	})
}

func checkFilter(t *testing.T, k *Kernel, index int, up bool) {
	t.Helper()
	a := ether.Addr{2, 0, 0, 0, 0, 0x77}
	set := k.rt.SetDown
	if up {
		set = k.rt.SetUp
	}
	if err := set(index); err != nil {
		t.Fatal(err)
	}
	delete(k.links, index)
	listed := func() bool {
		all, err := k.LinkAddrs(index)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(all[index], a)
	}
	if listed() {
		t.Errorf("interface %d (up %v) has %s to begin with", index, up, a)
	}
	if err := k.AddLinkAddr(index, a, false); err != nil {
		t.Fatal(err)
	}
	if !listed() {
		t.Errorf("interface %d (up %v) does not show %s", index, up, a)
	}
	if err := k.DelLinkAddr(index, a); err != nil {
		t.Fatal(err)
	}
	if listed() {
		t.Errorf("interface %d (up %v) still shows %s", index, up, a)
	}
}
