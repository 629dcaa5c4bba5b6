package pkt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// link is one veth pair, re0 in a and q0 in b.
type link struct {
	a, b   *nettest.NS
	ia, ib int // interface indexes
}

func newLink(t *testing.T) link {
	t.Helper()
	l := link{a: nettest.New(t), b: nettest.New(t)}
	nettest.Veth(l.a, "re0", l.b, "q0", nettest.NoIPv6)
	l.ia, l.ib = index(t, l.a, "re0"), index(t, l.b, "q0")
	waitUp(t, l.a, "re0")
	waitUp(t, l.b, "q0")
	return l
}

// waitUp waits until the kernel's link watch has seen the carrier. Before that an
// interface silently drops what it is given to send.
func waitUp(t *testing.T, n *nettest.NS, name string) {
	t.Helper()
	nettest.Eventually(t, 5*time.Second, func() error {
		if out := n.Output("ip", "link", "show", "dev", name); !strings.Contains(out, "state UP") {
			return errors.New(out)
		}
		return nil
	})
}

func index(t *testing.T, n *nettest.NS, name string) (i int) {
	t.Helper()
	n.Do(func() {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		i = ifi.Index
	})
	return i
}

// raw is a plain packet socket that sends frames as they are.
func raw(t *testing.T, n *nettest.NS, ifindex int) func(frame []byte) {
	t.Helper()
	var fd int
	var err error
	n.Do(func() { fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func(frame []byte) {
		t.Helper()
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
			t.Fatal(err)
		}
	}
}

func listenSlow(t *testing.T, n *nettest.NS, ifindex int) (s *pkt.Slow) {
	t.Helper()
	var err error
	n.Do(func() { s, err = pkt.ListenSlow(ifindex) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return s
}

func openData(t *testing.T, n *nettest.NS, ifindex int) (d *pkt.Data) {
	t.Helper()
	var err error
	n.Do(func() { d, err = pkt.OpenData(ifindex) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	group = "0180c2000002"
	sa    = "020000000001"
	da    = "020000000002"
)

// TestSlow sends what is none of our business first: only the last frame arrives.
func TestSlow(t *testing.T) {
	l := newLink(t)
	s, far := listenSlow(t, l.a, l.ia), listenSlow(t, l.b, l.ib)
	send := raw(t, l.b, l.ib)
	lacpdu := append(unhex(t, group+sa+"88090101"), make([]byte, 108)...)
	send(unhex(t, group+sa+"81000005"+"88090101"))
	send(unhex(t, da+sa+"88090101"))
	send(unhex(t, group+sa+"88cc0101"))
	send(append(append([]byte(nil), lacpdu...), make([]byte, 400)...)) // longer than the buffer
	if err := s.Send(lacpdu[:60]); err != nil {                        // our own does not come back
		t.Fatal(err)
	}
	if err := far.Send(lacpdu); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := s.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lacpdu, b[:n]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSlowEnds(t *testing.T) {
	l := newLink(t)
	s := listenSlow(t, l.a, l.ia)
	b := make([]byte, 256)
	if err := s.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read after the deadline: %v", err)
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := s.Read(b)
		ended <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not end Read")
	}
	if err := s.Send(b[:60]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
}

// TestSlowSurvivesDown: a port that was down goes on where it was.
func TestSlowSurvivesDown(t *testing.T) {
	l := newLink(t)
	s, far := listenSlow(t, l.a, l.ia), listenSlow(t, l.b, l.ib)
	lacpdu := append(unhex(t, group+sa+"88090101"), make([]byte, 108)...)
	l.a.Run("ip", "link", "set", "re0", "down")
	if err := s.Send(lacpdu); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("Send on a port that is down: %v", err)
	}
	l.a.Run("ip", "link", "set", "re0", "up")
	read := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 256))
		read <- err
	}()
	nettest.Eventually(t, 5*time.Second, func() error {
		if err := far.Send(lacpdu); err != nil {
			return err
		}
		select {
		case err := <-read:
			return err
		default:
			return errors.New("nothing received")
		}
	})
}

func TestSlowUnknownInterface(t *testing.T) {
	n := nettest.New(t)
	var err error
	n.Do(func() { _, err = pkt.ListenSlow(4711) })
	if !errors.Is(err, unix.ENODEV) {
		t.Errorf("error %v, want ENODEV", err)
	}
}

// TestGroups looks at what the kernel says of the interface.
func TestGroups(t *testing.T) {
	l := newLink(t)
	var g *pkt.Groups
	var err error
	l.a.Do(func() { g, err = pkt.OpenGroups(l.ia) })
	if err != nil {
		t.Fatal(err)
	}
	multicast := ether.Addr{0x01, 0x00, 0x5e, 1, 2, 3}
	state := func() [3]bool {
		m := l.a.Output("ip", "maddr", "show", "dev", "re0")
		d := l.a.Output("ip", "-d", "link", "show", "dev", "re0")
		return [3]bool{
			strings.Contains(m, multicast.String()),
			strings.Contains(d, " promiscuity 1 "),
			strings.Contains(d, " allmulti 1 "),
		}
	}
	tests := []struct {
		name string
		do   func() error
		want [3]bool
	}{
		{"add a group", func() error { return g.Add(multicast) }, [3]bool{true, false, false}},
		{"again", func() error { return g.Add(multicast) }, [3]bool{true, false, false}},
		{"promiscuous", func() error { return g.SetPromisc(true) }, [3]bool{true, true, false}},
		{"all groups", func() error { return g.SetAllMulti(true) }, [3]bool{true, true, true}},
		{"drop the group", func() error { return g.Drop(multicast) }, [3]bool{false, true, true}},
		{"again", func() error { return g.Drop(multicast) }, [3]bool{false, true, true}},
		{"not promiscuous", func() error { return g.SetPromisc(false) }, [3]bool{false, false, true}},
		{"add it once more", func() error { return g.Add(multicast) }, [3]bool{true, false, true}},
		{"close", func() error { return g.Close() }, [3]bool{}},
	}
	for _, tt := range tests {
		if err := tt.do(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, state()); diff != "" {
			t.Errorf("%s: group, promiscuous, all groups: -want +got\n%s", tt.name, diff)
		}
	}
}

func TestGroupsOfInterfaceThatWent(t *testing.T) {
	l := newLink(t)
	var g *pkt.Groups
	var err error
	l.a.Do(func() { g, err = pkt.OpenGroups(l.ia) })
	if err == nil {
		err = g.SetPromisc(true)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.a.Run("ip", "link", "delete", "re0")
	if err := g.SetPromisc(false); err != nil {
		t.Errorf("promiscuous mode off: %v", err)
	}
	if err := g.SetPromisc(true); !errors.Is(err, unix.ENODEV) {
		t.Errorf("promiscuous mode on: %v, want ENODEV", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// TestDataTags sends frames with every kind of tag and wants them as they were.
func TestDataTags(t *testing.T) {
	l := newLink(t)
	d := openData(t, l.a, l.ia)
	send := raw(t, l.b, l.ib)
	payload := strings.Repeat("ab", 50)
	tests := []struct{ name, frame string }{
		{"untagged", da + sa + "88b5" + payload},
		{"VLAN 5", da + sa + "81000005" + "88b5" + payload},
		{"priority only", da + sa + "8100e000" + "88b5" + payload},
		{"S-VLAN 7", da + sa + "88a82007" + "88b5" + payload},
		{"S-VLAN 7, VLAN 5", da + sa + "88a82007" + "81000005" + "88b5" + payload},
		{"broadcast", "ffffffffffff" + sa + "88b5" + payload},
		{"somebody else's", "020000000099" + sa + "88b5" + payload},
		{"slow protocol", group + sa + "88090101" + payload},
	}
	b := pkt.NewRecvBatch(8)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := unhex(t, tt.frame)
			send(f)
			receive(t, d, b)
			want := [][]byte{append(make([]byte, pkt.HeaderLen), f...)}
			if diff := cmp.Diff(want, b.Frames()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// receive waits for at least one frame.
func receive(t *testing.T, d *pkt.Data, b *pkt.RecvBatch) {
	t.Helper()
	nettest.Eventually(t, 5*time.Second, func() error { return d.Receive(b) })
}

// TestDataBothWays sends a batch with one frame that is too long for the port.
func TestDataBothWays(t *testing.T) {
	l := newLink(t)
	a, z := openData(t, l.a, l.ia), openData(t, l.b, l.ib)
	frame := func(n int) []byte {
		f := append(make([]byte, pkt.HeaderLen), unhex(t, da+sa+"88b5")...)
		return append(f, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	s, r := pkt.NewSendBatch(8), pkt.NewRecvBatch(8)
	for _, n := range []int{60, 3000, 61} {
		s.Add(frame(n))
	}
	sent, err := a.Send(s)
	if want := (pkt.Sent{Frames: 1, Octets: 74}); sent != want || !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("sent %v, %v; want %v, EMSGSIZE", sent, err, want)
	}
	s.Skip(1)
	if sent, err := a.Send(s); sent != (pkt.Sent{Frames: 1, Octets: 75}) || err != nil || s.Len() != 0 {
		t.Errorf("sent %v, %v, left %d", sent, err, s.Len())
	}
	var got [][]byte
	nettest.Eventually(t, 5*time.Second, func() error {
		if err := z.Receive(r); err != nil {
			return err
		}
		for _, f := range r.Frames() {
			got = append(got, append([]byte(nil), f...))
		}
		if len(got) < 2 {
			return errors.New("not all received")
		}
		return nil
	})
	if diff := cmp.Diff([][]byte{frame(60), frame(61)}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := a.Receive(r); !errors.Is(err, pkt.ErrWouldBlock) || len(r.Frames()) != 0 {
		t.Errorf("the sender received %d frames, %v", len(r.Frames()), err)
	}
}

// TestDataDownAndGone: frames stop, nothing fails but sending.
func TestDataDownAndGone(t *testing.T) {
	l := newLink(t)
	d := openData(t, l.a, l.ia)
	r, s := pkt.NewRecvBatch(8), pkt.NewSendBatch(8)
	frame := append(make([]byte, pkt.HeaderLen), unhex(t, da+sa+"88b5"+strings.Repeat("00", 50))...)
	for _, tt := range []struct {
		name string
		args []string
		is   error
	}{
		{"down", []string{"link", "set", "re0", "down"}, unix.ENETDOWN},
		{"gone", []string{"link", "delete", "re0"}, unix.ENXIO},
	} {
		l.a.Run("ip", tt.args...)
		if err := d.Receive(r); !errors.Is(err, pkt.ErrWouldBlock) {
			t.Errorf("%s: Receive: %v", tt.name, err)
		}
		s.Reset()
		s.Add(frame)
		if sent, err := d.Send(s); sent != (pkt.Sent{}) || !errors.Is(err, tt.is) {
			t.Errorf("%s: sent %v, %v; want %v", tt.name, sent, err, tt.is)
		}
	}
}

func TestDataAllocatesNothing(t *testing.T) {
	l := newLink(t)
	d := openData(t, l.a, l.ia)
	r, s := pkt.NewRecvBatch(8), pkt.NewSendBatch(8)
	frame := append(make([]byte, pkt.HeaderLen), unhex(t, da+sa+"88b5"+strings.Repeat("00", 50))...)
	n := testing.AllocsPerRun(100, func() {
		s.Reset()
		s.Add(frame)
		if _, err := d.Send(s); err != nil {
			t.Fatal(err)
		}
		if err := d.Receive(r); err == nil {
			t.Fatal("received its own frame")
		}
		d.WaitWritable(time.Millisecond)
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
