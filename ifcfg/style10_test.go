package ifcfg_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/ether"
)

// mac reads a link-layer address.
func mac(t *testing.T, s string) ether.Addr {
	t.Helper()
	a, err := ether.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// has makes an address with the default broadcast address.
func has(s string) ifcfg.Addr {
	p := netip.MustParsePrefix(s)
	return ifcfg.Addr{
		IP: p.Addr(), Mask: ifcfg.MaskOf(p.Bits(), p.Addr().BitLen()), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite,
	}
}

// newStyle is a session in style netbsd10 on a kernel without any interface.
func newStyle(t *testing.T) (*bytes.Buffer, *kerneltest.Kernel, *kerneltest.Aggr, *ifcfg.Session) {
	t.Helper()
	style, ok := ifcfg.StyleNamed("netbsd10")
	if !ok {
		t.Fatal("no style netbsd10")
	}
	out := &bytes.Buffer{}
	k := &kerneltest.Kernel{}
	a := &kerneltest.Aggr{Kernel: k}
	return out, k, a, &ifcfg.Session{
		Kernel: k, Aggr: a, Style: style, Out: out, Warn: func(err error) { t.Errorf("warning: %v", err) },
	}
}

// upNIC is a NIC with its link, with an index and addresses.
func upNIC(t *testing.T, k *kerneltest.Kernel, name, addr string, index int, addrs ...ifcfg.Addr) *kerneltest.Iface {
	t.Helper()
	n := kerneltest.NIC(name, mac(t, addr))
	n.Flags |= ifcfg.FlagUp | ifcfg.FlagRunning
	n.Addrs = addrs
	i := k.Add(n)
	i.Index, i.MaxMTU = index, 1500
	return i
}

// recorded10 was recorded on hosts with NetBSD 10 and newer. The interface ena0
// of these records is left out: its driver takes no VLAN tag, which all of
// Linux's do.
const recorded10 = `vioif1: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ec_capabilities=0x1<VLAN_MTU>
	ec_enabled=0
	address: 12:52:49:53:45:01
	status: active
	inet6 fe80::1052:49ff:fe53:4501%vioif1/64 flags 0 scopeid 0x2
	inet6 2001:db8:0:2::123/64 flags 0
	inet 192.0.2.123/24 broadcast 192.0.2.255 flags 0
lo0: flags=0x8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33624
	status: active
	inet6 ::1/128 flags 0x20<NODAD>
	inet6 fe80::1%lo0/64 flags 0 scopeid 0x3
	inet 127.0.0.1/8 flags 0
tlp1: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ec_capabilities=0x1<VLAN_MTU>
	ec_enabled=0
	address: 00:00:f8:1a:06:15
	media: Ethernet 100baseTX full-duplex
	status: active
	inet6 fe80::200:f8ff:fe1a:615%tlp1/64 flags 0x2<TENTATIVE> scopeid 0x4
	inet 192.168.99.11/24 broadcast 192.168.99.255 flags 0
tap0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ec_capabilities=0x5<VLAN_MTU,JUMBO_MTU>
	ec_enabled=0
	description: "AntixVM"
	address: f2:0b:a4:a9:06:ff
	status: active
	inet6 fe80::f00b:a4ff:fea9:6ff%tap0/64 flags 0 scopeid 0x5
	inet 10.0.2.1/24 broadcast 10.0.2.255 flags 0
`

func TestStyle10Recorded(t *testing.T) {
	out, k, _, s := newStyle(t)
	upNIC(t, k, "vioif1", "12:52:49:53:45:01", 2,
		has("192.0.2.123/24"), has("2001:db8:0:2::123/64"), has("fe80::1052:49ff:fe53:4501/64"))
	own := has("::1/128")
	own.Flags = ifcfg.AddrNoDAD
	lo := kerneltest.Loopback("lo0")
	lo.Flags |= ifcfg.FlagUp
	lo.Addrs = []ifcfg.Addr{has("127.0.0.1/8"), own, has("fe80::1/64")}
	k.Add(lo).Index = 3
	checked := has("fe80::200:f8ff:fe1a:615/64")
	checked.Flags = ifcfg.AddrTentative
	tlp := upNIC(t, k, "tlp1", "00:00:f8:1a:06:15", 4, has("192.168.99.11/24"), checked)
	medium := ifcfg.Medium{Subtype: "100baseTX", Options: ifcfg.MediaFullDuplex}
	tlp.HasMedia, tlp.Media = true, &ifcfg.Media{Type: "Ethernet", Current: medium, Active: medium, Valid: true}
	tap := upNIC(t, k, "tap0", "f2:0b:a4:a9:06:ff", 5, has("10.0.2.1/24"), has("fe80::f00b:a4ff:fea9:6ff/64"))
	tap.Description, tap.MaxMTU = "AntixVM", 65535
	if err := s.StatusAll(ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(recorded10, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// all10 has what the records have not: a NIC with everything, an aggregate, a
// vlan, a NIC without a cable, and a tunnel.
const all10 = `eth0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	capabilities=0x7ff80<TSO4,IP4CSUM_Rx,IP4CSUM_Tx,TCP4CSUM_Rx>
	capabilities=0x7ff80<TCP4CSUM_Tx,UDP4CSUM_Rx,UDP4CSUM_Tx,TCP6CSUM_Rx>
	capabilities=0x7ff80<TCP6CSUM_Tx,UDP6CSUM_Rx,UDP6CSUM_Tx,TSO6>
	enabled=0
	ec_capabilities=0x17<VLAN_MTU,VLAN_HWTAGGING,JUMBO_MTU,EEE>
	ec_enabled=0x2<VLAN_HWTAGGING>
	address: 08:00:27:12:34:56
	media: Ethernet autoselect (1000baseT full-duplex,flowcontrol,rxpause,txpause)
	status: active
	link 08:00:27:aa:bb:cc
	inet6 fe80::a00:27ff:fe12:3456%eth0/64 flags 0 scopeid 0x2
	inet 10.0.2.15/24 broadcast 10.0.2.255 flags 0
	inet 10.0.3.1/16 broadcast 10.0.255.255 flags 0
agr0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	agrport: eth1, flags=0x3<COLLECTING,DISTRIBUTING>
	agrport: eth2, flags=0
	address: 02:00:00:00:00:01
	status: active
	inet 192.168.7.1/24 broadcast 192.168.7.255 flags 0
vlan10: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	vlan: 10 parent: agr0
	address: 02:00:00:00:00:01
	status: active
eth3: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500
	ec_capabilities=0x1<VLAN_MTU>
	ec_enabled=0
	address: 08:00:27:00:00:03
	media: Ethernet autoselect (none)
	status: no carrier
	inet 10.9.0.1/24 broadcast 10.9.0.255 flags 0x4<DETACHED>
eth4: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 9000
	ec_capabilities=0x1f<VLAN_MTU,VLAN_HWTAGGING,JUMBO_MTU,VLAN_HWFILTER>
	ec_capabilities=0x1f<EEE>
	ec_enabled=0x4<JUMBO_MTU>
	address: 08:00:27:00:00:04
	status: active
gif0: flags=0x8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280
	tunnel inet 10.0.2.15,4000 --> 192.0.2.1
	status: active
	inet6 2001:db8::1/128 -> 2001:db8::2 flags 0
	inet6 2001:db8::3/64 ->  flags 0
	inet 10.5.0.1/30 -> 10.5.0.2 flags 0
	inet 10.5.0.5 ->  netmask 0xff00ff00 flags 0
`

func TestStyle10(t *testing.T) {
	out, k, a, s := newStyle(t)
	eth0 := upNIC(t, k, "eth0", "08:00:27:12:34:56", 2,
		has("10.0.2.15/24"), has("10.0.3.1/16"), has("fe80::a00:27ff:fe12:3456/64"))
	eth0.MaxMTU, eth0.Extra = 9000, []ether.Addr{mac(t, "08:00:27:aa:bb:cc")}
	eth0.Caps = ifcfg.Caps{
		Able:      0x7ff80,
		EtherAble: ifcfg.EtherCapVLANHWTagging | ifcfg.EtherCapEEE, EtherEnabled: ifcfg.EtherCapVLANHWTagging,
	}
	auto := ifcfg.Medium{Subtype: "autoselect"}
	const flow = ifcfg.MediaFullDuplex | ifcfg.MediaFlowControl | ifcfg.MediaRxPause | ifcfg.MediaTxPause
	eth0.HasMedia, eth0.Media = true, &ifcfg.Media{
		Type: "Ethernet", Current: auto, Active: ifcfg.Medium{Subtype: "1000baseT", Options: flow}, Valid: true,
	}
	style10Aggregate(t, k, a)
	vlan := upNIC(t, k, "vlan10", "02:00:00:00:00:01", 8)
	vlan.Class, vlan.VLAN = ifcfg.ClassVLAN, ifcfg.VLAN{Tag: 10, Parent: "agr0"}
	eth3 := upNIC(t, k, "eth3", "08:00:27:00:00:03", 9, has("10.9.0.1/24"))
	eth3.Flags, eth3.LinkUp = kerneltest.EtherFlags, false
	eth3.HasMedia, eth3.Media = true, &ifcfg.Media{
		Type: "Ethernet", Current: auto, Active: ifcfg.Medium{Subtype: "none"}, Valid: true,
	}
	eth4 := upNIC(t, k, "eth4", "08:00:27:00:00:04", 10)
	eth4.MTU, eth4.MaxMTU = 9000, 9000
	eth4.Caps.EtherAble = ifcfg.EtherCapVLANHWTagging | ifcfg.EtherCapEEE | ifcfg.EtherCapVLANHWFilter
	style10Tunnel(k)
	if err := s.StatusAll(ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	got := withoutPorts(out.String())
	if diff := cmp.Diff(all10, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// style10Aggregate makes agr0 with one port that distributes.
func style10Aggregate(t *testing.T, k *kerneltest.Kernel, a *kerneltest.Aggr) {
	t.Helper()
	if err := a.Create("agr0"); err != nil {
		t.Fatal(err)
	}
	agr := k.Named("agr0")
	agr.Index, agr.LinkUp = 5, true
	agr.Flags |= ifcfg.FlagUp
	agr.Addrs = []ifcfg.Addr{has("192.168.7.1/24")}
	for i, name := range []string{"eth1", "eth2"} {
		upNIC(t, k, name, "02:00:00:00:00:01", 6+i)
		if err := a.SetPort("agr0", name, true); err != nil {
			t.Fatal(err)
		}
	}
	a.SetState("agr0", "eth1", ctl.PortCollecting|ctl.PortDistributing)
}

// style10Tunnel makes gif0 with all kinds of point-to-point addresses.
func style10Tunnel(k *kerneltest.Kernel) {
	inet, inet6, lonely, holes := has("10.5.0.1/30"), has("2001:db8::1/128"), has("2001:db8::3/64"), has("10.5.0.5/8")
	inet.Dst, inet6.Dst = netip.MustParseAddr("10.5.0.2"), netip.MustParseAddr("2001:db8::2")
	holes.Mask = netip.MustParseAddr("255.0.255.0")
	k.Add(kerneltest.Iface{
		Link: ifcfg.Link{
			Name: "gif0", MTU: 1280, LinkUp: true,
			Flags: ifcfg.FlagUp | ifcfg.FlagRunning | ifcfg.FlagPointToPt | ifcfg.FlagMulticast,
			Tunnel: ifcfg.Tunnel{
				Src: netip.MustParseAddrPort("10.0.2.15:4000"), Dst: netip.MustParseAddrPort("192.0.2.1:0"),
			},
		},
		Addrs: []ifcfg.Addr{inet, holes, inet6, lonely},
	}).Index = 11
}

// withoutPorts leaves out the blocks of eth1 and eth2.
func withoutPorts(s string) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(s) {
		if line[0] != '\t' {
			skip = strings.HasPrefix(line, "eth1:") || strings.HasPrefix(line, "eth2:")
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return b.String()
}

// -v, -L and -N add to lines of the style.
func TestStyle10Options(t *testing.T) {
	const want = `lo0: flags=0x8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33624
	linkstate: up
	status: active
	input: 2 packets, 168 bytes
	output: 2 packets, 168 bytes
	inet6 localhost/128 flags 0
	inet6 fc00::2/64 flags 0 pltime 100 vltime infty
	inet localhost/8 flags 0
`
	out, k, _, s := newStyle(t)
	lo := kerneltest.Loopback("lo0")
	lo.Flags |= ifcfg.FlagUp
	lo.Counters = ifcfg.Counters{InPackets: 2, InBytes: 168, OutPackets: 2, OutBytes: 168}
	short := has("fc00::2/64")
	short.Preferred = 100
	lo.Addrs = []ifcfg.Addr{has("127.0.0.1/8"), has("::1/128"), short}
	k.Add(lo)
	s.Options = ifcfg.Options{Verbose: true, Lifetimes: true, Names: true}
	s.Resolver = local{}
	if err := s.Status("lo0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// local knows the name of loopback addresses.
type local struct{}

func (local) LookupHost(string, ifcfg.Family) ([]netip.Addr, error) { return nil, nil }

func (local) LookupAddr(a netip.Addr) (string, error) {
	if a.IsLoopback() {
		return "localhost", nil
	}
	return "", ctl.ENOENT
}

// -s follows the state of every link: an agr without a port that distributes
// has none, and an interface that is down has none either.
func TestStyle10Carrier(t *testing.T) {
	tests := []struct {
		name    string
		nic     bool
		up, has bool
		want7   bool
		want10  bool
	}{
		{"a NIC with a link", true, true, true, true, true},
		{"a NIC without", true, true, false, false, false},
		{"a tunnel with", false, true, true, true, true},
		{"a tunnel without", false, true, false, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, k, _, s := newStyle(t)
			i := k.Add(kerneltest.Iface{Link: ifcfg.Link{Name: "x0", Flags: ifcfg.FlagUp}})
			if tt.nic {
				i.Class = ifcfg.ClassEthernet
			}
			i.LinkUp = tt.has
			for style, want := range map[string]bool{"netbsd7": tt.want7, "netbsd10": tt.want10} {
				s.Style, _ = ifcfg.StyleNamed(style)
				if got, err := s.Carrier("x0"); err != nil || got != want {
					t.Errorf("%s: %v, %v, want %v", style, got, err, want)
				}
			}
		})
	}
}
