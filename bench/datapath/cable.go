package main

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// cable is a link whose middle is in a namespace of its own, so that it can be
// cut: both ends lose their carrier at once and stay up.
//
//	A: p0 ==veth== a0 <-redirect-> b0 ==veth== p0 :B
//
// The two ends of each veth pair have equal interface indexes. That makes the
// kernel take them for hardware, whose loss of carrier it reports up to a second
// late: as with a NIC, only a poll sees it in time.
type cable struct {
	t      testing.TB
	links  *rtnl.Conn // of the middle
	middle [2]int     // interface indexes there
}

// firstCable is the interface index of the first end of the first cable.
const firstCable = 5000

// newCables joins two namespaces by cables whose ends have these names.
func newCables(t testing.TB, a, b *nettest.NS, names []string) map[string]*cable {
	middle := nettest.New(t)
	links := openLinks(t, middle)
	cables := make(map[string]*cable)
	for i, name := range names {
		c := &cable{t: t, links: links, middle: [2]int{firstCable + 2*i, firstCable + 2*i + 1}}
		ends := [2]string{"a" + strconv.Itoa(i), "b" + strconv.Itoa(i)}
		for j, ns := range []*nettest.NS{a, b} {
			index := strconv.Itoa(c.middle[j])
			middle.Run("ip", "link", "add", ends[j], "index", index, "type", "veth",
				"peer", "name", name, "index", index, "netns", ns.Name)
			ns.Sysctl("net/ipv6/conf/"+name+"/disable_ipv6", "1")
			middle.Sysctl("net/ipv6/conf/"+ends[j]+"/disable_ipv6", "1")
			ns.Run("ip", "link", "set", name, "up")
			middle.Run("ip", "link", "set", ends[j], "up")
		}
		for j := range ends {
			redirect(t, middle, c.middle[j], c.middle[1-j])
		}
		cables[name] = c
	}
	return cables
}

// redirect sends everything that comes in through one interface of ns out
// through another, with a program that goes with this process.
func redirect(t testing.TB, ns *nettest.NS, from, to int) {
	nettest.Require(t, nettest.TCX)
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS,
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R1, int32(to)),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
		},
		License: "BSD",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ns.Do(func() {
		l, err := link.AttachTCX(link.TCXOptions{Interface: from, Program: p, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	})
}

// cut takes the carrier of both ends, mend gives it back.
func (c *cable) cut()  { c.light(0, false); c.light(1, false) }
func (c *cable) mend() { c.light(0, true); c.light(1, true) }

// light switches the carrier of one end.
func (c *cable) light(end int, on bool) {
	set := c.links.SetDown
	if on {
		set = c.links.SetUp
	}
	if err := set(c.middle[end]); err != nil {
		c.t.Fatal(fmt.Errorf("cable: %w", err))
	}
}
