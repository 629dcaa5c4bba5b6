package agr

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// minIdle is how long a conversation must have been silent before it may move
// away from a port that works (design D7): what its last frame may need to the far
// end, besides what the Collector there may keep it for.
const minIdle = time.Millisecond

// aggregate is one agrN. All of it belongs to the goroutine of run; others call
// do or send to its channels.
type aggregate struct {
	name   string
	unit   int
	os     OS
	hub    *hub
	ledger *ledger
	log    *slog.Logger
	epoch  time.Time // origin of lacp.Instant: when the kernel's monotonic clock began
	memory memory

	requests chan func()
	frames   chan received
	views    chan *view
	carriers chan struct{}
	done     chan struct{} // closed when the aggregate is no more

	dev      datapath.Device
	kind     Datapath
	why      string // it is of that kind
	lacp     *lacp.System
	ports    []*port           // in the order of their agrport
	leaving  *port             // it is being restored
	owed     []state.Port      // ports that have left and were not wholly restored, or could not be resumed
	untried  []state.Port      // a predecessor's ports that are still to be resumed
	loaded   map[uint16]uint32 // programs for those that are to be attached again, on record and at no port yet
	table    dist.Table
	held     dist.Set // conversations that wait
	hash     dist.Hash
	flags    ctl.LinkFlags
	opts     state.Options
	mac      ether.Addr // agrN's address
	mtu      int
	system   ether.Addr    // LACP system id, zero without ports
	link     bool          // carrier that agrN has
	linkSet  bool          // and known to have
	resuming bool          // a predecessor's ports are being attached again
	queues   queueLook     // of the ports' transmit queues
	grace    time.Duration // how long a datapath may speak for a daemon that is dead
	changed  bool          // what is in memory may be old
	keepDue  bool          // and what the datapath would say
	signed   lacp.Instant  // when the last sign of life was given, 0: never
	rehash   *rehash       // under way
	// owesProgram is when the datapath is programmed again, because it refused; 0 = it
	// is not.
	owesProgram lacp.Instant
	reverts     reverts // of what another tool changed of agrN's interfaces
	conflict    string  // what is left of that
	absent      []*port // ports that went without getting back what they had

	ending  bool // destroyed, or its interface has gone
	destroy bool // delete the interface at the end

	heritage Heritage // for a successor, when the owner has ended
}

// received is a slow-protocol frame of a port.
type received struct {
	port    *port
	frame   []byte
	ordered bool // came behind the data that was before it
}

// run owns the aggregate until the context ends, it is destroyed, or its
// interface has gone.
func (a *aggregate) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !a.ending {
		select {
		case <-ctx.Done():
			a.stop(errors.Is(context.Cause(ctx), ErrReplaced))
			return
		case f := <-a.requests:
			a.catchUp()
			f()
		case r := <-a.frames:
			a.receive(r)
		case v := <-a.views:
			a.catchUp()
			a.reconcile(v)
		case <-a.carriers:
			a.catchUp()
			a.readCarriers()
		case <-timer.C:
		}
		a.settle()
		a.departing()
		a.settle()
		a.signOfLife()
		a.rearm(timer)
	}
	a.end()
}

// do runs f in the owner goroutine and waits for it. An aggregate that has
// ended is ENXIO.
func (a *aggregate) do(f func() error) error {
	result := make(chan error, 1)
	select {
	case a.requests <- func() { result <- f() }:
	case <-a.done:
		return ctl.ENXIO
	}
	return a.await(result)
}

// await waits for a result of the owner. An aggregate that has ended without one
// is ENXIO.
func (a *aggregate) await(result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-a.done:
		select { // it may have been the last thing that the goroutine did
		case err := <-result:
			return err
		default:
			return ctl.ENXIO
		}
	}
}

// now is the owner's clock.
func (a *aggregate) now() lacp.Instant { return lacp.Instant(time.Since(a.epoch)) }

// step hands an event to the protocol.
func (a *aggregate) step(e lacp.Event) {
	a.lacp.Step(a.now(), e)
	a.changed, a.keepDue = true, true
}

// advance lets the protocol's time go on. Frames that are waiting count before the
// timers that have run out meanwhile: an owner that was kept from its work must not
// take its partner for silent.
func (a *aggregate) advance() {
	a.catchUp()
	for n := len(a.frames); n > 0; n-- {
		a.receive(<-a.frames)
	}
	a.lacp.Advance(a.now())
}

// settle carries out what the protocol has decided.
func (a *aggregate) settle() {
	a.advance()
	r := a.lacp.Ready()
	for _, t := range r.Transitions {
		a.logTransition(t)
	}
	if len(r.Mux) > 0 || r.ActiveChanged || a.owesProgram != 0 && a.now() >= a.owesProgram {
		a.program()
	}
	a.changed = a.changed || len(r.Transitions) > 0
	a.keepInMind()
	for _, s := range r.Send {
		a.send(s)
	}
	a.keepDue = a.keepDue || len(r.Mux)+len(r.Send)+len(r.Transitions) > 0
	a.keep()
	a.advanceFlushes()
	a.advanceRehash()
	a.lookAtQueues()
}

// rearm sets the timer to the next deadline.
func (a *aggregate) rearm(t *time.Timer) {
	at, ok := a.deadline()
	if !ok {
		t.Stop()
		return
	}
	t.Reset(max(0, time.Duration(at-a.now())))
}

// deadline is when something has to be done although nothing happens.
func (a *aggregate) deadline() (lacp.Instant, bool) {
	at, ok := a.lacp.Deadline()
	sooner := func(t lacp.Instant) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if a.queues.every != 0 {
		sooner(a.queues.at)
	}
	if a.keeps() && len(a.ports) > 0 {
		sooner(a.now().Add(datapath.AliveEvery))
	}
	if a.rehash != nil && !a.rehash.turned {
		sooner(a.rehash.at)
	}
	if a.owesProgram != 0 {
		sooner(a.owesProgram)
	}
	for _, p := range a.ports {
		if p.flush != nil {
			if t, running := p.flush.Deadline(); running {
				sooner(lacp.Instant(t))
			}
		} else if p.departure != nil {
			sooner(p.departure.end)
		}
	}
	return at, ok
}

// shownPerSecond is how many transitions of a port are logged in a second: what
// a neighbour sends must not fill the log.
const shownPerSecond = 100

func (a *aggregate) logTransition(t lacp.Transition) {
	c := ctl.Change{Time: time.Now(), Machine: t.Machine, From: t.From, To: t.To, Reason: t.Reason}
	logged := true
	if p := a.port(t.Port); p != nil {
		if t.Machine == "mux" {
			p.lastChange = c.Time
		}
		p.remember(c)
		ok, refused := p.shown.take(c.Time)
		if refused > 0 {
			a.log.Warn("transitions were not logged", "agr", a.name, "port", p.name, "count", refused)
		}
		logged = ok
	}
	a.publish(c, a.portName(t), logged)
}

// portName is the name that the port of a transition has now.
func (a *aggregate) portName(t lacp.Transition) string {
	if p := a.port(t.Port); p != nil {
		return p.name
	}
	return t.Name
}

// send transmits a LACPDU, from the port's own address (IEEE 802.1AX-2014
// 6.2.10.2): the switch must be able to tell the ports apart.
func (a *aggregate) send(t lacp.Transmit) {
	p := a.port(t.Port)
	if p == nil {
		return
	}
	if err := p.slow.Send(slow.AppendLACPDU(nil, p.undo.MAC, a.pdu(t.PDU.Actor, t.PDU.Partner))); err != nil {
		p.count.LACPTxErrors++
		a.log.Warn("LACPDU not sent", "agr", a.name, "port", p.name, "err", err)
		a.step(lacp.NotSent{Number: t.Port})
		a.readCarriers() // its link may be why
		return
	}
	a.lacp.Sent(t, a.now())
	a.dev.Sent(p.number)
	p.count.LACPTx++
}

// port finds a port by its LACP number.
func (a *aggregate) port(number uint16) *port {
	for _, p := range a.ports {
		if p.number == number {
			return p
		}
	}
	return nil
}

func (a *aggregate) portByName(name string) *port {
	for _, p := range a.ports {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (a *aggregate) portByIndex(index int) *port {
	for _, p := range a.ports {
		if p.index == index {
			return p
		}
	}
	return nil
}

// keyBase gives each agr interface its own range of keys: 1 to 1023. Two
// interfaces whose units are 1023 apart share a range and are told apart by
// their system ids.
func keyBase(unit int) uint16 { return uint16(unit%1023) + 1 }

// record is what the ledger keeps of the aggregate.
func (a *aggregate) record() state.Agr {
	rec := state.Agr{
		Name: a.name, Datapath: string(a.kind), Why: a.why, LinkFlags: uint16(a.flags),
		System: a.system, Seed: a.hash.Seed, Options: a.opts,
	}
	for _, p := range a.ports {
		rec.Ports = append(rec.Ports, p.record())
	}
	if a.leaving != nil {
		rec.Ports = append(rec.Ports, a.leaving.leftRecord())
	}
	rec.Ports = append(rec.Ports, a.owed...)
	rec.Ports = append(rec.Ports, a.untried...)
	for i := range rec.Ports {
		a.withLoaded(&rec.Ports[i])
	}
	return rec
}

// setFlags changes link0 to link2. link1 starts every port's LACP anew at once.
func (a *aggregate) setFlags(set, clear ctl.LinkFlags) error {
	old := a.flags
	a.flags = a.flags&^clear | set
	if err := a.ledger.put(a.record()); err != nil {
		a.flags = old
		return err
	}
	if a.flags == old {
		return nil
	}
	a.step(lacp.Configure{Config: a.config()})
	a.program()
	return nil
}

// stop ends the aggregate as the daemon ends. agrN stays for a successor, and so
// does what the ledger knows. Where frames are forwarded meanwhile, or wait for a
// successor that is about to go on, the partners hear from us once more, so that they
// wait as long as they can; elsewhere they are told (design D11).
func (a *aggregate) stop(replaced bool) {
	a.endDepartures()
	switch {
	case a.resuming: // what a predecessor knew is still to be used
	case a.dev.Info().Outlives || replaced:
		a.step(lacp.Repeat{})
		a.settle()
		a.remind()
		a.memory.write()
	default:
		a.step(lacp.Leave{})
		a.settle()
		a.memory.forget()
	}
	for _, p := range a.ports {
		p.close()
	}
	if err := a.leaveDevice(replaced); err != nil {
		a.log.Warn("datapath did not close", "agr", a.name, "err", err)
	}
}

// leaveDevice gives the device up for a successor, with what it leaves to one that
// begins at once.
func (a *aggregate) leaveDevice(replaced bool) error {
	heir, ok := a.dev.(datapath.Bequeather)
	if !ok || !replaced {
		return a.dev.Close(false)
	}
	var err error
	a.heritage, err = heir.Bequeath()
	return err
}

// end is what remains to do for an aggregate that is no more: ports that it
// still has (its interface was deleted by another tool) get back what they had.
func (a *aggregate) end() {
	for len(a.ports) > 0 {
		a.detach(a.ports[len(a.ports)-1], true)
	}
	a.release()
	a.transition("", "agr", agrCreated, "", "the interface is gone")
	if err := a.dev.Close(a.destroy); err != nil {
		a.log.Warn("datapath did not close", "agr", a.name, "err", err)
	}
	a.memory.forget()
	if err := a.ledger.drop(a.name); err != nil {
		a.log.Error("state not saved", "agr", a.name, "err", err)
	}
}

// asErrno makes sure that an error of the system carries a NetBSD error.
func asErrno(err error) error {
	if err == nil || ctl.ErrnoOf(err) != ctl.EIO {
		return err
	}
	return &systemError{err}
}

// isGone reports whether an interface is no more.
func isGone(err error) bool { return errors.Is(err, rtnl.ErrNotFound) }
