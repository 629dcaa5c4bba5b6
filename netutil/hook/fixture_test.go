package hook_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// Verdicts of the programs (linux/pkt_cls.h).
const (
	next = -1 // TC_ACT_UNSPEC
	pass = 0  // TC_ACT_OK
)

// both runs a test for each kind of hook, forced.
func both(t *testing.T, test func(t *testing.T, kind hook.Kind)) {
	for kind, need := range map[hook.Kind]nettest.Need{hook.TCX: nettest.TCX, hook.Clsact: nettest.Clsact} {
		t.Run(string(kind), func(t *testing.T) {
			nettest.Require(t, need)
			test(t, kind)
		})
	}
}

// wire is two namespaces and the link between them: what a sends through re0
// arrives at q0 of b, where the hooks are.
type wire struct {
	a, b  *nettest.NS
	t     *testing.T
	index int // of q0
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, a: nettest.New(t), b: nettest.New(t)}
	nettest.Veth(w.a, "re0", w.b, "q0", nettest.NoIPv6)
	w.a.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "re0")
	w.b.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "q0")
	w.a.Run("ip", "neigh", "add", "192.0.2.2", "lladdr", w.b.LinkAddr(0).String(), "dev", "re0")
	w.b.Do(func() {
		ifi, err := net.InterfaceByName("q0")
		if err != nil {
			t.Fatal(err)
		}
		w.index = ifi.Index
	})
	return w
}

// stream sends numbered datagrams from a to b, and returns when the first ones
// have arrived.
func (w *wire) stream(rate int) *nettest.Stream {
	w.t.Helper()
	s := nettest.StartStream(w.t, nettest.StreamConfig{
		From: w.a, To: w.b, Addr: netip.MustParseAddr("192.0.2.2"), Rate: rate,
	})
	nettest.Eventually(w.t, 5*time.Second, func() error {
		if s.Received() < 100 {
			return fmt.Errorf("%d datagrams", s.Received())
		}
		return nil
	})
	return s
}

// attach attaches in b, and wants it to work.
func (w *wire) attach(p *ebpf.Program, o hook.Options) {
	w.t.Helper()
	w.b.Do(func() {
		kind, err := hook.Attach(w.index, p, o)
		if err != nil {
			w.t.Fatal(err)
		}
		if o.Kind != "" && kind != o.Kind {
			w.t.Errorf("attached to %s, want %s", kind, o.Kind)
		}
	})
}

// detach detaches in b, and wants it to work.
func (w *wire) detach(name string, ids ...ebpf.ProgramID) {
	w.t.Helper()
	w.b.Do(func() {
		if err := hook.Detach(w.index, name, ids...); err != nil {
			w.t.Error(err)
		}
	})
}

// attachForeign attaches as another program would, at the end.
func (w *wire) attachForeign(p *ebpf.Program) {
	w.t.Helper()
	w.b.Do(func() {
		err := link.RawAttachProgram(link.RawAttachProgramOptions{
			Target: w.index, Program: p, Attach: ebpf.AttachTCXIngress,
		})
		if err != nil {
			w.t.Fatal(err)
		}
	})
}

// holds checks what List tells: the kind of each program and its name.
func (w *wire) holds(want ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.list() {
		got = append(got, string(a.Kind)+" "+a.Name)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Errorf("at the hooks %q, want %q", got, want)
	}
}

func (w *wire) list() (list []hook.Attached) {
	w.t.Helper()
	w.b.Do(func() {
		var err error
		if list, err = hook.List(w.index); err != nil {
			w.t.Error(err)
		}
	})
	return list
}

// qdiscs is what tc(8) says about q0, but for its transmit queue.
func (w *wire) qdiscs() string {
	w.t.Helper()
	_, after, _ := strings.Cut(w.b.Output("tc", "qdisc", "show", "dev", "q0"), "qdisc clsact")
	return strings.TrimSpace(after)
}

// counter counts the IPv4 frames that programs meet.
type counter struct {
	t *testing.T
	m *ebpf.Map
}

func newCounter(t *testing.T) counter {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return counter{t, m}
}

func (c counter) value() (n uint64) {
	c.t.Helper()
	if err := c.m.Lookup(uint32(0), &n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// program loads a program that counts and then gives a verdict.
func (c counter) program(name string, verdict int32) *ebpf.Program {
	c.t.Helper()
	const skbProtocol = 16
	ipv4 := int32(binary.NativeEndian.Uint16([]byte{8, 0}))
	return load(c.t, name, asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, ipv4, "verdict"),
		asm.LoadMapValue(asm.R1, c.m.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, verdict).WithSymbol("verdict"),
		asm.Return(),
	})
}

// passing loads a program that only gives a verdict.
func passing(t *testing.T, name string, verdict int32) *ebpf.Program {
	t.Helper()
	return load(t, name, asm.Instructions{asm.Mov.Imm(asm.R0, verdict), asm.Return()})
}

func load(t *testing.T, name string, body asm.Instructions) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.SchedCLS, Instructions: body, License: "BSD-2-Clause",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func idOf(t *testing.T, p *ebpf.Program) ebpf.ProgramID {
	t.Helper()
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, ok := info.ID()
	if !ok {
		t.Fatal("a program without id")
	}
	return id
}
