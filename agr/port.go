package agr

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/lacp"
	"ifagr/agr/marker"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// port is one physical port. It belongs to its aggregate's goroutine.
type port struct {
	name   string
	index  int
	number uint16 // LACP port number
	// priority is the LACP port priority.
	priority uint16
	undo     state.Undo
	// resumed says that a predecessor attached it: addresses that came since do
	// not matter.
	resumed bool
	// takenDown says that we took it down for a change of its address and have
	// not brought it up again.
	takenDown bool
	// again says that a predecessor had it and it was not attached again yet, which is
	// tried again.
	again bool
	// programs are the numbers of the eBPF programs that may be at its ingress, the
	// present one last.
	programs []uint32
	// groups are those that it was made to receive without a socket, asked those of
	// agrN's that this process has seen to.
	groups, asked []ether.Addr

	slow   SlowConn
	filter Filter
	cancel context.CancelFunc // ends the reader of slow
	reader chan struct{}      // closed when the reader has ended

	up         bool // administratively
	carrier    bool
	speed      uint64
	half       bool
	mac        ether.Addr   // what it was given when it joined
	admitted   []ether.Addr // what the filter lets in for agrN
	promisc    bool
	markers    marker.Limiter
	maxDelay   time.Duration // the partner's CollectorMaxDelay
	queues     bool          // frames may wait in its transmit queue
	sends      bool          // it distributes, by the program in force
	flush      *marker.Flush // its conversations wait for it
	flushed    bool          // what was sent through it has arrived
	unanswered int           // flushes without a Marker Response, one after another
	departure  *departure    // it is on its way out
	foreign    []string      // addresses that another tool added
	reverts    reverts
	conflict   string
	count      ctl.Counters
	flooded    atomic.Uint64 // slow-protocol frames over the budget; the reader's
	shown      quota         // transitions that are logged
	lastChange time.Time     // of the mux
	history    []ctl.Change  // the last ctl.HistoryLength transitions
	heard      *ctl.Heard    // the last LACPDU's Actor
	longer     bool          // it was longer than those of this system
	pause      time.Duration // between it and the one before, 0: there was none
	known      atomic.Pointer[identity]
	contest    contest // about who the partner is
}

func newPort(l rtnl.Link, number uint16, u state.Undo) *port {
	return portOf(state.Port{Name: l.Name, Index: l.Index, Number: number, Priority: state.DefaultPriority, Undo: u})
}

// portOf is the port of a record.
func portOf(rec state.Port) *port {
	return &port{
		name: rec.Name, index: rec.Index, number: rec.Number, priority: rec.Priority, undo: rec.Undo, takenDown: rec.TakenDown,
		programs: rec.Programs, groups: slices.Clone(rec.Groups), shown: quota{limit: shownPerSecond},
	}
}

// link is what the protocol knows of the port's link.
func (p *port) link() lacp.Link {
	return lacp.Link{Up: p.up && p.carrier, Speed: p.speed, HalfDuplex: p.half}
}

// lacp is the port for the protocol.
func (p *port) lacp() lacp.AddPort {
	return lacp.AddPort{Number: p.number, Priority: p.priority, Name: p.name, Link: p.link()}
}

func (p *port) record() state.Port {
	return state.Port{
		Name: p.name, Index: p.index, Number: p.number, Priority: p.priority, Undo: p.undo, TakenDown: p.takenDown,
		Programs: slices.Clone(p.programs), Groups: slices.Clone(p.groups),
	}
}

// leftRecord is the record of a port that is not one any more: it is to get back what
// it had, or also to be attached again.
func (p *port) leftRecord() state.Port {
	rec := p.record()
	rec.Left = !p.again
	return rec
}

// remember keeps a transition, and forgets the oldest when there are too many.
func (p *port) remember(c ctl.Change) {
	if len(p.history) == ctl.HistoryLength {
		p.history = append(p.history[:0], p.history[1:]...)
	}
	p.history = append(p.history, c)
}

// close gives back what is open for the port.
func (p *port) close() error {
	var errs []error
	if p.cancel != nil {
		p.cancel()
	}
	if p.slow != nil {
		errs = append(errs, p.slow.Close())
		<-p.reader
	}
	if p.filter != nil {
		errs = append(errs, p.filter.Close())
	}
	return errors.Join(errs...)
}

// revertsPerMinute is how often a setting that another tool changes is put back
// before the port is only shown as in conflict.
const revertsPerMinute = 3

// reverts remembers when settings of a port were put back.
type reverts []time.Time

// allow reports whether one more may be put back now.
func (r *reverts) allow(now time.Time) bool {
	*r = slices.DeleteFunc(*r, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(*r) >= revertsPerMinute {
		return false
	}
	*r = append(*r, now)
	return true
}
