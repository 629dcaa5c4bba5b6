package pkt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// priorityControl is the kernel's TC_PRIO_CONTROL: the band of every default
// queueing discipline that is served first.
const priorityControl = 7

// Slow sends and receives the slow-protocol frames of one port: LACPDUs and
// Marker PDUs (IEEE 802.1AX-2014 6.2.10, IEEE 802.3 Annex 57A). Read belongs to
// one goroutine; the other methods may be called from any.
type Slow struct {
	conn   *socket.Conn
	oob    []byte
	closed atomic.Bool
}

// ListenSlow starts to receive on an interface, which joins the Slow_Protocols
// group address for as long as the socket is open.
func ListenSlow(ifindex int) (*Slow, error) {
	c, err := newSocket(
		option{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		option{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
		option{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, priorityControl},
	)
	if err != nil {
		return nil, fmt.Errorf("pkt slow %d: %w", ifindex, err)
	}
	err = membership(c, unix.PACKET_ADD_MEMBERSHIP, ifindex, unix.PACKET_MR_MULTICAST, ether.SlowProtocols)
	if err == nil {
		err = bind(c, ifindex, ether.TypeSlow)
	}
	if err != nil {
		return nil, fmt.Errorf("pkt slow %d: %w", ifindex, errors.Join(err, c.Close()))
	}
	return &Slow{conn: c, oob: make([]byte, auxdataSpace)}, nil
}

// Read waits for the next frame that was received untagged and addressed to the
// Slow_Protocols group, and stores it in b from its destination address on. A
// frame longer than b is dropped, as are all others. It fails with os.ErrClosed
// after Close and with os.ErrDeadlineExceeded after the deadline.
//
// A port that goes down or away is no error: frames just stop.
func (s *Slow) Read(b []byte) (int, error) {
	for {
		n, oobn, flags, from, err := s.conn.Recvmsg(context.Background(), b, s.oob, 0)
		switch {
		case err != nil && s.closed.Load():
			return 0, os.ErrClosed // whichever of its errors the poller gave
		case errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return 0, fmt.Errorf("pkt slow: %w", err)
		}
		if flags&unix.MSG_TRUNC == 0 && isSlow(b[:n], s.oob[:oobn], from) {
			return n, nil
		}
	}
}

// isSlow is the rule of design D8: what counts is untagged, for the group, and
// meant for this port.
func isSlow(frame, oob []byte, from unix.Sockaddr) bool {
	ll, ok := from.(*unix.SockaddrLinklayer)
	if !ok || ll.Pkttype == unix.PACKET_OTHERHOST || ll.Pkttype == unix.PACKET_OUTGOING {
		return false
	}
	if _, _, tagged := vlanTag(oob); tagged {
		return false
	}
	return len(frame) >= ether.HeaderLen && ether.Addr(frame[:ether.AddrLen]) == ether.SlowProtocols
}

// Send transmits one whole frame ahead of waiting data. It never waits: when the
// socket's buffer is full, because the port's queue stands still, it fails with
// EAGAIN.
func (s *Slow) Send(frame []byte) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return os.ErrClosed
	}
	writeErr := raw.Write(func(fd uintptr) bool {
		_, err = unix.Write(int(fd), frame)
		return true
	})
	if writeErr != nil {
		return os.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("pkt slow send: %w", err)
	}
	return nil
}

// SetDeadline sets the time after which Read and Send fail; zero is never.
func (s *Slow) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// Close ends the reception and leaves the group.
func (s *Slow) Close() error {
	s.closed.Store(true)
	return s.conn.Close()
}

// auxdataSpace is the room for one PACKET_AUXDATA control message.
var auxdataSpace = unix.CmsgSpace(int(unsafe.Sizeof(unix.TpacketAuxdata{})))
