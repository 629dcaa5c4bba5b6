package rtnl

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Forever is the lifetime of an address that does not expire.
const Forever = ^uint32(0)

// ProtoKernelRA is the Proto of an address that the kernel made from a router
// advertisement.
const ProtoKernelRA = 2

// Addr is one IPv4 or IPv6 address of an interface (rtnetlink(7),
// RTM_NEWADDR).
type Addr struct {
	Index     int        // of the interface
	Family    int        // unix.AF_INET or unix.AF_INET6
	IP        netip.Addr // the interface's own address, without zone
	Dest      netip.Addr // the other end of a point-to-point interface; invalid: none
	Broadcast netip.Addr // IPv4; invalid: none
	PrefixLen int
	Scope     uint8  // unix.RT_SCOPE_*
	Flags     uint32 // unix.IFA_F_*
	Label     string // IPv4: the interface's name, or with a colon and more behind it

	Preferred uint32 // seconds; Forever
	Valid     uint32 // seconds; Forever. In AddAddr 0 stands for Forever, for both
	Created   uint32 // hundredths of a second since boot
	Proto     uint8  // who made it: ProtoKernelRA, 0 unknown
}

// Prefix is the address with its prefix length.
func (a *Addr) Prefix() netip.Prefix { return netip.PrefixFrom(a.IP, a.PrefixLen) }

// Age is how long before now, which is time since boot, the address was made.
func (a *Addr) Age(now time.Duration) time.Duration {
	return now - time.Duration(a.Created)*(time.Second/100)
}

// Addrs lists the addresses of one interface, or with index 0 of all, of one
// family or with unix.AF_UNSPEC of both, in the kernel's order (IPv4 first; on
// each interface primary addresses first). ErrNotFound when there is no such
// interface.
func (c *Conn) Addrs(index, family int) ([]Addr, error) {
	op := "list addresses"
	var out []Addr
	err := c.dump(request{typ: unix.RTM_GETADDR, data: ifaddrmsg(&Addr{Index: index, Family: family})},
		func() { out = out[:0] },
		func(b []byte) error {
			a, err := decodeAddr(b)
			// A kernel that filters nothing answers with everything.
			if err != nil || index != 0 && a.Index != index || family != unix.AF_UNSPEC && a.Family != family {
				return err
			}
			out = append(out, a)
			return nil
		})
	if err != nil {
		if index == 0 {
			return nil, wrap(op, "", err)
		}
		return nil, c.fail(op, index, err)
	}
	return out, nil
}

// AddAddr adds an address, or replaces the one that has the same IP and prefix
// length. Index, IP and PrefixLen are needed; the broadcast address is not
// invented.
func (c *Conn) AddAddr(a Addr) error {
	data, err := encodeAddr(&a)
	if err != nil {
		return wrap("add address", indexName(a.Index), err)
	}
	err = c.change(unix.RTM_NEWADDR, netlink.Create|netlink.Replace, data)
	return c.fail("add address "+a.IP.String(), a.Index, err)
}

// DelAddr removes the address with a's Index, IP and PrefixLen: EADDRNOTAVAIL
// when there is none. Without promote_secondaries the kernel removes the other
// IPv4 addresses of the same subnet with a primary one.
func (c *Conn) DelAddr(a Addr) error {
	a.Broadcast, a.Label, a.Flags, a.Preferred, a.Valid, a.Proto = netip.Addr{}, "", 0, 0, 0, 0
	data, err := encodeAddr(&a)
	if err != nil {
		return wrap("delete address", indexName(a.Index), err)
	}
	err = c.change(unix.RTM_DELADDR, 0, data)
	return c.fail("delete address "+a.IP.String(), a.Index, err)
}

const (
	sizeofIfaddrmsg = 8
	ifaProto        = 11 // the kernel's IFA_PROTO, since 5.18
	cacheInfoLen    = 16 // struct ifa_cacheinfo: preferred, valid, cstamp, tstamp
)

// ifaddrmsg is the fixed header of address messages. The flags go into an
// attribute of their own, which has room for all of them.
func ifaddrmsg(a *Addr) []byte {
	b := make([]byte, sizeofIfaddrmsg, 96)
	b[0] = uint8(a.Family)
	b[1] = uint8(a.PrefixLen)
	b[3] = a.Scope
	binary.NativeEndian.PutUint32(b[4:], uint32(a.Index))
	return b
}

// encodeAddr is the message for an address. Its family follows from its IP.
func encodeAddr(a *Addr) ([]byte, error) {
	ip := a.IP.Unmap().WithZone("")
	if !ip.IsValid() || a.PrefixLen < 0 || a.PrefixLen > ip.BitLen() {
		return nil, unix.EINVAL
	}
	h := *a
	h.Family = unix.AF_INET6
	if ip.Is4() {
		h.Family = unix.AF_INET
	}
	return attributes(ifaddrmsg(&h), func(ae *netlink.AttributeEncoder) error {
		ae.Bytes(unix.IFA_LOCAL, ip.AsSlice())
		dest := a.Dest
		if !dest.IsValid() {
			dest = ip
		}
		ae.Bytes(unix.IFA_ADDRESS, dest.Unmap().AsSlice())
		if a.Broadcast.IsValid() {
			ae.Bytes(unix.IFA_BROADCAST, a.Broadcast.Unmap().AsSlice())
		}
		if a.Label != "" {
			ae.String(unix.IFA_LABEL, a.Label)
		}
		if a.Flags != 0 {
			ae.Uint32(unix.IFA_FLAGS, a.Flags)
		}
		if a.Proto != 0 {
			ae.Uint8(ifaProto, a.Proto)
		}
		if a.Preferred != 0 || a.Valid != 0 {
			ae.Bytes(unix.IFA_CACHEINFO, cacheInfo(a))
		}
		return nil
	})
}

func cacheInfo(a *Addr) []byte {
	b := make([]byte, cacheInfoLen)
	binary.NativeEndian.PutUint32(b, a.Preferred)
	binary.NativeEndian.PutUint32(b[4:], a.Valid)
	binary.NativeEndian.PutUint32(b[8:], a.Created)
	return b
}

// decodeAddr reads one RTM_NEWADDR message. IFA_ADDRESS is the other end on a
// point-to-point interface, and the only address where there is no IFA_LOCAL,
// as with most IPv6 addresses.
func decodeAddr(b []byte) (Addr, error) {
	if len(b) < sizeofIfaddrmsg {
		return Addr{}, errShort
	}
	a := Addr{
		Family:    int(b[0]),
		PrefixLen: int(b[1]),
		Flags:     uint32(b[2]),
		Scope:     b[3],
		Index:     int(int32(binary.NativeEndian.Uint32(b[4:]))),
	}
	err := walk(b[sizeofIfaddrmsg:], func(typ uint16, v []byte) { decodeAddrAttr(typ, v, &a) })
	switch {
	case !a.IP.IsValid():
		a.IP, a.Dest = a.Dest, netip.Addr{}
	case a.Dest == a.IP:
		a.Dest = netip.Addr{}
	}
	return a, err
}

func decodeAddrAttr(typ uint16, b []byte, a *Addr) {
	switch typ {
	case unix.IFA_LOCAL:
		a.IP, _ = netip.AddrFromSlice(b)
	case unix.IFA_ADDRESS:
		a.Dest, _ = netip.AddrFromSlice(b)
	case unix.IFA_BROADCAST:
		a.Broadcast, _ = netip.AddrFromSlice(b)
	case unix.IFA_LABEL:
		a.Label = text(b)
	case unix.IFA_FLAGS:
		a.Flags = number(b)
	case ifaProto:
		a.Proto = uint8(number(b))
	case unix.IFA_CACHEINFO:
		if len(b) >= cacheInfoLen {
			a.Preferred = binary.NativeEndian.Uint32(b)
			a.Valid = binary.NativeEndian.Uint32(b[4:])
			a.Created = binary.NativeEndian.Uint32(b[8:])
		}
	}
}
