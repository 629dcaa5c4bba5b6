package user

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
)

// TestRoute follows one conversation. Design D7: it moves at once from a port
// that is lost or may not distribute any more, else when it was idle.
func TestRoute(t *testing.T) {
	const idle = time.Millisecond
	program := func(table uint16, states ...datapath.PortState) datapath.Program {
		return datapath.Program{Ports: states, Table: every(table), Idle: idle}
	}
	stopped := datapath.PortState{Number: 1, Collecting: true}
	dead := datapath.PortState{Number: 1, Distributing: true, Dead: true}
	type step struct {
		at      time.Duration
		program datapath.Program
		want    uint16 // port of a frame sent then; 0: dropped
	}
	first := step{0, program(1, good(1), good(2)), 1}
	tests := []struct {
		name  string
		steps []step
	}{
		{"never idle", []step{
			first,
			{900 * time.Microsecond, program(2, good(1), good(2)), 1},
			{1800 * time.Microsecond, program(2, good(1), good(2)), 1},
			{2700 * time.Microsecond, program(2, good(1), good(2)), 1},
		}},
		{"idle", []step{
			first,
			{500 * time.Microsecond, program(2, good(1), good(2)), 1},
			{1500 * time.Microsecond, program(2, good(1), good(2)), 2},
			{1501 * time.Microsecond, program(2, good(1), good(2)), 2},
		}},
		{"old port dead", []step{first, {1, program(2, dead, good(2)), 2}}},
		{"old port may not distribute", []step{first, {1, program(2, stopped, good(2)), 2}}},
		{"old port not in the program", []step{first, {1, program(2, good(2)), 2}}},
		{"to no port, and on before it was idle", []step{
			first,
			{1, program(0, good(1), good(2)), 0},
			{2, program(2, good(1), good(2)), 1},
		}},
		{"to no port, and on when it was idle", []step{
			first,
			{1, program(0, good(1), good(2)), 0},
			{time.Millisecond, program(2, good(1), good(2)), 2},
		}},
		{"back before it moved", []step{
			first,
			{1, program(2, good(1), good(2)), 1},
			{2, program(1, good(1), good(2)), 1},
		}},
		{"wanted port dead", []step{first, {1, program(1, dead, good(2)), 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(1, 2)
			for i, s := range tt.steps {
				r.set(t, s.program)
				r.wires[1].sent, r.wires[2].sent = nil, nil
				r.dispatch(s.at, data(1))
				var got uint16
				for n, w := range r.wires {
					if len(w.sent) == 1 {
						got = n
					}
				}
				if got != s.want {
					t.Fatalf("step %d: sent to port %d, want %d", i, got, s.want)
				}
			}
		})
	}
}

// TestQueues moves a conversation away from a port that has a transmit queue: not
// before the queue was seen empty, at the end of a pause.
func TestQueues(t *testing.T) {
	queues := good(1)
	queues.Queues = true
	r := newRig(1, 2)
	set := func(table uint16) {
		r.set(t, datapath.Program{
			Ports: []datapath.PortState{queues, good(2)}, Table: every(table), Idle: time.Millisecond,
		})
	}
	set(1)
	r.dispatch(0, data(0))
	set(2)
	steps := []struct {
		name  string
		empty time.Duration // when the queue was seen empty; 0: not again
		at    time.Duration // of a frame
		want  uint16
	}{
		{"never seen empty", 0, 5 * time.Millisecond, 1},
		{"just seen empty", 5500 * time.Microsecond, 9 * time.Millisecond, 1},
		{"seen empty before the last frame", 0, 19 * time.Millisecond, 1},
		{"seen empty after a pause", 20 * time.Millisecond, 21 * time.Millisecond, 2},
	}
	r.QueueEmpty(1) // a single one may have been late
	for _, s := range steps {
		if s.empty != 0 {
			r.clock = s.empty
			r.QueueEmpty(1)
			r.QueueEmpty(1) // the first one counts now
		}
		r.QueueEmpty(9) // is no port
		r.dispatch(s.at, data(1))
		if got := r.Placed()[of(dist.Hash{}, 2)]; got != s.want {
			t.Errorf("%s: sent to port %d, want %d", s.name, got, s.want)
		}
	}
}

// TestIdleFromTheEnd: a frame that took long to be sent makes its conversation
// busy for as long.
func TestIdleFromTheEnd(t *testing.T) {
	r := newRig(1, 2)
	p := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(1), Idle: time.Millisecond}
	r.set(t, p)
	r.wires[1].took = func() { r.clock += 3 * time.Millisecond }
	r.dispatch(0, data(0))
	p.Table = every(2)
	r.set(t, p)
	r.dispatch(3500*time.Microsecond, data(1))
	if n := len(r.wires[1].sent); n != 2 {
		t.Errorf("%d frames through port 1, want 2", n)
	}
}

func TestPlaced(t *testing.T) {
	r := newRig(1, 2)
	var want dist.Table
	look := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, r.Placed()); diff != "" {
			t.Errorf("%s: -want +got\n%s", when, diff)
		}
	}
	look("before the first frame")
	p := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(1)}
	r.set(t, p)
	r.dispatch(0, to(7, 0), to(8, 0))
	want[of(p.Hash, 7)], want[of(p.Hash, 8)] = 1, 1
	look("after a frame of two conversations")
	p.Hold.Add(of(p.Hash, 7))
	p.Table = every(2)
	r.set(t, p)
	r.dispatch(1, to(7, 0), to(8, 0))
	want[of(p.Hash, 8)] = 2
	look("one held")
	r.program.Store(r.program.Load().without(r.ports[2]))
	r.dispatch(2)
	want[of(p.Hash, 8)] = 0
	look("port 2 removed")
	p.Hold = dist.Set{}
	r.set(t, p)
	r.dispatch(3)
	want[of(p.Hash, 7)] = 2
	look("nothing held")
}

func TestConversationCounters(t *testing.T) {
	r := newRig(1)
	r.set(t, datapath.Program{Ports: []datapath.PortState{good(1)}, Table: every(1)})
	r.dispatch(0, to(7, 0), to(8, 0), to(7, 1), reserved())
	var want [dist.Conversations]datapath.ConversationStats
	want[of(dist.Hash{}, 7)] = datapath.ConversationStats{Frames: 2, Bytes: 120}
	want[of(dist.Hash{}, 8)] = datapath.ConversationStats{Frames: 1, Bytes: 60}
	if diff := cmp.Diff(want, r.Stats().Conversations); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRoundRobin(t *testing.T) {
	r := newRig(1, 2, 3)
	r.set(t, datapath.Program{
		Ports:      []datapath.PortState{good(3), good(1), {Number: 2}},
		Table:      every(2),
		RoundRobin: true,
	})
	r.out.turn = math.MaxUint32 // 32 bits: the next is 0
	r.dispatch(0, data(0), data(1), data(2), data(3))
	got := map[uint16][]string{1: r.wires[1].sent, 2: r.wires[2].sent, 3: r.wires[3].sent}
	want := map[uint16][]string{1: {text(0), text(2)}, 2: nil, 3: {text(1), text(3)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames by port: -want +got\n%s", diff)
	}
}

// TestDispatch sends one conversation, which stays in order, among frames that
// are dropped.
func TestDispatch(t *testing.T) {
	r := newRig(1, 2)
	r.set(t, datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(2)})
	runt := make([]byte, 5)
	r.dispatch(0, data(0), reserved(), data(1), runt, data(2))
	if diff := cmp.Diff([]string{text(0), text(1), text(2)}, r.wires[2].sent); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if n := r.out.drops.Load(); n != 2 {
		t.Errorf("%d frames dropped, want 2", n)
	}
	if want := (datapath.PortStats{TxFrames: 3, TxBytes: 180}); r.ports[2].stats() != want {
		t.Errorf("counters %+v, want %+v", r.ports[2].stats(), want)
	}
}

func TestDispatchWithoutProgram(t *testing.T) {
	r := newRig(1)
	r.dispatch(0, data(0), data(1))
	if n := r.out.drops.Load(); n != 2 || len(r.wires[1].sent) != 0 {
		t.Errorf("%d frames dropped, %d sent; want 2 and 0", n, len(r.wires[1].sent))
	}
}

// TestDispatchHashes wants both ports of a table used, and always the same one
// for the same addresses.
func TestDispatchHashes(t *testing.T) {
	r := newRig(1, 2)
	table := dist.Rebalance(dist.Table{}, []dist.Share{{Port: 1}, {Port: 2}})
	r.set(t, datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: table})
	for round := range 2 {
		for i := range 64 {
			f := data(1)
			f[15] = byte(i) // of the destination
			r.dispatch(time.Duration(round), f)
		}
	}
	a, b := r.wires[1].sent, r.wires[2].sent
	if len(a)+len(b) != 128 || len(a) < 16 || len(b) < 16 {
		t.Fatalf("%d and %d frames", len(a), len(b))
	}
	for _, sent := range [][]string{a, b} {
		if diff := cmp.Diff(sent[:len(sent)/2], sent[len(sent)/2:]); diff != "" {
			t.Errorf("the second round went elsewhere: %s", diff)
		}
	}
}

func TestOutboundAllocatesNothing(t *testing.T) {
	r := newRig(1, 2)
	for _, w := range r.wires {
		w.record = false
	}
	table := dist.Rebalance(dist.Table{}, []dist.Share{{Port: 1}, {Port: 2}})
	r.set(t, datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: table})
	frames := [][]byte{data(0), data(1), reserved(), data(2)}
	r.out.dispatch(frames) // room for the list of ports
	if n := testing.AllocsPerRun(100, func() { r.out.dispatch(frames) }); n != 0 {
		t.Errorf("%v allocations for a batch, want 0", n)
	}
}
