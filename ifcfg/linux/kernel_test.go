package linux

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// What each kind of Linux interface looks like to NetBSD's eyes.
func TestLinkOf(t *testing.T) {
	const up, lower = unix.IFF_UP, unix.IFF_LOWER_UP
	mac := ether.Addr{2, 0, 0, 0, 0, 1}
	tests := []struct {
		name string
		in   rtnl.Link
		want ifcfg.Link
	}{
		{
			"loopback",
			rtnl.Link{Type: unix.ARPHRD_LOOPBACK, Flags: unix.IFF_LOOPBACK},
			ifcfg.Link{Class: ifcfg.ClassLoopback, Flags: ifcfg.FlagLoopback | ifcfg.FlagRunning},
		},
		{
			"hardware without cable",
			rtnl.Link{Type: unix.ARPHRD_ETHER, Addr: mac, Flags: up | unix.IFF_BROADCAST | unix.IFF_MULTICAST | unix.IFF_RUNNING},
			ifcfg.Link{
				Class: ifcfg.ClassEthernet, Addr: mac, HasMedia: true,
				Flags: ifcfg.FlagUp | ifcfg.FlagBroadcast | ifcfg.FlagRunning | ifcfg.FlagSimplex | ifcfg.FlagMulticast,
			},
		},
		{
			"veth with its link",
			rtnl.Link{Type: unix.ARPHRD_ETHER, Kind: "veth", Flags: up | lower, Carrier: true, OperState: rtnl.OperUp},
			ifcfg.Link{Class: ifcfg.ClassEthernet, Flags: ifcfg.FlagUp | ifcfg.FlagRunning | ifcfg.FlagSimplex, LinkUp: true},
		},
		{
			"dormant",
			rtnl.Link{Type: unix.ARPHRD_ETHER, Kind: "veth", Flags: up | lower, Carrier: true, OperState: rtnl.OperDormant},
			ifcfg.Link{Class: ifcfg.ClassEthernet, Flags: ifcfg.FlagUp | ifcfg.FlagRunning | ifcfg.FlagSimplex},
		},
		{
			"bridge",
			rtnl.Link{Type: unix.ARPHRD_ETHER, Kind: "bridge", Flags: up},
			ifcfg.Link{Class: ifcfg.ClassBridge, Flags: ifcfg.FlagUp | ifcfg.FlagRunning},
		},
		{
			"vlan",
			rtnl.Link{Type: unix.ARPHRD_ETHER, Kind: "vlan", MTU: 1500},
			ifcfg.Link{Class: ifcfg.ClassVLAN, Flags: ifcfg.FlagRunning | ifcfg.FlagSimplex, MTU: 1500},
		},
		{
			"tun",
			rtnl.Link{Type: unix.ARPHRD_NONE, Kind: "tun", Flags: unix.IFF_POINTOPOINT | unix.IFF_NOARP},
			ifcfg.Link{Class: ifcfg.ClassOther, Flags: ifcfg.FlagPointToPt | ifcfg.FlagNoARP},
		},
		{
			"a second loopback",
			rtnl.Link{Name: "lo1", Type: unix.ARPHRD_ETHER, Kind: "dummy", Addr: mac, Flags: unix.IFF_BROADCAST | unix.IFF_NOARP},
			ifcfg.Link{
				Name: "lo1", Class: ifcfg.ClassLoopback, Addr: mac,
				Flags: ifcfg.FlagLoopback | ifcfg.FlagRunning | ifcfg.FlagMulticast,
			},
		},
		{
			"tunnel",
			rtnl.Link{
				Name: "gif0", Type: unix.ARPHRD_SIT, Kind: "sit", Flags: unix.IFF_NOARP,
				Tunnel: &rtnl.Tunnel{Local: addr("192.0.2.1"), Remote: addr("192.0.2.2")},
			},
			ifcfg.Link{
				Name: "gif0", Flags: ifcfg.FlagPointToPt | ifcfg.FlagRunning | ifcfg.FlagMulticast,
				Tunnel: between("192.0.2.1", "192.0.2.2"),
			},
		},
		{
			"inner end",
			rtnl.Link{Name: "agr12p", Type: unix.ARPHRD_ETHER, Kind: "veth"},
			ifcfg.Link{Name: "agr12p", Class: ifcfg.ClassEthernet, Flags: ifcfg.FlagSimplex, Inner: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, linkOf(&tt.in), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCountersOf(t *testing.T) {
	in := rtnl.Link{Stats: rtnl.Stats{
		RxPackets: 1, RxBytes: 2, Multicast: 3, RxErrors: 4, RxDropped: 5, RxNoHandler: 6,
		TxPackets: 7, TxBytes: 8, TxErrors: 9, Collisions: 10,
	}}
	want := ifcfg.Counters{
		InPackets: 1, InBytes: 2, InMulticasts: 3, InErrors: 4, InDrops: 5, InUnknown: 6,
		OutPackets: 7, OutBytes: 8, OutErrors: 9, Collisions: 10,
	}
	if diff := cmp.Diff(want, linkOf(&in).Counters); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInner(t *testing.T) {
	tests := []struct {
		kind, name string
		want       bool
	}{
		{"veth", "agr0p", true},
		{"veth", "agr12p", true},
		{"veth", "agr0", false},
		{"veth", "agrp", false},
		{"veth", "agrxp", false},
		{"veth", "re0p", false},
		{"veth", "agr0pp", false},
		{"veth", "agr0h", false},
		{"tun", "agr0h", true},
		{"tun", "agr0p", false},
		{"tun", "agr0", false},
		{"", "agr0", false},
		{"dummy", "agr0p", false},
	}
	for _, tt := range tests {
		if got := inner(&rtnl.Link{Kind: tt.kind, Name: tt.name}); got != tt.want {
			t.Errorf("%s of kind %q: %v, want %v", tt.name, tt.kind, got, tt.want)
		}
	}
}

// The numbers of errors differ between the systems, and so do some meanings.
func TestErrno(t *testing.T) {
	tests := []struct {
		in   error
		want string
	}{
		{unix.EPERM, "EPERM"},
		{unix.ENODEV, "ENXIO"},
		{&rtnl.Error{Op: "get link", Errno: unix.ENODEV}, "ENXIO"},
		{unix.EOPNOTSUPP, "EOPNOTSUPP"},
		{unix.EADDRNOTAVAIL, "EADDRNOTAVAIL"},
		{unix.EEXIST, "EEXIST"},
		{unix.EBUSY, "EBUSY"},
		{unix.EINVAL, "EINVAL"},
		{unix.ENOBUFS, "ENOBUFS"},
		{unix.EKEYEXPIRED, "EIO"},
		{errors.New("anything else"), "EIO"},
	}
	for _, tt := range tests {
		t.Run(tt.in.Error(), func(t *testing.T) {
			err := failed(tt.in)
			errno, ok := errors.AsType[ifcfg.Errno](err)
			if !ok || errno.Symbol() != tt.want {
				t.Errorf("errno %s, want %s", errno.Symbol(), tt.want)
			}
			if !errors.Is(err, tt.in) {
				t.Error("the cause is lost")
			}
		})
	}
	if err := failed(nil); err != nil {
		t.Errorf("failed(nil) = %v", err)
	}
}

// Linux lists primary addresses first, and inet6 ones backwards.
func TestInOrder(t *testing.T) {
	in := []rtnl.Addr{
		{Family: unix.AF_INET, Label: "first", Created: 10},
		{Family: unix.AF_INET, Label: "third", Created: 30},
		{Family: unix.AF_INET, Label: "second", Created: 20},
		{Family: unix.AF_INET, Label: "also second", Created: 20},
		{Family: unix.AF_INET6, Label: "6 third", Created: 7},
		{Family: unix.AF_INET6, Label: "6 second", Created: 5},
		{Family: unix.AF_INET6, Label: "6 first", Created: 5},
	}
	var got []string
	for _, a := range inOrder(in) {
		got = append(got, a.Label)
	}
	want := []string{"first", "second", "also second", "third", "6 first", "6 second", "6 third"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFlags6(t *testing.T) {
	tests := []struct {
		name string
		in   rtnl.Addr
		want ifcfg.AddrFlags
	}{
		{"plain", rtnl.Addr{Flags: unix.IFA_F_PERMANENT}, 0},
		{"never checked", rtnl.Addr{Flags: unix.IFA_F_PERMANENT | unix.IFA_F_NODAD}, ifcfg.AddrNoDAD},
		{"loopback", rtnl.Addr{Flags: unix.IFA_F_PERMANENT, IP: netip.IPv6Loopback()}, ifcfg.AddrNoDAD},
		{"in its check", rtnl.Addr{Flags: unix.IFA_F_TENTATIVE}, ifcfg.AddrTentative},
		{"failed it", rtnl.Addr{Flags: unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED}, ifcfg.AddrDuplicated},
		{
			"from a router",
			rtnl.Addr{Flags: unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY, Proto: rtnl.ProtoKernelRA},
			ifcfg.AddrDeprecated | ifcfg.AddrTemporary | ifcfg.AddrAutoconf,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := flags6(&tt.in); got != tt.want {
				t.Errorf("flags %#x, want %#x", got, tt.want)
			}
		})
	}
}

func TestKernelAddr(t *testing.T) {
	inet := func(ip string) ifcfg.Addr {
		return ifcfg.Addr{IP: addr(ip), Mask: ifcfg.MaskOf(24, 32), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite}
	}
	holes, anycast, over := inet("10.0.0.1"), inet("10.0.0.1"), inet("10.0.0.1")
	holes.Mask = addr("255.0.255.0")
	anycast.Flags = ifcfg.AddrAnycast
	over.Valid = 0
	tests := []struct {
		name  string
		in    ifcfg.Addr
		scope uint8
		errno string
	}{
		{"global", inet("10.0.0.1"), unix.RT_SCOPE_UNIVERSE, ""},
		{"loopback", inet("127.0.0.2"), unix.RT_SCOPE_HOST, ""},
		{"link-local", inet("169.254.3.4"), unix.RT_SCOPE_LINK, ""},
		{"mask with holes", holes, 0, "EINVAL"},
		{"valid for no time", over, 0, "EINVAL"},
		{"anycast", anycast, 0, "EOPNOTSUPP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := kernelAddr(7, tt.in)
			if tt.errno != "" {
				if errno, ok := errors.AsType[ifcfg.Errno](err); !ok || errno.Symbol() != tt.errno {
					t.Errorf("error %v, want %s", err, tt.errno)
				}
				return
			}
			want := rtnl.Addr{
				Index: 7, IP: tt.in.IP, PrefixLen: 24, Scope: tt.scope, Preferred: rtnl.Forever, Valid: rtnl.Forever,
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(want.IP)); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
