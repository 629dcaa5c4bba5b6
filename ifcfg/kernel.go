package ifcfg

import (
	"net/netip"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

// Errno is the error that NetBSD's ifconfig would have seen. Every error of a
// Kernel or an Aggr has one in its chain.
type Errno = ctl.Errno

// ErrnoNamed is the Errno with a symbol of NetBSD's <sys/errno.h>, EIO for a
// symbol that it does not know.
func ErrnoNamed(symbol string) Errno {
	if e, ok := ctl.ErrnoBySymbol(symbol); ok {
		return e
	}
	return ctl.EIO
}

// Flags are NetBSD's interface flags, ifnet(9). Linux's bits from 0x400 up mean
// other things and are never copied.
type Flags uint32

// Bits of Flags.
const (
	FlagUp          Flags = 0x1
	FlagBroadcast   Flags = 0x2
	FlagDebug       Flags = 0x4
	FlagLoopback    Flags = 0x8
	FlagPointToPt   Flags = 0x10
	FlagRunning     Flags = 0x40
	FlagNoARP       Flags = 0x80
	FlagPromisc     Flags = 0x100
	FlagAllMulti    Flags = 0x200
	FlagSimplex     Flags = 0x800
	FlagLink0       Flags = 0x1000
	FlagLink1       Flags = 0x2000
	FlagLink2       Flags = 0x4000
	FlagMulticast   Flags = 0x8000
	flagsLink             = FlagLink0 | FlagLink1 | FlagLink2
	flagsOfAgrd           = flagsLink | FlagRunning
	maxMTUForJumbo        = 9000
	plainMTU              = 1500
	maxIfaceName          = 16 // IFNAMSIZ: what the parser takes
	maxUsableIfName       = 15 // what fits with the final zero
)

// Class is what an interface is, as far as the status depends on it.
type Class uint8

// Classes of interfaces. ClassOther, the zero value, has no link-layer address
// to show.
const (
	ClassOther Class = iota
	ClassLoopback
	ClassEthernet // a NIC, or something that looks like one: veth, virtio, tap
	ClassBridge
	ClassVLAN
)

// Link is an interface as NetBSD would describe it. The flags of an agr
// interface that only its daemon knows (RUNNING, LINK0 to LINK2) are not in it.
type Link struct {
	Index    int    // 1 and up; the order of listings, and the scope id of its link-local addresses
	Name     string // the kernel's, which need not be the one that was asked for
	Class    Class
	Flags    Flags
	MTU      int        // bytes
	MaxMTU   int        // what the driver takes at most; 0 = unknown
	Metric   int32      // 0 on Linux, which has none
	Addr     ether.Addr // the active link-layer address; zero = none
	LinkUp   bool       // has its carrier
	Counters Counters
	// Description is the administrator's text about the interface, any bytes;
	// NetBSD's has at most 63, one that something else has set may be longer.
	Description string
	Inner       bool // a part of an agr interface's kernel datapath: never listed (design D8)
	HasMedia    bool // the driver may have media; Media tells
	VLAN        VLAN
	HasVLAN     bool // a vlan(4) interface is attached to it
	Tunnel      Tunnel
}

// VLAN is what a vlan(4) interface is attached to. The zero value is nothing.
type VLAN struct {
	Tag    uint16 // 1 to 4094
	Parent string
}

// Tunnel are the two ends of a tunnel in the network that carries it, of one
// family, with the ports that its line named. The zero value is no tunnel.
type Tunnel struct {
	Src, Dst netip.AddrPort
}

// Counters are what -v prints; all count from the interface's creation.
type Counters struct {
	InPackets, InBytes, InMulticasts, InErrors, InDrops, InUnknown uint64
	OutPackets, OutBytes, OutMulticasts, OutErrors, Collisions     uint64
}

// Addr is one inet or inet6 address of an interface.
type Addr struct {
	IP        netip.Addr // never with a zone; its length is the family
	Mask      netip.Addr // of the same length; inet masks need not be contiguous
	Dst       netip.Addr // far end of a point-to-point link, or zero
	Broadcast netip.Addr // inet only, or zero
	Flags     AddrFlags
	Preferred uint32 // seconds that are left, or Infinite; inet6 only
	Valid     uint32 // the same; at least Preferred
}

// Infinite is the lifetime that never ends.
const Infinite = ^uint32(0)

// AddrFlags say what is special about an address, for both families.
type AddrFlags uint16

// Bits of AddrFlags, named after in6_var.h's.
const (
	AddrAnycast AddrFlags = 1 << iota
	AddrTentative
	AddrDuplicated
	AddrDetached
	AddrDeprecated
	AddrAutoconf
	AddrTemporary
	AddrNoDAD // never checked for duplicates
)

// Links reads and changes interfaces. A name may be an alternative name, and
// lo0 is Linux's lo. A missing interface is ENXIO.
type Links interface {
	Link(name string) (Link, error)
	Links() ([]Link, error) // in the order of their indexes
	// SetFlags sets and clears UP, DEBUG, NOARP, PROMISC, ALLMULTI and
	// MULTICAST; NetBSD's driver flags LINK0 to LINK2 can only be cleared here
	// (EOPNOTSUPP otherwise). Taking an interface down keeps its addresses.
	SetFlags(index int, set, clear Flags) error
	SetMTU(index, mtu int) error
	SetMetric(index int, metric int32) error
	// SetDescription sets the text about the interface; the empty one removes
	// it.
	SetDescription(index int, text string) error
}

// Addrs reads and changes inet and inet6 addresses.
type Addrs interface {
	HasFamily(Family) bool // whether the kernel has inet, or inet6
	// Addrs lists the addresses of an interface in the order in which they
	// were added, inet before inet6, or those of all interfaces for index 0.
	Addrs(index int) (map[int][]Addr, error)
	// AddAddr adds the address, or updates mask, far end, broadcast address and
	// lifetimes when the interface has it already. An update may move it to
	// the end of the list.
	AddAddr(index int, a Addr) error
	// DelAddr removes the address and no other one; EADDRNOTAVAIL when the
	// interface does not have it.
	DelAddr(index int, ip netip.Addr) error
}

// LinkAddrs reads and changes the link-layer addresses besides the active one.
type LinkAddrs interface {
	LinkAddrs(index int) (map[int][]ether.Addr, error) // 0 = of all interfaces
	// AddLinkAddr adds an address. An active one becomes the interface's, and
	// the former one stays as an additional address.
	AddLinkAddr(index int, a ether.Addr, active bool) error
	// DelLinkAddr removes an additional address; EBUSY for the active or the
	// factory one, EADDRNOTAVAIL for a stranger.
	DelLinkAddr(index int, a ether.Addr) error
}

// Cloner creates and destroys interfaces other than agr's. The name is a
// cloner's with a decimal unit that is in range.
type Cloner interface {
	Cloners() []string // without agr
	Create(name string) error
	Destroy(name string) error
}

// Stacker puts interfaces onto others. While it stands on nothing an interface
// exists all the same, as in NetBSD; it keeps its index, flags, description and
// addresses through all of it, and a tunnel its MTU.
type Stacker interface {
	// SetVLAN attaches a vlan(4) interface that is not attached; the zero VLAN
	// detaches it. EEXIST when another one has the same tag and parent.
	SetVLAN(index int, v VLAN) error
	// SetTunnel gives a tunnel its ends, the zero Tunnel takes them away;
	// ENOTTY when the interface is no tunnel.
	SetTunnel(index int, t Tunnel) error
}

// Driver asks what is between an interface and its cable.
type Driver interface {
	Media(index int) (*Media, error) // nil when it knows no media
	// SetMedia chooses the medium; EINVAL when the interface does not have it.
	SetMedia(index int, m MediaRequest) error
	// ZeroCounters makes the counters begin again.
	ZeroCounters(indexes ...int) error
}

// Offloads asks what an interface does in place of the system.
type Offloads interface {
	// Caps are the capabilities of an interface, or those of all interfaces
	// for index 0. Interfaces without any may be missing.
	Caps(index int) (map[int]Caps, error)
	// SetCaps and SetEtherCaps turn capabilities on and off, all in one
	// request. Where several bits are one switch, turning one off turns all of
	// them off, whatever was to be turned on. EINVAL when a bit cannot be
	// turned on, or not be turned off.
	SetCaps(index int, on, off Cap) error
	SetEtherCaps(index int, on, off EtherCap) error
}

// Tuner changes what net-tools' ifconfig can change and NetBSD's cannot.
type Tuner interface {
	SetQueueLen(index, frames int) error // of the queue of frames to be sent
	Rename(index int, name string) error
}

// Kernel is everything that ifconfig wants of an operating system.
type Kernel interface {
	Links
	Addrs
	LinkAddrs
	Cloner
	Stacker
	Driver
	Offloads
	Tuner
}
