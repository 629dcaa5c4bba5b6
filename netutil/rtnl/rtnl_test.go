package rtnl_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

var equate = cmp.Options{cmpopts.EquateComparable(netip.Addr{})}

// open connects to a namespace. The connection is used outside of it.
func open(t testing.TB, n *nettest.NS) *rtnl.Conn {
	t.Helper()
	var c *rtnl.Conn
	var err error
	n.Do(func() { c, err = rtnl.Open() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair is a namespace with re0, whose far end q0 is in another one, and
// connections to both.
func pair(t testing.TB) (near *nettest.NS, nearConn, farConn *rtnl.Conn) {
	t.Helper()
	a, b := nettest.New(t), nettest.New(t)
	nettest.Veth(a, "re0", b, "q0")
	return a, open(t, a), open(t, b)
}

func byName(t testing.TB, c *rtnl.Conn, name string) rtnl.Link {
	t.Helper()
	l, err := c.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinks(t *testing.T) {
	ns, c, far := pair(t)
	q0 := byName(t, far, "q0")
	ns.Run("ip", "tuntap", "add", "agr0", "mode", "tap", "user", "65534")
	all, err := c.Links()
	check(t, err)
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
		one, err := c.LinkByIndex(l.Index)
		check(t, err)
		if diff := cmp.Diff(l, one, equate, cmpopts.IgnoreFields(rtnl.Link{}, "Stats", "OperState", "CarrierChanges")); diff != "" {
			t.Errorf("%s: -from the list +alone\n%s", l.Name, diff)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"agr0", "lo", "re0"}, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	re0, tap := byName(t, c, "re0"), byName(t, c, "agr0")
	if re0.Kind != "veth" || re0.Type != unix.ARPHRD_ETHER || !re0.Up() || re0.Addr != ns.LinkAddr(0) ||
		re0.Parent != q0.Index || !re0.ParentElsewhere || re0.MinMTU != 68 || re0.Broadcast != (ether.Addr{255, 255, 255, 255, 255, 255}) {
		t.Errorf("re0 is %+v", re0)
	}
	if diff := cmp.Diff(&rtnl.Tun{TAP: true, Persist: true, Owner: 65534}, tap.Tun); diff != "" || tap.Carrier {
		t.Errorf("agr0 is %+v: -want +got\n%s", tap, diff)
	}
}

func TestNames(t *testing.T) {
	ns, c, _ := pair(t)
	long := strings.Repeat("n", 100)
	ns.Run("ip", "link", "property", "add", "dev", "re0", "altname", "lan", "altname", long)
	for _, name := range []string{"re0", "lan", long} {
		l := byName(t, c, name)
		if l.Name != "re0" {
			t.Errorf("%s finds %s", name, l.Name)
		}
		if diff := cmp.Diff([]string{"lan", long}, l.AltNames); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	for _, name := range []string{"", "re1", strings.Repeat("n", 40), strings.Repeat("n", 200), "re0\x00"} {
		if _, err := c.LinkByName(name); !errors.Is(err, rtnl.ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", name, err)
		}
	}
	for _, index := range []int{-1, 0, 4242} {
		if _, err := c.LinkByIndex(index); !errors.Is(err, rtnl.ErrNotFound) {
			t.Errorf("%d: %v, want ErrNotFound", index, err)
		}
	}
}

func TestChanges(t *testing.T) {
	_, c, _ := pair(t)
	index := byName(t, c, "re0").Index
	mac := ether.Addr{0x02, 0, 0, 0, 0, 0x77}
	tests := []struct {
		name string
		do   func() error
		want func(rtnl.Link) bool
	}{
		{"down", func() error { return c.SetDown(index) }, func(l rtnl.Link) bool { return !l.Up() && !l.Carrier && l.OperState == rtnl.OperDown }},
		{"up", func() error { return c.SetUp(index) }, func(l rtnl.Link) bool { return l.Up() && l.Carrier }},
		{"mtu", func() error { return c.SetMTU(index, 9000) }, func(l rtnl.Link) bool { return l.MTU == 9000 }},
		{"address", func() error { return c.SetAddr(index, mac) }, func(l rtnl.Link) bool { return l.Addr == mac }},
		{"alias", func() error { return c.SetAlias(index, "to the attic") }, func(l rtnl.Link) bool { return l.Alias == "to the attic" }},
		{"no alias", func() error { return c.SetAlias(index, "") }, func(l rtnl.Link) bool { return l.Alias == "" }},
		{
			"flags on",
			func() error {
				return c.SetFlags(index, unix.IFF_NOARP|unix.IFF_PROMISC|unix.IFF_UP, unix.IFF_NOARP|unix.IFF_PROMISC)
			},
			func(l rtnl.Link) bool {
				return l.Flags&unix.IFF_NOARP != 0 && l.Promiscuity == 1 && l.Up()
			},
		},
		{
			"one flag off",
			func() error { return c.SetFlags(index, 0, unix.IFF_PROMISC) },
			func(l rtnl.Link) bool { return l.Flags&unix.IFF_NOARP != 0 && l.Promiscuity == 0 && l.Up() },
		},
		{
			"no flag at all",
			func() error { return c.SetFlags(index, 0, 0) },
			func(l rtnl.Link) bool { return l.Flags&unix.IFF_NOARP != 0 && l.Up() },
		},
		{
			"no automatic address",
			func() error { return c.SetAddrGenMode(index, rtnl.AddrGenNone) },
			func(l rtnl.Link) bool { return l.AddrGenMode == rtnl.AddrGenNone },
		},
		{
			"automatic address",
			func() error { return c.SetAddrGenMode(index, rtnl.AddrGenEUI64) },
			func(l rtnl.Link) bool { return l.AddrGenMode == rtnl.AddrGenEUI64 },
		},
		{
			"unknown mode",
			func() error { return c.SetAddrGenMode(index, rtnl.AddrGenUnknown) },
			func(l rtnl.Link) bool { return l.AddrGenMode == rtnl.AddrGenEUI64 },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.do())
			if l := byName(t, c, "re0"); !tt.want(l) {
				t.Errorf("re0 is %+v", l)
			}
		})
	}
	check(t, c.DelLink(index))
	if _, err := c.LinkByIndex(index); !errors.Is(err, rtnl.ErrNotFound) {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	_, c, _ := pair(t)
	re0 := byName(t, c, "re0").Index
	ip := netip.MustParseAddr("192.0.2.1")
	tests := []struct {
		err   error
		errno unix.Errno
		text  string
	}{
		{c.SetMTU(re0, 1), unix.EINVAL, "rtnl set mtu re0: invalid argument"},
		{c.SetAddr(re0, ether.SlowProtocols), unix.EADDRNOTAVAIL, "rtnl set address re0: cannot assign requested address"},
		{c.SetUp(4242), unix.ENODEV, "rtnl set up #4242: no such device"},
		{c.SetUp(0), unix.ENODEV, "rtnl set up #0: no such device"},
		{c.DelLink(0), unix.ENODEV, "rtnl delete #0: no such device"},
		{c.DelLink(1), unix.EOPNOTSUPP, "rtnl delete lo: operation not supported"},
		{c.AddVeth(rtnl.Veth{Name: "re0", FarName: "q1"}), unix.EEXIST, "rtnl add veth re0: file exists"},
		{c.AddVeth(rtnl.Veth{Name: "re1", FarName: "lo"}), unix.EEXIST, "rtnl add veth re1: file exists"},
		{c.AddAddr(rtnl.Addr{Index: re0}), unix.EINVAL, "rtnl add address"},
		{c.AddAddr(rtnl.Addr{Index: 4242, IP: ip, PrefixLen: 24}), unix.ENODEV, "rtnl add address 192.0.2.1 #4242: no such device"},
		{c.DelAddr(rtnl.Addr{Index: re0, IP: ip, PrefixLen: 24}), unix.EADDRNOTAVAIL, "rtnl delete address 192.0.2.1 re0: cannot assign requested address"},
	}
	for _, tt := range tests {
		var errno unix.Errno
		if !errors.As(tt.err, &errno) || errno != tt.errno || !strings.HasPrefix(tt.err.Error(), tt.text) {
			t.Errorf("got %v, want %s (%v)", tt.err, tt.text, tt.errno)
		}
		if got, want := errors.Is(tt.err, rtnl.ErrNotFound), tt.errno == unix.ENODEV; got != want {
			t.Errorf("%v is ErrNotFound: %v", tt.err, got)
		}
	}
	_, err := c.Addrs(4242, unix.AF_UNSPEC)
	if err != nil && !errors.Is(err, rtnl.ErrNotFound) {
		t.Errorf("addresses of no interface: %v", err)
	}
}

func TestAddVeth(t *testing.T) {
	c := open(t, nettest.New(t))
	v := rtnl.Veth{
		Name: "re0", FarName: "q0", Index: 50, FarIndex: 70, MTU: 2000,
		Addr: ether.Addr{2, 0, 0, 0, 0, 1}, FarAddr: ether.Addr{2, 0, 0, 0, 0, 2},
	}
	check(t, c.AddVeth(v))
	re0, q0 := byName(t, c, "re0"), byName(t, c, "q0")
	if re0.Index != 50 || q0.Index != 70 || re0.Addr != v.Addr || q0.Addr != v.FarAddr ||
		re0.MTU != 2000 || q0.MTU != 2000 || re0.Parent != 70 || re0.ParentElsewhere || re0.Up() || q0.Up() {
		t.Errorf("made %+v and %+v", re0, q0)
	}
	check(t, c.SetUp(50))
	if byName(t, c, "re0").Carrier {
		t.Error("carrier with the far end down")
	}
	check(t, c.SetUp(70))
	if !byName(t, c, "re0").Carrier {
		t.Error("no carrier with both ends up")
	}
}

func TestAddrs(t *testing.T) {
	_, c, _ := pair(t)
	re0 := byName(t, c, "re0").Index
	check(t, c.SetAddrGenMode(re0, rtnl.AddrGenNone))
	// Down and up again, the interface loses the address that it has made.
	check(t, c.SetDown(re0))
	check(t, c.SetUp(re0))
	first := rtnl.Addr{
		Index: re0, Family: unix.AF_INET, IP: netip.MustParseAddr("192.0.2.1"), PrefixLen: 24,
		Broadcast: netip.MustParseAddr("192.0.2.255"),
	}
	second := rtnl.Addr{
		Index: re0, Family: unix.AF_INET, IP: netip.MustParseAddr("198.51.100.1"), PrefixLen: 32,
		Dest: netip.MustParseAddr("198.51.100.2"), Label: "re0:b",
	}
	third := rtnl.Addr{
		Index: re0, Family: unix.AF_INET6, IP: netip.MustParseAddr("2001:db8::1"), PrefixLen: 64,
		Flags: unix.IFA_F_NODAD, Preferred: 100, Valid: 200,
	}
	for _, a := range []rtnl.Addr{first, second, third, first} { // the last one replaces
		check(t, c.AddAddr(a))
	}
	first.Label = "re0"
	first.Preferred, first.Valid, second.Preferred, second.Valid = rtnl.Forever, rtnl.Forever, rtnl.Forever, rtnl.Forever
	shown := func(index, family int, want ...rtnl.Addr) {
		t.Helper()
		got, err := c.Addrs(index, family)
		check(t, err)
		for i := range got {
			if got[i].Created == 0 {
				t.Errorf("%v has no time of creation", got[i].IP)
			}
		}
		ignore := cmpopts.IgnoreFields(rtnl.Addr{}, "Flags", "Created", "Proto")
		near := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Preferred" || p.Last().String() == ".Valid" },
			cmp.Comparer(func(a, b uint32) bool { return max(a, b)-min(a, b) <= 5 }))
		if diff := cmp.Diff(want, got, equate, ignore, near, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("addresses of %d, family %d: -want +got\n%s", index, family, diff)
		}
	}
	shown(re0, unix.AF_UNSPEC, first, second, third)
	shown(re0, unix.AF_INET, first, second)
	shown(re0, unix.AF_INET6, third)
	all, err := c.Addrs(0, unix.AF_UNSPEC)
	check(t, err)
	if !slices.ContainsFunc(all, func(a rtnl.Addr) bool { return a.IP.IsLoopback() }) || len(all) < 4 {
		t.Errorf("all addresses are %v", all)
	}
	for _, a := range []rtnl.Addr{first, second, third} {
		check(t, c.DelAddr(a))
	}
	shown(re0, unix.AF_UNSPEC)
}

// TestManyAddrs needs several datagrams for one dump.
func TestManyAddrs(t *testing.T) {
	ns, c, _ := pair(t)
	var batch strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&batch, "addr add 10.0.%d.%d/32 dev re0\n", i/250, i%250+1)
	}
	cmd := ns.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := c.Addrs(byName(t, c, "re0").Index, unix.AF_INET)
	check(t, err)
	if len(got) != 2000 {
		t.Errorf("%d addresses, want 2000", len(got))
	}
	got, err = c.Addrs(1, unix.AF_INET)
	check(t, err)
	if len(got) != 1 {
		t.Errorf("loopback has %v", got)
	}
}

// TestShared uses one Conn from several goroutines: each must get its own
// answer.
func TestShared(t *testing.T) {
	_, c, _ := pair(t)
	re0 := byName(t, c, "re0")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				l, err := c.LinkByName("re0")
				if err != nil || l.Index != re0.Index {
					t.Errorf("got %d, %v", l.Index, err)
				}
				if _, err := c.LinkByName("re1"); !errors.Is(err, rtnl.ErrNotFound) {
					t.Errorf("got %v, want ErrNotFound", err)
				}
				if all, err := c.Links(); err != nil || len(all) != 2 {
					t.Errorf("got %d links, %v", len(all), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestClosed(t *testing.T) {
	c := open(t, nettest.New(t))
	check(t, c.Close())
	if _, err := c.Links(); !errors.Is(err, os.ErrClosed) && !errors.Is(err, unix.EBADF) {
		t.Errorf("Links of a closed Conn: %v", err)
	}
}

func TestMulticast(t *testing.T) {
	ns, c, _ := pair(t)
	want := ether.Addr{0x01, 0, 0x5e, 0x11, 0x22, 0x33}
	ns.Run("ip", "maddr", "add", want.String(), "dev", "re0")
	index := byName(t, c, "re0").Index
	ns.Do(func() {
		got, err := rtnl.Multicast()
		check(t, err)
		if !slices.Contains(got[index], want) {
			t.Errorf("groups are %v, want %v among those of %d", got, want, index)
		}
	})
}

func BenchmarkLinkByName(b *testing.B) {
	_, c, _ := pair(b)
	for b.Loop() {
		byName(b, c, "re0")
	}
}

func BenchmarkLinks(b *testing.B) {
	_, c, _ := pair(b)
	for b.Loop() {
		if _, err := c.Links(); err != nil {
			b.Fatal(err)
		}
	}
}
