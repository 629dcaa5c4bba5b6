package slow

import (
	"encoding/binary"

	"ifagr/netutil/ether"
)

// The TLVs of a LACPDU (IEEE 802.1AX-2014 6.4.2.3), by their offset in the frame.
const (
	actorOff     = 16
	partnerOff   = 36
	collectorOff = 56
)

// Types and lengths of the TLVs, type and length octet included.
const (
	actorType     = 1
	partnerType   = 2
	collectorType = 3

	portInfoLen  = 20
	collectorLen = 16
)

// ParseLACPDU reads a LACPDU, given from its destination address on, of any
// version and any length from 124 octets. The error is ErrSubtype, ErrShort or
// ErrLength.
//
// Version, TLV types and reserved octets are not looked at: 6.4.12 forbids to
// reject a LACPDU because of them. A fixed TLV of another length is rejected, as
// its fields are not where they belong.
func ParseLACPDU(frame []byte) (LACPDU, error) {
	if err := check(frame, SubtypeLACP); err != nil {
		return LACPDU{}, err
	}
	if frame[actorOff+1] != portInfoLen || frame[partnerOff+1] != portInfoLen ||
		frame[collectorOff+1] != collectorLen {
		return LACPDU{}, ErrLength
	}
	return LACPDU{
		Version:           frame[subtypeOff+1],
		Actor:             parsePortInfo(frame[actorOff+2:]),
		Partner:           parsePortInfo(frame[partnerOff+2:]),
		CollectorMaxDelay: binary.BigEndian.Uint16(frame[collectorOff+2:]),
	}, nil
}

// parsePortInfo reads the value of an Actor or Partner TLV.
func parsePortInfo(b []byte) PortInfo {
	return PortInfo{
		System:   System{Priority: binary.BigEndian.Uint16(b), Addr: ether.Addr(b[2:8])},
		Key:      binary.BigEndian.Uint16(b[8:]),
		Priority: binary.BigEndian.Uint16(b[10:]),
		Port:     binary.BigEndian.Uint16(b[12:]),
		State:    State(b[14]),
	}
}

// AppendLACPDU appends the frame of a LACPDU from the port with the address src:
// 124 octets, version 1, reserved octets zero. p.Version is not looked at.
func AppendLACPDU(b []byte, src ether.Addr, p LACPDU) []byte {
	const collectorReserved, afterTerminator = 12, 50
	b = appendHeader(b, src, SubtypeLACP)
	b = appendPortInfo(b, actorType, p.Actor)
	b = appendPortInfo(b, partnerType, p.Partner)
	b = append(b, collectorType, collectorLen)
	b = binary.BigEndian.AppendUint16(b, p.CollectorMaxDelay)
	b = appendZeros(b, collectorReserved)
	b = append(b, 0, 0) // terminator
	return appendZeros(b, afterTerminator)
}

// appendPortInfo appends an Actor or Partner TLV.
func appendPortInfo(b []byte, tlv uint8, i PortInfo) []byte {
	b = append(b, tlv, portInfoLen)
	b = binary.BigEndian.AppendUint16(b, i.System.Priority)
	b = append(b, i.System.Addr[:]...)
	b = binary.BigEndian.AppendUint16(b, i.Key)
	b = binary.BigEndian.AppendUint16(b, i.Priority)
	b = binary.BigEndian.AppendUint16(b, i.Port)
	return append(b, uint8(i.State), 0, 0, 0)
}
