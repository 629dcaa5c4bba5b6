package scale

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

func TestPunctuality(t *testing.T) {
	w := &wire{last: make(map[int]time.Duration)}
	now := time.Duration(time.Now().UnixNano())
	at := func(d time.Duration) time.Duration { return now - time.Minute + d }
	for _, d := range []time.Duration{0, time.Second, 1900 * time.Millisecond, 3 * time.Second} {
		w.note(1, at(d)) // in time, early, 100 ms late
	}
	w.note(2, now)
	p, ports := w.tell()
	if p.pdus != 3 || ports != 2 || p.late.Max() != 0.1 {
		t.Errorf("%d gaps of %d ports, at most %v s late", p.pdus, ports, p.late.Max())
	}
	// Nothing came of port 1 for 57 s.
	if p.worst < 55*time.Second || p.worst > 60*time.Second {
		t.Errorf("worst %v: what is owed does not count", p.worst)
	}
	w.forget()
	if p, ports := w.tell(); p.pdus != 0 || p.worst != 0 || ports != 0 {
		t.Errorf("after forget: %+v, %d ports", p, ports)
	}
}

// TestWire times LACPDUs of two ports, and nothing else.
func TestWire(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	a, b := nettest.New(t), nettest.New(t)
	addLinks(t, a, b, 2)
	w := listen(t, b)
	var ports []*pkt.Slow
	for i := range 2 {
		a.Do(func() {
			s, err := pkt.ListenSlow(firstIndexA + i)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			ports = append(ports, s)
		})
	}
	carrier(t, a)
	for range 3 {
		for i, s := range ports {
			frame := slow.AppendLACPDU(nil, ether.Addr{2, 0, 0, 0, 0, byte(i)}, slow.LACPDU{})
			if err := s.Send(frame); err != nil {
				t.Fatal(err)
			}
			frame[14] = slow.SubtypeMarker
			if err := s.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		if p, n := w.tell(); p.pdus != 4 || n != 2 {
			return fmt.Errorf("%d gaps between LACPDUs of %d ports, want 4 of 2", p.pdus, n)
		}
		return nil
	})
}

// carrier waits until the links of a namespace work.
func carrier(t *testing.T, ns *nettest.NS) {
	t.Helper()
	nettest.Eventually(t, 5*time.Second, func() error {
		var down error
		in(t, ns, func(c *rtnl.Conn) error {
			for i := range 2 {
				l, err := c.LinkByIndex(firstIndexA + i)
				if err != nil {
					return err
				}
				if l.Flags&unix.IFF_RUNNING == 0 {
					down = fmt.Errorf("%s has no carrier", l.Name)
				}
			}
			return nil
		})
		return down
	})
}
