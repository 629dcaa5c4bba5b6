package ifagr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// streamTo is a stream of numbered datagrams from a to b.
func streamTo(t *testing.T, a, b *host) *nettest.Stream {
	t.Helper()
	return nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: netip.MustParseAddr("192.0.2.2")})
}

// A link goes and comes ten times a second. The other carries, and this one does
// when it is quiet.
func faultLinkFlaps(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	before := a.changes()
	s := streamTo(t, a, b)
	waitReceived(t, s, 200)
	every(50*time.Millisecond, inFull(600, 100), func(i int) {
		b.Run("ip", "link", "set", "re1", []string{"down", "up"}[i%2])
	})
	r := s.Stop()
	after := a.changes()
	t.Logf("%v; re1 has changed its state %d times", r, after["re1"]-before["re1"])
	if after["re0"] != before["re0"] {
		t.Errorf("re0 has changed its state %d times", after["re0"]-before["re0"])
	}
	if r.Duplicated != 0 || r.Received < r.Sent/2 {
		t.Errorf("too much lost, or some duplicated: %v", r)
	}
	works(t, both, a, b)
}

// Frames get lost in one direction of a cable only: neither end may go on to use it.
func faultOneWay(t *testing.T, datapath string) {
	nettest.Require(t, nettest.TCX)
	a, b := joined(t, datapath)
	everySecond(t, a, b)
	mend := a.dropAll("re1")
	works(t, []string{"re0"}, a, b)
	mend()
	works(t, both, a, b)
}

// dropAll drops everything that an interface sends, until it is told not to. It does
// so behind all that a sender could be told of, which a netfilter hook does not; and
// what a program redirects passes those by.
func (h *host) dropAll(name string) (mend func()) {
	h.t.Helper()
	index := h.link(name).Index
	var cut link.Link
	var err error
	h.Do(func() {
		var prog *ebpf.Program
		prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.SchedCLS, License: "BSD", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, tcxDrop), asm.Return()},
		})
		if err == nil {
			cut, err = link.AttachTCX(link.TCXOptions{Interface: index, Program: prog, Attach: ebpf.AttachTCXEgress})
			err = errors.Join(err, prog.Close())
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return func() {
		if err := cut.Close(); err != nil {
			h.t.Error(err)
		}
	}
}

// tcxDrop is TCX_DROP (linux/bpf.h).
const tcxDrop = 2

// Two cables between the same two are crossed: LACP does not care.
func faultCrossed(t *testing.T, datapath string) {
	a, b := newHost(t, datapath), newHost(t, datapath)
	nettest.Veth(a.NS, "re0", b.NS, "re1")
	nettest.Veth(a.NS, "re1", b.NS, "re0")
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	works(t, both, a, b)
	s := streamTo(t, a, b)
	waitReceived(t, s, 500)
	if r := s.Stop(); r.Lost+r.Duplicated+r.Reordered != 0 {
		t.Error(r)
	}
}

// Both ends of a cable are ports of agr0: it is no way to anywhere, and carries
// nothing. With right cables it works.
func faultLoop(t *testing.T, datapath string) {
	a, b := newHost(t, datapath), newHost(t, datapath)
	nettest.Veth(a.NS, "re0", a.NS, "re1")
	a.agr0("192.0.2.1")
	until(t, a, func(st *ctl.Status) bool { return st.Ports[0].Loopback && st.Ports[1].Loopback })
	if st := a.mustStatus(); st.Carrier || st.Ports[0].Flags != 0 || st.Ports[1].Flags != 0 {
		t.Errorf("carrier %v: %+v", st.Carrier, st.Ports)
	}
	a.Run("ip", "link", "del", "re0")
	a.hasPorts(0)
	for _, port := range both {
		nettest.Veth(a.NS, port, b.NS, port)
		a.rejoins(port)
	}
	b.agr0("192.0.2.2")
	works(t, both, a, b)
}

// The queue of a port is full: a LACPDU that the kernel refuses is sent again, and
// if none gets through the partner gives the port up; the other goes on.
func faultQueueFull(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	everySecond(t, a, b)
	before := a.changes()
	a.Run("tc", "qdisc", "add", "dev", "re1", "root", "tbf", "rate", "8bit", "burst", "200", "limit", "200")
	until(t, a, func(st *ctl.Status) bool { return st.Ports[1].Counters.LACPTxErrors > 0 })
	works(t, []string{"re0"}, a, b)
	t.Logf("%d LACPDUs were refused", a.mustStatus().Ports[1].Counters.LACPTxErrors)
	a.Run("tc", "qdisc", "del", "dev", "re1", "root")
	works(t, both, a, b)
	if n := a.changes()["re0"] - before["re0"]; n != 0 {
		t.Errorf("re0 has changed its state %d times", n)
	}
}

// stranger is a LACPDU of a system that is not there.
func stranger() []byte {
	who := slow.PortInfo{
		System: slow.System{Priority: 1, Addr: ether.Addr{2, 0, 0, 0, 0x66, 1}}, Key: 9, Priority: 1, Port: 7,
		State: slow.Activity | slow.Aggregation | slow.Synchronization,
	}
	return slow.AppendLACPDU(nil, ether.Addr{2, 0, 0, 0, 0x66, 2}, slow.LACPDU{Actor: who})
}

// Somebody else speaks LACP on a cable once a second. LACP knows no secrets, so the
// port may stop as often; the others go on, and this one does when there is silence.
func faultForged(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	everySecond(t, a, b)
	before := a.changes()
	s := streamTo(t, a, b)
	waitReceived(t, s, 100)
	every(time.Second, inFull(30, 5), func(int) { b.Send("re1", stranger()) })
	r := s.Stop()
	after := a.changes()
	t.Logf("%v; re1 has changed its state %d times", r, after["re1"]-before["re1"])
	if after["re0"] != before["re0"] {
		t.Errorf("re0 has changed its state %d times", after["re0"]-before["re0"])
	}
	if r.Lost > r.Sent/10 {
		t.Errorf("too much lost: %v", r)
	}
	works(t, both, a, b)
}

// More notifications than there is room for: what has changed is found nevertheless.
func faultNetlinkOverrun(t *testing.T, datapath string) {
	a, b := joined(t, datapath)
	a.Run("ip", "link", "add", "ev0", "type", "veth", "peer", "name", "ev1")
	ev0 := a.link("ev0").Index
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	before := a.rss()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	a.Run("ip", "link", "set", "re1", "mtu", "1300")
	a.Do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err != nil {
			return
		}
		defer c.Close()
		for i := range inFull(20000, 6000) {
			if err = c.SetMTU(ev0, 1400+i%2); err != nil {
				return
			}
		}
	})
	if contErr := unix.Kill(pid, unix.SIGCONT); err != nil || contErr != nil {
		t.Fatal(err, contErr)
	}
	nettest.Eventually(t, patience, func() error {
		if got := a.link("re1").MTU; got != 1500 {
			return fmt.Errorf("re1 has mtu %d", got)
		}
		return nil
	})
	works(t, both, a, b)
	a.grown(before)
}

// The daemons run in a time namespace, where the clock of the kernel's programs is
// another than theirs.
func faultTimeNamespace(t *testing.T, datapath string) {
	nettest.Require(t, nettest.TimeNS)
	a, b := pair(t, datapath)
	for _, h := range []*host{a, b} {
		cmd := exec.Command("unshare", "-T", "--monotonic", "1000000", filepath.Join(h.bin, "agrd"))
		cmd.Env = h.env()
		h.StartCmd(cmd)
		nettest.Eventually(t, patience, func() error { _, err := h.daemonPid(); return err })
	}
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	works(t, both, a, b)
	s := streamTo(t, a, b)
	waitReceived(t, s, 200)
	busy := busiest(a.mustStatus())
	a.ifconfig("agr0", "-agrport", busy) // in order: its conversations wait, and go elsewhere
	waitReceived(t, s, s.Received()+200)
	if r := s.Stop(); r.Lost+r.Duplicated+r.Reordered != 0 {
		t.Error(r)
	}
	s = manyFlows(t, a, b)
	a.rejoins(busy)
	nettest.Eventually(t, patience, func() error { return a.distributes(both...) })
	if r := s.Stop(); r.Lost+r.Duplicated+r.Reordered != 0 {
		t.Error(r)
	}
	manyFlows(t, a, b)
	until(t, a, func(st *ctl.Status) bool { // conversations that were silent have moved there
		back := slices.IndexFunc(st.Ports, func(p ctl.PortStatus) bool { return p.Name == busy })
		return st.Ports[back].Counters.TxFrames > 200
	})
}

// manyFlows is a stream of flows to addresses of their own.
func manyFlows(t *testing.T, a, b *host) *nettest.Stream {
	t.Helper()
	cfg := nettest.StreamConfig{From: a.NS, To: b.NS}
	for i := range byte(16) {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, 100 + i})
		b.Run("ip", "addr", "replace", addr.String()+"/24", "dev", "agr0")
		a.Run("ping", "-c", "1", "-W", "5", addr.String())
		cfg.Flows = append(cfg.Flows, nettest.Flow{Addr: addr, Rate: 50})
	}
	return nettest.StartStream(t, cfg)
}
