package datapath

import (
	"errors"
	"time"

	"ifagr/agr/dist"
	"ifagr/netutil/ether"
)

// Errors of a Device.
var (
	// ErrNoPort says that no port was added under a number.
	ErrNoPort = errors.New("no such port")
	// ErrPortNumber says that a number is 0 or another port's.
	ErrPortNumber = errors.New("port number 0 or taken")
)

// Device is one agrN interface and the frames that it moves. Its methods are
// called by one goroutine; the frames move on others.
type Device interface {
	// Name and Index are agrN's interface name and index.
	Name() string
	Index() int
	// Info says what kind of datapath this is.
	Info() Info

	// AddPort starts to serve a port. It neither collects nor distributes until
	// Program says so. The port's own protocol stack sees no data frames from
	// now on.
	AddPort(p Port) error
	// RemovePort undoes AddPort. It is not an error if the interface has gone.
	RemovePort(number uint16) error

	// Program replaces what every port does. It takes effect at once for ports
	// that stop to collect or distribute; a conversation whose old port still
	// lives moves when it has been idle for p.Idle.
	Program(p Program) error

	// SetCarrier switches agrN's carrier.
	SetCarrier(on bool) error

	// Stats reads the counters of the device and of its ports by port number.
	Stats() Stats

	// Close stops forwarding. With destroy, agrN is deleted as well; without, it
	// stays, with its addresses and without carrier, for a successor.
	Close(destroy bool) error
}

// Info describes a datapath to people.
type Info struct {
	Kind   string // "user" or "kernel"
	Shield string // what keeps the ports' own protocol stacks from data frames
	// ChangesSettings says that the shield is settings of the ports: IFF_NOARP,
	// rp_filter, disable_ipv6. Whoever adds a port must remember what they were.
	ChangesSettings bool
	// Markers says that Port.Marker is called. Without, a Marker that is received
	// otherwise is not overtaken by frames before it.
	Markers bool
}

// Port is a physical port as a datapath sees it.
type Port struct {
	Number uint16 // LACP port number, 1..65535
	Index  int    // interface index
	Name   string
	MAC    ether.Addr // the address it has as a port
	// Marker is called with each untagged Marker PDU of the port, when every
	// frame that arrived before it has been handed over: only then may it be
	// answered (IEEE 802.1AX-2014 6.5.1). It must not keep the frame, nor wait.
	// Nil when nobody wants them.
	Marker func(frame []byte)
}

// Program is the wanted state of a whole device.
type Program struct {
	// Ports lists every port that AddPort was called for.
	Ports []PortState
	// Table maps each conversation to the number of a distributing port, 0 to
	// drop it.
	Table dist.Table
	// Hash is how conversations are told apart.
	Hash dist.Hash
	// RoundRobin sends successive frames on successive distributing ports
	// (link0), in the order of Ports.
	RoundRobin bool
	// Idle is how long a conversation must have been silent before it may move
	// away from a port that still works.
	Idle time.Duration
}

// PortState is what one port may do.
type PortState struct {
	Number       uint16
	Collecting   bool
	Distributing bool
	// Dead says that frames sent there are lost (no carrier, down, gone): its
	// conversations move at once.
	Dead bool
}

// Stats are the counters of a device.
type Stats struct {
	Drops uint64 // frames from agrN for which there was no port
	Ports map[uint16]PortStats
}

// PortStats are the counters of one port.
type PortStats struct {
	RxFrames, RxBytes uint64 // delivered to agrN
	RxDropped         uint64 // not collecting, or agrN did not take it
	TxFrames, TxBytes uint64
	TxErrors          uint64
}
