package kernel

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/pkt"
)

// errNoSlot says that there are as many ports as there can be.
var errNoSlot = errors.New("more than 255 ports")

// port is one attached port.
type port struct {
	datapath.Port
	slot   uint16
	kept   bool // a predecessor had it in that slot
	prog   *ebpf.Program
	id     ebpf.ProgramID
	looked uint64 // when QueueEmpty was last called, 0: never

	// What the holder sent, which the programs did not see leave.
	frames, bytes, errors atomic.Uint64
}

// AddPort implements datapath.Device. A port that a predecessor had under the
// same number goes on to collect and to distribute as it did. After an error
// nothing has changed.
func (d *Device) AddPort(p datapath.Port) error {
	if d.ports[p.Number] != nil || p.Number == 0 {
		return fmt.Errorf("add port %s: number %d: %w", p.Name, p.Number, datapath.ErrPortNumber)
	}
	n := d.takeLoaded(p)
	if err := d.addPort(n); err != nil {
		return fmt.Errorf("add port %s: %w", p.Name, err)
	}
	d.ports[p.Number] = n
	d.note()
	return nil
}

func (d *Device) addPort(p *port) error {
	if p.prog == nil {
		if err := d.load(p); err != nil {
			return err
		}
	}
	if err := d.settle(p); err != nil {
		return errors.Join(err, d.unload(p))
	}
	d.listen(p)
	return nil
}

// Load loads the programs of ports that are about to be added, all at once, and tells
// their numbers by those of the ports: whoever writes them down needs to do so once. A
// port of which it tells none is loaded by AddPort, which says why that fails. What was
// loaded before and was not added is given up.
func (d *Device) Load(ports []datapath.Port) (programs map[uint16]uint32) {
	for _, p := range d.loaded {
		d.drop(p)
	}
	programs = make(map[uint16]uint32)
	for _, p := range ports {
		if d.ports[p.Number] != nil || d.loaded[p.Number] != nil || p.Number == 0 {
			continue
		}
		n := &port{Port: p}
		if err := d.load(n); err != nil {
			d.log.Debug("program not loaded yet", "device", d.name, "port", p.Name, "err", err)
			continue
		}
		d.loaded[p.Number] = n
		programs[p.Number] = uint32(n.id)
	}
	return programs
}

// takeLoaded is the port as Load has left it; without a program if it has not, or for
// another interface.
func (d *Device) takeLoaded(p datapath.Port) *port {
	n := d.loaded[p.Number]
	switch {
	case n == nil:
		return &port{Port: p}
	case n.Index != p.Index:
		d.drop(n)
		return &port{Port: p}
	}
	delete(d.loaded, p.Number)
	n.Port = p
	return n
}

// drop gives up what was loaded for a port.
func (d *Device) drop(p *port) {
	delete(d.loaded, p.Number)
	if err := d.unload(p); err != nil {
		d.log.Warn("program not closed", "device", d.name, "port", p.Name, "err", err)
	}
}

// load gives a port a slot and its program, which is nowhere yet. After an error it has
// neither.
func (d *Device) load(p *port) (err error) {
	if p.kept, err = d.takeSlot(p); err != nil {
		return err
	}
	if p.prog, err = d.tables.loadIn(place{ifindex: p.Index, slot: p.slot}); err != nil {
		p.prog = nil
		return errors.Join(err, d.unload(p))
	}
	p.id = idOf(p.prog)
	return nil
}

// unload undoes load. A slot that a predecessor's port had stays that port's.
func (d *Device) unload(p *port) error {
	if !p.kept {
		d.tables.ports[p.slot].state.Store(0)
	}
	if p.prog == nil {
		return nil
	}
	return p.prog.Close()
}

// takeSlot finds the port's place in the maps: the one that it had, or a free
// one, and reports which.
func (d *Device) takeSlot(p *port) (kept bool, err error) {
	want := portState{ifindex: uint32(p.Index), number: p.Number, flags: agrPortFlagsPORT_ATTACHED}
	for s := uint16(1); s < slots; s++ {
		entry := &d.tables.ports[s].state
		have := unpackPort(entry.Load())
		switch {
		case have.number != p.Number:
		case have.ifindex == want.ifindex:
			p.slot = s
			entry.Store(portState{have.ifindex, have.number, have.flags | want.flags}.pack())
			return true, nil
		default:
			entry.Store(0) // it had another interface
		}
	}
	if p.slot, err = d.freeSlot(); err != nil {
		return false, err
	}
	d.lastSlot = p.slot
	if err := errors.Join(d.tables.clearPortStats(p.slot), d.tables.clearKeep(p.slot)); err != nil {
		return false, err
	}
	d.tables.ports[p.slot].empty.Store(0)
	d.tables.ports[p.slot].state.Store(want.pack())
	return false, nil
}

// freeSlot is a slot that has been free for long. One that a silent conversation
// still has would make it that port's; it is taken only when all others are.
func (d *Device) freeSlot() (uint16, error) {
	convs, err := d.tables.conversations()
	if err != nil {
		return 0, err
	}
	var has [slots]bool
	for i := range convs {
		has[convs[i].Slot] = true
	}
	second := uint16(0)
	for i := range uint16(slots - 1) {
		s := (d.lastSlot+i)%(slots-1) + 1
		switch {
		case d.tables.ports[s].state.Load() != 0:
		case !has[s]:
			return s, nil
		case second == 0:
			second = s
		}
	}
	if second == 0 {
		return 0, errNoSlot
	}
	return second, nil
}

// listen lets LACPDUs in for as long as agr_in is there. The membership of the
// daemon's own socket ends with the daemon, and some interfaces then filter what
// is to be answered for it.
func (d *Device) listen(p *port) {
	if err := pkt.AddStatic(p.Index, ether.SlowProtocols); err != nil {
		d.log.Warn("without a daemon, LACPDUs may not come in", "device", d.name, "port", p.Name, "err", err)
	}
}

// settle puts the port's program where it acts, and says so before it does. After an
// error it is not there.
func (d *Device) settle(p *port) error {
	if p.Note != nil {
		if err := p.Note(uint32(p.id)); err != nil {
			return err
		}
	}
	err := d.attachNow(p)
	if err != nil {
		err = errors.Join(err, hook.Detach(p.Index, "", p.id))
	}
	return err
}

// attachNow puts the port's program where it acts, unless a predecessor's is to
// act there until the first Program.
func (d *Device) attachNow(p *port) error {
	if d.late {
		old, err := d.priorsAt(p.Index, agrProgAgrIn, programIDs(p.Programs)...)
		if err != nil || len(old) > 0 {
			return err
		}
	}
	return d.attachIn(p)
}

func (d *Device) attachIn(p *port) error {
	_, err := hook.Attach(p.Index, p.prog, d.hookOptions(programIDs(p.Programs)...))
	return err
}

// RemovePort implements datapath.Device.
func (d *Device) RemovePort(number uint16) error {
	p := d.ports[number]
	if p == nil {
		return fmt.Errorf("remove port %d: %w", number, datapath.ErrNoPort)
	}
	delete(d.ports, number)
	d.tables.ports[p.slot].state.Store(0)
	d.tables.keeps[p.slot].hush()
	if d.holder != nil {
		d.holder.forget(p)
	}
	err := hook.Detach(p.Index, agrProgAgrIn, slices.Concat([]ebpf.ProgramID{p.id}, programIDs(p.Programs), d.prior.ids)...)
	err = errors.Join(err, p.prog.Close(), pkt.RemoveStatic(p.Index, ether.SlowProtocols))
	d.note()
	if err != nil {
		return fmt.Errorf("remove port %s: %w", p.Name, err)
	}
	return nil
}

// dropOrphans takes the programs away from the ports that a predecessor had and
// this process was not told of.
func (d *Device) dropOrphans() error {
	var errs []error
	for s := range d.tables.ports {
		orphan := unpackPort(d.tables.ports[s].state.Load())
		if orphan.number == 0 || d.ports[orphan.number] != nil {
			continue
		}
		d.tables.ports[s].state.Store(0)
		errs = append(errs,
			hook.Detach(int(orphan.ifindex), agrProgAgrIn, d.prior.ids...),
			pkt.RemoveStatic(int(orphan.ifindex), ether.SlowProtocols))
	}
	return errors.Join(errs...)
}
