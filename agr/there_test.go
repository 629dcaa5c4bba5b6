package agr

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/rtnl"
)

// Ours is what has our mark, or is a TAP device as we make them, whatever else has such
// a name.
func TestAmong(t *testing.T) {
	ours := rtnl.Tun{TAP: true, Persist: true, VnetHeader: true, Owner: 7}
	tun := func(edit func(*rtnl.Tun)) *rtnl.Tun {
		other := ours
		edit(&other)
		return &other
	}
	links := []rtnl.Link{
		{Name: "lo"},
		{Name: "agr0", Kind: "veth"},
		{Name: "agr0p", Kind: "veth", Alias: "agr 1 2"},
		{Name: "agr1p", Kind: "veth", Alias: "agr z", ParentElsewhere: true},
		{Name: "agr2", Kind: "tun", Tun: &ours},
		{Name: "agr3", Kind: "dummy", Alias: "agr 1 2"},
		{Name: "agr4", Kind: "veth"},
		{Name: "agr4p", Kind: "veth", Alias: "agree on 2"},
		{Name: "agr5", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.Owner = 8 })},
		{Name: "agr6", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.Owner = -1 })},
		{Name: "agr7", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.Persist = false })},
		{Name: "agr8", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.TAP = false })},
		{Name: "agr9", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.MultiQueue = true })},
		{Name: "agr10", Kind: "tun", Tun: tun(func(t *rtnl.Tun) { t.VnetHeader = false })},
		{Name: "agr0h", Kind: "tun", Tun: &ours},
		{Name: "tap0", Kind: "tun", Tun: &ours},
	}
	if d := cmp.Diff([]string{"agr0", "agr1", "agr2"}, among(links, []uint32{0, 7})); d != "" {
		t.Errorf("ours (-want +got):\n%s", d)
	}
}
