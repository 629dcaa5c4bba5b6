package user

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
)

// TestFlush gives a port three frames of 60 octets.
func TestFlush(t *testing.T) {
	type outcome struct {
		Sent  []string
		Stats datapath.PortStats
		Waits int
	}
	sent := func(n uint64, lost uint64) datapath.PortStats {
		return datapath.PortStats{TxFrames: n, TxBytes: 60 * n, TxErrors: lost}
	}
	tests := []struct {
		name string
		wire fakeWire
		want outcome
	}{
		{"all is well", fakeWire{room: -1}, outcome{[]string{text(0), text(1), text(2)}, sent(3, 0), 0}},
		{
			"no buffer for the second frame",
			fakeWire{room: -1, errs: []error{nil, unix.ENOBUFS}},
			outcome{[]string{text(0), text(2)}, sent(2, 1), 0},
		},
		{
			"first frame too long",
			fakeWire{room: -1, errs: []error{unix.EMSGSIZE}},
			outcome{[]string{text(1), text(2)}, sent(2, 1), 0},
		},
		{"down", fakeWire{room: -1, errs: []error{unix.ENETDOWN}}, outcome{nil, sent(0, 3), 0}},
		{"gone behind the first", fakeWire{room: -1, errs: []error{nil, unix.ENXIO}}, outcome{[]string{text(0)}, sent(1, 2), 0}},
		{
			"full, then writable",
			fakeWire{room: 1, writable: true},
			outcome{[]string{text(0), text(1), text(2)}, sent(3, 0), 1},
		},
		{"full, and stays so", fakeWire{room: 1}, outcome{[]string{text(0)}, sent(1, 2), 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.wire.record = true
			p := newPort(datapath.Port{Number: 1}, &tt.wire, nil, nil)
			for n := range byte(3) {
				p.queue.Add(data(n))
			}
			p.flush(sendWait)
			if diff := cmp.Diff(tt.want, outcome{tt.wire.sent, p.stats(), tt.wire.waits}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if p.queue.Len() != 0 {
				t.Errorf("%d frames left in the queue", p.queue.Len())
			}
		})
	}
}

// TestFullPortIsWaitedForOnce: as long as a port takes nothing, the others do
// not wait for it again.
func TestFullPortIsWaitedForOnce(t *testing.T) {
	w := &fakeWire{}
	p := newPort(datapath.Port{Number: 1}, w, nil, nil)
	flush := func() {
		p.queue.Add(data(0))
		p.flush(sendWait)
	}
	for range 5 {
		flush()
	}
	if w.waits != 1 {
		t.Errorf("waited %d times, want once", w.waits)
	}
	w.room = 1
	flush() // the port has recovered
	flush() // and is full again
	if w.waits != 2 {
		t.Errorf("waited %d times, want twice", w.waits)
	}
}

func TestFlushAfterClose(t *testing.T) {
	w := &fakeWire{room: -1, record: true}
	p := newPort(datapath.Port{Number: 1}, w, nil, nil)
	p.queue.Add(data(0))
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	p.flush(sendWait)
	if len(w.sent) != 0 || p.stats().TxErrors != 1 {
		t.Errorf("sent %d frames through a closed socket, counted %d as lost", len(w.sent), p.stats().TxErrors)
	}
}

func TestDeliver(t *testing.T) {
	tests := []struct {
		name    string
		program datapath.Program
		down    bool // the host
		got     []string
		stats   datapath.PortStats
	}{
		{
			name:    "collecting",
			program: datapath.Program{Ports: []datapath.PortState{{Number: 1, Collecting: true}}},
			got:     []string{text(0), text(1)},
			stats:   datapath.PortStats{RxFrames: 2, RxBytes: 120},
		},
		{
			name:    "not collecting",
			program: datapath.Program{Ports: []datapath.PortState{{Number: 1, Distributing: true}}},
			stats:   datapath.PortStats{RxDropped: 2},
		},
		{name: "no program", stats: datapath.PortStats{RxDropped: 2}},
		{
			name:    "host is down",
			program: datapath.Program{Ports: []datapath.PortState{{Number: 1, Collecting: true}}},
			down:    true,
			stats:   datapath.PortStats{RxDropped: 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(1)
			r.host.down = tt.down
			r.ports[1].deliver(r.set(t, tt.program), [][]byte{data(0), reserved(), data(1)})
			if diff := cmp.Diff(tt.got, r.host.got); diff != "" {
				t.Errorf("delivered: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.stats, r.ports[1].stats()); diff != "" {
				t.Errorf("counters: -want +got\n%s", diff)
			}
		})
	}
}

func TestInboundAllocatesNothing(t *testing.T) {
	r := newRig(1)
	r.host.record = false
	p := r.set(t, datapath.Program{Ports: []datapath.PortState{good(1)}})
	frames := [][]byte{data(0), reserved(), data(1)}
	if n := testing.AllocsPerRun(100, func() { r.ports[1].deliver(p, frames) }); n != 0 {
		t.Errorf("%v allocations for a batch, want 0", n)
	}
}

// A Marker is passed on when what came before it is with the host, and nothing
// that came behind it (IEEE 802.1AX-2014 6.5.1). LACPDUs and tagged frames are no
// Markers.
func TestMarkersKeepTheirPlace(t *testing.T) {
	slow := func(subtype byte) []byte {
		f := make([]byte, pkt.HeaderLen+124)
		frame := f[pkt.HeaderLen:]
		copy(frame, ether.SlowProtocols[:])
		frame[12], frame[13], frame[14] = 0x88, 0x09, subtype
		return f
	}
	tagged := slow(2)
	copy(tagged[pkt.HeaderLen+12:], []byte{0x81, 0, 0, 0, 0x88, 0x09, 2})
	r := newRig(1)
	var delivered []int
	r.ports[1].Marker = func(frame []byte) {
		if len(frame) != 124 {
			t.Errorf("a Marker of %d octets", len(frame))
		}
		delivered = append(delivered, len(r.host.got))
	}
	frames := [][]byte{slow(2), data(0), slow(1), data(1), slow(2), tagged, data(2)}
	r.ports[1].deliver(r.set(t, datapath.Program{Ports: []datapath.PortState{good(1)}}), frames)
	if diff := cmp.Diff([]int{0, 2}, delivered); diff != "" {
		t.Errorf("frames delivered before each Marker: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{text(0), text(1), text(2)}, r.host.got); diff != "" {
		t.Errorf("delivered: -want +got\n%s", diff)
	}
}
