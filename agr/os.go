package agr

import (
	"time"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

// Viewer reads the interfaces of the network namespace.
type Viewer interface {
	Links() ([]rtnl.Link, error)
	// LinkByName finds an interface; the error is rtnl.ErrNotFound if there is none.
	LinkByName(name string) (rtnl.Link, error)
	LinkByIndex(index int) (rtnl.Link, error)
	// Addrs lists the addresses of one interface, or of all if index is 0, of one
	// family or of both (unix.AF_UNSPEC).
	Addrs(index, family int) ([]rtnl.Addr, error)
	// Groups lists the link-layer groups of every interface by its index, and those of
	// them that nobody's socket asks for.
	Groups() (all, static map[int][]ether.Addr, err error)
}

// Changer changes an interface.
type Changer interface {
	SetUp(index int) error
	SetDown(index int) error
	SetMTU(index, mtu int) error
	Rename(index int, name string) error
	SetAddr(index int, a ether.Addr) error
	SetAddrGenMode(index int, m rtnl.AddrGenMode) error
	DelAddr(a rtnl.Addr) error
	// SetStaticGroup makes an interface receive a group until that is undone, whatever
	// becomes of this process. It has each once: to ask again, or to undo it again, is
	// no error.
	SetStaticGroup(index int, group ether.Addr, on bool) error
}

// Settings are an interface's settings below /proc/sys/net, in the kernel's
// words. An empty value stands for a setting that the kernel has not.
type Settings struct {
	RPFilter    string // ipv4/conf/NAME/rp_filter
	DisableIPv6 string // ipv6/conf/NAME/disable_ipv6
}

// Tuner reads and writes them. Set changes only what is different and not empty.
type Tuner interface {
	Settings(name string) (Settings, error)
	SetSettings(name string, s Settings) error
	SetNoARP(index int, on bool) error
	// Unhook takes the programs of a datapath away that a killed daemon could not: those
	// with the kernel's numbers, and those that are known by name.
	Unhook(index int, programs []uint32) error
}

// Medium asks a driver about its link (ethtool).
type Medium interface {
	// Carrier reports whether the interface has a link. It must be cheap.
	Carrier(name string) (bool, error)
	// Speed is in Mb/s, 0 when the driver does not know.
	Speed(name string) (mbps uint64, halfDuplex bool)
}

// Queuer looks at transmit queues.
type Queuer interface {
	Queue(index int) (rtnl.Queue, error)
}

// Clock tells the time of the kernel, which is the same for a daemon and for its
// successor.
type Clock interface {
	// Monotonic is CLOCK_MONOTONIC (clock_gettime(2)).
	Monotonic() time.Duration
}

// SlowConn sends and receives the untagged 0x8809 frames of one port.
type SlowConn interface {
	// Read reads one frame, from its destination address on. It fails when the
	// connection is closed.
	Read(b []byte) (int, error)
	Send(frame []byte) error
	// Sift lets only a small share of the frames through to Read, but each LACPDU of
	// keep, unless it is nil; SiftNone ends that.
	Sift(keep *pkt.Speaker) error
	SiftNone() error
	Close() error
}

// Filter holds what a port must let in besides its own address. Closing it
// takes everything back.
type Filter interface {
	Add(a ether.Addr) error
	Drop(a ether.Addr) error
	SetPromisc(on bool) error
	Close() error
}

// Opener opens what moves frames.
type Opener interface {
	// Device makes agrN with that datapath, or adopts the one that a predecessor
	// left. What the machine cannot do is an UnsupportedError.
	Device(name string, mac ether.Addr, kind Datapath) (datapath.Device, error)
	Slow(index int) (SlowConn, error)
	Filter(index int) (Filter, error)
}

// Heritage are descriptors that a daemon leaves to the one that takes its place in the
// same process.
type Heritage = datapath.Heritage

// OS is everything that package agr needs of the operating system.
type OS struct {
	Viewer
	Changer
	Tuner
	Medium
	Queuer
	Clock
	Opener
}
