package linux

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// remembering runs f in a namespace with re0, one end of a link. Each call of
// open is another program with the same soft state.
func remembering(t *testing.T, f func(open func() *Kernel, re0 int)) {
	t.Helper()
	dir := t.TempDir()
	ns, far := nettest.New(t), nettest.New(t)
	nettest.Veth(ns, "re0", far, "far0")
	ns.Do(func() {
		open := func() *Kernel {
			k, err := OpenWith(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			})
			return k
		}
		l, err := open().Link("re0")
		if err != nil {
			t.Fatal(err)
		}
		f(open, l.Index)
	})
}

func mustLink(t *testing.T, k *Kernel, name string) ifcfg.Link {
	t.Helper()
	l, err := k.Link(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return l
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// A pending interface is there for every program, in the order of creation,
// until it is destroyed.
func TestPending(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		must(t, k.Create("vlan0"), k.Create("tap0"), k.Create("gif0"), k.Create("gre1"))
		k = open()
		all, err := k.Links()
		must(t, err)
		var names []string
		for _, l := range all {
			if l.Name != "re0" { // its index was chosen for it
				names = append(names, l.Name)
			}
		}
		if diff := cmp.Diff([]string{"lo", "vlan0", "tap0", "gif0", "gre1"}, names); diff != "" {
			t.Errorf("the list (-want +got):\n%s", diff)
		}
		want := ifcfg.Link{
			Name: "vlan0", Class: ifcfg.ClassVLAN, Flags: ifcfg.FlagBroadcast | ifcfg.FlagSimplex | ifcfg.FlagMulticast,
		}
		ignoreIndex := cmpopts.IgnoreFields(ifcfg.Link{}, "Index")
		plain := cmpopts.EquateComparable(netip.AddrPort{}, ether.Addr{})
		if diff := cmp.Diff(want, mustLink(t, k, "vlan0"), ignoreIndex, plain); diff != "" {
			t.Errorf("vlan0 (-want +got):\n%s", diff)
		}
		want = ifcfg.Link{Name: "gif0", Flags: ifcfg.FlagPointToPt | ifcfg.FlagMulticast, MTU: 1280, LinkUp: true}
		if diff := cmp.Diff(want, mustLink(t, k, "gif0"), ignoreIndex, plain); diff != "" {
			t.Errorf("gif0 (-want +got):\n%s", diff)
		}
		must(t, k.Destroy("vlan0"), k.Destroy("gif0"))
		_, err = open().Link("vlan0")
		wantErrno(t, err, "ENXIO")
		wantErrno(t, open().Destroy("vlan0"), "ENXIO")
	})
}

// What a pending interface takes, and what it does not.
func TestPendingParameters(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		must(t, k.Create("vlan0"), k.Create("gif0"))
		vlan, gif := mustLink(t, k, "vlan0").Index, mustLink(t, k, "gif0").Index
		must(t, k.SetFlags(vlan, ifcfg.FlagUp, 0), k.SetFlags(gif, ifcfg.FlagUp|ifcfg.FlagDebug, 0),
			k.SetMTU(gif, 1400), k.SetMetric(vlan, 7), k.SetDescription(gif, "to Oslo"))
		inet := ifcfg.Addr{
			IP: addr("10.5.0.1"), Mask: ifcfg.MaskOf(30, 32), Dst: addr("10.5.0.2"), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite,
		}
		must(t, k.AddAddr(gif, inet), k.SetFlags(gif, 0, ifcfg.FlagDebug))
		for name, err := range map[string]error{
			"address of a vlan":      k.AddAddr(vlan, inet),
			"MTU of a vlan":          k.SetMTU(vlan, 1400),
			"MTU of a gif":           k.SetMTU(gif, 1279),
			"link address of a vlan": k.AddLinkAddr(vlan, ether.Addr{2}, true),
		} {
			t.Run(name, func(t *testing.T) { wantErrno(t, err, "EINVAL") })
		}
		wantErrno(t, k.SetFlags(vlan, ifcfg.FlagLink0, 0), "EOPNOTSUPP")
		wantErrno(t, k.DelAddr(gif, addr("10.5.0.2")), "EADDRNOTAVAIL")
		wantErrno(t, k.SetTunnel(vlan, between("192.0.2.1", "192.0.2.2")), "ENOTTY")

		k = open()
		v, g := mustLink(t, k, "vlan0"), mustLink(t, k, "gif0")
		if v.Flags&ifcfg.FlagUp == 0 || v.Metric != 7 || g.Flags&(ifcfg.FlagUp|ifcfg.FlagDebug) != ifcfg.FlagUp ||
			g.MTU != 1400 || g.Description != "to Oslo" {
			t.Errorf("what was set is not there: %+v, %+v", v, g)
		}
		all, err := k.Addrs(0)
		must(t, err)
		if diff := cmp.Diff([]ifcfg.Addr{inet}, all[gif], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		must(t, k.DelAddr(gif, inet.IP))
		if all, err = open().Addrs(gif); err != nil || len(all[gif]) != 0 {
			t.Errorf("addresses %v, %v, want none", all, err)
		}
	})
}

func between(src, dst string) ifcfg.Tunnel {
	return ifcfg.Tunnel{Src: netip.AddrPortFrom(addr(src), 0), Dst: netip.AddrPortFrom(addr(dst), 0)}
}

// Becoming a device and going back, with a kind that every kernel has: index,
// flags, description, metric and addresses come along.
func TestAttachDetach(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		must(t, k.Create("gif0"))
		index := mustLink(t, k, "gif0").Index
		inet := ifcfg.Addr{IP: addr("10.5.0.1"), Mask: ifcfg.MaskOf(24, 32), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite}
		must(t, k.SetFlags(index, ifcfg.FlagUp, 0), k.SetMTU(index, 1400), k.SetMetric(index, 3),
			k.SetDescription(index, "to Oslo"), k.AddAddr(index, inet))
		n := newDevice(k.pendingAt(index), "bridge")
		must(t, k.attach(*k.pendingAt(index), n))

		k = open()
		l := mustLink(t, k, "gif0")
		if k.pendingAt(index) != nil || l.Index != index || l.Flags&ifcfg.FlagUp == 0 || l.MTU != 1400 || l.Metric != 3 ||
			l.Description != "to Oslo" || l.Class != ifcfg.ClassBridge {
			t.Errorf("the device is %+v", l)
		}
		all, err := k.Addrs(index)
		must(t, err)
		has := slices.ContainsFunc(all[index], func(a ifcfg.Addr) bool { return a.IP == inet.IP })
		if !has {
			t.Errorf("the device has the addresses %v", all[index])
		}
		must(t, k.SetMetric(index, 4), k.SetFlags(index, 0, ifcfg.FlagUp), k.detach(index))

		k = open()
		p := k.pendingAt(index)
		if p == nil {
			t.Fatal("it is not pending")
		}
		want := softstate.Pseudo{Name: "gif0", Index: index, MTU: 1400, Metric: 4, Description: "to Oslo", Addrs: []ifcfg.Addr{inet}}
		if diff := cmp.Diff(want, *p, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("pending again (-want +got):\n%s", diff)
		}
		if _, err := k.rt.LinkByName("gif0"); !errors.Is(err, rtnl.ErrNotFound) {
			t.Errorf("the device is still there: %v", err)
		}
	})
}

// A vlan stays when its parent goes, and is gone when somebody else destroys it
// while the parent stays.
func TestParentGoes(t *testing.T) {
	tests := []struct {
		name   string
		parent string
		stays  bool
	}{
		{"parent gone", "tap0", true},
		{"parent there", "re0", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			remembering(t, func(open func() *Kernel, _ int) {
				k := open()
				must(t, k.Create("tap0"), k.Create("vlan0"))
				index := mustLink(t, k, "vlan0").Index
				n := newDevice(k.pendingAt(index), "bridge") // the kernel takes it away as it would a vlan
				n.Parent = 0
				must(t, k.attach(*k.pendingAt(index), n))
				p := *k.remembered().Pseudo("vlan0")
				p.Parent = mustLink(t, k, tt.parent).Index
				must(t, k.update(func(st *softstate.State) { st.Put(p) }))
				must(t, k.rt.DelLink(index), k.Destroy("tap0"))
				l, err := open().Link("vlan0")
				if tt.stays && (err != nil || l.Index != index || l.VLAN.Parent != "") {
					t.Errorf("vlan0 is %+v, %v", l, err)
				}
				if !tt.stays {
					wantErrno(t, err, "ENXIO")
				}
			})
		})
	}
}

// An interface that was given the index of a pending one keeps it.
func TestIndexTaken(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		must(t, k.Create("vlan0"))
		index := mustLink(t, k, "vlan0").Index
		must(t, k.rt.AddLink(rtnl.NewLink{Name: "br0", Kind: "bridge", Index: index}))
		k = open()
		all, err := k.Links()
		must(t, err)
		if l := all[len(all)-1]; l.Name != "vlan0" || l.Index < firstMadeUp {
			t.Errorf("the last interface is %+v, want vlan0 with an index of its own", l)
		}
		must(t, k.SetFlags(mustLink(t, k, "vlan0").Index, ifcfg.FlagDebug, 0))
		if l := mustLink(t, open(), "br0"); l.Flags&ifcfg.FlagDebug != 0 {
			t.Errorf("br0 has vlan0's flags, %#x", l.Flags)
		}
	})
}

// The devices that pending interfaces become.
func TestNewDevice(t *testing.T) {
	vlan := softstate.Pseudo{Name: "vlan0", Index: 9, Flags: ifcfg.FlagUp}
	gif := softstate.Pseudo{Name: "gif0", Index: firstMadeUp, MTU: 1280}
	gre := softstate.Pseudo{Name: "gre1", Index: 9, MTU: 1476}
	tests := []struct {
		name      string
		got, want rtnl.NewLink
	}{
		{"vlan", vlanLink(&vlan, 3, 7), rtnl.NewLink{
			Name: "vlan0", Kind: "vlan", Index: 9, Flags: unix.IFF_UP, Parent: 3, VLAN: 7,
		}},
		{"gif", tunnelLink(&gif, between("192.0.2.1", "192.0.2.2")), rtnl.NewLink{
			Name: "gif0", Kind: "sit", MTU: 1280, Flags: unix.IFF_MULTICAST,
			Tunnel: &rtnl.Tunnel{Local: addr("192.0.2.1"), Remote: addr("192.0.2.2")},
		}},
		{"gif through inet6", tunnelLink(&gif, between("2001:db8::1", "2001:db8::2")), rtnl.NewLink{
			Name: "gif0", Kind: "ip6tnl", MTU: 1280, Flags: unix.IFF_MULTICAST,
			Tunnel: &rtnl.Tunnel{Local: addr("2001:db8::1"), Remote: addr("2001:db8::2")},
		}},
		{"gre", tunnelLink(&gre, between("192.0.2.1", "192.0.2.2")), rtnl.NewLink{
			Name: "gre1", Kind: "gre", Index: 9, MTU: 1476, Flags: unix.IFF_MULTICAST,
			Tunnel: &rtnl.Tunnel{Local: addr("192.0.2.1"), Remote: addr("192.0.2.2")},
		}},
		{"lo", cloners()["lo"].device("lo1"), rtnl.NewLink{Name: "lo1", Kind: "dummy", MTU: 33624}},
		{"vether", cloners()["vether"].device("vether0"), rtnl.NewLink{Name: "vether0", Kind: "dummy"}},
		{"wg", cloners()["wg"].device("wg0"), rtnl.NewLink{Name: "wg0", Kind: "wireguard"}},
		{"bridge", cloners()["bridge"].device("bridge0"), rtnl.NewLink{Name: "bridge0", Kind: "bridge"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The real thing, where the kernel has it: each kind becomes a device and goes
// back.
func TestKinds(t *testing.T) {
	tests := []struct {
		name, kind string
		attach     func(k *Kernel, index int) error
	}{
		{"vlan0", "8021q", func(k *Kernel, i int) error { return k.SetVLAN(i, ifcfg.VLAN{Tag: 7, Parent: "re0"}) }},
		{"gif0", "sit", func(k *Kernel, i int) error { return k.SetTunnel(i, between("192.0.2.1", "192.0.2.2")) }},
		{"gif1", "ip6_tunnel", func(k *Kernel, i int) error { return k.SetTunnel(i, between("2001:db8::1", "2001:db8::2")) }},
		{"gre1", "ip_gre", func(k *Kernel, i int) error { return k.SetTunnel(i, between("192.0.2.1", "192.0.2.2")) }},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			remembering(t, func(open func() *Kernel, _ int) {
				k := open()
				must(t, k.Create(tt.name))
				index := mustLink(t, k, tt.name).Index
				err := tt.attach(k, index)
				if is(err, unix.EOPNOTSUPP) {
					t.Skipf("SKIP-FEATURE: %s: the kernel lacks it", tt.kind)
				}
				must(t, err)
				l := mustLink(t, open(), tt.name)
				if l.Index != index || l.Flags&ifcfg.FlagRunning == 0 || l.VLAN.Parent == "" && !l.Tunnel.Src.IsValid() {
					t.Errorf("attached: %+v", l)
				}
				if l.Tunnel.Src.IsValid() {
					must(t, tt.attach(k, index)) // again
				}
				must(t, k.detach(index))
				if l := mustLink(t, open(), tt.name); l.Index != index || l.Flags&ifcfg.FlagRunning != 0 {
					t.Errorf("detached: %+v", l)
				}
			})
		})
	}
}

func TestParseVLANConfig(t *testing.T) {
	const text = "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n" +
		"vlan0          | 7  | re0\nagr0.9         | 9  | agr0\n"
	want := map[string]bool{"re0": true, "agr0": true}
	if diff := cmp.Diff(want, parseVLANConfig(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
