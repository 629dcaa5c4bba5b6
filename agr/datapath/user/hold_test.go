package user

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
	"ifagr/netutil/tap"
)

// to is a frame of the conversation that a last octet of the destination makes.
func to(dst, n byte) []byte {
	f := data(n)
	f[tap.HeaderLen+5] = dst
	return f
}

// of is the conversation of to's frames.
func of(h dist.Hash, dst byte) uint8 { return h.Conversation(to(dst, 0)[tap.HeaderLen:]) }

// all is every conversation.
func all() (s dist.Set) {
	for c := range dist.Conversations {
		s.Add(uint8(c))
	}
	return s
}

// holding is a program for two good ports that sends every conversation through
// one and holds those that to's destinations make.
func holding(table uint16, dst ...byte) datapath.Program {
	p := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(table), Idle: time.Hour}
	for _, d := range dst {
		p.Hold.Add(of(p.Hash, d))
	}
	return p
}

// holdStep is a program and the frames that come after it.
type holdStep struct {
	program datapath.Program
	frames  [][]byte
}

var holdTests = []struct {
	name  string
	steps []holdStep
	one   [][]byte // what is sent through port 1
	two   [][]byte
	held  uint64
	drops uint64
}{
	{
		name:  "held",
		steps: []holdStep{{holding(1, 7), [][]byte{to(7, 1), to(8, 2), to(7, 3)}}},
		one:   [][]byte{to(8, 2)}, held: 2,
	},
	{
		name:  "before later frames",
		steps: []holdStep{{holding(1, 7), [][]byte{to(7, 1), to(7, 2)}}, {holding(2), [][]byte{to(7, 3)}}},
		two:   [][]byte{to(7, 1), to(7, 2), to(7, 3)},
	},
	{
		name:  "without later frames",
		steps: []holdStep{{holding(1, 7), [][]byte{to(7, 1)}}, {holding(2), nil}},
		two:   [][]byte{to(7, 1)},
	},
	{
		name:  "nothing came while it was held",
		steps: []holdStep{{holding(1), [][]byte{to(7, 1)}}, {holding(1, 7), nil}, {holding(2), [][]byte{to(7, 2)}}},
		one:   [][]byte{to(7, 1)}, two: [][]byte{to(7, 2)},
	},
	{
		name: "one of two",
		steps: []holdStep{
			{holding(1, 7, 8), [][]byte{to(7, 1), to(8, 2), to(7, 3), to(8, 4)}},
			{holding(2, 8), [][]byte{to(8, 5)}},
		},
		two: [][]byte{to(7, 1), to(7, 3)}, held: 3,
	},
	{
		name: "one after the other",
		steps: []holdStep{
			{holding(1, 7, 8), [][]byte{to(7, 1), to(8, 2)}},
			{holding(2, 8), nil},
			{holding(1), [][]byte{to(7, 3)}},
		},
		one: [][]byte{to(8, 2)}, two: [][]byte{to(7, 1), to(7, 3)},
	},
	{
		name:  "to no port",
		steps: []holdStep{{holding(1, 7), [][]byte{to(7, 1), to(7, 2)}}, {holding(0), nil}},
		drops: 2,
	},
	{
		name: "round robin",
		steps: []holdStep{
			{holding(1, 7), [][]byte{to(7, 1)}},
			{datapath.Program{Ports: []datapath.PortState{good(2)}, RoundRobin: true, Hold: all()}, [][]byte{to(7, 2)}},
		},
		two: [][]byte{to(7, 1), to(7, 2)},
	},
}

// TestHold holds conversations of port 1 and lets them go on through port 2.
func TestHold(t *testing.T) {
	for _, tt := range holdTests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(1, 2)
			for i, s := range tt.steps {
				r.set(t, s.program)
				r.dispatch(time.Duration(i), s.frames...)
			}
			for number, frames := range map[uint16][][]byte{1: tt.one, 2: tt.two} {
				var want []string
				for _, f := range frames {
					want = append(want, hexOf(f))
				}
				if diff := cmp.Diff(want, r.wires[number].sent); diff != "" {
					t.Errorf("port %d: -want +got\n%s", number, diff)
				}
			}
			if held, drops := r.out.held.number.Load(), r.out.drops.Load(); held != tt.held || drops != tt.drops {
				t.Errorf("%d frames held, %d dropped; want %d, %d", held, drops, tt.held, tt.drops)
			}
		})
	}
}

// TestHoldKeepsCopies: the memory of a batch is used again for the next one.
func TestHoldKeepsCopies(t *testing.T) {
	r := newRig(1)
	p := datapath.Program{Ports: []datapath.PortState{good(1)}, Table: every(1), Hold: all()}
	r.set(t, p)
	f := data(1)
	r.dispatch(0, f)
	copy(f, data(2))
	p.Hold = dist.Set{}
	r.set(t, p)
	r.dispatch(1)
	if diff := cmp.Diff([]string{text(1)}, r.wires[1].sent); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestHoldLimits: what is too much is dropped and counted, the rest is sent in
// order, also more than a port's queue takes at a time.
func TestHoldLimits(t *testing.T) {
	long := func(n byte) []byte { return append(data(n), make([]byte, 64<<10)...) }
	const longKept = maxHeldOctets / (64<<10 + 70)
	tests := []struct {
		name  string
		make  func(byte) []byte
		given int
		kept  int
	}{
		{"frames", data, maxHeldFrames + 10, maxHeldFrames},
		{"octets", long, longKept + 10, longKept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(1)
			p := datapath.Program{Ports: []datapath.PortState{good(1)}, Table: every(1), Hold: all()}
			r.set(t, p)
			var want []string
			for i := range tt.given {
				r.dispatch(0, tt.make(byte(i)))
				if i < tt.kept {
					want = append(want, hexOf(tt.make(byte(i))))
				}
			}
			if held, drops := r.out.held.number.Load(), r.out.drops.Load(); held != uint64(tt.kept) || drops != 10 {
				t.Errorf("%d frames held, %d dropped; want %d, 10", held, drops, tt.kept)
			}
			p.Hold = dist.Set{}
			r.set(t, p)
			r.dispatch(1)
			if !cmp.Equal(want, r.wires[1].sent) {
				t.Errorf("%d frames sent, or in another order; want %d", len(r.wires[1].sent), len(want))
			}
			if r.out.held.octets != 0 || r.out.held.number.Load() != 0 {
				t.Errorf("%d octets still held", r.out.held.octets)
			}
		})
	}
}

// TestMovesThatKeepOrder moves every conversation to the other port and back,
// 100 times, under a numbered stream, as one who takes a busy port out of use
// does (IEEE 802.1AX-2014 6.5): hold, a Marker behind the last frame, go on.
func TestMovesThatKeepOrder(t *testing.T) {
	a, b := pair(t, ShieldTCX)
	marker := make([]byte, 124)
	copy(marker, ether.SlowProtocols[:])
	copy(marker[12:], []byte{0x88, 0x09, markerSubtype})
	p := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(1), Idle: time.Hour}
	program := func() {
		t.Helper()
		if err := a.dev.Program(p); err != nil {
			t.Fatal(err)
		}
	}
	program()
	// The kernel may send what waited for an ARP reply behind what did not.
	a.Run("ip", "neigh", "replace", b.addr.String(), "lladdr", toB.String(), "nud", "permanent", "dev", "agr0")
	wires := map[uint16]*pkt.Data{1: a.tap("re0"), 2: a.tap("re1")}
	s := nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: b.addr, Rate: 5000})
	for i := range 100 {
		from, to := uint16(i%2+1), uint16((i+1)%2+1)
		p.Hold = all()
		program()
		before := s.Sent()
		transmit(t, wires[from], marker)
		if got := within(t, b.marks); got != from {
			t.Fatalf("the Marker came through port %d, want %d", got, from)
		}
		nettest.Eventually(t, 5*time.Second, func() error { return atLeast(s.Sent(), before+5) })
		p.Hold, p.Table = dist.Set{}, every(to)
		program()
		sent := a.dev.Stats().Ports[to].TxFrames
		nettest.Eventually(t, 5*time.Second, func() error { return atLeast(a.dev.Stats().Ports[to].TxFrames, sent+1) })
	}
	if r := s.Stop(); r.Lost != 0 || r.Reordered != 0 || r.Duplicated != 0 {
		t.Error(r)
	}
	if st := a.dev.Stats(); st.Drops != 0 || st.Held != 0 {
		t.Errorf("%d frames dropped, %d held", st.Drops, st.Held)
	}
	placed := a.dev.Placed()
	if placed.Count(1) == 0 || placed.Count(2) != 0 {
		t.Errorf("%d conversations at port 1, %d at port 2", placed.Count(1), placed.Count(2))
	}
}

func atLeast(n, want uint64) error {
	if n < want {
		return fmt.Errorf("%d frames, want at least %d", n, want)
	}
	return nil
}

func TestHeldOrder(t *testing.T) {
	var h held
	for c := range uint8(6) {
		h.keep(c%3, []byte{c})
	}
	var hold dist.Set
	hold.Add(1)
	var got []byte
	take := func(f heldFrame) { got = append(got, f.frame...) }
	h.release(&hold, take)
	h.release(&dist.Set{}, take)
	if want := []byte{0, 2, 3, 5, 1, 4}; !bytes.Equal(got, want) {
		t.Errorf("released %v, want %v", got, want)
	}
}
