package rtnl_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

// tc runs tc(8) for re0.
func tc(n *nettest.NS, object, args string) {
	n.Run("tc", append([]string{object, "add", "dev", "re0"}, strings.Fields(args)...)...)
}

// queueOf reads the queue of re0.
func queueOf(t *testing.T, c *rtnl.Conn) rtnl.Queue {
	t.Helper()
	q, err := c.Queue(byName(t, c, "re0").Index)
	check(t, err)
	return q
}

// TestQueueKinds reads interfaces with and without a queue.
func TestQueueKinds(t *testing.T) {
	a := nettest.New(t)
	nettest.Veth(a, "re0", a, "q0", nettest.Down)
	c := open(t, a)
	if q := queueOf(t, c); q != (rtnl.Queue{}) {
		t.Errorf("before it is up: %+v", q)
	}
	check(t, c.SetUp(byName(t, c, "re0").Index))
	if q := queueOf(t, c); q != (rtnl.Queue{Kind: "noqueue"}) {
		t.Errorf("a veth: %+v", q)
	}
	tc(a, "qdisc", "clsact") // which does not queue
	if q := queueOf(t, c); q != (rtnl.Queue{Kind: "noqueue"}) {
		t.Errorf("with clsact: %+v", q)
	}
	tc(a, "qdisc", "root pfifo")
	if q := queueOf(t, c); q != (rtnl.Queue{Kind: "pfifo"}) {
		t.Errorf("with pfifo: %+v", q)
	}
	for _, index := range []int{4711, 0, -1} {
		if q, err := c.Queue(index); !errors.Is(err, rtnl.ErrNotFound) {
			t.Errorf("interface %d: %+v, %v", index, q, err)
		}
	}
}

// TestQueueBacklog wants to see each frame that was handed over and has not been
// sent, once: in a qdisc with another inside, in one with classes, and in mq, which
// has a child for each hardware queue.
func TestQueueBacklog(t *testing.T) {
	const shaped = "tbf rate 8bit burst 2000 limit 100000"
	tests := []struct {
		kind  string
		setup func(*nettest.NS)
	}{
		{"tbf", func(n *nettest.NS) { tc(n, "qdisc", "root "+shaped) }},
		{"htb", func(n *nettest.NS) {
			tc(n, "qdisc", "root handle 1: htb default 1")
			tc(n, "class", "parent 1: classid 1:1 htb rate 8bit burst 2000 cburst 2000 quantum 2000")
			tc(n, "qdisc", "parent 1:1 pfifo limit 100")
		}},
		{"mq", func(n *nettest.NS) {
			tc(n, "qdisc", "root handle 1: mq")
			tc(n, "qdisc", "parent 1:1 "+shaped)
			tc(n, "qdisc", "parent 1:2 "+shaped)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			a := nettest.New(t)
			a.Run("ip", "link", "add", "re0", "numtxqueues", "2", "type", "veth", "peer", "name", "q0")
			c := open(t, a)
			for _, name := range []string{"re0", "q0"} {
				a.Sysctl("net/ipv6/conf/"+name+"/disable_ipv6", "1")
				check(t, c.SetUp(byName(t, c, name).Index))
			}
			tt.setup(a)
			before := byName(t, c, "re0").Stats.TxPackets
			const frames, octets = 40, 1000
			sendFlows(t, a, byName(t, c, "re0").Index, frames, octets)
			nettest.Eventually(t, 5*time.Second, func() error {
				sent := byName(t, c, "re0").Stats.TxPackets - before
				left := uint32(frames - sent)
				want := rtnl.Queue{Kind: tt.kind, Frames: left, Octets: left * octets}
				if diff := cmp.Diff(want, queueOf(t, c)); diff != "" || left < frames/2 {
					return fmt.Errorf("%d of %d were sent; -want +got %s", sent, frames, diff)
				}
				return nil
			})
		})
	}
}

// sendFlows sends UDP datagrams of 16 flows through a packet socket, so that the
// kernel takes every hardware queue.
func sendFlows(t *testing.T, n *nettest.NS, index, frames, octets int) {
	t.Helper()
	n.Do(func() {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		check(t, err)
		defer func() { _ = unix.Close(fd) }()
		f := make([]byte, octets)
		copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45})
		binary.BigEndian.PutUint16(f[16:], uint16(octets-14))
		copy(f[22:], []byte{64, unix.IPPROTO_UDP, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2})
		for i := range frames {
			f[35] = byte(i % 16) // source port
			check(t, unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: index}))
		}
	})
}
