package eth

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// genl is a connection to ethtool's family of generic netlink (the kernel's
// networking/ethtool-netlink.rst).
type genl struct {
	mu     sync.Mutex // held from a request to the end of its reply
	nl     *netlink.Conn
	family uint16
}

const (
	sizeofGenlMsg = 4 // struct genlmsghdr: command, version, 2 reserved
	// genlBuffer is more than the 32 KiB that the kernel puts into one datagram
	// of a dump.
	genlBuffer = 64 << 10
)

// dialGenl connects to the network namespace of the calling thread. A kernel
// without the family is unix.ENOENT.
func dialGenl() (*genl, error) {
	nl, err := netlink.Dial(unix.NETLINK_GENERIC, &netlink.Config{MessageBufferSize: genlBuffer})
	if err != nil {
		return nil, fmt.Errorf("eth open: %w", err)
	}
	g := &genl{nl: nl, family: unix.GENL_ID_CTRL}
	if err := g.find(); err != nil {
		_ = nl.Close()
		return nil, fmt.Errorf("eth open: %w", err)
	}
	return g, nil
}

// find asks for the family's number, which is another one with each boot.
func (g *genl) find() error {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.CTRL_ATTR_FAMILY_NAME, unix.ETHTOOL_GENL_NAME)
	var family uint16
	err := g.ask(unix.CTRL_CMD_GETFAMILY, 0, ae, func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			if ad.Type() == unix.CTRL_ATTR_FAMILY_ID {
				family = ad.Uint16()
			}
		}
		return ad.Err()
	})
	if err == nil && family == 0 {
		err = unix.ENOENT
	}
	g.family = family
	return err
}

func (g *genl) close() error { return g.nl.Close() }

// ask sends a request and hands the attributes of each message of the reply to
// each, which may be nil.
func (g *genl) ask(cmd uint8, flags netlink.HeaderFlags, ae *netlink.AttributeEncoder, each func(*netlink.AttributeDecoder) error) error {
	attrs, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	msgs, err := g.nl.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(g.family), Flags: netlink.Request | flags},
		Data:   append([]byte{cmd, 1, 0, 0}, attrs...),
	})
	if err != nil {
		return err
	}
	for _, m := range msgs {
		if m.Header.Type == netlink.Error || each == nil {
			continue // an acknowledgement
		}
		if err := reply(m.Data, each); err != nil {
			return err
		}
	}
	return nil
}

var errShort = errors.New("short reply")

func reply(data []byte, each func(*netlink.AttributeDecoder) error) error {
	if len(data) < sizeofGenlMsg {
		return errShort
	}
	ad, err := netlink.NewAttributeDecoder(data[sizeofGenlMsg:])
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return each(ad)
}

// attrHeader is the number of the header attribute in every one of ethtool's
// messages.
const attrHeader = 1

// about begins a request about an interface, or about all for the empty name.
// Bit sets are wanted as words of bits, and a change is not to be answered with
// what has become of it.
func about(name string) *netlink.AttributeEncoder {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(attrHeader, func(ae *netlink.AttributeEncoder) error {
		if name != "" {
			ae.String(unix.ETHTOOL_A_HEADER_DEV_NAME, name)
		}
		ae.Uint32(unix.ETHTOOL_A_HEADER_FLAGS, unix.ETHTOOL_FLAG_COMPACT_BITSETS|unix.ETHTOOL_FLAG_OMIT_REPLY)
		return nil
	})
	return ae
}

// deviceIndex reads the index of the interface out of a header.
func deviceIndex(ad *netlink.AttributeDecoder) (index int) {
	ad.Nested(func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			if ad.Type() == unix.ETHTOOL_A_HEADER_DEV_INDEX {
				index = int(ad.Uint32())
			}
		}
		return nil
	})
	return index
}

// valueAndMask reads a compact bit set. A list has no mask.
func valueAndMask(ad *netlink.AttributeDecoder) (value, mask Modes) {
	ad.Nested(func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			switch ad.Type() {
			case unix.ETHTOOL_A_BITSET_VALUE:
				value = words(ad.Bytes())
			case unix.ETHTOOL_A_BITSET_MASK:
				mask = words(ad.Bytes())
			}
		}
		return nil
	})
	return value, mask
}

// putBits adds a compact bit set: the bits of mask are to be as in value.
func putBits(ae *netlink.AttributeEncoder, attr uint16, value, mask Modes) {
	ae.Nested(attr, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.ETHTOOL_A_BITSET_SIZE, uint32(32*len(mask)))
		ae.Bytes(unix.ETHTOOL_A_BITSET_VALUE, value.bytes(len(mask)))
		ae.Bytes(unix.ETHTOOL_A_BITSET_MASK, mask.bytes(len(mask)))
		return nil
	})
}
