package kernel

import (
	"errors"
	"net"
	"testing"

	"github.com/cilium/ebpf"

	"ifagr/netutil/nettest"
)

// Verdicts of the programs (linux/pkt_cls.h). BPF_PROG_TEST_RUN reports a
// redirection and does not carry it out.
const (
	verdictNext     = ^uint32(0) // TC_ACT_UNSPEC
	verdictDrop     = 2          // TC_ACT_SHOT
	verdictRedirect = 7          // TC_ACT_REDIRECT
)

// lo is the interface that programs sit on when they are run by hand.
const lo = 1

// gone is an interface index that nobody has.
const gone = 1<<31 - 1

// progs are the programs and maps of one aggregate, loaded to be run by hand.
type progs struct {
	agrObjects
	t  testing.TB
	ns *nettest.NS
}

// variables are the constants of a program by name.
type variables map[string]any

// onLo are the constants of programs on lo, which is the port in slotLo.
func onLo() variables {
	return variables{agrVarOwnIfindex: uint32(lo), agrVarOwnSlot: uint32(slotLo)}
}

// specOf is the object with its constants set.
func specOf(t testing.TB, vars variables) *ebpf.CollectionSpec {
	t.Helper()
	spec, err := loadAgr()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range vars {
		if err := spec.Variables[name].Set(value); err != nil {
			t.Fatal(err)
		}
	}
	return spec
}

// loadProgs loads the object. The programs run in a namespace of their own, with
// three links whose near ends are p1 to p3, and one to play the TAP device, hold.
func loadProgs(t testing.TB) *progs {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.TCX)
	p := &progs{t: t, ns: nettest.New(t)}
	for _, name := range []string{"p1", "p2", "p3", "hold"} {
		nettest.Veth(p.ns, name, p.ns, "far-"+name, nettest.NoIPv6)
	}
	load(t, specOf(t, onLo()), &p.agrObjects)
	return p
}

// load loads what objs wants of spec until the test ends.
func load(t testing.TB, spec *ebpf.CollectionSpec, objs *agrObjects) {
	t.Helper()
	if err := spec.LoadAndAssign(objs, nil); err != nil {
		var rejected *ebpf.VerifierError
		if errors.As(err, &rejected) {
			t.Fatalf("%+v", rejected)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objs.Close() })
}

// index is the interface index of a name in the namespace.
func (p *progs) index(name string) uint32 {
	p.t.Helper()
	var index int
	p.ns.Do(func() {
		i, err := net.InterfaceByName(name)
		if err != nil {
			p.t.Fatal(err)
		}
		index = i.Index
	})
	return uint32(index)
}

// context is the start of struct __sk_buff, as far as it may be given.
type context struct {
	_       [10]uint32
	Ifindex uint32 // 0: lo
	_       uint32
	Cb      [5]uint32
	_       [31]uint32
}

// run runs a program on a frame that came from an interface.
func (p *progs) run(prog *ebpf.Program, frame []byte, ctx context) uint32 {
	p.t.Helper()
	var verdict uint32
	p.ns.Do(func() {
		var err error
		if verdict, err = prog.Run(&ebpf.RunOptions{Data: frame, Context: ctx}); err != nil {
			p.t.Fatalf("run %s on %x: %v", prog, frame, err)
		}
	})
	return verdict
}

// out and in run a program on a frame that came from lo, and want a verdict.
func (p *progs) out(frame []byte, want uint32) {
	p.t.Helper()
	if got := p.run(p.AgrOut, frame, context{}); got != want {
		p.t.Errorf("agr_out of %x says %d, want %d", frame, int32(got), int32(want))
	}
}

func (p *progs) in(frame []byte, want uint32) {
	p.t.Helper()
	if got := p.run(p.AgrIn, frame, context{}); got != want {
		p.t.Errorf("agr_in of %x says %d, want %d", frame, int32(got), int32(want))
	}
}

// put sets an element of a map, get reads one.
func (p *progs) put(m *ebpf.Map, key uint32, value any) {
	p.t.Helper()
	if err := m.Put(key, value); err != nil {
		p.t.Fatalf("%v[%d]: %v", m, key, err)
	}
}

func (p *progs) get(m *ebpf.Map, key uint32, value any) {
	p.t.Helper()
	if err := m.Lookup(key, value); err != nil {
		p.t.Fatalf("%v[%d]: %v", m, key, err)
	}
}

// portStats are the counters of a slot on all processors.
func (p *progs) portStats(slot uint32) (sum agrPortStats) {
	p.t.Helper()
	var each []agrPortStats
	p.get(p.AgrPortStats, slot, &each)
	for _, s := range each {
		sum.RxFrames += s.RxFrames
		sum.RxBytes += s.RxBytes
		sum.RxDropped += s.RxDropped
		sum.TxFrames += s.TxFrames
		sum.TxBytes += s.TxBytes
		sum.TxErrors += s.TxErrors
	}
	return sum
}

// convStats are the counters of a conversation on all processors.
func (p *progs) convStats(c uint32) (sum agrConvStats) {
	p.t.Helper()
	var each []agrConvStats
	p.get(p.AgrConvStats, c, &each)
	for _, s := range each {
		sum.Frames += s.Frames
		sum.Bytes += s.Bytes
	}
	return sum
}

func (p *progs) conversation(c uint32) (conv agrConversation) {
	p.t.Helper()
	p.get(p.AgrConvs, c, &conv)
	return conv
}

func (p *progs) totals() (t agrTotals) {
	p.t.Helper()
	p.get(p.AgrTotals, 0, &t)
	return t
}
