package ifagr_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// recorded is a LACPDU of a capture and when it was seen, counted from the first of
// all that are replayed together.
type recorded struct {
	at    time.Duration
	frame []byte
}

// replay is an aggregate of ours whose partner is a NetBSD agr(4) that was recorded:
// its LACPDUs are sent as they were, at the times at which they were.
//
// Only one thing is not as recorded. NetBSD spoke with somebody else: where it says
// whom it hears, in the Partner TLV, we must find ourselves, or it would be speaking
// with a stranger. So that TLV up to its state becomes what we have said of ourselves
// last: system priority and address, key, port priority, port. Where NetBSD hears
// nobody, which is a system without address, it stays as it is. The partner's state
// stays, as do the reserved octets (in which agr(4) leaves what it received) and all
// that NetBSD says of itself.
type replay struct {
	name     string
	captures []string   // one for each port
	speaks   ether.Addr // its system
	timeout  string     // ours, as that of whom it spoke with
	from, to time.Duration
	check    func(t *testing.T, r *replaying)
}

// replaying is a replay that runs.
type replaying struct {
	replay
	number int
	host   *host
	far    *nettest.NS
	done   sync.WaitGroup
}

func (r *replaying) agr() string     { return fmt.Sprint("agr", r.number) }
func (r *replaying) ports() []string { return named("re", 2*r.number, len(r.captures)) }

// netbsd is the system of a host in the captures.
func netbsd(host byte) ether.Addr { return ether.Addr{0xb2, 0x0a, host, 0x0b, 0x0e, 0x00} }

var replays = []replay{
	{
		name:     "beside a switch: a port leaves without farewell, and comes back",
		captures: []string{"netbsd-ovs-port0", "netbsd-ovs-port1"}, speaks: netbsd(1), timeout: "fast",
		to: time.Minute, check: leavesAndReturns,
	},
	{
		name:     "beside another, the first one's words",
		captures: []string{"netbsd-netbsd-port0", "netbsd-netbsd-port1"}, speaks: netbsd(1), timeout: "slow",
		to: time.Minute, check: ends,
	},
	{
		name:     "beside another, the second one's words",
		captures: []string{"netbsd-netbsd-port0", "netbsd-netbsd-port1"}, speaks: netbsd(2), timeout: "slow",
		to: time.Minute, check: ends,
	},
	{
		name:     "hears nobody, and claims to distribute",
		captures: []string{"netbsd-alone-port0"}, speaks: netbsd(7), timeout: "slow",
		to: 35 * time.Second, check: deaf,
	},
	{
		name:     "loses its partner",
		captures: []string{"netbsd-partner-dies-port1"}, speaks: netbsd(1), timeout: "slow",
		from: time.Minute, to: 100 * time.Second, check: deaf,
	},
}

// What NetBSD's agr(4) has said on the wire is a partner for us: we understand all of
// it, and get as far with it as those got with whom it spoke.
func testReplayedNetBSD(t *testing.T, datapath string) {
	a, b := manyLinks(t, datapath, datapath, 2*len(replays))
	tests := make(map[string]func(*testing.T))
	for i, r := range replays {
		run := &replaying{replay: r, number: i, host: a, far: b.NS}
		tests[r.name] = func(t *testing.T) { run.run(t) }
	}
	together(t, tests)
}

// run replays the captures of all ports, and looks.
func (r *replaying) run(t *testing.T) {
	r.host.aggregate(r.agr(), r.ports(), "lacptimeout", r.timeout)
	begin := time.Now()
	first := r.first(t)
	for i, capture := range r.captures {
		heard := nettest.Sniff(t, r.far, r.ports()[i], isLACPDU)
		pdus := r.read(t, capture)
		r.done.Go(func() { r.play(t, begin, first, r.ports()[i], pdus, heard) })
	}
	r.check(t, r)
	r.done.Wait()
	for i, p := range r.host.mustStatusOf(r.agr()).Ports {
		last := r.last(t, i)
		e := p.LastPartner.LACPEnd
		if p.Counters.LACPBad.Total() > 0 || p.Counters.UnknownRx > 0 {
			t.Errorf("%s: refused: %+v", p.Name, p.Counters)
		}
		if want := len(r.read(t, r.captures[i])); p.Counters.LACPRx != uint64(want) {
			t.Errorf("%s: %d LACPDUs were taken of %d", p.Name, p.Counters.LACPRx, want)
		}
		got := slow.PortInfo{System: slow.System{Priority: e.SystemPriority, Addr: e.System}, Key: e.Key, Priority: e.PortPriority, Port: e.Port}
		want := last.Actor
		want.State = 0
		if got != want {
			t.Errorf("%s: the partner is %+v, want %+v", p.Name, got, want)
		}
	}
}

// read gives the LACPDUs of the system in a capture, with the times of the file's
// clock. What the replay leaves out is counted from the first frame of the file.
func (r *replaying) read(t *testing.T, capture string) (pdus []recorded) {
	t.Helper()
	const magic, fileHeader, frameHeader = 0xa1b2c3d4, 24, 16
	b, err := os.ReadFile(filepath.Join("testdata", "captures", capture+".pcap"))
	if err != nil || len(b) < fileHeader || binary.LittleEndian.Uint32(b) != magic {
		t.Fatalf("%s: no capture: %v", capture, err)
	}
	begin := time.Duration(-1)
	for b = b[fileHeader:]; len(b) >= frameHeader; {
		at := time.Duration(binary.LittleEndian.Uint32(b))*time.Second + time.Duration(binary.LittleEndian.Uint32(b[4:]))*time.Microsecond
		frame := b[frameHeader : frameHeader+int(binary.LittleEndian.Uint32(b[8:]))]
		b = b[frameHeader+len(frame):]
		if begin < 0 {
			begin = at
		}
		pdu, err := slow.ParseLACPDU(frame)
		if err == nil && pdu.Actor.System.Addr == r.speaks && at-begin >= r.from && at-begin < r.to {
			pdus = append(pdus, recorded{at, frame})
		}
	}
	if len(pdus) == 0 {
		t.Fatalf("%s: no LACPDU of %s", capture, r.speaks)
	}
	return pdus
}

// first is when the first LACPDU of all captures was seen, by the clock of the files.
func (r *replaying) first(t *testing.T) time.Duration {
	t.Helper()
	var all []recorded
	for _, c := range r.captures {
		all = append(all, r.read(t, c)...)
	}
	return slices.MinFunc(all, func(a, b recorded) int { return cmp.Compare(a.at, b.at) }).at
}

// last is what the system says last on the i-th port.
func (r *replaying) last(t *testing.T, i int) slow.LACPDU {
	t.Helper()
	pdus := r.read(t, r.captures[i])
	pdu, err := slow.ParseLACPDU(pdus[len(pdus)-1].frame)
	if err != nil {
		t.Fatal(err)
	}
	return pdu
}

// play sends LACPDUs when it is time.
func (r *replaying) play(t *testing.T, begin time.Time, first time.Duration, port string, pdus []recorded, heard *nettest.Sniffer) {
	for _, p := range pdus {
		<-time.After(time.Until(begin.Add(p.at - first)))
		r.far.Send(port, adapted(p.frame, heard.Frames()))
		if t.Failed() {
			return
		}
	}
}

// adapted is a LACPDU in which the partner, if there is one, is who was heard last.
func adapted(frame []byte, heard []nettest.Frame) []byte {
	const actor, partner, length = 18, 38, 14 // of the values without state
	const system = partner + 2
	frame = slices.Clone(frame)
	heard = slices.DeleteFunc(heard, func(f nettest.Frame) bool { return f.Out })
	if len(heard) == 0 || ether.Addr(frame[system:system+ether.AddrLen]).IsZero() {
		return frame
	}
	copy(frame[partner:partner+length], heard[len(heard)-1].Data[actor:])
	return frame
}

// says is nil when the partner said this of itself last on a port.
func (r *replaying) says(port int, state uint8) error {
	st, err := r.host.statusOf(r.agr())
	if err != nil {
		return err
	}
	if p := st.Ports[port]; p.Partner.State != state {
		return fmt.Errorf("%s: the partner's state is %#x, want %#x", p.Name, p.Partner.State, state)
	}
	return nil
}

// The states that agr(4) passes through, without Timeout.
const (
	syncs       = slow.Activity | slow.Aggregation | slow.Synchronization
	distributes = syncs | slow.Collecting | slow.Distributing
)

// both is nil when NetBSD says on all ports that it distributes, and we do.
func (r *replaying) both() error {
	errs := []error{r.host.distributesOn(r.agr(), r.ports()...)}
	for i := range r.ports() {
		errs = append(errs, r.says(i, uint8(distributes)))
	}
	return errors.Join(errs...)
}

// leavesAndReturns: both ports carry frames, then one does, while the other expires
// as nothing has been said there, and then both again.
func leavesAndReturns(t *testing.T, r *replaying) {
	nettest.Eventually(t, patience, r.both)
	nettest.Eventually(t, 2*patience, func() error { return r.host.distributesOn(r.agr(), r.ports()[0]) })
	p := r.host.mustStatusOf(r.agr()).Ports[1]
	if expired := lastChange(p, "receive", "EXPIRED"); expired.From != "CURRENT" {
		t.Errorf("%s did not expire: %+v", p.Name, p.History)
	}
	nettest.Eventually(t, patience, r.both)
	r.done.Wait()
	if err := r.both(); err != nil {
		t.Error(err)
	}
}

// ends: all ports carry frames, and whatever happens then, with the last LACPDU on a
// port we are where NetBSD's partner was: it collects, so we distribute.
func ends(t *testing.T, r *replaying) {
	nettest.Eventually(t, patience, func() error { return r.host.distributesOn(r.agr(), r.ports()...) })
	r.done.Wait()
	var want []string
	for i, port := range r.ports() {
		if r.last(t, i).Actor.State.Has(distributes &^ slow.Distributing) {
			want = append(want, port)
		}
	}
	nettest.Eventually(t, patience, func() error { return r.host.distributesOn(r.agr(), want...) })
}

// deaf: who does not hear us is not in sync with us, whatever it says, and we never
// distribute once it has said that.
func deaf(t *testing.T, r *replaying) {
	r.done.Wait()
	p := r.host.mustStatusOf(r.agr()).Ports[0]
	if last := r.last(t, 0); last.Actor.State != distributes|slow.Defaulted {
		t.Fatalf("the capture ends with %v", last.Actor.State)
	}
	if p.Flags != 0 || p.Reason != "waiting for partner sync" || p.Receive != "CURRENT" || p.Partner.State&uint8(slow.Synchronization) != 0 {
		t.Errorf("%s: flags %d, %q, %s, partner state %#x", p.Name, p.Flags, p.Reason, p.Receive, p.Partner.State)
	}
	if c := lastChange(p, "mux", "DISTRIBUTING"); c != (ctl.Change{}) && r.from == 0 {
		t.Errorf("%s: %+v", p.Name, c)
	}
}
