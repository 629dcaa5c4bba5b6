package kernel

import (
	"fmt"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
)

// wanted is a datapath.Program with its port numbers turned into slots.
type wanted struct {
	hash   dist.Hash
	idle   time.Duration
	want   dist.Table // slots; 0: drop
	spare  dist.Table
	ring   []uint16 // slots; empty without round robin
	hold   dist.Set
	states [slots]portState
}

// Program implements datapath.Device. It fails, and changes nothing, when it
// names a port that was not added, or when frames are to be held and nothing can
// take them.
func (d *Device) Program(p datapath.Program) error {
	w, err := d.compile(p)
	if err == nil {
		err = d.readyToHold(w)
	}
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}
	d.write(w)
	if err := d.takeOver(); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	return nil
}

// compile checks a program against the ports that there are. A conversation
// whose port does not distribute has none.
func (d *Device) compile(p datapath.Program) (*wanted, error) {
	w := &wanted{hash: p.Hash, idle: p.Idle, hold: p.Hold}
	for number, port := range d.ports {
		w.states[port.slot] = portState{uint32(port.Index), number, agrPortFlagsPORT_ATTACHED}
	}
	var ring []uint16
	for _, s := range p.Ports {
		port := d.ports[s.Number]
		if port == nil {
			return nil, fmt.Errorf("port %d: %w", s.Number, datapath.ErrNoPort)
		}
		flags := flagsOf(s)
		w.states[port.slot] = portState{uint32(port.Index), s.Number, flags}
		if flags&agrPortFlagsPORT_DISTRIBUTE != 0 {
			ring = append(ring, port.slot)
		}
	}
	for c, number := range p.Table {
		if port := d.ports[number]; port != nil && w.distributes(port.slot) {
			w.want[c] = port.slot
		}
	}
	w.setSpares(ring)
	if p.RoundRobin {
		w.ring, w.hold = ring, dist.Set{}
	}
	return w, nil
}

func flagsOf(s datapath.PortState) agrPortFlags {
	flags := agrPortFlagsPORT_ATTACHED
	if s.Collecting {
		flags |= agrPortFlagsPORT_COLLECT
	}
	if s.Distributing && !s.Dead {
		flags |= agrPortFlagsPORT_DISTRIBUTE
	}
	if s.Queues {
		flags |= agrPortFlagsPORT_QUEUES
	}
	return flags
}

func (w *wanted) distributes(slot uint16) bool {
	return w.states[slot].flags&agrPortFlagsPORT_DISTRIBUTE != 0
}

// setSpares gives each conversation another of the ports that distribute, and
// each of these its share of what another one has.
func (w *wanted) setSpares(ring []uint16) {
	var given [slots]int
	for c, want := range w.want {
		for range ring {
			spare := ring[given[want]%len(ring)]
			given[want]++
			if spare != want && want != 0 {
				w.spare[c] = spare
				break
			}
		}
	}
}

// write gives a program to the eBPF programs, which go on meanwhile. A port that
// is to distribute does before a conversation is sent there, and one that stops
// does until none is; what is to be held is on its way to no port before its own
// one stops. What is as it should be is not written.
func (d *Device) write(w *wanted) {
	d.startPorts(w)
	d.writeConfig(w)
	d.holdMore(w)
	d.writePlan(w)
	d.stopPorts(w)
	if d.holder != nil {
		d.holder.flush()
	}
}

// startPorts gives the ports what they do not have yet, and takes nothing.
func (d *Device) startPorts(w *wanted) {
	for s := range w.states {
		state := w.states[s]
		if have := unpackPort(d.tables.ports[s].state.Load()); have.number == state.number {
			state.flags |= have.flags
			set(&d.tables.ports[s].state, state.pack())
		}
	}
}

// stopPorts takes from the ports what they are not to have. One that a
// predecessor had, and this program does not list, does nothing any more.
func (d *Device) stopPorts(w *wanted) {
	for s := range w.states {
		set(&d.tables.ports[s].state, w.states[s].pack())
	}
}

// writeConfig writes what concerns all conversations. The ring is made longer
// before, and shorter after, it is said how long it is.
func (d *Device) writeConfig(w *wanted) {
	cfg := d.tables.config
	cfg.idle.Store(uint64(w.idle))
	cfg.seed.Store(w.hash.Seed)
	cfg.mode.Store(uint32(modeOf(w.hash.Mode)))
	var ring [slots]uint16
	copy(ring[:], w.ring)
	for i := range cfg.ring {
		var word uint64
		for n, slot := range ring[i*slotsInWord : (i+1)*slotsInWord] {
			word |= uint64(slot) << (16 * n)
		}
		set(&cfg.ring[i], word)
	}
	cfg.ringLen.Store(uint32(len(w.ring)))
}

func modeOf(m dist.Mode) agrHashMode {
	switch m {
	case dist.L2:
		return agrHashModeMODE_L2
	case dist.L4:
		return agrHashModeMODE_L4
	case dist.L3:
	}
	return agrHashModeMODE_L3
}

// holdMore begins to hold what is not held yet, and returns when no frame of it
// is on its way any more.
func (d *Device) holdMore(w *wanted) {
	var more dist.Set
	for c := range d.tables.plan {
		if w.hold.Has(uint8(c)) && !d.wish(c).hold {
			more.Add(uint8(c))
		}
	}
	if more.Empty() {
		return
	}
	d.holder.keep(&more, w.hash)
	for c := range d.tables.plan {
		if more.Has(uint8(c)) {
			held := d.wish(c)
			held.hold, held.back = true, 0
			d.tables.plan[c].wish.Store(held.pack())
		}
	}
	barrier()
}

// writePlan writes what is wanted of the conversations. One that is released
// goes where the holder sends what it has of it, before anything else.
func (d *Device) writePlan(w *wanted) {
	var back dist.Table
	if d.holder != nil {
		back = d.holder.route(w)
	}
	now := monotonic()
	for c := range d.tables.plan {
		plan := &d.tables.plan[c]
		wish := wish{want: w.want[c], spare: w.spare[c], back: back[c], hold: w.hold.Has(uint8(c))}
		if d.wish(c).want != wish.want {
			plan.since.Store(now)
		}
		set(&plan.wish, wish.pack())
	}
}

func (d *Device) wish(c int) wish { return unpackWish(d.tables.plan[c].wish.Load()) }
