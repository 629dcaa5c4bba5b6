package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// side is one machine: a namespace with an agr0 over re0 and re1.
type side struct {
	*nettest.NS
	t     *testing.T
	hook  hook.Kind
	dev   *kernel.Device
	ports []datapath.Port
	addr  netip.Addr
	prog  datapath.Program // the last one
}

// pair is two machines, joined by two links. Both ports of both collect and
// distribute, and the hash looks at ports.
func pair(t *testing.T, kind hook.Kind) (a, b *side) {
	t.Helper()
	a, b = cables(t, kind)
	for _, s := range []*side{a, b} {
		s.start()
		s.program(good(1), good(2))
		s.address()
	}
	return a, b
}

// cables is a pair without devices.
func cables(t *testing.T, kind hook.Kind) (a, b *side) {
	t.Helper()
	nettest.Require(t, nettest.TUN)
	if kind == hook.TCX {
		nettest.Require(t, nettest.TCX)
	}
	a, b = &side{NS: nettest.New(t), t: t, hook: kind}, &side{NS: nettest.New(t), t: t, hook: kind}
	for _, name := range []string{"re0", "re1"} {
		nettest.Veth(a.NS, name, b.NS, name, nettest.NoIPv6)
	}
	for i, s := range []*side{a, b} {
		s.addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		s.waitUp("re0")
		s.waitUp("re1")
		for n, name := range []string{"re0", "re1"} {
			s.ports = append(s.ports, datapath.Port{Number: uint16(n + 1), Index: s.index(name), Name: name})
		}
	}
	return a, b
}

// address gives agr0 its address, and up. Without IPv6 the host sends nothing that
// the test did not ask for.
func (s *side) address() {
	s.t.Helper()
	s.Sysctl("net/ipv6/conf/agr0/disable_ipv6", "1")
	s.Run("ip", "addr", "add", s.addr.String()+"/24", "dev", "agr0")
	s.Run("ip", "link", "set", "agr0", "up")
	s.waitUp("agr0")
}

func (s *side) index(name string) (index int) {
	s.t.Helper()
	s.Do(func() {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			s.t.Fatal(err)
		}
		index = ifi.Index
	})
	return index
}

// open makes agr0, or takes it over.
func (s *side) open() {
	s.t.Helper()
	s.Do(func() {
		var err error
		mac := ether.Addr{0x02, 0xa9, 0, 0, 0, s.addr.As4()[3]}
		if s.dev, err = kernel.New("agr0", mac, kernel.Options{Hook: s.hook}); err != nil {
			s.t.Fatal(err)
		}
	})
	s.t.Cleanup(func() {
		if err := s.stop(true); err != nil {
			s.t.Error(err)
		}
	})
}

// start is open, ports and carrier.
func (s *side) start() {
	s.t.Helper()
	s.open()
	s.Do(func() {
		for _, p := range s.ports {
			if err := s.dev.AddPort(p); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := s.dev.SetCarrier(true); err != nil {
			s.t.Fatal(err)
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
	s.prog = datapath.Program{
		Ports: states,
		Table: dist.Rebalance(s.prog.Table, shares),
		Hash:  dist.Hash{Mode: dist.L4, Seed: 1},
		Idle:  time.Millisecond,
	}
	s.reprogram()
}

// reprogram programs what s.prog says.
func (s *side) reprogram() {
	s.t.Helper()
	s.Do(func() {
		if err := s.dev.Program(s.prog); err != nil {
			s.t.Fatal(err)
		}
	})
}

// good is a port that does everything.
func good(number uint16) datapath.PortState {
	return datapath.PortState{Number: number, Collecting: true, Distributing: true}
}

// all is the table that sends everything through one port.
func all(number uint16) (t dist.Table) {
	for c := range t {
		t[c] = number
	}
	return t
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
	index := s.index(name)
	s.Do(func() {
		var err error
		if d, err = pkt.OpenData(index); err != nil {
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

// stream is numbered traffic from one side's agr0 to the other's. What waits for
// an ARP answer would be overtaken by what comes after it.
func stream(s, to *side, rate int) *nettest.Stream {
	s.t.Helper()
	s.Run("ping", "-c", "1", "-W", "2", to.addr.String())
	return nettest.StartStream(s.t, nettest.StreamConfig{From: s.NS, To: to.NS, Addr: to.addr, Rate: rate})
}

// flows waits for that many datagrams more.
func flows(t *testing.T, s *nettest.Stream, n uint64) {
	t.Helper()
	before := s.Received()
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := s.Received() - before; got < n {
			return fmt.Errorf("%d datagrams", got)
		}
		return nil
	})
}

// whole wants that a stream lost nothing, and kept its order.
func whole(t *testing.T, s *nettest.Stream) {
	t.Helper()
	r := s.Stop()
	t.Log(r)
	if r.Lost != 0 || r.Duplicated != 0 || r.Reordered != 0 {
		t.Error("lost, duplicated or reordered")
	}
}

// indexes fills in the indexes of interfaces.
func indexes(t testing.TB, links map[string]int) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range all {
		if _, ok := links[ifi.Name]; ok {
			links[ifi.Name] = ifi.Index
		}
	}
}
