package user

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
	"ifagr/netutil/tap"
)

// Both sides put the same header before a frame, so it goes straight through.
var _ [tap.HeaderLen - pkt.HeaderLen]struct{} = [pkt.HeaderLen - tap.HeaderLen]struct{}{}

// adoptWait is how long Program waits for the outbound, whose rounds take a few
// milliseconds at most; but the machine may have other things to do.
const adoptWait = time.Second

var _ datapath.Device = (*Device)(nil)

// collectorDelay is how long a received frame may have to wait until this process
// gets the processor, on a machine with more work than processors.
const collectorDelay = 20 * time.Millisecond

// Device is one agrN. Its methods belong to one goroutine.
type Device struct {
	log     *slog.Logger
	tap     *tap.Device
	adopted bool
	shield  *shield
	ports   map[uint16]*port
	program atomic.Pointer[program]
	out     *outbound
	loop    *loop // the outbound's

	heritage datapath.Heritage // of a predecessor, until the first Program
	waiting  []func()          // loops that wait for it
}

// New makes agrN with the given address (zero: the kernel's choice), or adopts
// the one that a process before this one left, which keeps its address. It has
// no carrier yet. After an error nothing has changed. It may raise GOMAXPROCS.
// Predecessors are the users, beside this one, that such a process may have been.
func New(name string, mac ether.Addr, log *slog.Logger, predecessors ...uint32) (*Device, error) {
	t, err := tap.Open(name, predecessors...)
	adopted := err == nil
	if errors.Is(err, os.ErrNotExist) {
		t, err = tap.Create(name, tap.Options{Addr: mac})
	}
	if errors.Is(err, tap.ErrNotOurs) {
		return nil, fmt.Errorf("%w: %w", datapath.ErrNotOurs, err)
	}
	if err != nil {
		return nil, err
	}
	d, err := newDevice(t, log, nil)
	if err != nil {
		if adopted {
			return nil, errors.Join(err, t.Close())
		}
		return nil, errors.Join(err, t.Delete())
	}
	d.adopted = adopted
	return d, nil
}

func newDevice(t *tap.Device, log *slog.Logger, h datapath.Heritage) (*Device, error) {
	l, err := newLoop(t.FD())
	if err != nil {
		return nil, err
	}
	d := &Device{log: log, tap: t, shield: newShield(log), ports: make(map[uint16]*port), loop: l, heritage: h}
	d.program.Store(&program{})
	d.out = newOutbound(t, &d.program)
	reserveThreads()
	d.begin(l, d.out.move, func(err error) {
		log.Error("no more frames are sent", "device", t.Name(), "reason", err)
	})
	return d, nil
}

// IsOurs reports whether an interface is a TAP device that New would adopt, made by one
// of the users.
func IsOurs(l rtnl.Link, users ...uint32) bool {
	t := l.Tun
	return t != nil && t.TAP && t.Persist && t.VnetHeader && !t.MultiQueue &&
		t.Owner >= 0 && slices.Contains(users, uint32(t.Owner))
}

// Name is agrN's name.
func (d *Device) Name() string { return d.tap.Name() }

// Index is agrN's interface index.
func (d *Device) Index() int { return d.tap.Index() }

// Adopted reports whether agrN was there before New.
func (d *Device) Adopted() bool { return d.adopted }

// Info implements datapath.Device. The shield may change with the first AddPort.
func (d *Device) Info() datapath.Info {
	used := d.shield.used
	return datapath.Info{
		Kind: "user", Shield: used, ChangesSettings: used == ShieldSettings,
		CollectorDelay: collectorDelay, Markers: true,
	}
}

// AddPort implements datapath.Device. After an error nothing has changed.
func (d *Device) AddPort(p datapath.Port) error {
	if d.ports[p.Number] != nil || p.Number == 0 {
		return fmt.Errorf("add port %s: number %d: %w", p.Name, p.Number, datapath.ErrPortNumber)
	}
	undo, err := d.shield.protect(p)
	if err != nil {
		return fmt.Errorf("add port %s: %w", p.Name, err)
	}
	n, err := d.openPort(p)
	if err != nil {
		return fmt.Errorf("add port %s: %w", p.Name, errors.Join(err, undo()))
	}
	n.undo = undo
	d.ports[p.Number] = n
	d.begin(n.loop, n.inbound, func(err error) {
		d.log.Error("no more frames are received", "device", d.Name(), "port", p.Name, "reason", err)
	})
	return nil
}

func (d *Device) openPort(p datapath.Port) (*port, error) {
	wire, err := d.openWire(p)
	if err != nil {
		return nil, err
	}
	n := newPort(p, wire, d.tap, &d.program)
	if n.loop, err = newLoop(wire.FD()); err != nil {
		return nil, errors.Join(err, wire.Close())
	}
	return n, nil
}

// RemovePort implements datapath.Device. What the port has accepted is still
// sent, and what waits at its socket is received as the program says.
func (d *Device) RemovePort(number uint16) error {
	p := d.ports[number]
	if p == nil {
		return fmt.Errorf("remove port %d: %w", number, datapath.ErrNoPort)
	}
	delete(d.ports, number)
	d.release()
	err := p.loop.stop()
	if err == nil {
		p.drain()
	}
	err = errors.Join(err, d.publish(d.program.Load().without(p)), p.close(), p.undo())
	if err != nil {
		return fmt.Errorf("remove port %s: %w", p.Name, err)
	}
	return nil
}

// Program implements datapath.Device. It fails, and changes nothing, when it
// names a port that was not added. It also fails when the outbound does not come
// to take the program over in time: then frames may still leave by the last one.
func (d *Device) Program(p datapath.Program) error {
	c, err := compile(p, d.ports)
	if err != nil {
		return err
	}
	if err := d.publish(c); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	return nil
}

// publish replaces the program and waits until the outbound has sent everything
// that it began to send by the last one.
func (d *Device) publish(p *program) error {
	d.program.Store(p)
	d.release()
	return d.loop.await(p.adopted, adoptWait)
}

// Placed implements datapath.Device.
func (d *Device) Placed() (t dist.Table) {
	for c := range t {
		t[c] = uint16(d.out.conv[c].placed.Load())
	}
	return t
}

// QueueEmpty implements datapath.Device. When exactly the queue was looked at is
// not known, but it was after the call before this one: what was sent until then
// has left.
func (d *Device) QueueEmpty(number uint16) {
	p := d.ports[number]
	if p == nil {
		return
	}
	if p.looked != 0 {
		p.empty.Store(p.looked)
	}
	p.looked = int64(d.out.now())
}

// SetCarrier implements datapath.Device.
func (d *Device) SetCarrier(on bool) error { return d.tap.SetCarrier(on) }

// Stats implements datapath.Device. A frame that is still to be segmented counts
// as one, as it does in the kernel's own counters of a TAP device. Conversations
// are not told apart while the ports take turns.
func (d *Device) Stats() datapath.Stats {
	s := d.Totals()
	for c := range s.Conversations {
		s.Conversations[c] = d.out.conv[c].stats()
	}
	return s
}

// Totals implements datapath.Device.
func (d *Device) Totals() datapath.Stats {
	s := datapath.Stats{
		Drops: d.out.drops.Load(),
		Held:  d.out.held.number.Load(),
		Ports: make(map[uint16]datapath.PortStats, len(d.ports)),
	}
	for number, p := range d.ports {
		s.Ports[number] = p.stats()
	}
	return s
}

// Close implements datapath.Device.
func (d *Device) Close(destroy bool) error {
	d.release()
	errs := []error{d.loop.stop()}
	for number := range d.ports {
		errs = append(errs, d.RemovePort(number))
	}
	if destroy {
		errs = append(errs, d.tap.Delete())
	} else {
		errs = append(errs, d.tap.Close())
	}
	return errors.Join(append(errs, d.shield.close())...)
}
