package ifagr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// wire is a host under test with agr0, whose ports are re0, re1 and so on, and the
// far ends of their cables, at which the case plays the partner.
type wire struct {
	*host
	far  *nettest.NS
	ends []*cableEnd
}

// newWire makes one. The words stand before the first agrport. Nobody speaks at
// the far ends yet, but everything that comes out of the ports is kept.
func newWire(t *testing.T, datapath string, cables int, words string) *wire {
	t.Helper()
	w := &wire{host: newHost(t, datapath), far: nettest.New(t)}
	line := append([]string{"agr0", "create"}, strings.Fields(words)...)
	for i := range cables {
		w.ends = append(w.ends, newEnd(t, w, i))
		line = append(line, "agrport", w.ends[i].port)
	}
	w.ifconfig(append(line, "up")...)
	return w
}

// cableEnd is the far end of a cable.
type cableEnd struct {
	number int
	port   string     // of the host: re0
	own    ether.Addr // its address before it was a port
	name   string     // of our end: q0
	addr   ether.Addr // of our end
	seen   *nettest.Sniffer
	out    *packet.Conn
	hears  atomic.Pointer[func(frame []byte)] // slow-protocol frames of the host
}

func newEnd(t *testing.T, w *wire, i int) *cableEnd {
	t.Helper()
	e := &cableEnd{number: i, port: fmt.Sprint("re", i), name: fmt.Sprint("q", i), own: w.LinkAddr(i), addr: w.far.LinkAddr(i)}
	nettest.Veth(w.NS, e.port, w.far, e.name, nettest.NoIPv6)
	var err error
	w.far.Do(func() {
		var ifi *net.Interface
		if ifi, err = net.InterfaceByName(e.name); err == nil {
			e.out, err = packet.Listen(ifi, packet.Raw, 0, nil) // hears nothing
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.out.Close() })
	e.seen = nettest.Sniff(t, w.far, e.name, e.keep)
	return e
}

// keep keeps slow-protocol frames and those that frameOf has made, and lets the
// partner hear.
func (e *cableEnd) keep(f nettest.Frame) bool {
	_, slowly := slow.Subtype(f.Data)
	if hear := e.hears.Load(); hear != nil && slowly && !f.Out {
		(*hear)(f.Data)
	}
	return slowly || marked(f) || bytes.HasPrefix(f.Data[12:], []byte{0x88, 0x09})
}

// send sends frames through the end as they are. A cable without a carrier takes
// none, which is no error.
func (e *cableEnd) send(frames ...[]byte) {
	for _, f := range frames {
		_, _ = e.out.WriteTo(f, &packet.Addr{HardwareAddr: f[:ether.AddrLen]})
	}
}

// set brings the end up or down, and the carrier at the host's end with it.
func (e *cableEnd) set(w *wire, state string) { w.far.Run("ip", "link", "set", e.name, state) }

// pdu is a LACPDU on the wire.
type pdu struct {
	slow.LACPDU
	at    time.Time
	frame []byte
}

// lacpdus are those that crossed the cable, from the host or to it.
func (e *cableEnd) lacpdus(toHost bool) (all []pdu) {
	for _, f := range e.seen.Frames() {
		if p, err := slow.ParseLACPDU(f.Data); err == nil && f.Out == toHost {
			all = append(all, pdu{p, f.At, f.Data})
		}
	}
	return all
}

// heard are the LACPDUs that the host has sent so far.
func (e *cableEnd) heard() []pdu { return e.lacpdus(false) }

// since are those that it has sent after a time.
func (e *cableEnd) since(at time.Time) []pdu {
	all := e.heard()
	return all[slices.IndexFunc(append(all, pdu{at: at.Add(time.Hour)}), func(p pdu) bool { return p.at.After(at) }):]
}

// lastSaid is when the end sent its last LACPDU, of which there must be one.
func (e *cableEnd) lastSaid(t *testing.T) time.Time {
	t.Helper()
	var all []pdu
	nettest.Eventually(t, settle, func() error {
		if all = e.lacpdus(true); len(all) == 0 {
			return fmt.Errorf("nobody has spoken to %s", e.port)
		}
		return nil
	})
	return all[len(all)-1].at
}

// await waits for the first LACPDU after a time that is as it should be.
func (e *cableEnd) await(t *testing.T, what string, after time.Time, within time.Duration, ok func(pdu) bool) pdu {
	t.Helper()
	var found pdu
	nettest.Eventually(t, time.Until(after.Add(within)), func() error {
		all := e.since(after)
		i := slices.IndexFunc(all, ok)
		if i < 0 {
			return fmt.Errorf("%s: no LACPDU is %s, but there are %v", e.port, what, all)
		}
		found = all[i]
		return nil
	})
	if d := found.at.Sub(after); d > within {
		t.Fatalf("%s: the LACPDU that is %s came after %v, want %v at most", e.port, what, d, within)
	}
	return found
}

// String is for the messages of tests.
func (p pdu) String() string {
	return fmt.Sprintf("%s {%v; partner %v}", p.at.Format("05.000"), p.Actor.State, p.Partner)
}

// has makes a condition of state bits that must be set and others that must not.
func has(set, clear slow.State) func(pdu) bool {
	return func(p pdu) bool { return p.Actor.State&(set|clear) == set }
}

// anyPDU is the condition that any LACPDU meets.
func anyPDU(pdu) bool { return true }

// forwarding are the bits of a port that carries frames both ways.
const forwarding = slow.Synchronization | slow.Collecting | slow.Distributing

// partner speaks at the far end of a cable: once in a second, and whenever it has
// something new to say. It says of itself what the case wants, and of the host's
// port what that has said last, unless the case twists it. It answers Markers.
type partner struct {
	end *cableEnd

	mu    sync.Mutex
	says  slow.LACPDU
	twist func(*slow.LACPDU)
	still bool // says nothing any more
	mute  bool // answers no Marker
}

// partner lets somebody speak at an end who agrees to everything from the start.
// The edit is made before it opens its mouth.
func (w *wire) partner(t *testing.T, i int, edits ...func(*partner)) *partner {
	t.Helper()
	e := w.ends[i]
	p := &partner{end: e}
	p.says.Actor = slow.PortInfo{
		System: slow.System{Priority: 0x9000, Addr: ether.Addr{0x02, 0xbb, 0, 0, 0, 1}},
		Key:    7, Priority: 128, Port: uint16(i) + 1,
		State: slow.Activity | slow.Aggregation | forwarding,
	}
	for _, edit := range edits {
		edit(p)
	}
	if all := e.heard(); len(all) > 0 {
		p.says.Partner = all[len(all)-1].Actor
	}
	hear := p.hear
	e.hears.Store(&hear)
	p.change(func(*partner) {})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.talk(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

// partners lets the same system speak at all ends.
func (w *wire) partners(t *testing.T, edits ...func(*partner)) (all []*partner) {
	t.Helper()
	for i := range w.ends {
		all = append(all, w.partner(t, i, edits...))
	}
	return all
}

// talk speaks until the context ends.
func (p *partner) talk(ctx context.Context) {
	tick := time.NewTicker(fast)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.change(func(*partner) {})
		case <-ctx.Done():
			return
		}
	}
}

// speak sends a LACPDU, with the lock held.
func (p *partner) speak() {
	if !p.still {
		p.end.send(p.frameLocked())
	}
}

// frameLocked is what the partner would say now.
func (p *partner) frameLocked() []byte {
	says := p.says
	if p.twist != nil {
		p.twist(&says)
	}
	return slow.AppendLACPDU(nil, p.end.addr, says)
}

// frame is what the partner would say now.
func (p *partner) frame() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frameLocked()
}

// hear takes what the host says of itself, and repeats it when it is new.
func (p *partner) hear(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, err := slow.ParseLACPDU(frame); err == nil && l.Actor != p.says.Partner {
		p.says.Partner = l.Actor
		p.speak()
	}
	if m, err := slow.ParseMarker(frame); err == nil && m.Type == slow.MarkerInformation && !p.mute {
		p.end.send(slow.AppendMarkerReply(nil, frame, p.end.addr))
	}
}

// change changes the partner, which says so at once.
func (p *partner) change(edit func(*partner)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(p)
	p.speak()
}

// state sets and clears bits of what the partner says of itself.
func (p *partner) state(set, clear slow.State) {
	p.change(func(p *partner) { p.says.Actor.State = p.says.Actor.State&^clear | set })
}

// starts is an edit: the state with which a partner begins.
func starts(s slow.State) func(*partner) {
	return func(p *partner) { p.says.Actor.State = s }
}

// silence ends what the partner says.
func (p *partner) silence() { p.change(func(p *partner) { p.still = true }) }

// shows is what the host shows of a port.
func (w *wire) shows(i int) ctl.PortStatus { return w.mustStatus().Ports[i] }

// untilShown waits until the host shows a port as it should be.
func (w *wire) untilShown(t *testing.T, i int, within time.Duration, what string, ok func(ctl.PortStatus) bool) ctl.PortStatus {
	t.Helper()
	var last ctl.PortStatus
	nettest.Eventually(t, within, func() error {
		st, err := w.status()
		if err != nil {
			return err
		}
		if last = st.Ports[i]; !ok(last) {
			return fmt.Errorf("%s is not shown to be %s: %s %s %s, %q, actor %v, partner %v", last.Name, what, last.Receive, last.Mux, last.Selected,
				last.Reason, slow.State(last.Actor.State), slow.State(last.Partner.State))
		}
		return nil
	})
	return last
}

// inMux is the condition that a port is in a state of the mux machine.
func inMux(state string) func(ctl.PortStatus) bool {
	return func(p ctl.PortStatus) bool { return p.Mux == state }
}

// distribute waits until exactly these ends' ports do.
func (w *wire) distribute(t *testing.T, ends ...int) {
	t.Helper()
	var ports []string
	for _, i := range ends {
		ports = append(ports, w.ends[i].port)
	}
	nettest.Eventually(t, 3*settle, func() error { return w.distributes(ports...) })
}

// passes lets time pass in which something must not happen.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	nettest.Eventually(t, d+late, func() error {
		if left := time.Until(end); left > 0 {
			return errors.New(left.String())
		}
		return nil
	})
}

// took checks how long something took.
func took(t *testing.T, what string, from, to time.Time, want time.Duration) {
	t.Helper()
	if d := to.Sub(from); d < want-early || d > want+late {
		t.Errorf("%s took %v, want %v", what, d, want)
	}
}

// sender sends frames into an interface of the host, as its stack would. An
// interface without carrier takes none, which is no error.
func (w *wire) sender(t *testing.T, name string) func(frames ...[]byte) {
	t.Helper()
	conn := listenType(t, w.NS, name, 0)
	t.Cleanup(func() { conn.Close() })
	return func(frames ...[]byte) {
		for _, f := range frames {
			_, _ = conn.WriteTo(f, &packet.Addr{HardwareAddr: f[:ether.AddrLen]})
		}
	}
}

// conversations are frames of many conversations.
func conversations(n int) (frames [][]byte) {
	for i := range n {
		frames = append(frames, frameOf(broadcast, ether.Addr{2, 0, 0, 0, 1, byte(i)}, localExperimental, 0x42))
	}
	return frames
}

// marks are the frames of frameOf that came out of the port since a time. Slow
// protocols end in octets that are alike, too.
func (e *cableEnd) marks(since time.Time) (all []nettest.Frame) {
	for _, f := range e.seen.Frames() {
		if _, slowly := slow.Subtype(f.Data); !slowly && marked(f) && !f.Out && f.At.After(since) {
			all = append(all, f)
		}
	}
	return all
}

// operates waits until the kernel has seen agr0's carrier: before that it drops what
// is sent.
func (w *wire) operates(t *testing.T) {
	t.Helper()
	nettest.Eventually(t, settle, func() error {
		if l := w.link("agr0"); l.OperState != rtnl.OperUp {
			return fmt.Errorf("agr0 is %s", l.OperState)
		}
		return nil
	})
}

// carries checks that of many conversations exactly these ends get frames, and
// together all of them; without any end, that nothing leaves.
func (w *wire) carries(t *testing.T, ends ...int) {
	t.Helper()
	const n = 64
	send := w.sender(t, "agr0")
	if len(ends) > 0 {
		w.operates(t)
	}
	begin := time.Now()
	send(conversations(n)...)
	want := 0
	if len(ends) > 0 {
		want = n
	} else {
		passes(t, fast/2)
	}
	nettest.Eventually(t, settle, func() error {
		sum := 0
		for _, e := range w.ends {
			sum += len(e.marks(begin))
		}
		if sum != want {
			return fmt.Errorf("%d of %d frames have left", sum, want)
		}
		return nil
	})
	for _, e := range w.ends {
		if got := len(e.marks(begin)); (got > 0) != slices.Contains(ends, e.number) {
			t.Errorf("%d of %d frames left through %s", got, n, e.port)
		}
	}
}
