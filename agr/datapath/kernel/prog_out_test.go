package kernel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/dist"
)

// sent are the frames that each slot has sent, the 0th those that were lost.
func (p *progs) sent() (frames [4]uint64) {
	p.t.Helper()
	for slot := range frames {
		st := p.portStats(uint32(slot))
		frames[slot] = st.TxFrames
		if slot == 0 {
			frames[slot] = st.TxErrors
		}
	}
	return frames
}

// wantSent checks how many frames were lost and sent through slots 1 to 3 since
// the test began.
func (p *progs) wantSent(lost, one, two, three uint64) {
	p.t.Helper()
	if diff := cmp.Diff([4]uint64{lost, one, two, three}, p.sent()); diff != "" {
		p.t.Errorf("lost, and sent through the slots (-want +got):\n%s", diff)
	}
}

// unplug takes the interface of a slot away.
func (p *progs) unplug(slot uint32) {
	p.t.Helper()
	p.setPort(slot, func(port *agrPort) { port.Ifindex = gone })
}

// TestOutTable sends each conversation through the port that its plan says.
func TestOutTable(t *testing.T) {
	p := loadForwarding(t)
	hash := dist.Hash{Mode: dist.L3, Seed: 7}
	p.change(func(c *agrConfig) { c.Seed = hash.Seed })
	var want [4]uint64
	for c := range uint32(256) {
		p.put(p.AgrPlan, c, agrPlan{Wish: wish{want: uint16(c % 4)}.pack()})
	}
	for i := range 200 {
		frame := udpFrame(t, byte(i), 64+i)
		slot := hash.Conversation(frame) % 4
		want[slot]++
		before := p.convStats(uint32(hash.Conversation(frame)))
		verdict := uint32(verdictRedirect)
		if slot == 0 {
			verdict = verdictDrop
		}
		p.out(frame, verdict)
		after := p.convStats(uint32(hash.Conversation(frame)))
		if slot != 0 && after != (agrConvStats{Frames: before.Frames + 1, Bytes: before.Bytes + uint64(64+i)}) {
			t.Fatalf("frame of %d octets counted from %+v to %+v", 64+i, before, after)
		}
		if slot == 0 && after != before {
			t.Fatalf("a lost frame counted from %+v to %+v", before, after)
		}
	}
	p.wantSent(want[0], want[1], want[2], want[3])
}

// TestOutPlaced says that the programs remember where a conversation is.
func TestOutPlaced(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 64)
	c := uint32(dist.Hash{}.Conversation(frame))
	if got := p.conversation(c).Slot; got != 0 {
		t.Errorf("before its first frame in slot %d", got)
	}
	p.out(frame, verdictRedirect)
	if got := p.conversation(c).Slot; got != slot1 {
		t.Errorf("then in slot %d, want %d", got, slot1)
	}
}

// TestOutGone uses the spare port when the planned one has gone or does not
// distribute, and remembers where the conversation is then.
func TestOutGone(t *testing.T) {
	frame := udpFrame(t, 1, 64)
	c := uint32(dist.Hash{}.Conversation(frame))
	for name, leave := range map[string]func(*progs){
		"no interface":      func(p *progs) { p.unplug(slot1) },
		"deleted interface": func(p *progs) { p.ns.Run("ip", "link", "delete", "p1") },
		"not distributing":  func(p *progs) { p.setFlags(slot1, works&^agrPortFlagsPORT_DISTRIBUTE) },
	} {
		t.Run(name, func(t *testing.T) {
			p := loadForwarding(t)
			p.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
			p.out(frame, verdictRedirect)
			leave(p)
			p.out(frame, verdictRedirect)
			p.wantSent(0, 1, 1, 0)
			if got := p.conversation(c).Slot; got != slot2 {
				t.Errorf("conversation in slot %d, want %d", got, slot2)
			}
		})
	}
}

// TestOutBackFromSpare lets a conversation go back to the planned port only when
// it may leave the spare one.
func TestOutBackFromSpare(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 64)
	p.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
	ifindex := p.index("p1")
	p.unplug(slot1)
	p.out(frame, verdictRedirect)
	p.setPort(slot1, func(port *agrPort) { port.Ifindex = ifindex })
	p.out(frame, verdictRedirect)
	p.wantSent(0, 0, 2, 0)
	p.change(func(c *agrConfig) { c.Idle = 0 })
	p.out(frame, verdictRedirect)
	p.wantSent(0, 1, 2, 0)
}

// TestOutNoPort drops and counts what no port is there for.
func TestOutNoPort(t *testing.T) {
	frame := udpFrame(t, 1, 64)
	for name, w := range map[string]wish{
		"none planned":          {},
		"none in the slot":      {want: 200},
		"gone without a spare":  {want: slot3},
		"gone with a spare too": {want: slot3, spare: slot2},
		"slot beyond the map":   {want: 999, spare: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			p := loadForwarding(t)
			p.unplug(slot2)
			p.unplug(slot3)
			p.setPlan(agrPlan{Wish: w.pack()})
			p.out(frame, verdictDrop)
			p.out(frame, verdictDrop)
			p.wantSent(2, 0, 0, 0)
		})
	}
}

// TestOutMTU drops what is too long for the port, and counts it there. A tag is
// not part of what the MTU limits.
func TestOutMTU(t *testing.T) {
	p := loadForwarding(t)
	p.out(udpFrame(t, 1, 14+1500), verdictRedirect)
	p.out(udpFrame(t, 1, 14+4+1500), verdictRedirect)
	p.out(udpFrame(t, 1, 14+4+1501), verdictDrop)
	p.ns.Run("ip", "link", "set", "p1", "mtu", "3000")
	p.out(udpFrame(t, 1, 14+4+1501), verdictRedirect)
	p.wantSent(0, 3, 0, 0)
	if got := p.portStats(slot1).TxErrors; got != 1 {
		t.Errorf("%d errors, want 1", got)
	}
}

// TestOutElsewhere lets pass what is not for this program, and drops and counts what must
// not leave through a port.
func TestOutElsewhere(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 64)
	if got := p.run(p.AgrOut, frame, context{Ifindex: p.index("p1")}); got != verdictNext {
		t.Errorf("on another interface: %d, want -1", int32(got))
	}
	p.out(octets(t, lacpAddr+hostMAC+"8809"+payload), verdictDrop)
	p.out(octets(t, lldpAddr+hostMAC+"88cc"+payload), verdictDrop)
	p.out(octets(t, stpAddr+hostMAC+"0026"+payload), verdictRedirect)
	p.wantSent(2, 1, 0, 0)
}

// TestRoundRobin lets the ports take turns; one that has gone is passed over, and
// the plan does not matter.
func TestRoundRobin(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 64)
	p.change(func(c *agrConfig) {
		c.RingLen, c.Turns = 3, 1
		copy(c.Ring[:], []uint16{slot1, slot2, slot3})
	})
	for range 30 {
		p.out(frame, verdictRedirect)
	}
	p.wantSent(0, 10, 10, 10)
	p.setPlan(agrPlan{Wish: wish{want: slot1, hold: true}.pack()})
	p.unplug(slot2)
	for range 30 {
		p.out(frame, verdictRedirect)
	}
	p.wantSent(0, 20, 10, 30)
	p.unplug(slot3)
	p.change(func(c *agrConfig) {
		c.RingLen = 6
		copy(c.Ring[:], []uint16{slot2, slot3, slot2, slot1, slot3, slot1})
	})
	for range 30 {
		p.out(frame, verdictRedirect)
	}
	p.wantSent(0, 50, 10, 30)
	p.unplug(slot1)
	p.out(frame, verdictDrop)
	p.wantSent(1, 50, 10, 30)
	if got := p.totals(); got != (agrTotals{}) {
		t.Errorf("held %+v", got)
	}
}
