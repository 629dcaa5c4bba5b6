package kernel

import (
	"testing"

	"ifagr/agr/dist"
)

// one is the frame of a single conversation, and its number.
func one(t testing.TB) (frame []byte, c uint32) {
	t.Helper()
	frame = udpFrame(t, 1, 64)
	return frame, uint32(dist.Hash{}.Conversation(frame))
}

// setConversation puts a conversation into a state.
func (p *progs) setConversation(c uint32, conv agrConversation) {
	p.t.Helper()
	p.put(p.AgrConvs, c, conv)
}

// TestIdle says when a conversation may leave its port. Its last frame was at
// 10,000, idle is 1,000, and it is now much later.
func TestIdle(t *testing.T) {
	const (
		last, idle = 10_000, 1_000
		queues     = works | agrPortFlagsPORT_QUEUES
		left       = agrPortFlagsPORT_ATTACHED
	)
	now := monotonic()
	tests := []struct {
		name              string
		flags             agrPortFlags
		idle, since, last uint64
		empty             uint64
		moves             bool
	}{
		{name: "silent", flags: works, idle: idle, last: last, moves: true},
		{name: "silent, planned since", flags: works, idle: idle, last: last, since: last + 1, moves: true},
		{name: "not long enough", flags: works, idle: hour, last: now},
		{name: "not long enough since it was planned", flags: works, idle: hour, since: now},
		{name: "its last frame is later than now", flags: works, idle: idle, last: now + hour},
		{name: "planned later than now", flags: works, idle: idle, since: now + hour},
		{name: "never sent", flags: works, idle: idle, moves: true},

		{name: "queue never seen empty", flags: queues, idle: idle, last: last},
		{name: "queue empty before", flags: queues, idle: idle, last: last, empty: last - 1},
		{name: "queue empty too soon", flags: queues, idle: idle, last: last, empty: last + idle - 1},
		{name: "queue empty afterwards", flags: queues, idle: idle, last: last, empty: last + idle, moves: true},
		{name: "queue empty before it was planned", flags: queues, idle: idle, since: last + idle, empty: last + idle},

		{name: "port does not distribute", flags: left, idle: hour, last: now, moves: true},
		{name: "port has a queue and does not distribute", flags: left | agrPortFlagsPORT_QUEUES, idle: hour, last: now, moves: true},
	}
	p := loadForwarding(t)
	frame, c := one(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.setPort(slot1, func(port *agrPort) { port.Flags, port.Empty = tt.flags, tt.empty })
			p.change(func(c *agrConfig) { c.Idle = tt.idle })
			p.setPlan(agrPlan{Wish: wish{want: slot2}.pack(), Since: tt.since})
			p.setConversation(c, agrConversation{Slot: slot1, Last: tt.last})
			before := p.sent()
			p.out(frame, verdictRedirect)
			if moved := p.sent()[slot2] > before[slot2]; moved != tt.moves {
				t.Errorf("moved: %v, want %v", moved, tt.moves)
			}
			if conv := p.conversation(c); (conv.Slot == slot2) != tt.moves || conv.Last < max(now, tt.last) {
				t.Errorf("conversation is %+v", conv)
			}
		})
	}
}

// TestBusyStays keeps a conversation that is never silent where it is, and counts
// its silence from each frame.
func TestBusyStays(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.out(frame, verdictRedirect)
	p.setPlan(agrPlan{Wish: wish{want: slot2}.pack(), Since: monotonic()})
	for range 10 {
		before := p.conversation(c).Last
		p.out(frame, verdictRedirect)
		if after := p.conversation(c).Last; after <= before {
			t.Fatalf("last frame at %d, then at %d", before, after)
		}
	}
	p.wantSent(0, 11, 0, 0)
	p.setPlan(agrPlan{Wish: wish{want: slot1}.pack()})
	p.out(frame, verdictRedirect)
	p.wantSent(0, 12, 0, 0)
}
