package nettest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// What surrounds a frame at a packet socket (packet(7), linux/virtio_net.h).
const (
	vnetHeader = 10       // octets of struct virtio_net_hdr
	vnetSize   = 4        // offset of its gso_size
	sniffMax   = 70000    // more than the longest frame, which is still to be segmented
	sniffQueue = 32 << 20 // octets of the socket's buffer
	macs       = 12       // octets of the two addresses, behind which a tag stands
)

// Frame is what a Sniffer has seen.
type Frame struct {
	Data []byte    // from the destination address on, with its VLAN tags
	Out  bool      // sent by the interface, not received
	At   time.Time // when the kernel saw it, by the wall clock
	// Segment is the payload of each of the segments that are still to be made of
	// the frame, in octets; 0 for one that is ready.
	Segment int
}

// Sniffer sees the frames of an interface in both directions, as tcpdump does.
type Sniffer struct {
	conn *socket.Conn
	keep func(Frame) bool
	done chan struct{}

	mu     sync.Mutex
	frames []Frame
}

// Sniff starts to watch an interface of a namespace, until the test ends. It
// keeps the frames for which keep is true, or all when it is nil; keep is called
// by another goroutine and must not hold on to the frame.
func Sniff(t testing.TB, n *NS, name string, keep func(Frame) bool) *Sniffer {
	t.Helper()
	s := &Sniffer{keep: keep, done: make(chan struct{})}
	var err error
	n.Do(func() { s.conn, err = openSniffer(name) })
	if err != nil {
		t.Fatalf("sniff %s in %s: %v", name, n.Name, err)
	}
	go s.receive()
	t.Cleanup(s.Close)
	return s
}

// openSniffer opens a packet socket that hears nothing before it is complete.
func openSniffer(name string) (*socket.Conn, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	c, err := socket.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0, "sniffer", nil)
	if err != nil {
		return nil, err
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(
		c.SetsockoptInt(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, sniffQueue),
		c.SetsockoptInt(unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		c.SetsockoptInt(unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		c.SetsockoptInt(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		c.Bind(&unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}),
	)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// receive takes frames until the socket is closed.
func (s *Sniffer) receive() {
	defer close(s.done)
	b := make([]byte, sniffMax)
	oob := make([]byte, 256)
	for {
		n, oobn, _, from, err := s.conn.Recvmsg(context.Background(), b, oob, 0)
		if errors.Is(err, unix.ENETDOWN) {
			continue // said once; the interface may come up again
		}
		if err != nil {
			return
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if n < vnetHeader+macs || !ok {
			continue
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return // the kernel's own words
		}
		f := Frame{
			Data:    withTag(b[vnetHeader:n], msgs),
			Out:     ll.Pkttype == unix.PACKET_OUTGOING,
			At:      stamp(msgs),
			Segment: int(binary.NativeEndian.Uint16(b[vnetSize:])),
		}
		if s.keep != nil && !s.keep(f) {
			continue
		}
		f.Data = slices.Clone(f.Data)
		s.mu.Lock()
		s.frames = append(s.frames, f)
		s.mu.Unlock()
	}
}

// stamp is when the kernel saw the frame.
func stamp(msgs []unix.SocketControlMessage) time.Time {
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS &&
			len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			return time.Unix((*unix.Timespec)(unsafe.Pointer(&m.Data[0])).Unix())
		}
	}
	return time.Time{}
}

// withTag puts the tag back that the kernel reports beside a frame.
func withTag(frame []byte, msgs []unix.SocketControlMessage) []byte {
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA ||
			len(m.Data) < int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			continue
		}
		aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
			return frame
		}
		tpid := uint16(unix.ETH_P_8021Q)
		if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			tpid = aux.Vlan_tpid
		}
		tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tpid), aux.Vlan_tci)
		return bytes.Join([][]byte{frame[:macs], tag, frame[macs:]}, nil)
	}
	return frame
}

// Frames are those that were seen so far.
func (s *Sniffer) Frames() []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.frames)
}

// Count is how many of the frames so far were sent, or received.
func (s *Sniffer) Count(out bool) int {
	n := 0
	for _, f := range s.Frames() {
		if f.Out == out {
			n++
		}
	}
	return n
}

// Close ends the watch. What was seen stays. It may be called more than once.
func (s *Sniffer) Close() {
	_ = s.conn.Close()
	<-s.done
}

// Send sends whole frames through an interface of the namespace, as they are.
func (n *NS) Send(name string, frames ...[]byte) {
	n.t.Helper()
	var err error
	n.Do(func() { err = sendFrames(name, frames) })
	if err != nil {
		n.t.Fatalf("send through %s in %s: %v", name, n.Name, err)
	}
}

func sendFrames(name string, frames [][]byte) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, f := range frames {
		if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index}); err != nil {
			return err
		}
	}
	return nil
}
