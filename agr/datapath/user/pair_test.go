package user

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// side is one machine: a namespace with an agr0 over re0 and re1.
type side struct {
	*nettest.NS
	t     *testing.T
	dev   *Device
	ports []datapath.Port
	addr  netip.Addr
	marks chan uint16 // the port of each Marker that has come
}

// pair is two machines, joined by two links. Both ports of both collect and
// distribute, and the hash looks at ports.
func pair(t *testing.T, shield string) (a, b *side) {
	t.Helper()
	nettest.Require(t, nettest.TUN)
	if need, ok := programShields[shield]; ok {
		nettest.Require(t, need)
	}
	a, b = &side{NS: nettest.New(t), t: t}, &side{NS: nettest.New(t), t: t}
	for _, name := range []string{"re0", "re1"} {
		nettest.Veth(a.NS, name, b.NS, name, nettest.NoIPv6)
	}
	for i, s := range []*side{a, b} {
		s.addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		s.waitUp("re0")
		s.waitUp("re1")
		s.start(shield)
		s.program(good(1), good(2))
		s.Run("ip", "addr", "add", s.addr.String()+"/24", "dev", "agr0")
		s.Run("ip", "link", "set", "agr0", "up")
	}
	a.waitUp("agr0")
	b.waitUp("agr0")
	return a, b
}

// start makes agr0 and adds the ports.
func (s *side) start(shield string) {
	s.t.Helper()
	s.marks = make(chan uint16, 16)
	s.Do(func() {
		var err error
		mac := ether.Addr{0x02, 0xa9, 0, 0, 0, s.addr.As4()[3]}
		if s.dev, err = New("agr0", mac, slog.New(slog.DiscardHandler)); err != nil {
			s.t.Fatal(err)
		}
		s.dev.shield.used = shield
		for i, name := range []string{"re0", "re1"} {
			ifi, err := net.InterfaceByName(name)
			if err != nil {
				s.t.Fatal(err)
			}
			number := uint16(i + 1)
			p := datapath.Port{Number: number, Index: ifi.Index, Name: name}
			p.Marker = func([]byte) { s.marks <- number }
			if err := s.dev.AddPort(p); err != nil {
				s.t.Fatal(err)
			}
			s.ports = append(s.ports, p)
		}
		if err := s.dev.SetCarrier(true); err != nil {
			s.t.Fatal(err)
		}
	})
	s.t.Cleanup(func() {
		if err := s.stop(true); err != nil {
			s.t.Error(err)
		}
	})
}

// stop closes the device, once.
func (s *side) stop(destroy bool) (err error) {
	if s.dev != nil {
		s.Do(func() { err = s.dev.Close(destroy) })
		s.dev = nil
	}
	return err
}

// program shares the conversations among the ports that distribute.
func (s *side) program(states ...datapath.PortState) {
	s.t.Helper()
	var shares []dist.Share
	for _, st := range states {
		if st.Distributing {
			shares = append(shares, dist.Share{Port: st.Number})
		}
	}
	err := s.dev.Program(datapath.Program{
		Ports: states,
		Table: dist.Rebalance(dist.Table{}, shares),
		Hash:  dist.Hash{Mode: dist.L4, Seed: 1},
		Idle:  time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// waitUp waits until the kernel sends through an interface whose carrier came.
func (s *side) waitUp(name string) {
	s.t.Helper()
	nettest.Eventually(s.t, 5*time.Second, func() error {
		if out := s.Output("ip", "link", "show", "dev", name); !strings.Contains(out, "state UP") {
			return errors.New(out)
		}
		return nil
	})
}

// tap is a pair of sockets on one of the side's interfaces.
func (s *side) tap(name string) (d *pkt.Data) {
	s.t.Helper()
	s.Do(func() {
		ifi, err := net.InterfaceByName(name)
		if err == nil {
			d, err = pkt.OpenData(ifi.Index)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	})
	s.t.Cleanup(func() { _ = d.Close() })
	return d
}

// transmit sends frames, which have no header, through sockets.
func transmit(t *testing.T, d *pkt.Data, frames ...[]byte) {
	t.Helper()
	b := pkt.NewSendBatch(len(frames))
	for _, f := range frames {
		b.Add(append(make([]byte, pkt.HeaderLen), f...))
	}
	if _, err := d.Send(b); err != nil {
		t.Fatal(err)
	}
}

// receiveUntil collects the frames of type 0x88b5, tagged or not, without their
// headers, until one that ends with the given octet has come.
func receiveUntil(t *testing.T, d *pkt.Data, last byte) (frames [][]byte) {
	t.Helper()
	b := pkt.NewRecvBatch(16)
	nettest.Eventually(t, 5*time.Second, func() error {
		for d.Receive(b) == nil {
			for _, f := range b.Frames() {
				f = f[pkt.HeaderLen:]
				if !bytes.Contains(f[12:min(len(f), 24)], []byte{0x88, 0xb5}) {
					continue
				}
				frames = append(frames, append([]byte(nil), f...))
				if f[len(f)-1] == last {
					return nil
				}
			}
		}
		return fmt.Errorf("%d frames, the last one not among them", len(frames))
	})
	return frames
}

// frame is a frame of 60 octets and its tags.
func frame(dst ether.Addr, tags []byte, last byte) []byte {
	f := append(dst[:], 0x02, 0xa9, 0, 0, 0, 1)
	f = append(append(f, tags...), 0x88, 0xb5)
	return append(append(f, make([]byte, 45)...), last)
}

const lastFrame = 0xff

var (
	toB       = ether.Addr{0x02, 0xa9, 0, 0, 0, 2}
	broadcast = ether.Addr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)
