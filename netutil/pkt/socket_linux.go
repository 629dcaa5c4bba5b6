package pkt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// option is one setsockopt(2) with an integer.
type option struct {
	name              string
	level, opt, value int
}

// newSocket makes a packet socket that receives nothing yet.
func newSocket(options ...option) (*socket.Conn, error) {
	c, err := socket.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0, "packet", nil)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if err := c.SetsockoptInt(o.level, o.opt, o.value); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o.name, err), c.Close())
		}
	}
	return c, nil
}

// bind ties a socket to one interface and protocol; protocol 0 only sends.
func bind(c *socket.Conn, ifindex int, protocol uint16) error {
	return c.Bind(address(ifindex, protocol))
}

func address(ifindex int, protocol uint16) *unix.SockaddrLinklayer {
	return &unix.SockaddrLinklayer{Protocol: bigEndian(protocol), Ifindex: ifindex}
}

// membership adds or drops (opt) one of PACKET_MR_* on an interface.
func membership(c *socket.Conn, opt, ifindex int, typ uint16, a ether.Addr) error {
	mreq := unix.PacketMreq{Ifindex: int32(ifindex), Type: typ, Alen: ether.AddrLen}
	copy(mreq.Address[:], a[:])
	return c.SetsockoptPacketMreq(unix.SOL_PACKET, opt, &mreq)
}

// bigEndian gives a protocol number as sockaddr_ll has it.
func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}
