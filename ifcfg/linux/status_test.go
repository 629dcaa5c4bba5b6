package linux

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/rtnl"
)

// scripted is a kernel that answers each request with the same messages: links,
// addresses or entries of filters.
func scripted(link, addr, neigh []byte) *Kernel {
	answer := func(reqs []netlink.Message) ([]netlink.Message, error) {
		reply, data := netlink.HeaderType(unix.RTM_NEWLINK), link
		switch reqs[0].Header.Type {
		case unix.RTM_GETADDR:
			reply, data = unix.RTM_NEWADDR, addr
		case unix.RTM_GETNEIGH:
			reply, data = unix.RTM_NEWNEIGH, neigh
		}
		if len(data) == 0 {
			return nil, io.EOF
		}
		return []netlink.Message{{
			Header: netlink.Header{Type: reply, Sequence: reqs[0].Header.Sequence, PID: reqs[0].Header.PID}, Data: data,
		}}, nil
	}
	return &Kernel{
		rt: rtnl.NewConn(nltest.Dial(answer)), raw: nltest.Dial(answer), links: map[int]rtnl.Link{},
	}
}

// driverless is the scripted kernel without its drivers, which ethtool asks past
// netlink.
type driverless struct{ *Kernel }

func (driverless) HasFamily(ifcfg.Family) bool          { return true }
func (driverless) Media(int) (*ifcfg.Media, error)      { return nil, nil }
func (driverless) Caps(int) (map[int]ifcfg.Caps, error) { return nil, nil }

func message(header []byte, attrs ...netlink.Attribute) []byte {
	return append(header, nltest.MustMarshalAttributes(attrs)...)
}

func linkHeader(typ uint16, index, flags uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint16(b[2:], typ)
	binary.NativeEndian.PutUint32(b[4:], index)
	binary.NativeEndian.PutUint32(b[8:], flags)
	return b
}

func addrHeader(family, plen, flags byte, index uint32) []byte {
	b := []byte{family, plen, flags, 0, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(b[4:], index)
	return b
}

// Whatever the kernel answers, a status is a header and lines that are indented,
// or an error, and the same again when asked again.
func FuzzStatus(f *testing.F) {
	name := netlink.Attribute{Type: unix.IFLA_IFNAME, Data: []byte("re0\x00")}
	mac := netlink.Attribute{Type: unix.IFLA_ADDRESS, Data: []byte{2, 0, 0, 0, 0, 1}}
	info := func(kind string) netlink.Attribute {
		return netlink.Attribute{Type: unix.IFLA_LINKINFO, Data: nltest.MustMarshalAttributes([]netlink.Attribute{
			{Type: unix.IFLA_INFO_KIND, Data: []byte(kind)},
			{Type: unix.IFLA_INFO_DATA | unix.NLA_F_NESTED, Data: nltest.MustMarshalAttributes([]netlink.Attribute{
				{Type: unix.IFLA_VLAN_ID, Data: []byte{7, 0}},
				{Type: unix.IFLA_VLAN_PROTOCOL, Data: []byte{192, 0, 2, 1}},
			})},
		})}
	}
	const up = unix.IFF_UP | unix.IFF_BROADCAST | unix.IFF_LOWER_UP
	v4 := message(addrHeader(unix.AF_INET, 24, 0, 2),
		netlink.Attribute{Type: unix.IFA_LOCAL, Data: []byte{192, 0, 2, 1}},
		netlink.Attribute{Type: unix.IFA_ADDRESS, Data: []byte{192, 0, 2, 1}},
		netlink.Attribute{Type: unix.IFA_BROADCAST, Data: []byte{192, 0, 2, 255}})
	v6 := message(addrHeader(unix.AF_INET6, 64, unix.IFA_F_TENTATIVE, 2),
		netlink.Attribute{Type: unix.IFA_ADDRESS, Data: append([]byte{0xfe, 0x80}, make([]byte, 14)...)},
		netlink.Attribute{Type: unix.IFA_CACHEINFO, Data: make([]byte, 16)})
	entry := message([]byte{unix.AF_BRIDGE, 0, 0, 0, 2, 0, 0, 0, unix.NUD_PERMANENT, 0, unix.NTF_SELF, 0},
		netlink.Attribute{Type: unix.NDA_LLADDR, Data: []byte{2, 0, 0, 0, 0, 9}})
	f.Add(message(linkHeader(unix.ARPHRD_ETHER, 2, up), name, mac), v4, entry, false)
	f.Add(message(linkHeader(unix.ARPHRD_ETHER, 2, up), name, mac, info("vlan")), v6, entry, true)
	f.Add(message(linkHeader(unix.ARPHRD_SIT, 2, unix.IFF_POINTOPOINT), name, info("sit")), v4, []byte(nil), true)
	f.Add(message(linkHeader(unix.ARPHRD_LOOPBACK, 1, up|unix.IFF_LOOPBACK), name), v6, []byte(nil), false)
	f.Add([]byte{1}, []byte{2}, []byte{3}, true)
	f.Fuzz(func(t *testing.T, link, addr, neigh []byte, netbsd10 bool) {
		style := "netbsd7"
		if netbsd10 {
			style = "netbsd10"
		}
		first, err := statusOf(t, scripted(link, addr, neigh), style)
		again, errAgain := statusOf(t, scripted(link, addr, neigh), style)
		if first != again || (err == nil) != (errAgain == nil) {
			t.Fatalf("first %q, %v\nagain %q, %v", first, err, again, errAgain)
		}
		if err == nil && !strings.HasSuffix(first, "\n") && first != "" {
			t.Errorf("the last line does not end: %q", first)
		}
	})
}

// statusOf is what -av prints, and what an interface does when it is asked for
// by name.
func statusOf(t *testing.T, k *Kernel, style string) (string, error) {
	t.Helper()
	defer k.rt.Close()
	defer k.raw.Close()
	var out bytes.Buffer
	st, ok := ifcfg.StyleNamed(style)
	if !ok {
		t.Fatal(style)
	}
	s := &ifcfg.Session{
		Kernel: driverless{k}, Aggr: &kerneltest.Aggr{Kernel: &kerneltest.Kernel{}}, Style: st, Out: &out, Warn: func(error) {},
		Options: ifcfg.Options{Verbose: true, Lifetimes: true, SupportedMedia: true},
	}
	if err := s.StatusAll(ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		return out.String(), err
	}
	err := s.Status("re0", ifcfg.FamilyNone, ifcfg.Filter{})
	return out.String(), err
}
