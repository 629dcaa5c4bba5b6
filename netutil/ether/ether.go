package ether

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// EtherTypes that decide where a frame belongs.
const (
	TypeIPv4   = 0x0800
	TypeARP    = 0x0806
	TypeVLAN   = 0x8100 // IEEE 802.1Q C-tag
	TypeIPv6   = 0x86dd
	TypeSVLAN  = 0x88a8 // IEEE 802.1ad S-tag
	TypeSlow   = 0x8809 // slow protocols, IEEE 802.3 Annex 57A
	HeaderLen  = 14     // destination, source, type
	TagLen     = 4      // one VLAN tag
	AddrLen    = 6
	vlanIDMask = 0x0fff
)

// SlowProtocols is the group address of LACPDUs and Marker PDUs
// (IEEE 802.1AX 6.2.10.2).
var SlowProtocols = Addr{0x01, 0x80, 0xc2, 0x00, 0x00, 0x02}

// Addr is a 48-bit MAC address. The zero value means "none".
type Addr [AddrLen]byte

// ErrAddr is the cause of every error of ParseAddr.
var ErrAddr = errors.New("not an Ethernet address")

// ParseAddr reads six octets of one or two hexadecimal digits separated by
// colons, in either case.
func ParseAddr(s string) (Addr, error) {
	var a Addr
	parts := strings.Split(s, ":")
	if len(parts) != AddrLen {
		return Addr{}, fmt.Errorf("ether: %q: %w", s, ErrAddr)
	}
	for i, p := range parts {
		if len(p) == 1 {
			p = "0" + p
		}
		b, err := hex.DecodeString(p)
		if err != nil || len(b) != 1 {
			return Addr{}, fmt.Errorf("ether: %q: %w", s, ErrAddr)
		}
		a[i] = b[0]
	}
	return a, nil
}

// FromSlice copies the first six octets of b, and reports whether b has
// exactly six.
func FromSlice(b []byte) (Addr, bool) {
	if len(b) != AddrLen {
		return Addr{}, false
	}
	return Addr(b), true
}

// String formats the address in lower case with colons, as NetBSD's
// ifconfig(8) prints it.
func (a Addr) String() string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 3*AddrLen-1)
	for i, o := range a {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[o>>4], digits[o&0xf])
	}
	return string(b)
}

// MarshalText implements encoding.TextMarshaler with String's format.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseAddr's format.
func (a *Addr) UnmarshalText(b []byte) error {
	v, err := ParseAddr(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// IsZero reports whether the address is the all-zero one.
func (a Addr) IsZero() bool { return a == Addr{} }

// IsGroup reports whether the address is a multicast or the broadcast one.
func (a Addr) IsGroup() bool { return a[0]&1 != 0 }

// IsPortReserved reports whether frames to this address belong to the single
// link they arrive on and must never cross an aggregate: 01-80-C2-00-00-01 to
// -0F (pause, slow protocols, 802.1X, LLDP). Spanning tree's -00 is not one of
// them: the aggregate is one bridge port (IEEE 802.1AX 6.1.3, 802.1Q table 8-1).
func (a Addr) IsPortReserved() bool {
	return a[0] == 0x01 && a[1] == 0x80 && a[2] == 0xc2 && a[3] == 0 && a[4] == 0 &&
		a[5] >= 0x01 && a[5] <= 0x0f
}

// StaysOnPort reports whether a frame, given from its destination address on,
// must be kept off the aggregate in both directions: it is addressed to a
// reserved group, or is an untagged or priority-tagged slow-protocol frame. A
// runt stays too, because nothing can be said about it.
func StaysOnPort(frame []byte) bool {
	if len(frame) < HeaderLen {
		return true
	}
	if Addr(frame[:AddrLen]).IsPortReserved() {
		return true
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case TypeSlow:
		return true
	case TypeVLAN:
		return len(frame) >= HeaderLen+TagLen &&
			binary.BigEndian.Uint16(frame[14:])&vlanIDMask == 0 &&
			binary.BigEndian.Uint16(frame[16:]) == TypeSlow
	}
	return false
}
