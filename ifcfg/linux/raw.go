package linux

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// conn is the rtnetlink socket for link-layer addresses and new interfaces.
func (k *Kernel) conn() (*netlink.Conn, error) {
	if k.raw == nil {
		c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			return nil, failed(err)
		}
		// Without it the kernel lists the addresses of all interfaces, and
		// they are picked here.
		_ = c.SetOption(netlink.GetStrictCheck, true)
		k.raw = c
	}
	return k.raw, nil
}

// execute sends a request: its type, the fixed header and the attributes.
func (k *Kernel) execute(typ uint16, flags netlink.HeaderFlags, header []byte, ae *netlink.AttributeEncoder) ([]netlink.Message, error) {
	c, err := k.conn()
	if err != nil {
		return nil, err
	}
	attrs, err := ae.Encode()
	if err != nil {
		return nil, failed(err)
	}
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | flags},
		Data:   append(header, attrs...),
	})
	return msgs, failed(err)
}

const sizeofNdMsg = 12 // struct ndmsg: family, 3 pad, ifindex, state, flags, type

// ndmsg is the fixed header of a message about an entry of a forwarding
// database, neighbour tables' AF_BRIDGE.
func ndmsg(index int, state uint16, flags uint8) []byte {
	b := make([]byte, sizeofNdMsg, 64)
	b[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint16(b[8:], state)
	b[10] = flags
	return b
}
