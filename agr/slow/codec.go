package slow

import (
	"encoding/binary"
	"errors"

	"ifagr/netutil/ether"
)

// Why a frame was rejected. They are compared with ==, and countable.
var (
	ErrSubtype = errors.New("slow: another protocol")
	ErrShort   = errors.New("slow: shorter than 124 octets")
	ErrLength  = errors.New("slow: wrong length of a TLV")
	ErrType    = errors.New("slow: neither a Marker Information nor a Response")
)

const version = 1 // of every frame that this package makes

const subtypeOff = ether.HeaderLen // of every slow-protocol frame

// Subtype tells which slow protocol a frame, given from its destination address
// on, belongs to. It is false for a frame that is not untagged, not 0x8809 or not
// addressed to the group: none of those is LACP or Marker (design D8).
func Subtype(frame []byte) (uint8, bool) {
	if len(frame) <= subtypeOff ||
		ether.Addr(frame[:ether.AddrLen]) != ether.SlowProtocols ||
		binary.BigEndian.Uint16(frame[2*ether.AddrLen:]) != ether.TypeSlow {
		return 0, false
	}
	return frame[subtypeOff], true
}

// check reports whether a frame is one of a protocol and long enough. Longer is
// right: Ethernet pads, and later versions add TLVs.
func check(frame []byte, subtype uint8) error {
	if s, ok := Subtype(frame); !ok || s != subtype {
		return ErrSubtype
	}
	if len(frame) < FrameLen {
		return ErrShort
	}
	return nil
}

// appendHeader appends everything in front of a frame's first TLV.
func appendHeader(b []byte, src ether.Addr, subtype uint8) []byte {
	b = append(b, ether.SlowProtocols[:]...)
	b = append(b, src[:]...)
	b = binary.BigEndian.AppendUint16(b, ether.TypeSlow)
	return append(b, subtype, version)
}

// appendZeros appends n reserved octets.
func appendZeros(b []byte, n int) []byte {
	return append(b, make([]byte, n)...)
}
