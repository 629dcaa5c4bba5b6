package rtnl

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// SetUp brings an interface up.
func (c *Conn) SetUp(index int) error {
	return c.setLink("set up", index, unix.IFF_UP, unix.IFF_UP, nil)
}

// SetDown takes an interface down. The kernel then forgets its IPv6 addresses,
// unless keep_addr_on_down is set.
func (c *Conn) SetDown(index int) error {
	return c.setLink("set down", index, 0, unix.IFF_UP, nil)
}

// SetFlags makes the bits of mask (unix.IFF_*) what they are in flags.
func (c *Conn) SetFlags(index int, flags, mask uint32) error {
	if mask == 0 {
		return nil // to the kernel it would mean all of them
	}
	return c.setLink("set flags", index, flags&mask, mask, nil)
}

// SetMTU sets the MTU in octets: EINVAL when it is outside MinMTU to MaxMTU.
func (c *Conn) SetMTU(index, mtu int) error {
	return c.setLink("set mtu", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.IFLA_MTU, uint32(mtu))
		return nil
	})
}

// SetQueueLen sets how many frames may wait to be sent.
func (c *Conn) SetQueueLen(index, frames int) error {
	return c.setLink("set queue length", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.IFLA_TXQLEN, uint32(frames))
		return nil
	})
}

// Rename gives the interface another name of at most 15 octets: EEXIST when
// that is taken.
func (c *Conn) Rename(index int, name string) error {
	return c.setLink("rename", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.IFLA_IFNAME, name)
		return nil
	})
}

// SetAddr sets the MAC address: EBUSY when the driver wants the interface down
// for that, EADDRNOTAVAIL for a group address.
func (c *Conn) SetAddr(index int, a ether.Addr) error {
	return c.setLink("set address", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.Bytes(unix.IFLA_ADDRESS, a[:])
		return nil
	})
}

// SetAlias sets the free text of an interface; the empty string removes it.
func (c *Conn) SetAlias(index int, alias string) error {
	return c.setLink("set alias", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.Bytes(unix.IFLA_IFALIAS, []byte(alias))
		return nil
	})
}

// SetAddrGenMode sets how automatic link-local addresses are made, from the next
// time that one is made on: EAFNOSUPPORT when the interface has no IPv6. To set
// AddrGenUnknown, the mode of such an interface, changes nothing.
func (c *Conn) SetAddrGenMode(index int, m AddrGenMode) error {
	if m == AddrGenUnknown {
		return nil
	}
	return c.setLink("set address mode", index, 0, 0, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
				ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, uint8(m-1))
				return nil
			})
			return nil
		})
		return nil
	})
}

// DelLink removes a virtual interface: EOPNOTSUPP for one of hardware.
func (c *Conn) DelLink(index int) error {
	if index <= 0 { // to the kernel 0 would mean that a name follows
		return wrap("delete", indexName(index), unix.ENODEV)
	}
	err := c.change(unix.RTM_DELLINK, 0, ifinfomsg(index, 0, 0))
	return c.fail("delete", index, err)
}

func (c *Conn) setLink(op string, index int, flags, mask uint32, fill func(*netlink.AttributeEncoder) error) error {
	if index <= 0 {
		return wrap(op, indexName(index), unix.ENODEV)
	}
	data := ifinfomsg(index, flags, mask)
	if fill != nil {
		var err error
		if data, err = attributes(data, fill); err != nil {
			return wrap(op, indexName(index), err)
		}
	}
	return c.fail(op, index, c.change(unix.RTM_SETLINK, 0, data))
}

// Veth says what the two ends of a new veth pair shall be. Only the names are
// needed; zero leaves the rest to the kernel.
type Veth struct {
	Name, FarName   string
	Index, FarIndex int
	Addr, FarAddr   ether.Addr
	MTU             int // of both ends
	FarNS           int // descriptor of the far end's namespace; 0: here
}

// AddVeth makes a veth pair, both ends down: EEXIST when a name or an index is
// taken. Each end starts without carrier and has it as soon as both are up.
//
// An end whose index equals that of its far end in another namespace looks like
// hardware to the kernel, which then may report a loss of carrier up to a second
// late.
func (c *Conn) AddVeth(v Veth) error {
	const vethInfoFarEnd = 1 // the kernel's VETH_INFO_ attribute of the far end
	near := func(ae *netlink.AttributeEncoder) error {
		putEnd(ae, v.Name, v.Addr, v.MTU, 0)
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "veth")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				far, err := attributes(ifinfomsg(v.FarIndex, 0, 0), func(ae *netlink.AttributeEncoder) error {
					putEnd(ae, v.FarName, v.FarAddr, v.MTU, v.FarNS)
					return nil
				})
				ae.Bytes(vethInfoFarEnd, far)
				return err
			})
			return nil
		})
		return nil
	}
	data, err := attributes(ifinfomsg(v.Index, 0, 0), near)
	if err != nil {
		return wrap("add veth", v.Name, err)
	}
	return wrap("add veth", v.Name, c.change(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, data))
}

// putEnd encodes what is wanted of one end of a veth pair.
func putEnd(ae *netlink.AttributeEncoder, name string, a ether.Addr, mtu, ns int) {
	ae.String(unix.IFLA_IFNAME, name)
	if !a.IsZero() {
		ae.Bytes(unix.IFLA_ADDRESS, a[:])
	}
	if mtu != 0 {
		ae.Uint32(unix.IFLA_MTU, uint32(mtu))
	}
	if ns != 0 {
		ae.Uint32(unix.IFLA_NET_NS_FD, uint32(ns))
	}
}
