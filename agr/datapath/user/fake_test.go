package user

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/tap"
)

// fakeWire takes frames, and fails as often as there are errors in line. An error
// comes in front of the first frame of a call.
type fakeWire struct {
	errs     []error
	room     int // frames before EAGAIN; negative: any number
	writable bool
	waits    int
	sent     []string // frames in hex, without their headers
	record   bool
	closed   bool
	took     func()        // if any, is called while a frame is sent
	gate     chan struct{} // if any, a call waits for it twice: to say that it is there, and to go on
}

func (w *fakeWire) FD() int                        { return -1 }
func (w *fakeWire) Receive(b *pkt.RecvBatch) error { return pkt.ErrWouldBlock }

func (w *fakeWire) Send(b *pkt.SendBatch) (pkt.Sent, error) {
	var s pkt.Sent
	if w.gate != nil {
		w.gate <- struct{}{}
		<-w.gate
	}
	for b.Len() > 0 {
		if len(w.errs) > 0 {
			err := w.errs[0]
			w.errs = w.errs[1:]
			if err != nil {
				return s, err
			}
		}
		if w.room == 0 {
			return s, pkt.ErrWouldBlock
		}
		w.room--
		if w.took != nil {
			w.took()
		}
		if w.record {
			w.sent = append(w.sent, hex.EncodeToString(b.First()[pkt.HeaderLen:]))
		}
		s.Frames++
		s.Octets += b.Skip(1)
	}
	return s, nil
}

func (w *fakeWire) WaitWritable(time.Duration) bool {
	w.waits++
	if w.writable {
		w.room = -1
	}
	return w.writable
}

func (w *fakeWire) Close() error {
	if w.closed {
		return errors.New("closed twice")
	}
	w.closed = true
	return nil
}

// fakeHost takes frames unless it is down.
type fakeHost struct {
	down   bool
	record bool
	got    []string // in hex, without their headers
}

func (h *fakeHost) Write(frames [][]byte) tap.Written {
	var w tap.Written
	if h.down {
		return w
	}
	for _, f := range frames {
		w.Frames++
		w.Octets += len(f) - tap.HeaderLen
		if h.record {
			h.got = append(h.got, hex.EncodeToString(f[tap.HeaderLen:]))
		}
	}
	return w
}

// rig is a device whose ports are fakes, and whose loop is the test.
type rig struct {
	*Device
	wires map[uint16]*fakeWire
	host  *fakeHost
	clock time.Duration // the outbound's
}

func newRig(numbers ...uint16) *rig {
	r := &rig{
		Device: &Device{ports: map[uint16]*port{}},
		wires:  map[uint16]*fakeWire{},
		host:   &fakeHost{record: true},
	}
	for _, n := range numbers {
		r.wires[n] = &fakeWire{room: -1, record: true}
		r.ports[n] = newPort(datapath.Port{Number: n}, r.wires[n], r.host, &r.program)
	}
	r.program.Store(&program{})
	r.out = newOutbound(nil, &r.program)
	r.out.now = func() time.Duration { return r.clock }
	return r
}

// dispatch sends frames at a time.
func (r *rig) dispatch(at time.Duration, frames ...[]byte) {
	r.clock = at
	r.out.dispatch(frames)
}

func (r *rig) set(t testing.TB, p datapath.Program) *program {
	t.Helper()
	c, err := compile(p, r.ports)
	if err != nil {
		t.Fatal(err)
	}
	r.program.Store(c)
	return c
}

// good is the state of a port that works.
func good(number uint16) datapath.PortState {
	return datapath.PortState{Number: number, Collecting: true, Distributing: true}
}

// every is a table with all conversations at one port.
func every(number uint16) (t [256]uint16) {
	for i := range t {
		t[i] = number
	}
	return t
}

// data is a frame for the host or from it, behind an empty header.
func data(n byte) []byte {
	f := make([]byte, tap.HeaderLen, tap.HeaderLen+60)
	f = append(f, 0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5, n)
	return f[:tap.HeaderLen+60]
}

// hexOf is a frame as the fakes note it.
func hexOf(f []byte) string { return hex.EncodeToString(f[tap.HeaderLen:]) }

// text is data as the fakes note it.
func text(n byte) string { return hexOf(data(n)) }

// reserved is a frame that belongs to a single link.
func reserved() []byte {
	f := data(0)
	copy(f[tap.HeaderLen:], ether.SlowProtocols[:])
	return f
}
