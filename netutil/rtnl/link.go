package rtnl

import (
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// Link is one network interface as the kernel describes it (rtnetlink(7),
// RTM_NEWLINK).
type Link struct {
	Index    int
	Name     string   // at most 15 octets
	AltNames []string // other names that find it, up to 127 octets each
	Alias    string   // free text, up to 255 octets
	Kind     string   // "veth", "tun", "bridge", ...; empty for hardware and loopback
	Type     uint16   // unix.ARPHRD_*
	Flags    uint32   // unix.IFF_*

	MTU    int // octets of payload
	MinMTU int // 0: no limit is known
	MaxMTU int // 0: no limit is known

	Addr      ether.Addr // zero when the address is not of six octets
	HWAddr    []byte     // the address, whatever its length
	PermAddr  ether.Addr // what the hardware came with; zero: unknown
	Broadcast ether.Addr

	// Carrier says that the link is up at the physical layer (IFF_LOWER_UP). An
	// interface that is not up never has it.
	Carrier        bool
	CarrierChanges uint32 // gains and losses since the interface was made
	OperState      OperState

	Promiscuity int // how many users want every frame
	Master      int // index of the bridge or aggregate above, 0: none
	Parent      int // index of the interface beneath, or of a veth's far end; 0: none
	// ParentElsewhere says that Parent is an index in another namespace.
	ParentElsewhere bool

	AddrGenMode AddrGenMode
	Tun         *Tun    // not nil for kind tun
	VLAN        uint16  // tag of kind vlan
	Tunnel      *Tunnel // not nil for kinds sit, ip6tnl, gre and ip6gre
	Stats       Stats
}

// Up reports whether the interface is up administratively.
func (l *Link) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// OperState is the operational state of an interface (RFC 2863).
type OperState uint8

// Values of OperState, with the kernel's numbers. Drivers that know nothing
// leave OperUnknown.
const (
	OperUnknown OperState = iota
	OperNotPresent
	OperDown
	OperLowerLayerDown
	OperTesting
	OperDormant
	OperUp
)

// String is the name that RFC 2863 gives the state, in lower case.
func (s OperState) String() string {
	switch s {
	case OperNotPresent:
		return "notpresent"
	case OperDown:
		return "down"
	case OperLowerLayerDown:
		return "lowerlayerdown"
	case OperTesting:
		return "testing"
	case OperDormant:
		return "dormant"
	case OperUp:
		return "up"
	case OperUnknown:
	}
	return "unknown"
}

// AddrGenMode is how an interface makes its automatic IPv6 link-local address
// (ip-link(8), addrgenmode).
type AddrGenMode uint8

// Values of AddrGenMode; the kernel's number is one less.
const (
	// AddrGenUnknown is what an interface without IPv6 has.
	AddrGenUnknown      AddrGenMode = iota
	AddrGenEUI64                    // from the MAC address
	AddrGenNone                     // no automatic address
	AddrGenStableSecret             // RFC 7217, from a configured secret
	AddrGenRandom                   // RFC 7217, from a random secret
)

// String is ip-link(8)'s word for the mode.
func (m AddrGenMode) String() string {
	switch m {
	case AddrGenEUI64:
		return "eui64"
	case AddrGenNone:
		return "none"
	case AddrGenStableSecret:
		return "stable_secret"
	case AddrGenRandom:
		return "random"
	case AddrGenUnknown:
	}
	return "unknown"
}

// Tun is what the kernel tells about a TUN or TAP device.
type Tun struct {
	TAP        bool // carries Ethernet frames
	Persist    bool // stays when no process has it open
	VnetHeader bool // frames carry a virtio_net_hdr
	MultiQueue bool
	Owner      int // user who may open it, -1: none was set
}

// Tunnel is the way of a tunnel's packets through the network outside; an end
// that is not fixed is the unspecified address.
type Tunnel struct {
	Local, Remote netip.Addr
}

// Stats are the 64-bit counters of an interface (struct rtnl_link_stats64).
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
	Multicast            uint64 // received
	Collisions           uint64
	RxNoHandler          uint64 // nobody was interested in the frame
}

// Links lists all interfaces in the kernel's order, which is ascending by
// index.
func (c *Conn) Links() ([]Link, error) {
	data, err := linkQuery(0, "")
	if err != nil {
		return nil, wrap("list links", "", err)
	}
	var out []Link
	err = c.dump(request{typ: unix.RTM_GETLINK, data: data},
		func() { out = out[:0] },
		func(b []byte) error {
			out = append(out, Link{})
			return decodeLink(b, &out[len(out)-1])
		})
	if err != nil {
		return nil, wrap("list links", "", err)
	}
	return out, nil
}

// LinkByName finds the interface with that name, or that alternative name, in
// one request. The two share one name space, so there is at most one.
func (c *Conn) LinkByName(name string) (Link, error) {
	if name == "" || len(name) >= altNameSize || strings.Contains(name, "\x00") {
		return Link{}, &Error{Op: "get link", Name: name, Errno: unix.ENODEV}
	}
	l, err := c.link(0, name)
	return l, wrap("get link", name, err)
}

// LinkByIndex finds the interface with that index in one request.
func (c *Conn) LinkByIndex(index int) (Link, error) {
	if index <= 0 {
		return Link{}, wrap("get link", indexName(index), unix.ENODEV)
	}
	l, err := c.link(index, "")
	return l, wrap("get link", indexName(index), err)
}

func (c *Conn) link(index int, name string) (Link, error) {
	data, err := linkQuery(index, name)
	if err != nil {
		return Link{}, err
	}
	var l Link
	_, err = c.get(request{typ: unix.RTM_GETLINK, data: data}, func(b []byte) error {
		return decodeLink(b, &l)
	})
	if err == nil && l.Index == 0 {
		err = unix.ENODEV
	}
	return l, err
}

const (
	altNameSize = 128 // the kernel's ALTIFNAMSIZ, which counts a closing NUL
	// skipStats is the kernel's RTEXT_FILTER_SKIP_STATS. It leaves out the
	// counters of IPv6, a quarter of every reply, and not those of the link.
	skipStats = 1 << 3
)

// linkQuery encodes the question for one link by index or by name, or for all.
func linkQuery(index int, name string) ([]byte, error) {
	return attributes(ifinfomsg(index, 0, 0), func(ae *netlink.AttributeEncoder) error {
		switch {
		case name == "":
		case len(name) < unix.IFNAMSIZ:
			ae.String(unix.IFLA_IFNAME, name)
		default:
			ae.String(unix.IFLA_ALT_IFNAME, name)
		}
		ae.Uint32(unix.IFLA_EXT_MASK, skipStats)
		return nil
	})
}
