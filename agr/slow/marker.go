package slow

import (
	"encoding/binary"

	"ifagr/netutil/ether"
)

// The TLV of a Marker PDU (IEEE 802.1AX-2014 6.5.3.3).
const (
	markerOff = 16 // in the frame
	markerLen = 16 // type and length octet included
)

// ParseMarker reads a Marker PDU, given from its destination address on, of any
// version and any length from 124 octets. The error is ErrSubtype, ErrShort or
// ErrType. Nothing but the TLV's type decides (6.5.4.2).
func ParseMarker(frame []byte) (Marker, error) {
	if err := check(frame, SubtypeMarker); err != nil {
		return Marker{}, err
	}
	b := frame[markerOff:]
	if b[0] != MarkerInformation && b[0] != MarkerResponse {
		return Marker{}, ErrType
	}
	return Marker{
		Type:            b[0],
		RequesterPort:   binary.BigEndian.Uint16(b[2:]),
		RequesterSystem: ether.Addr(b[4:10]),
		TransactionID:   binary.BigEndian.Uint32(b[10:]),
	}, nil
}

// AppendMarker appends the frame of a Marker PDU from the port with the address
// src: 124 octets, version 1, reserved octets zero.
func AppendMarker(b []byte, src ether.Addr, m Marker) []byte {
	const pad, afterTerminator = 2, 90
	b = appendHeader(b, src, SubtypeMarker)
	b = append(b, m.Type, markerLen)
	b = binary.BigEndian.AppendUint16(b, m.RequesterPort)
	b = append(b, m.RequesterSystem[:]...)
	b = binary.BigEndian.AppendUint32(b, m.TransactionID)
	b = appendZeros(b, pad)
	b = append(b, 0, 0) // terminator
	return appendZeros(b, afterTerminator)
}

// AppendMarkerReply appends the response to a Marker Information that ParseMarker
// accepted, from the port with the address src. It is the frame itself, version,
// pads, trailing octets and length included, with the type of a response and new
// addresses (6.5.4.2).
func AppendMarkerReply(b, frame []byte, src ether.Addr) []byte {
	start := len(b)
	b = append(b, frame...)
	reply := b[start:]
	copy(reply, ether.SlowProtocols[:])
	copy(reply[ether.AddrLen:], src[:])
	reply[markerOff] = MarkerResponse
	return b
}
