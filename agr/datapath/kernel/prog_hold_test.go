package kernel

import "testing"

// held checks what the daemon was handed since the test began.
func (p *progs) held(frames uint64) {
	p.t.Helper()
	if got := p.totals().PuntedFrames; got != frames {
		p.t.Errorf("%d frames handed over, want %d", got, frames)
	}
}

// drain says that the daemon has sent frames of a conversation.
func (p *progs) drain(c uint32, frames, size uint64) {
	p.t.Helper()
	var plan agrPlan
	p.get(p.AgrPlan, c, &plan)
	plan.Drained += frames
	p.put(p.AgrPlan, c, plan)
	p.change(func(cfg *agrConfig) {
		cfg.DrainedFrames += frames
		cfg.DrainedBytes += frames * size
	})
}

// wishOf changes the wish of a conversation and leaves what was drained.
func (p *progs) wishOf(c uint32, w wish) {
	p.t.Helper()
	var plan agrPlan
	p.get(p.AgrPlan, c, &plan)
	plan.Wish = w.pack()
	p.put(p.AgrPlan, c, plan)
}

// TestHold follows a conversation from one port to another: its frames go to the
// daemon while it is held, and afterwards until the daemon has sent all of them.
func TestHold(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.out(frame, verdictRedirect)
	p.wantSent(0, 1, 0, 0)

	p.wishOf(c, wish{want: slot1, hold: true})
	for range 5 {
		p.out(frame, verdictRedirect)
	}
	p.held(5)
	p.drain(c, 5, 64) // what the daemon has sent does not matter while it is held
	p.out(frame, verdictRedirect)
	p.held(6)
	p.wantSent(0, 1, 0, 0)
	if st := p.convStats(c); st.Frames != 7 {
		t.Errorf("counted %d frames of it, want 7", st.Frames)
	}
	if got := p.totals().PuntedBytes; got != 6*64 {
		t.Errorf("%d octets handed over, want %d", got, 6*64)
	}

	p.wishOf(c, wish{want: slot2})
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.held(8)
	p.drain(c, 2, 64)
	p.out(frame, verdictRedirect)
	p.held(9)
	p.wantSent(0, 1, 0, 0)
	p.drain(c, 2, 64)
	p.out(frame, verdictRedirect)
	p.held(9)
	p.wantSent(0, 1, 1, 0)
	if conv := p.conversation(c); conv.Held != 0 || conv.Slot != slot2 || conv.Punted != 9 {
		t.Errorf("conversation is %+v", conv)
	}
}

// TestHoldWithoutFrames moves a conversation at once that was held and silent.
func TestHoldWithoutFrames(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.out(frame, verdictRedirect)
	p.wishOf(c, wish{want: slot1, hold: true})
	p.setFlags(slot1, works&^agrPortFlagsPORT_DISTRIBUTE)
	p.wishOf(c, wish{want: slot2})
	p.out(frame, verdictRedirect)
	p.held(0)
	p.wantSent(0, 1, 1, 0)
}

// TestHoldBack returns a conversation to the port that the daemon sends it
// through, even if another is wanted by now, and lets it move when it is idle.
func TestHoldBack(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.wishOf(c, wish{want: slot1, hold: true})
	p.out(frame, verdictRedirect)
	p.wishOf(c, wish{want: slot3, back: slot2})
	p.out(frame, verdictRedirect)
	p.held(2)
	p.drain(c, 2, 64)
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.wantSent(0, 0, 2, 0)
	p.change(func(cfg *agrConfig) { cfg.Idle = 0 })
	p.out(frame, verdictRedirect)
	p.wantSent(0, 0, 2, 1)
}

// TestHoldOthers leaves the other conversations alone.
func TestHoldOthers(t *testing.T) {
	p := loadForwarding(t)
	_, c := one(t)
	p.wishOf(c, wish{want: slot1, hold: true})
	p.out(udpFrame(t, 2, 64), verdictRedirect)
	p.held(0)
	p.wantSent(0, 1, 0, 0)
}

// TestHoldFull drops what there is no room for, by frames and by octets. While
// the conversation is held, there is room again when the daemon has made some.
func TestHoldFull(t *testing.T) {
	limits := map[string]func(*agrConfig){
		"frames": func(c *agrConfig) { c.HoldFrames = 3 },
		"octets": func(c *agrConfig) { c.HoldBytes = 3 * 64 },
	}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			p := loadForwarding(t)
			frame, c := one(t)
			p.change(limit)
			p.wishOf(c, wish{want: slot1, hold: true})
			for range 3 {
				p.out(frame, verdictRedirect)
			}
			p.out(frame, verdictDrop)
			p.held(3)
			p.drain(c, 1, 64)
			p.out(frame, verdictRedirect)
			p.out(frame, verdictDrop)
			p.held(4)
			p.wantSent(2, 0, 0, 0)
		})
	}
}

// TestHoldFullThenBack: once a conversation that is to return has found no room,
// the rest is dropped until the daemon has sent what it has. So one that sends as
// fast as the daemon does returns as well, and in order.
func TestHoldFullThenBack(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.change(func(cfg *agrConfig) { cfg.HoldFrames = 2 })
	p.wishOf(c, wish{want: slot1, hold: true})
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.wishOf(c, wish{want: slot2})
	p.out(frame, verdictDrop)
	p.drain(c, 1, 64)
	p.out(frame, verdictDrop)
	p.held(2)
	p.drain(c, 1, 64)
	p.out(frame, verdictRedirect)
	p.held(2)
	p.wantSent(2, 0, 1, 0)
	p.wishOf(c, wish{want: slot2, hold: true})
	p.out(frame, verdictRedirect)
	p.held(3)
}

// TestHoldWithoutDaemon goes the direct way when there is nobody to hold frames,
// or not any more: nothing can be overtaken then.
func TestHoldWithoutDaemon(t *testing.T) {
	for name, leave := range map[string]func(*progs){
		"none":    func(p *progs) { p.change(func(c *agrConfig) { c.Hold = 0 }) },
		"gone":    func(p *progs) { p.change(func(c *agrConfig) { c.Hold = gone }) },
		"deleted": func(p *progs) { p.ns.Run("ip", "link", "delete", "hold") },
	} {
		t.Run(name, func(t *testing.T) {
			p := loadForwarding(t)
			frame, c := one(t)
			p.wishOf(c, wish{want: slot2, hold: true})
			p.out(frame, verdictRedirect)
			p.held(1)
			leave(p)
			p.out(frame, verdictRedirect)
			p.out(frame, verdictRedirect)
			p.held(1)
			p.wantSent(0, 0, 2, 0)
			if conv := p.conversation(c); conv.Held != 0 || conv.Full != 0 {
				t.Errorf("conversation is %+v", conv)
			}
		})
	}
}

// TestHoldAgainAfterFull: what a conversation lost before it was to be held again
// is no reason to lose what comes then, whatever the daemon has sent.
func TestHoldAgainAfterFull(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.change(func(cfg *agrConfig) { cfg.HoldFrames = 2 })
	p.wishOf(c, wish{want: slot1, hold: true})
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.wishOf(c, wish{want: slot2})
	p.out(frame, verdictDrop)
	p.wishOf(c, wish{want: slot2, hold: true})
	p.drain(c, 1, 64)
	p.out(frame, verdictRedirect)
	p.drain(c, 2, 64)
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.held(5)
	p.wantSent(1, 0, 0, 0)
}

// TestHoldGap hands nothing over in a conversation's gap, and sends nothing
// directly before the daemon says that everything is sent.
func TestHoldGap(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.wishOf(c, wish{want: slot1, hold: true})
	p.out(frame, verdictRedirect)
	p.out(frame, verdictRedirect)
	p.wishOf(c, wish{want: slot2, back: slot2})
	p.setGap(c, 1)
	p.out(frame, verdictDrop)
	p.setGap(c, 0)
	p.out(frame, verdictDrop)
	p.held(2)
	p.drain(c, 2, 64)
	p.out(frame, verdictRedirect)
	p.wantSent(2, 0, 1, 0)
}

func (p *progs) setGap(c uint32, gap uint64) {
	p.t.Helper()
	var plan agrPlan
	p.get(p.AgrPlan, c, &plan)
	plan.Gap = gap
	p.put(p.AgrPlan, c, plan)
}
