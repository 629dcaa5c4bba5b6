package kernel

import (
	"testing"
	"time"

	"ifagr/agr/dist"
)

// orphan lets a LACPDU come to p1, with which it is noticed that the daemon is dead.
func (k *keeper) orphan() {
	k.t.Helper()
	k.hear(lacpdu(them, us))
	if got := k.progs.totals().Orphaned; got != k.config.alive.Load() {
		k.t.Fatalf("not noticed: %d, want %d", got, k.config.alive.Load())
	}
}

// silence makes the partner of a slot one that was heard last so long ago.
func (k *keeper) silence(slot uint32, ago time.Duration) {
	k.t.Helper()
	k.keeps[slot].since.Store(0)
	k.put(k.progs.AgrHeard, slot, agrHeard{At: monotonic() - uint64(ago)})
}

// TestNoticed: a daemon is dead when a LACPDU comes a second after its last sign
// of life, and not any more with its next.
func TestNoticed(t *testing.T) {
	k := loadKeeping(t)
	k.config.alive.Store(monotonic())
	k.hear(lacpdu(them, us))
	if got := k.progs.totals().Orphaned; got != 0 {
		t.Errorf("taken for dead: %d", got)
	}
	k.config.alive.Store(monotonic() - 2e9)
	k.silence(slot1, time.Hour)
	frame := udpFrame(t, 1, 64)
	k.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
	k.out(frame, verdictRedirect)
	k.wantSent(0, 1, 0, 0) // nobody has noticed
	k.orphan()
	k.silence(slot1, time.Hour)
	k.out(frame, verdictRedirect)
	k.wantSent(0, 1, 1, 0)
	k.change(func(c *agrConfig) { c.Alive, c.Idle = monotonic(), 0 })
	k.out(frame, verdictRedirect)
	k.wantSent(0, 2, 1, 0)
}

// TestLeftOut leaves out what must not be used, in favour of the spare port, else
// of what there is.
func TestLeftOut(t *testing.T) {
	stop := func(slot uint32) func(*keeper) {
		return func(k *keeper) {
			h := k.heardAt(uint16(slot))
			h.Stop = k.keeps[slot].turn.Load()
			k.put(k.progs.AgrHeard, slot, h)
		}
	}
	old := func(slot uint32) func(*keeper) { return func(k *keeper) { k.silence(slot, 4*time.Second) } }
	for name, tt := range map[string]struct {
		change []func(*keeper)
		want   [4]uint64 // lost, and through the slots
	}{
		"none":                        {nil, [4]uint64{0, 1, 0, 0}},
		"heard three seconds ago":     {[]func(*keeper){func(k *keeper) { k.silence(slot1, 3*time.Second) }}, [4]uint64{0, 1, 0, 0}},
		"its partner is silent":       {[]func(*keeper){old(slot1)}, [4]uint64{0, 0, 1, 0}},
		"its partner has stopped":     {[]func(*keeper){stop(slot1)}, [4]uint64{0, 0, 1, 0}},
		"so is the spare one's":       {[]func(*keeper){old(slot1), old(slot2)}, [4]uint64{0, 0, 0, 1}},
		"the spare one's has stopped": {[]func(*keeper){old(slot1), stop(slot2)}, [4]uint64{0, 0, 0, 1}},
		"all are silent":              {[]func(*keeper){old(slot1), old(slot2), old(slot3)}, [4]uint64{0, 1, 0, 0}},
		"one stopped, others silent":  {[]func(*keeper){stop(slot1), old(slot2), stop(slot3)}, [4]uint64{0, 0, 1, 0}},
		"all have stopped":            {[]func(*keeper){stop(slot1), stop(slot2), stop(slot3)}, [4]uint64{1, 0, 0, 0}},
		"it has no LACP partner": {
			[]func(*keeper){old(slot1), func(k *keeper) { k.keeps[slot1].hush() }}, [4]uint64{0, 1, 0, 0},
		},
		"no LACPDU is ever old": {
			[]func(*keeper){func(k *keeper) {
				forever := keepUs()
				forever.Old = 0
				k.say(slot1, forever)
				k.silence(slot1, time.Hour)
			}}, [4]uint64{0, 1, 0, 0},
		},
		"it has just been programmed": {
			[]func(*keeper){old(slot1), func(k *keeper) { k.keeps[slot1].since.Store(monotonic()) }}, [4]uint64{0, 1, 0, 0},
		},
		"what stopped it was said before": {
			[]func(*keeper){stop(slot1), func(k *keeper) { k.say(slot1, without(keepUs(), expired|distributing)) }},
			[4]uint64{0, 1, 0, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := loadKeeping(t)
			k.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
			k.orphan()
			for _, f := range tt.change {
				f(k)
			}
			verdict := uint32(verdictRedirect)
			if tt.want[0] > 0 {
				verdict = verdictDrop
			}
			k.out(udpFrame(t, 1, 64), verdict)
			k.wantSent(tt.want[0], tt.want[1], tt.want[2], tt.want[3])
		})
	}
}

// TestStopsAndComesBack: a partner that says that it does not collect gets nothing
// more from a dead daemon's port, and gets it again when it does.
func TestStopsAndComesBack(t *testing.T) {
	k := loadKeeping(t)
	k.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
	k.config.idle.Store(0)
	frame := udpFrame(t, 1, 64)
	k.orphan()
	k.out(frame, verdictRedirect)
	k.wantSent(0, 1, 0, 0)
	waiting := them
	waiting.state &^= collecting | distributing
	k.hear(lacpdu(waiting, us))
	k.out(frame, verdictRedirect)
	k.wantSent(0, 1, 1, 0)
	k.hear(lacpdu(them, us))
	k.out(frame, verdictRedirect)
	k.wantSent(0, 2, 1, 0)
}

// TestCoupledPartner: with coupled control nobody waits for Collecting.
func TestCoupledPartner(t *testing.T) {
	k := loadKeeping(t)
	coupled := keepUs()
	coupled.Need = synchronization
	k.say(slot1, coupled)
	waiting := them
	waiting.state &^= collecting
	k.hear(lacpdu(waiting, us))
	if got, want := k.heardAt(slot1).outcome(), (outcome{known: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestIndividualPartner: one that does not aggregate need not know us to be in
// sync (6.4.9, recordPDU).
func TestIndividualPartner(t *testing.T) {
	k := loadKeeping(t)
	alone, stranger := them, us
	alone.state &^= aggregation
	stranger.system = 9
	k.hear(lacpdu(alone, stranger))
	if got, want := k.heardAt(slot1).outcome(), (outcome{known: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestLeftOutInTurns: round robin passes over what is left out.
func TestLeftOutInTurns(t *testing.T) {
	k := loadKeeping(t)
	k.config.turns.Store(1)
	frame := udpFrame(t, 1, 64)
	k.orphan()
	k.silence(slot2, time.Hour)
	for range 30 {
		k.out(frame, verdictRedirect)
	}
	k.wantSent(0, 10, 0, 20)
	k.silence(slot1, time.Hour)
	k.silence(slot3, time.Hour)
	for range 30 {
		k.out(frame, verdictRedirect)
	}
	k.wantSent(0, 20, 10, 30)
}

// TestSharedOut: the conversations of a port that is left out, and whose spare one
// is, are shared out among the others, each always to the same.
func TestSharedOut(t *testing.T) {
	k := loadKeeping(t)
	k.put(k.progs.AgrPorts, slotLo, agrPort{Ifindex: k.index("far-p1"), Number: slotLo, Flags: works})
	k.config.writeRing([]uint16{slot1, slot2, slot3, slotLo})
	k.setPlan(agrPlan{Wish: wish{want: slot1, spare: slot2}.pack()})
	k.orphan()
	k.silence(slot1, time.Hour)
	k.silence(slot2, time.Hour)
	var where [dist.Conversations]uint16
	count := map[uint16]int{}
	for round := range 3 {
		for i := range 250 {
			frame := udpFrame(t, byte(i), 64)
			c := dist.Hash{}.Conversation(frame)
			k.out(frame, verdictRedirect)
			slot := k.conversation(uint32(c)).Slot
			if round > 0 && where[c] != slot {
				t.Fatalf("conversation %d went to slot %d, then to %d", c, where[c], slot)
			}
			where[c] = slot
			if round == 0 {
				count[slot]++
			}
		}
	}
	t.Log(count)
	if count[slot3] < 40 || count[slotLo] < 40 || count[slot3]+count[slotLo] != 250 {
		t.Errorf("shared out as %v", count)
	}
}
