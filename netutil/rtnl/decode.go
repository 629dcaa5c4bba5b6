package rtnl

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

var (
	errShort     = errors.New("message too short")
	errMalformed = errors.New("malformed attribute")
)

// decodeLink reads one RTM_NEWLINK message into an empty Link. Attributes that
// it does not know or that are malformed in themselves are passed over: the
// kernel adds new ones, and widens old ones, with every release.
func decodeLink(b []byte, l *Link) error {
	if len(b) < unix.SizeofIfInfomsg {
		return errShort
	}
	l.Type = binary.NativeEndian.Uint16(b[2:])
	l.Index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	l.Flags = binary.NativeEndian.Uint32(b[8:])
	l.Carrier = l.Flags&unix.IFF_LOWER_UP != 0
	return walk(b[unix.SizeofIfInfomsg:], func(typ uint16, v []byte) { decodeLinkAttr(typ, v, l) })
}

func decodeLinkAttr(typ uint16, b []byte, l *Link) {
	switch typ {
	case unix.IFLA_IFNAME:
		l.Name = text(b)
	case unix.IFLA_IFALIAS:
		l.Alias = text(b)
	case unix.IFLA_MTU:
		l.MTU = int(number(b))
	case unix.IFLA_MIN_MTU:
		l.MinMTU = int(number(b))
	case unix.IFLA_MAX_MTU:
		l.MaxMTU = int(number(b))
	case unix.IFLA_ADDRESS:
		l.HWAddr = slices.Clone(b)
		l.Addr, _ = ether.FromSlice(b)
	case unix.IFLA_PERM_ADDRESS:
		l.PermAddr, _ = ether.FromSlice(b)
	case unix.IFLA_BROADCAST:
		l.Broadcast, _ = ether.FromSlice(b)
	case unix.IFLA_CARRIER_CHANGES:
		l.CarrierChanges = number(b)
	case unix.IFLA_OPERSTATE:
		l.OperState = OperState(number(b))
	case unix.IFLA_PROMISCUITY:
		l.Promiscuity = int(number(b))
	case unix.IFLA_MASTER:
		l.Master = int(number(b))
	case unix.IFLA_LINK:
		l.Parent = int(number(b))
	case unix.IFLA_LINK_NETNSID:
		l.ParentElsewhere = true
	case unix.IFLA_STATS64:
		l.Stats = decodeStats(b)
	case unix.IFLA_PROP_LIST:
		l.AltNames = decodeAltNames(b)
	case unix.IFLA_LINKINFO:
		decodeLinkInfo(b, l)
	case unix.IFLA_AF_SPEC:
		l.AddrGenMode = decodeAddrGenMode(b)
	}
}

// decodeAltNames reads IFLA_PROP_LIST.
func decodeAltNames(b []byte) []string {
	var names []string
	each(b, func(typ uint16, v []byte) {
		if typ == unix.IFLA_ALT_IFNAME {
			names = append(names, text(v))
		}
	})
	return names
}

// decodeLinkInfo reads IFLA_LINKINFO: the kind, and what is used of its data,
// which follows the kind. Of an attribute that comes twice the last one counts,
// and nothing of the kind that it replaces is kept.
func decodeLinkInfo(b []byte, l *Link) {
	var data []byte
	l.Kind, l.Tun, l.VLAN, l.Tunnel = "", nil, 0, nil
	each(b, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = text(v)
		case unix.IFLA_INFO_DATA:
			data = v
		}
	})
	if data != nil {
		decodeKindData(data, l)
	}
}

func decodeKindData(b []byte, l *Link) {
	switch l.Kind {
	case "tun":
		l.Tun = decodeTun(b)
	case "vlan":
		each(b, func(typ uint16, v []byte) {
			if typ == unix.IFLA_VLAN_ID {
				l.VLAN = uint16(number(v))
			}
		})
	case "sit", "ip6tnl":
		l.Tunnel = decodeTunnel(b, iptunLocal, iptunRemote)
	case "gre", "ip6gre":
		l.Tunnel = decodeTunnel(b, greLocal, greRemote)
	}
}

// decodeTunnel reads the two ends; the kinds number them differently.
func decodeTunnel(b []byte, local, remote uint16) *Tunnel {
	t := &Tunnel{}
	each(b, func(typ uint16, v []byte) {
		switch typ {
		case local:
			t.Local, _ = netip.AddrFromSlice(v)
		case remote:
			t.Remote, _ = netip.AddrFromSlice(v)
		}
	})
	return t
}

func decodeTun(b []byte) *Tun {
	const typeTAP = 2 // IFF_TAP
	t := &Tun{Owner: -1}
	each(b, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_TUN_TYPE:
			t.TAP = number(v) == typeTAP
		case unix.IFLA_TUN_PERSIST:
			t.Persist = number(v) != 0
		case unix.IFLA_TUN_VNET_HDR:
			t.VnetHeader = number(v) != 0
		case unix.IFLA_TUN_MULTI_QUEUE:
			t.MultiQueue = number(v) != 0
		case unix.IFLA_TUN_OWNER:
			t.Owner = int(number(v))
		}
	})
	return t
}

// decodeAddrGenMode finds the mode in IFLA_AF_SPEC.
func decodeAddrGenMode(b []byte) AddrGenMode {
	mode := AddrGenUnknown
	each(b, func(family uint16, v []byte) {
		if family != unix.AF_INET6 {
			return
		}
		each(v, func(typ uint16, v []byte) {
			if typ == unix.IFLA_INET6_ADDR_GEN_MODE && len(v) == 1 {
				mode = AddrGenMode(v[0] + 1)
			}
		})
	})
	return mode
}

// decodeStats reads struct rtnl_link_stats64, whose end is missing on older
// kernels.
func decodeStats(b []byte) Stats {
	at := func(i int) uint64 {
		if len(b) < 8*(i+1) {
			return 0
		}
		return binary.NativeEndian.Uint64(b[8*i:])
	}
	return Stats{
		RxPackets: at(0), TxPackets: at(1),
		RxBytes: at(2), TxBytes: at(3),
		RxErrors: at(4), TxErrors: at(5),
		RxDropped: at(6), TxDropped: at(7),
		Multicast: at(8), Collisions: at(9),
		RxNoHandler: at(23),
	}
}

// each walks nested attributes. A malformed rest ends the walk.
func each(b []byte, f func(typ uint16, value []byte)) { _ = walk(b, f) }

// walk hands each attribute (netlink(7)) to f, without its flags. It copies
// nothing, as a dump of thousands of interfaces has a hundred times as many
// attributes: f must not keep the value. What comes before a malformed one is
// handed over.
func walk(b []byte, f func(typ uint16, value []byte)) error {
	const header, flags = unix.SizeofRtAttr, unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
	for len(b) > 0 {
		if len(b) < header {
			return errMalformed
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < header || n > len(b) {
			return errMalformed
		}
		f(binary.NativeEndian.Uint16(b[2:])&^flags, b[header:n:n])
		aligned := (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		b = b[min(aligned, len(b)):]
	}
	return nil
}

// text is an attribute's string without its closing NUL.
func text(b []byte) string {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// number is an attribute's number of 8, 16 or 32 bits, 0 when it has another
// size.
func number(b []byte) uint32 {
	switch len(b) {
	case 1:
		return uint32(b[0])
	case 2:
		return uint32(binary.NativeEndian.Uint16(b))
	case 4:
		return binary.NativeEndian.Uint32(b)
	}
	return 0
}
