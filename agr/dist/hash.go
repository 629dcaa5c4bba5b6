package dist

import (
	"encoding/binary"
	"math/bits"

	"ifagr/netutil/ether"
)

// Mode is what of a frame makes it belong to a conversation.
type Mode uint8

// The modes of the extension word agrhash.
const (
	// L3 is what agr(4)'s manual names: destination and source address, VLAN
	// tag, IPv4 source, destination and protocol, IPv6 source, destination and
	// flow label.
	L3 Mode = iota
	L2      // destination, source, VLAN tag
	L4      // L3 and the ports of TCP, UDP and SCTP; fragments count as L3
)

// String is the mode's name as the extension word agrhash has it.
func (m Mode) String() string {
	switch m {
	case L3:
		return "l3"
	case L2:
		return "l2"
	case L4:
		return "l4"
	}
	return "invalid"
}

// Hash maps frames to conversations. The zero value is L3 with seed 0.
type Hash struct {
	Mode Mode
	Seed uint32
}

// Protocol numbers whose first four octets are two ports.
const (
	protoTCP  = 6
	protoUDP  = 17
	protoSCTP = 132
)

const (
	ipv4HeaderLen = 20 // without options
	ipv6HeaderLen = 40 // without extension headers
	portsLen      = 4  // source and destination port
	flowLabelMask = 0xfffff
	fragmentMask  = 0x3fff // more fragments, and the offset
	maxTags       = 2
)

// Conversation is the conversation, an index of Table, that a frame belongs to.
// The frame starts with its destination address and may be of any length.
func (h Hash) Conversation(frame []byte) uint8 { return uint8(h.Sum(frame)) }

// Sum is the 32-bit hash of a frame, which starts with its destination address
// and may be of any length. The package comment defines it.
func (h Hash) Sum(frame []byte) uint32 {
	m := murmur{h: h.Seed}
	if len(frame) < ether.HeaderLen {
		return m.sum()
	}
	m.load(frame[0:12])
	tci, typ, payload := untag(frame)
	m.word(tci)
	if h.Mode == L2 {
		return m.sum()
	}
	switch typ {
	case ether.TypeIPv4:
		h.ipv4(&m, payload)
	case ether.TypeIPv6:
		h.ipv6(&m, payload)
	}
	return m.sum()
}

// untag gives the outermost tag's TCI, the type behind at most two tags and
// what follows that type. A type of 0 says that there is none to be had.
func untag(frame []byte) (tci, typ uint32, payload []byte) {
	typ = uint32(binary.BigEndian.Uint16(frame[12:]))
	payload = frame[ether.HeaderLen:]
	for n := 0; n < maxTags && (typ == ether.TypeVLAN || typ == ether.TypeSVLAN); n++ {
		if len(payload) < ether.TagLen {
			return tci, 0, nil
		}
		if n == 0 {
			tci = uint32(binary.BigEndian.Uint16(payload))
		}
		typ = uint32(binary.BigEndian.Uint16(payload[2:]))
		payload = payload[ether.TagLen:]
	}
	return tci, typ, payload
}

func (h Hash) ipv4(m *murmur, p []byte) {
	if len(p) < ipv4HeaderLen || p[0]>>4 != 4 {
		return
	}
	headerLen := int(p[0]&0xf) * 4
	if headerLen < ipv4HeaderLen {
		return
	}
	m.load(p[12:20])
	m.word(uint32(p[9]))
	fragment := binary.BigEndian.Uint16(p[6:])&fragmentMask != 0
	if h.Mode == L4 && !fragment {
		m.ports(p[9], p, headerLen)
	}
}

func (h Hash) ipv6(m *murmur, p []byte) {
	if len(p) < ipv6HeaderLen || p[0]>>4 != 6 {
		return
	}
	m.load(p[8:40])
	m.word(binary.BigEndian.Uint32(p) & flowLabelMask)
	if h.Mode == L4 {
		m.ports(p[6], p, ipv6HeaderLen)
	}
}

// murmur is MurmurHash3 x86_32 (Austin Appleby, public domain) fed with words.
type murmur struct {
	h uint32 // state
	n uint32 // octets so far
}

// word mixes one word in.
func (m *murmur) word(k uint32) {
	k *= 0xcc9e2d51
	k = bits.RotateLeft32(k, 15)
	k *= 0x1b873593
	m.h ^= k
	m.h = bits.RotateLeft32(m.h, 13)
	m.h = m.h*5 + 0xe6546b64
	m.n += 4
}

// load mixes the octets of b in, whose number is a multiple of four.
func (m *murmur) load(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		m.word(binary.LittleEndian.Uint32(b))
	}
}

// ports mixes the two ports at offset in, if proto has any and p holds them.
func (m *murmur) ports(proto byte, p []byte, offset int) {
	switch proto {
	case protoTCP, protoUDP, protoSCTP:
		if len(p) >= offset+portsLen {
			m.load(p[offset : offset+portsLen])
		}
	}
}

// sum is the last step: every bit of the state comes to depend on every other.
func (m *murmur) sum() uint32 {
	h := m.h ^ m.n
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	h ^= h >> 16
	return h
}
