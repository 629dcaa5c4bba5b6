package rtnl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// linkMessage encodes attributes behind a link header.
func linkMessage(t testing.TB, fill func(*netlink.AttributeEncoder)) []byte {
	t.Helper()
	h := ifinfomsg(7, unix.IFF_UP|unix.IFF_LOWER_UP, 0)
	binary.NativeEndian.PutUint16(h[2:], unix.ARPHRD_ETHER)
	b, err := attributes(h, func(ae *netlink.AttributeEncoder) error {
		fill(ae)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tapMessage(t testing.TB) []byte {
	return linkMessage(t, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, "agr0")
		ae.Uint32(unix.IFLA_MTU, 1500)
		ae.Bytes(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1})
		ae.Uint8(unix.IFLA_OPERSTATE, uint8(OperUp))
		ae.Nested(unix.IFLA_PROP_LIST, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_ALT_IFNAME, "lan")
			ae.String(unix.IFLA_ALT_IFNAME, "the-aggregate-of-two-ports")
			return nil
		})
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "tun")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				ae.Uint8(unix.IFLA_TUN_TYPE, 2)
				ae.Uint8(unix.IFLA_TUN_PERSIST, 1)
				ae.Uint32(unix.IFLA_TUN_OWNER, 65534)
				return nil
			})
			return nil
		})
		ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
				ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, 1)
				return nil
			})
			return nil
		})
		stats := make([]byte, 24*8)
		for i := range 24 {
			binary.NativeEndian.PutUint64(stats[8*i:], uint64(i)<<32)
		}
		ae.Bytes(unix.IFLA_STATS64, stats)
	})
}

// twoKinds is a message that no kernel sends: a TAP that is a VLAN as well.
func twoKinds(t testing.TB) []byte {
	kind := func(ae *netlink.AttributeEncoder, name string, typ uint16, value uint16) {
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, name)
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				ae.Uint16(typ, value)
				return nil
			})
			return nil
		})
	}
	return linkMessage(t, func(ae *netlink.AttributeEncoder) {
		kind(ae, "tun", unix.IFLA_TUN_TYPE, 2)
		kind(ae, "vlan", unix.IFLA_VLAN_ID, 5)
	})
}

func TestDecodeLink(t *testing.T) {
	base := Link{Index: 7, Type: unix.ARPHRD_ETHER, Flags: unix.IFF_UP | unix.IFF_LOWER_UP, Carrier: true}
	tests := []struct {
		name string
		in   []byte
		want func(*Link)
	}{
		{
			name: "a TAP", in: tapMessage(t),
			want: func(l *Link) {
				l.Name, l.MTU, l.OperState = "agr0", 1500, OperUp
				l.Addr, l.HWAddr = ether.Addr{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 1}
				l.AltNames = []string{"lan", "the-aggregate-of-two-ports"}
				l.Kind, l.Tun = "tun", &Tun{TAP: true, Persist: true, Owner: 65534}
				l.AddrGenMode = AddrGenNone
				l.Stats = Stats{
					TxPackets: 1 << 32, RxBytes: 2 << 32, TxBytes: 3 << 32, RxErrors: 4 << 32, TxErrors: 5 << 32,
					RxDropped: 6 << 32, TxDropped: 7 << 32, Multicast: 8 << 32, Collisions: 9 << 32, RxNoHandler: 23 << 32,
				}
			},
		},
		{
			name: "an address of 20 octets",
			in: linkMessage(t, func(ae *netlink.AttributeEncoder) {
				ae.Bytes(unix.IFLA_ADDRESS, make([]byte, 20))
			}),
			want: func(l *Link) { l.HWAddr = make([]byte, 20) },
		},
		{
			name: "counters of an old kernel, and an attribute of a new one",
			in: linkMessage(t, func(ae *netlink.AttributeEncoder) {
				ae.Bytes(unix.IFLA_STATS64, make([]byte, 23*8))
				ae.Bytes(0x3fff, []byte{1, 2, 3})
			}),
			want: func(*Link) {},
		},
		{
			name: "a number of another size",
			in: linkMessage(t, func(ae *netlink.AttributeEncoder) {
				ae.Bytes(unix.IFLA_MTU, make([]byte, 5))
				ae.Uint16(unix.IFLA_MIN_MTU, 68)
			}),
			want: func(l *Link) { l.MinMTU = 68 },
		},
		{
			name: "data of a kind that is not known",
			in: linkMessage(t, func(ae *netlink.AttributeEncoder) {
				ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
					ae.String(unix.IFLA_INFO_KIND, "veth")
					ae.Bytes(unix.IFLA_INFO_DATA, []byte{0xff})
					return nil
				})
			}),
			want: func(l *Link) { l.Kind = "veth" },
		},
		{
			name: "two kinds with their data",
			in:   twoKinds(t),
			want: func(l *Link) { l.Kind, l.VLAN = "vlan", 5 },
		},
		{
			name: "data before its kind",
			in: linkMessage(t, func(ae *netlink.AttributeEncoder) {
				ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
					ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
						ae.Uint16(unix.IFLA_VLAN_ID, 7)
						return nil
					})
					ae.String(unix.IFLA_INFO_KIND, "vlan")
					return nil
				})
			}),
			want: func(l *Link) { l.Kind, l.VLAN = "vlan", 7 },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := base
			tt.want(&want)
			var got Link
			if err := decodeLink(tt.in, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestDecodeShort(t *testing.T) {
	if err := decodeLink(make([]byte, unix.SizeofIfInfomsg-1), &Link{}); !errors.Is(err, errShort) {
		t.Errorf("link: %v", err)
	}
	if _, err := decodeAddr(make([]byte, sizeofIfaddrmsg-1)); !errors.Is(err, errShort) {
		t.Errorf("address: %v", err)
	}
}

var addrCompare = cmp.Options{cmpopts.EquateComparable(netip.Addr{})}

var addrSamples = []Addr{
	{Index: 1, Family: unix.AF_INET, IP: netip.MustParseAddr("127.0.0.1"), PrefixLen: 8, Scope: unix.RT_SCOPE_HOST},
	{
		Index: 1 << 20, Family: unix.AF_INET, IP: netip.MustParseAddr("192.0.2.1"), PrefixLen: 24,
		Broadcast: netip.MustParseAddr("192.0.2.255"), Label: "re0:1", Flags: unix.IFA_F_NOPREFIXROUTE,
	},
	{
		Index: 2, Family: unix.AF_INET, IP: netip.MustParseAddr("192.0.2.1"), PrefixLen: 32,
		Dest: netip.MustParseAddr("198.51.100.1"),
	},
	{
		Index: 3, Family: unix.AF_INET6, IP: netip.MustParseAddr("fe80::1"), PrefixLen: 64,
		Scope: unix.RT_SCOPE_LINK, Preferred: 60, Valid: Forever, Proto: ProtoKernelRA,
	},
	{
		Index: 3, Family: unix.AF_INET6, IP: netip.MustParseAddr("2001:db8::1"), PrefixLen: 128,
		Dest: netip.MustParseAddr("2001:db8::2"), Flags: unix.IFA_F_NODAD, Valid: 1,
	},
}

func TestAddrRoundTrip(t *testing.T) {
	for _, want := range addrSamples {
		t.Run(want.IP.String(), func(t *testing.T) {
			b, err := encodeAddr(&want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeAddr(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, addrCompare); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEncodeAddrRefuses(t *testing.T) {
	for name, a := range map[string]Addr{
		"no address":        {Index: 1},
		"prefix too long":   {Index: 1, IP: netip.MustParseAddr("192.0.2.1"), PrefixLen: 33},
		"prefix below zero": {Index: 1, IP: netip.MustParseAddr("::1"), PrefixLen: -1},
	} {
		if _, err := encodeAddr(&a); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", name, err)
		}
	}
}

// FuzzDecodeAddr checks that what was decoded is encoded to something that is
// decoded to the same.
func FuzzDecodeAddr(f *testing.F) {
	for _, a := range addrSamples {
		b, err := encodeAddr(&a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAddr(b)
		if err != nil {
			return
		}
		out, err := encodeAddr(&a)
		if err != nil {
			return
		}
		again, err := decodeAddr(out)
		if err != nil {
			t.Fatal(err)
		}
		// The family follows from the address, a time without a lifetime is
		// not sent, and an IPv4 address in IPv6's form is sent as IPv4.
		a.Family, a.IP, a.Dest, a.Broadcast = again.Family, a.IP.Unmap(), a.Dest.Unmap(), a.Broadcast.Unmap()
		if a.Preferred == 0 && a.Valid == 0 {
			a.Created = 0
		}
		if a.Dest == a.IP {
			a.Dest = netip.Addr{}
		}
		if diff := cmp.Diff(a, again, addrCompare); diff != "" {
			t.Errorf("-first +second\n%s", diff)
		}
	})
}

func FuzzDecodeLink(f *testing.F) {
	f.Add(tapMessage(f))
	f.Add(make([]byte, unix.SizeofIfInfomsg))
	f.Add(twoKinds(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l, again Link
		if decodeLink(b, &l) != nil {
			return
		}
		if err := decodeLink(b, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Errorf("two readings differ: %s", diff)
		}
		if l.Carrier != (l.Flags&unix.IFF_LOWER_UP != 0) || l.Tun != nil && l.Kind != "tun" {
			t.Errorf("inconsistent: %+v", l)
		}
	})
}

const devMcast = `2    eth0            1     0     333300000001
12   re0             1     0     01005e000001
2    eth0            2     1     0180c2000002
2    ib0             1     0     00ffffffff12401bffff000000000000ffffffff
2    eth0            1     0     33330000000
2    eth0            1     0     zz3300000001
2
`

func TestParseDevMcast(t *testing.T) {
	want := map[int][]ether.Addr{
		2:  {{0x33, 0x33, 0, 0, 0, 1}, ether.SlowProtocols},
		12: {{0x01, 0, 0x5e, 0, 0, 1}},
	}
	if diff := cmp.Diff(want, parseDevMcast([]byte(devMcast), false)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// FuzzParseDevMcast checks that what was read, written in the file's form, is
// read as the same.
func FuzzParseDevMcast(f *testing.F) {
	f.Add([]byte(devMcast))
	f.Fuzz(func(t *testing.T, b []byte) {
		first := parseDevMcast(b, false)
		var out bytes.Buffer
		for index, groups := range first {
			for _, a := range groups {
				fmt.Fprintf(&out, "%-4d %-15s %-5d %-5d %x\n", index, "re0", 1, 0, a[:])
			}
		}
		if diff := cmp.Diff(first, parseDevMcast(out.Bytes(), false)); diff != "" {
			t.Errorf("-first +second\n%s", diff)
		}
	})
}

func TestPost(t *testing.T) {
	tests := []struct {
		name string
		in   []Event
		want Event
	}{
		{"one", []Event{{}}, Event{}},
		{"two are one", []Event{{}, {}}, Event{}},
		{"an overrun is not forgotten", []Event{{}, {Overrun: true}, {}}, Event{Overrun: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := make(chan Event, 1)
			for _, e := range tt.in {
				post(c, e)
			}
			if got := <-c; got != tt.want || len(c) != 0 {
				t.Errorf("got %+v and %d more, want %+v", got, len(c), tt.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{wrap("set mtu", "re0", unix.EINVAL), "rtnl set mtu re0: invalid argument"},
		{
			wrap("set mtu", "re0", &netlink.OpError{Op: "receive", Err: unix.EINVAL, Message: "mtu less than device minimum"}),
			"rtnl set mtu re0: invalid argument: mtu less than device minimum",
		},
		{wrap("list links", "", unix.EPERM), "rtnl list links: operation not permitted"},
		{wrap("set mtu", "re0", errShort), "rtnl set mtu re0: message too short"},
		{wrap("list links", "", errShort), "rtnl list links: message too short"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if wrap("set mtu", "re0", nil) != nil {
		t.Error("no error became one")
	}
}
