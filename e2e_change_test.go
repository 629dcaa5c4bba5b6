package ifagr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// change is an option that is changed while frames cross agr0, which has three
// ports.
type change struct {
	words string
	uses  []string // the ports that carry frames then
	seen  func(*ctl.Status) bool
	alone bool // measured by itself
	// stops says that ports stop for it by the rules of LACP, so that what is on its
	// way may be lost.
	stops bool
}

// changes follow each other. What is said of an option beside which frames may be
// lost is in agr(4).
var changes = []change{
	{words: "lacptimeout fast", uses: three, seen: actorState(2, true)},
	{words: "lacptimeout slow", uses: three, seen: actorState(2, false)},
	{words: "lacptimeout fast", uses: three, seen: actorState(2, true)},
	{words: "lacpmode passive", uses: three, seen: actorState(1, false)},
	{words: "lacpmode active", uses: three, seen: actorState(1, true)},
	{words: "lacpfallback none", uses: three},
	{words: "lacpfallback single,5", uses: three},
	{words: "lacpfallback all", uses: three},
	{words: "lacprestore 10,60", uses: three},
	{words: "lacprestore 0", uses: three},
	{words: "lacpcoupled", uses: three, seen: muxOf("COLLECTING_DISTRIBUTING")},
	{words: "-lacpcoupled", uses: three, seen: muxOf("DISTRIBUTING")},
	{words: "minlinks 3,2", uses: three},
	{words: "minlinks 1", uses: three},
	{words: "maxports 3", uses: three},
	{words: "lacpportpri re2 32768", uses: three},
	{words: "maxports 2", uses: three[:2], alone: true, stops: true},
	{words: "maxports 0", uses: three, alone: true},
	{words: "lacpportpri re2 5", uses: three, alone: true, stops: true},
	{words: "lacpsyspri 100", uses: three, alone: true, stops: true},
	{words: "lacpkey 77", uses: three, alone: true, stops: true},
}

var three = []string{"re0", "re1", "re2"}

// actorState says whether all ports say this of themselves.
func actorState(bit uint8, on bool) func(*ctl.Status) bool {
	return func(st *ctl.Status) bool {
		for _, p := range st.Ports {
			if (p.Actor.State&bit != 0) != on {
				return false
			}
		}
		return true
	}
}

// muxOf says whether the mux machines of all ports are in a state.
func muxOf(state string) func(*ctl.Status) bool {
	return func(st *ctl.Status) bool {
		for _, p := range st.Ports {
			if p.Mux != state {
				return false
			}
		}
		return true
	}
}

// What is lost when options change while frames flow, beside an Open vSwitch and
// beside our own daemon. No other test runs meanwhile.
func TestChangesUnderTraffic(t *testing.T) {
	together(t, map[string]func(*testing.T){
		"OpenVSwitch": func(t *testing.T) { bothDatapaths(t, testChangesUnderTraffic) },
		"Own":         func(t *testing.T) { withDatapath(t, "kernel", testChangesUnderTrafficOwnPartner) },
	})
}

// farEnd is the other end of three cables, which takes part in what happens to them.
type farEnd struct {
	ns      *nettest.NS
	dev     string   // which has the addresses
	ports   []string // joined to re0, re1 and re2
	carries func(port string, does bool) error
	foreign bool // it loses and overtakes frames by itself, and only what we do counts
}

// Options change while a thousand numbered frames a second go to an Open vSwitch and
// as many come from it, in four conversations each. Where no port has to stop, none
// is lost: what we were given reaches the switch, and what reaches us comes out.
func testChangesUnderTraffic(t *testing.T, datapath string) {
	a, sw := besideSwitch(t, datapath, 3, nettest.OVSConfig{Ports: named("q", 0, 3), Addr: switchAddr})
	a.aggregate("agr0", three)
	a.ifconfig("agr0", hostAddr.String())
	l := newLoad(t, a, farEnd{
		ns: sw.ns, dev: "br0", ports: named("q", 0, 3), foreign: true,
		carries: func(port string, does bool) error {
			if does {
				return bondUses(sw, "bond0", port)
			}
			return switchRests(sw, "bond0", port)
		},
	})
	l.changeAll(t)
	takeover(t, l)
}

// testChangesUnderTrafficOwnPartner is the same with our own daemon as the partner,
// which has the other datapath.
func testChangesUnderTrafficOwnPartner(t *testing.T, datapath string) {
	a, b := manyLinks(t, datapath, "user", 3)
	for h, addr := range map[*host]string{a: "192.0.2.1/24", b: "192.0.2.2/24"} {
		h.aggregate("agr0", three)
		h.ifconfig("agr0", addr)
	}
	l := newLoad(t, a, farEnd{
		ns: b.NS, dev: "agr0", ports: three,
		carries: func(port string, does bool) error {
			st, err := b.status()
			if p := portOf(st, port); err == nil && (p.Flags != 0) != does {
				err = fmt.Errorf("%s: %s has flags %d: %s", b.Name, port, p.Flags, p.Reason)
			}
			return err
		},
	})
	l.changeAll(t)
	takeover(t, l)
}

// changeAll makes all changes, most of those that stop no port in one run.
func (l *load) changeAll(t *testing.T) {
	t.Helper()
	var quiet []string
	l.measure(t, "options that stop no port", false, func(s *streams) {
		for _, c := range changes {
			if !c.alone {
				l.change(t, c)
				s.mark(t, c.words)
				quiet = append(quiet, c.words)
			}
		}
	})
	t.Logf("those were: %s", strings.Join(quiet, "; "))
	for _, c := range changes {
		if c.alone {
			l.measure(t, c.words, c.stops, func(*streams) { l.change(t, c) })
		}
	}
}

// change makes one and waits until it shows at both ends.
func (l *load) change(t *testing.T, c change) {
	t.Helper()
	l.a.ifconfig(append([]string{"agr0"}, strings.Fields(c.words)...)...)
	nettest.Eventually(t, patience, func() error { return l.done(c) })
}

// done is nil when a change shows at both ends.
func (l *load) done(c change) error {
	st, err := l.a.status()
	if err != nil {
		return err
	}
	if c.seen != nil && !c.seen(st) {
		return fmt.Errorf("%s: %+v", c.words, st.Ports)
	}
	errs := []error{l.a.distributes(c.uses...)}
	for i, q := range l.far.ports {
		errs = append(errs, l.far.carries(q, slices.Contains(c.uses, three[i])))
	}
	return errors.Join(errs...)
}

// takeover has a port stand by for the others, and cuts the cable of one of them.
func takeover(t *testing.T, l *load) {
	t.Helper()
	l.change(t, change{words: "maxports 0 lacpportpri re2 40000", uses: three})
	beyond := change{words: "maxports 2", uses: three[:2]}
	l.measure(t, "maxports 2", true, func(*streams) { l.change(t, beyond) })
	if err := l.a.hasReason("re2", "max-ports 2: standby behind re0, re1"); err != nil {
		t.Error(err)
	}
	l.measure(t, "the cable of re0 is cut, and re2 takes over", true, func(*streams) {
		l.far.ns.Run("ip", "link", "set", l.far.ports[0], "down")
		nettest.Eventually(t, patience, func() error { return l.done(change{uses: three[1:]}) })
	})
	l.measure(t, "the cable of re0 is mended", true, func(*streams) {
		l.far.ns.Run("ip", "link", "set", l.far.ports[0], "up")
		nettest.Eventually(t, patience, func() error { return l.done(beyond) })
	})
	l.measure(t, "maxports 0", false, func(*streams) { l.change(t, change{words: "maxports 0", uses: three, alone: true}) })
}

// load is numbered traffic in both directions, in conversations that are spread over
// the ports.
type load struct {
	a         *host
	far       farEnd
	out, back []nettest.Flow
}

// newLoad waits until all ports carry frames and gives both ends addresses for four
// conversations. They know each other for good: Linux forgets whom it knew behind an
// interface that loses its carrier, and the queue in which frames then wait for ARP
// has neither room for all nor order.
func newLoad(t *testing.T, a *host, far farEnd) *load {
	t.Helper()
	l := &load{a: a, far: far}
	nettest.Eventually(t, patience, func() error { return l.done(change{uses: three}) })
	const flows, rate = 4, 250
	for i := range byte(flows) {
		ours, theirs := netip.AddrFrom4([4]byte{192, 0, 2, 11 + i}), netip.AddrFrom4([4]byte{192, 0, 2, 21 + i})
		a.Run("ip", "addr", "add", ours.String()+"/24", "dev", "agr0")
		far.ns.Run("ip", "addr", "add", theirs.String()+"/24", "dev", far.dev)
		a.Run("ip", "neigh", "replace", theirs.String(), "lladdr", linkIn(t, far.ns, far.dev).Addr.String(), "nud", "permanent", "dev", "agr0")
		far.ns.Run("ip", "neigh", "replace", ours.String(), "lladdr", a.link("agr0").Addr.String(), "nud", "permanent", "dev", far.dev)
		l.out = append(l.out, nettest.Flow{Addr: theirs, Rate: rate})
		l.back = append(l.back, nettest.Flow{Addr: ours, Rate: rate})
		a.reaches(theirs)
		far.ns.Run("ping", "-c", "1", "-W", "5", ours.String()) // so that a switch knows the way
	}
	return l
}

// streams are the two directions of a load while something is measured.
type streams struct {
	out, back *nettest.Stream
	marks     []mark
}

// mark says how many frames had been sent, in both directions, when something was
// done.
type mark struct {
	what      string
	out, back uint64
}

// mark notes that something was done, once frames have crossed since.
func (s *streams) mark(t *testing.T, what string) {
	t.Helper()
	const after = 100
	for _, x := range []*nettest.Stream{s.out, s.back} {
		waitReceived(t, x, x.Received()+after)
	}
	s.marks = append(s.marks, mark{what, s.out.Sent(), s.back.Sent()})
}

// measure does something while traffic flows, and logs what was lost and where. Unless
// ports stop for it none may be lost, but for what waited for a program to read it, of
// ours or of the switch, that was not given the processor in time.
func (l *load) measure(t *testing.T, what string, stops bool, do func(*streams)) {
	t.Helper()
	s := &streams{
		out:  nettest.StartStream(t, nettest.StreamConfig{From: l.a.NS, To: l.far.ns, Flows: l.out}),
		back: nettest.StartStream(t, nettest.StreamConfig{From: l.far.ns, To: l.a.NS, Flows: l.back}),
	}
	thither := countStream(t, l.far.ns, s.out.Port(), l.far.ports...)
	hither := countStream(t, l.a.NS, s.back.Port(), three...)
	unread := l.unread(t)
	s.mark(t, "begin")
	begin := time.Now()
	do(s)
	took := time.Since(begin).Round(time.Millisecond)
	s.mark(t, "end")
	out, back := s.out.Stop(), s.back.Stop()
	notSent, notTaken := lostBefore(out, thither()), lostAfter(back, hither())
	t.Logf("%s: to the far end %d of %d lost (%d before it), from it %d of %d (%d by us); reordered %d and %d; %v",
		what, out.Lost, out.Sent, notSent, back.Lost, back.Sent, notTaken, out.Reordered, back.Reordered, took)
	now := l.unread(t)
	wrong := out.Duplicated+back.Duplicated > 0
	if !stops {
		wrong = wrong || notSent > now.ours-unread.ours || notTaken > 0
	}
	if !stops && !l.far.foreign {
		wrong = wrong || out.Lost > now.ours-unread.ours || back.Lost > now.theirs-unread.theirs || out.Reordered+back.Reordered > 0
	}
	if wrong {
		t.Errorf("%s: to the far end: %v\n%+v\nfrom it: %v\n%+v\n%+v\nnot read: %+v, then %+v",
			what, out, out.Flows, back, back.Flows, s.marks, unread, now)
	}
}

// unread counts the frames that an end's kernel dropped because nobody read them.
type unread struct{ ours, theirs uint64 }

func (l *load) unread(t *testing.T) unread {
	t.Helper()
	return unread{l.a.link("agr0").Stats.TxDropped, linkIn(t, l.far.ns, l.far.dev).Stats.TxDropped}
}

// lostBefore counts the lost frames of a stream that were not seen on the way, once
// one of their flow had been seen: those before were sent before anybody looked.
func lostBefore(r nettest.Report, seen map[uint64]bool) (n uint64) {
	for i, f := range r.Flows {
		looked := false
		for number := range f.Sent {
			ok := seen[numbered(i, number)]
			looked = looked || ok
			if looked && !ok {
				n++
			}
		}
	}
	return n
}

// lostAfter counts the lost frames of a stream that were seen on the way.
func lostAfter(r nettest.Report, seen map[uint64]bool) (n uint64) {
	for i, f := range r.Flows {
		for _, run := range f.Runs {
			for number := run.First; number < run.First+run.Count; number++ {
				if seen[numbered(i, number)] {
					n++
				}
			}
		}
	}
	return n
}

// numbered is the number that a frame of a flow carries.
func numbered(flow int, number uint64) uint64 {
	const numberBits = 48
	return uint64(flow)<<numberBits | number
}
