package rtnl

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// FilterAddr is an address that an interface receives frames for besides its
// own (bridge(8): an fdb entry that is self and permanent).
type FilterAddr struct {
	Index int // of the interface
	Addr  ether.Addr
}

const sizeofNdMsg = 12 // struct ndmsg: family, 3 pad, ifindex, state, flags, type

// FilterAddrs lists the unicast addresses in the filter of one interface, or
// with index 0 of all, in the kernel's order. The interface's own address may be
// among them, and an address may be there twice.
//
// The kernel looks at every interface for one too: it takes some 0.2 us for
// each that there is.
func (c *Conn) FilterAddrs(index int) ([]FilterAddr, error) {
	const op = "list filters"
	header := make([]byte, sizeofNdMsg, 64)
	header[0] = unix.AF_BRIDGE
	data, err := attributes(header, func(ae *netlink.AttributeEncoder) error {
		if index != 0 {
			ae.Uint32(unix.NDA_IFINDEX, uint32(index))
		}
		return nil
	})
	if err != nil {
		return nil, wrap(op, "", err)
	}
	var out []FilterAddr
	err = c.dump(request{typ: unix.RTM_GETNEIGH, data: data},
		func() { out = out[:0] },
		func(b []byte) error {
			// A kernel that filters nothing answers with everything.
			if a, ok := decodeFilter(b); ok && (index == 0 || a.Index == index) {
				out = append(out, a)
			}
			return nil
		})
	return out, wrap(op, "", err)
}

// decodeFilter reads an RTM_NEWNEIGH message of AF_BRIDGE. Entries of bridges,
// learnt ones and groups are not of interest.
func decodeFilter(b []byte) (a FilterAddr, ok bool) {
	if len(b) < sizeofNdMsg {
		return a, false
	}
	state, flags := binary.NativeEndian.Uint16(b[8:]), b[10]
	if state&unix.NUD_PERMANENT == 0 || flags&unix.NTF_SELF == 0 {
		return a, false
	}
	a.Index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	each(b[sizeofNdMsg:], func(typ uint16, v []byte) {
		if typ == unix.NDA_LLADDR {
			a.Addr, ok = ether.FromSlice(v)
		}
	})
	return a, ok && !a.Addr.IsGroup()
}
