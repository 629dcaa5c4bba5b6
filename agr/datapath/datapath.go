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
	// ErrNotOurs says that an interface that a device would adopt is something
	// else, which this daemon did not make.
	ErrNotOurs = errors.New("not an interface of ours")
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
	// that stop to collect or distribute. A conversation whose old port goes on
	// to distribute moves when it has been idle for p.Idle; one whose old port
	// does not, with its next frame. When Program returns, no frame of a
	// conversation that p holds is on its way to a port's transmit queue.
	Program(p Program) error
	// Placed tells through which port each conversation is sent, 0 for one that
	// has not been sent anywhere. A conversation that is held stays where it was.
	Placed() dist.Table
	// QueueEmpty says that a port's transmit queue was seen empty just now: what
	// was sent through it before has left.
	QueueEmpty(number uint16)

	// Keep says what is done on a port while this process is late or dead. It
	// replaces what was said before; the zero Keep ends it.
	Keep(number uint16, k Keep) error
	// Alive is a sign of life, which is due every AliveEvery while something is
	// kept. It costs next to nothing.
	Alive()
	// Sent says that a LACPDU was sent on a port just now.
	Sent(number uint16)
	// Kept tells what was heard and done on a port, also before this process began.
	Kept(number uint16) Kept

	// SetCarrier switches agrN's carrier.
	SetCarrier(on bool) error

	// Stats reads the counters of the device and of its ports by port number.
	Stats() Stats
	// Totals is Stats without the conversations, for who asks often.
	Totals() Stats

	// Close gives the device up. With destroy, agrN is deleted; without, it stays,
	// with its addresses, for a successor: where Info.Outlives it goes on to
	// forward, else it has no carrier.
	Close(destroy bool) error
}

// Info describes a datapath to people.
type Info struct {
	Kind   string // "user" or "kernel"
	Shield string // what keeps the ports' own protocol stacks from data frames
	// ChangesSettings says that the shield is settings of the ports: IFF_NOARP,
	// rp_filter, disable_ipv6. Whoever adds a port must remember what they were.
	ChangesSettings bool
	// Why says in a few words why it is this kind.
	Why string
	// Outlives says that frames are forwarded without this process (design D11).
	Outlives bool
	// Keeps says that Keep does anything.
	Keeps bool
	// CollectorDelay is the longest that it may keep a received frame before agrN
	// gets it (CollectorMaxDelay, IEEE 802.1AX-2014 6.2.4.1.1), at most 655 ms.
	CollectorDelay time.Duration
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
	// Programs are the kernel's numbers of eBPF programs that predecessors may have put
	// at the port's ingress, as they were told to Note.
	Programs []uint32
	// Note is called with the number of an eBPF program before it is put at the port's
	// ingress, where it stays without this process. After an error it is not. Nil when
	// nobody wants to know.
	Note func(program uint32) error
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
	// Hold lists the conversations that wait: their frames are kept, in order,
	// until a Program does not list them any more, and are then sent where Table
	// says, before any later frame. Frames beyond what a device can keep are
	// dropped and counted; none is overtaken. It has no effect with RoundRobin.
	Hold dist.Set
	// Settle makes Program return only when no frame is on its way by what was before:
	// Placed then tells what Table has not changed yet.
	Settle bool
}

// PortState is what one port may do.
type PortState struct {
	Number       uint16
	Collecting   bool
	Distributing bool
	// Dead says that frames sent there are lost (no carrier, down, gone): its
	// conversations move at once.
	Dead bool
	// Queues says that frames may wait in the port's transmit queue: a
	// conversation moves away only if the queue was seen empty (QueueEmpty) since
	// its last frame.
	Queues bool
}

// Stats are the counters of a device.
type Stats struct {
	// Drops are frames from agrN for which there was no port, or no room while
	// they were held, or that belong to a single link.
	Drops uint64
	Held  uint64 // frames that are kept now
	Ports map[uint16]PortStats
	// Conversations counts what was sent of each.
	Conversations [dist.Conversations]ConversationStats
}

// ConversationStats are the counters of one conversation.
type ConversationStats struct{ Frames, Bytes uint64 }

// PortStats are the counters of one port.
type PortStats struct {
	RxFrames, RxBytes uint64 // delivered to agrN
	RxDropped         uint64 // not collecting, or agrN did not take it
	TxFrames, TxBytes uint64
	TxErrors          uint64
}
