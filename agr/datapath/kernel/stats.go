package kernel

import (
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
)

// Placed implements datapath.Device. A conversation that goes elsewhere with its
// next frame whatever happens is there already.
func (d *Device) Placed() dist.Table {
	var t dist.Table
	convs, err := d.tables.conversations()
	if err != nil {
		d.log.Error("conversations not read", "device", d.name, "err", err)
		return t
	}
	now, lasts := monotonic(), d.holder.lastSlots()
	for c := range convs {
		if slot := d.placed(uint8(c), &convs[c], lasts[c], now); convs[c].Slot != 0 {
			t[c] = unpackPort(d.tables.ports[slot].state.Load()).number
		}
	}
	return t
}

// placed is decide of bpf/agr.c for a frame that would come now. A conversation
// that was released is where the holder sends what it has of it. One that is held
// is where its last frame left: through last, if the holder sent that, else where
// its direct way was.
func (d *Device) placed(c uint8, conv *agrConversation, last uint16, now uint64) uint16 {
	plan := &d.tables.plan[c]
	w := unpackWish(plan.wish.Load())
	switch {
	case w.hold && conv.Held != 0 && last != 0:
		return last
	case w.hold:
		return conv.Slot
	case conv.Held != 0 && w.back != 0:
		return w.back
	case conv.Held != 0 && conv.Punted != plan.drained.Load():
		return conv.Slot
	case conv.Held != 0 || d.mayLeave(conv.Slot, max(conv.Last, plan.since.Load()), now):
		return w.want
	}
	return conv.Slot
}

// mayLeave is may_leave of bpf/agr.c.
func (d *Device) mayLeave(slot uint16, last, now uint64) bool {
	port := &d.tables.ports[slot]
	flags := unpackPort(port.state.Load()).flags
	quiet := now
	if flags&agrPortFlagsPORT_QUEUES != 0 {
		quiet = port.empty.Load()
	}
	return flags&agrPortFlagsPORT_DISTRIBUTE == 0 || quiet > last && quiet-last >= d.tables.config.idle.Load()
}

// Stats implements datapath.Device. A frame that is still to be segmented counts
// as one. What a predecessor sent of held frames is missing.
func (d *Device) Stats() datapath.Stats {
	s := d.Totals()
	d.conversationStats(&s)
	return s
}

// Totals implements datapath.Device.
func (d *Device) Totals() datapath.Stats {
	s := datapath.Stats{Ports: make(map[uint16]datapath.PortStats, len(d.ports))}
	for number, p := range d.ports {
		s.Ports[number] = d.portStats(p)
	}
	nowhere, err := d.tables.portStats(0)
	if err != nil {
		d.log.Error("counters not read", "device", d.name, "err", err)
	}
	s.Drops = nowhere.TxErrors + d.drops.Load()
	if totals, err := d.tables.totals(); err == nil {
		s.Held = totals.PuntedFrames - d.tables.config.drainedFrames.Load()
	}
	return s
}

func (d *Device) portStats(p *port) datapath.PortStats {
	st, err := d.tables.portStats(p.slot)
	if err != nil {
		d.log.Error("counters not read", "device", d.name, "port", p.Name, "err", err)
	}
	return datapath.PortStats{
		RxFrames: st.RxFrames, RxBytes: st.RxBytes, RxDropped: st.RxDropped,
		TxFrames: st.TxFrames + p.frames.Load(),
		TxBytes:  st.TxBytes + p.bytes.Load(),
		TxErrors: st.TxErrors + p.errors.Load(),
	}
}

func (d *Device) conversationStats(s *datapath.Stats) {
	each, err := d.tables.conversationStats()
	if err != nil {
		d.log.Error("counters not read", "device", d.name, "err", err)
		return
	}
	processors := len(each) / dist.Conversations
	for i, st := range each {
		c := &s.Conversations[i/processors]
		c.Frames += st.Frames
		c.Bytes += st.Bytes
	}
}
