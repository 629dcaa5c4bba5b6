package ifcfg

import (
	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

// AggrControl changes agr interfaces: the requests of NetBSD's agr(4).
type AggrControl interface {
	Create(name string) error                  // starts the daemon when there is none
	Destroy(name string) error                 // EBUSY while it has ports
	SetPort(name, port string, add bool) error // SIOCSETAGR
	SetFlags(name string, set, clear ctl.LinkFlags) error
	SetMTU(name string, mtu int) error
	SetAddr(name string, a ether.Addr) error // makes a the active address
	// SetOptions changes what agr(4) cannot configure, all of it or nothing.
	SetOptions(name string, all []ctl.Setting) error
}

// AggrView reads agr interfaces. Without a daemon, Owner answers from what the
// daemon has left behind, and the others with ENXIO.
type AggrView interface {
	Ports(name string) ([]ctl.PortInfo, error)   // SIOCGETAGR, in order of addition
	Flags(name string) (ctl.LinkFlags, error)    // link0 to link2
	Status(name string) (*ctl.Status, error)     // for -v
	Owner(ifname string) (agr string, err error) // "" when the interface is no port of any agr
}

// Aggr is agrd as ifconfig sees it. Every error carries an Errno.
type Aggr interface {
	AggrControl
	AggrView
}
