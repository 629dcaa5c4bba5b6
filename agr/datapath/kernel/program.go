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
	ring   []uint16 // slots of the ports that distribute
	turns  bool     // they take turns
	hold   dist.Set
	settle bool
	states [slots]portState
	dead   [slots]bool
}

// Program implements datapath.Device. It fails, and changes nothing, when it
// names a port that was not added. When frames are to be held and nothing can take
// them it fails as well, and only what never waits has changed: ports that are to
// collect or to distribute do, and conversations have left dead ones.
func (d *Device) Program(p datapath.Program) error {
	w, err := d.compile(p)
	if err == nil {
		d.startPorts(w)
		d.leaveDead(w)
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
	w := &wanted{hash: p.Hash, idle: p.Idle, hold: p.Hold, settle: p.Settle}
	for _, ports := range []map[uint16]*port{d.loaded, d.ports} { // the former keep their slots
		for number, port := range ports {
			w.states[port.slot] = portState{uint32(port.Index), number, agrPortFlagsPORT_ATTACHED}
		}
	}
	var ring []uint16
	for _, s := range p.Ports {
		port := d.ports[s.Number]
		if port == nil {
			return nil, fmt.Errorf("port %d: %w", s.Number, datapath.ErrNoPort)
		}
		flags := flagsOf(s)
		w.states[port.slot] = portState{uint32(port.Index), s.Number, flags}
		w.dead[port.slot] = s.Dead
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
	w.ring = ring
	if p.RoundRobin {
		w.turns, w.hold = true, dist.Set{}
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

// write gives the rest of a program, after startPorts and leaveDead, to the eBPF
// programs, which go on meanwhile. A port that is to distribute does before a
// conversation is sent there, and one that stops does until none is; what is to be
// held is on its way to no port before its own one stops. What is as it should be
// is not written.
func (d *Device) write(w *wanted) {
	d.writeConfig(w)
	d.writeFree(w)
	settled := d.holdMore(w)
	d.writePlan(w)
	d.stopPorts(w)
	if d.holder != nil {
		d.holder.flush()
	}
	if w.settle && !settled {
		barrier()
	}
}

// writeFree writes the plan of conversations that nobody holds, nor has held lately, so
// that the barrier of those that are to be held is for these, too.
func (d *Device) writeFree(w *wanted) {
	if !w.settle {
		return
	}
	direct, now := d.direct(), monotonic()
	for c := range d.tables.plan {
		if have := d.wish(c); direct.Has(uint8(c)) && !have.hold && have.back == 0 && !w.hold.Has(uint8(c)) {
			d.writeWish(c, wish{want: w.want[c], spare: w.spare[c]}, now)
		}
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

// leaveDead takes the conversations of dead ports elsewhere, before anything is
// waited for. What is held, or is to be, waits with its kind.
func (d *Device) leaveDead(w *wanted) {
	now := monotonic()
	for c := range d.tables.plan {
		if have := d.wish(c); w.dead[have.want] && !have.hold && !w.hold.Has(uint8(c)) {
			have.want, have.spare = w.want[c], w.spare[c]
			d.writeWish(c, have, now)
		}
	}
	for s := range w.states {
		if w.dead[s] {
			set(&d.tables.ports[s].state, w.states[s].pack())
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

// writeConfig writes what concerns all conversations.
func (d *Device) writeConfig(w *wanted) {
	cfg := d.tables.config
	cfg.idle.Store(uint64(w.idle))
	cfg.seed.Store(w.hash.Seed)
	cfg.mode.Store(uint32(modeOf(w.hash.Mode)))
	cfg.writeRing(w.ring)
	turns := uint64(0)
	if w.turns {
		turns = 1
	}
	cfg.turns.Store(turns)
}

// writeRing writes the slots that distribute, and then how many they are. What is
// behind them stays: a program may still go by the length from before.
func (cfg *configEntry) writeRing(ring []uint16) {
	for i, slot := range ring {
		word, shift := &cfg.ring[i/slotsInWord], 16*(i%slotsInWord)
		set(word, word.Load()&^(0xffff<<shift)|uint64(slot)<<shift)
	}
	cfg.ringLen.Store(uint32(len(ring)))
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
// is on its way any more. It reports whether it had to wait.
func (d *Device) holdMore(w *wanted) bool {
	var more dist.Set
	for c := range d.tables.plan {
		if w.hold.Has(uint8(c)) && !d.wish(c).hold {
			more.Add(uint8(c))
		}
	}
	if more.Empty() {
		return false
	}
	d.holder.keep(&more, w.hash, d.direct())
	for c := range d.tables.plan {
		if more.Has(uint8(c)) {
			held := d.wish(c)
			held.hold, held.back = true, 0
			d.tables.plan[c].wish.Store(held.pack())
		}
	}
	barrier()
	return true
}

// writePlan writes what is wanted of the conversations. One that is released
// goes where the holder sends what it has of it, before anything else.
func (d *Device) writePlan(w *wanted) {
	back := d.ways(w)
	now := monotonic()
	for c := range d.tables.plan {
		d.writeWish(c, wish{want: w.want[c], spare: w.spare[c], back: back[c], hold: w.hold.Has(uint8(c))}, now)
	}
}

// writeWish says what is wanted of one conversation.
func (d *Device) writeWish(c int, to wish, now uint64) {
	plan := &d.tables.plan[c]
	if d.wish(c).want != to.want {
		plan.since.Store(now)
	}
	set(&plan.wish, to.pack())
}

// ways tells where released conversations go first. One that was silent since may
// have to even when there is no holder any more: its next frame must not leave
// through another port than the one before it.
func (d *Device) ways(w *wanted) (back dist.Table) {
	if d.holder != nil {
		return d.holder.route(w)
	}
	for c := range d.tables.plan {
		if have := d.wish(c).back; w.distributes(have) {
			back[c] = have
		}
	}
	return back
}

// direct are the conversations of which the programs hand nothing to a holder.
func (d *Device) direct() (s dist.Set) {
	convs, err := d.tables.conversations()
	if err != nil {
		d.log.Error("conversations not read", "device", d.name, "err", err)
	}
	for c := range convs {
		if convs[c].Held == 0 {
			s.Add(uint8(c))
		}
	}
	return s
}

func (d *Device) wish(c int) wish { return unpackWish(d.tables.plan[c].wish.Load()) }
