package rtnl

import (
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// NewLink says what a new virtual interface shall be. Name and Kind are needed;
// zero leaves the rest to the kernel.
type NewLink struct {
	Name  string
	Kind  string // "bridge", "dummy", "wireguard", "vlan", "sit", "ip6tnl", "gre", "ip6gre", ...
	Index int
	MTU   int    // octets
	Flags uint32 // unix.IFF_* to set

	Parent int     // index of the interface beneath
	VLAN   uint16  // tag, of kind vlan
	Tunnel *Tunnel // both ends, of the kinds that are tunnels
}

// Attributes of IFLA_INFO_DATA (linux/if_tunnel.h).
const (
	iptunLocal  = 2
	iptunRemote = 3
	iptunTTL    = 4
	iptunFlags  = 8
	iptunProto  = 9

	greLocal  = 6
	greRemote = 7
	greTTL    = 8
	greFlags  = 13

	// ignEncapLimit leaves out the destination option about nested tunnels,
	// which only Linux sends.
	ignEncapLimit = 1
	// anyProtocol lets a tunnel carry inet and inet6 packets alike.
	anyProtocol = 0
	// tunnelTTL is how far the packets of a tunnel go, as of NetBSD's gif(4).
	tunnelTTL = 30
)

// AddLink makes an interface: EEXIST when the name, or what it stands for, is
// taken, EBUSY when the index is, EOPNOTSUPP when the kernel has no such kind.
func (c *Conn) AddLink(n NewLink) error {
	return c.newLink("add", n, netlink.Create|netlink.Excl)
}

// ChangeTunnel gives the tunnel with that name and kind other ends of the same
// family, and leaves everything else as it is.
func (c *Conn) ChangeTunnel(name, kind string, t Tunnel) error {
	return c.newLink("change", NewLink{Name: name, Kind: kind, Tunnel: &t}, 0)
}

func (c *Conn) newLink(op string, n NewLink, flags netlink.HeaderFlags) error {
	data, err := n.MarshalBinary()
	if err != nil {
		return wrap(op, n.Name, err)
	}
	return wrap(op, n.Name, c.change(unix.RTM_NEWLINK, flags, data))
}

// MarshalBinary is the body of the RTM_NEWLINK request.
func (n *NewLink) MarshalBinary() ([]byte, error) {
	return attributes(ifinfomsg(n.Index, n.Flags, n.Flags), func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.IFLA_IFNAME, n.Name)
		if n.MTU != 0 {
			ae.Uint32(unix.IFLA_MTU, uint32(n.MTU))
		}
		if n.Parent != 0 {
			ae.Uint32(unix.IFLA_LINK, uint32(n.Parent))
		}
		ae.Nested(unix.IFLA_LINKINFO, n.linkInfo)
		return nil
	})
}

func (n *NewLink) linkInfo(ae *netlink.AttributeEncoder) error {
	ae.String(unix.IFLA_INFO_KIND, n.Kind)
	var data func(*netlink.AttributeEncoder) error
	switch n.Kind {
	case "vlan":
		data = func(ae *netlink.AttributeEncoder) error {
			ae.Uint16(unix.IFLA_VLAN_ID, n.VLAN)
			return nil
		}
	case "sit", "ip6tnl":
		data = n.iptun
	case "gre", "ip6gre":
		data = n.gre
	default:
		return nil
	}
	ae.Nested(unix.IFLA_INFO_DATA, data)
	return nil
}

func (n *NewLink) iptun(ae *netlink.AttributeEncoder) error {
	n.ends(ae, iptunLocal, iptunRemote)
	ae.Uint8(iptunTTL, tunnelTTL)
	if n.Kind == "ip6tnl" {
		ae.Uint32(iptunFlags, ignEncapLimit)
	}
	ae.Uint8(iptunProto, anyProtocol)
	return nil
}

func (n *NewLink) gre(ae *netlink.AttributeEncoder) error {
	n.ends(ae, greLocal, greRemote)
	ae.Uint8(greTTL, tunnelTTL)
	if n.Kind == "ip6gre" {
		ae.Uint32(greFlags, ignEncapLimit)
	}
	return nil
}

func (n *NewLink) ends(ae *netlink.AttributeEncoder, local, remote uint16) {
	if n.Tunnel == nil {
		return
	}
	put := func(typ uint16, a netip.Addr) {
		if a.IsValid() {
			ae.Bytes(typ, a.AsSlice())
		}
	}
	put(local, n.Tunnel.Local)
	put(remote, n.Tunnel.Remote)
}
