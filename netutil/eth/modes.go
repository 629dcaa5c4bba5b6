package eth

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Modes is a set of the kernel's link mode bits (unix.ETHTOOL_LINK_MODE_*_BIT),
// or of other numbered bits.
type Modes []uint32

// ModesOf makes a set of bits.
func ModesOf(bits ...int) Modes {
	var m Modes
	for _, b := range bits {
		for b/32 >= len(m) {
			m = append(m, 0)
		}
		m[b/32] |= 1 << (b % 32)
	}
	return m
}

// Has reports whether a link mode is in the set.
func (m Modes) Has(bit int) bool {
	return bit >= 0 && bit/32 < len(m) && m[bit/32]&(1<<(bit%32)) != 0
}

// Empty reports whether nothing is in the set.
func (m Modes) Empty() bool {
	for _, w := range m {
		if w != 0 {
			return false
		}
	}
	return true
}

// And are the bits that are in both sets.
func (m Modes) And(o Modes) Modes {
	out := make(Modes, min(len(m), len(o)))
	for i := range out {
		out[i] = m[i] & o[i]
	}
	return out
}

// Or are the bits that are in any of the sets.
func (m Modes) Or(o Modes) Modes {
	out := make(Modes, max(len(m), len(o)))
	copy(out, m)
	for i, w := range o {
		out[i] |= w
	}
	return out
}

// AndNot are the bits that are not in the other set.
func (m Modes) AndNot(o Modes) Modes {
	out := make(Modes, len(m))
	for i, w := range m {
		out[i] = w
		if i < len(o) {
			out[i] &^= o[i]
		}
	}
	return out
}

// Sending are the modes that are ways to send, without what describes something
// else: negotiation, connectors, pause and error correction.
func (m Modes) Sending() Modes { return m.AndNot(notModes[:]) }

// notModes are the bits that Sending leaves out.
var notModes = [...]uint32{
	1<<unix.ETHTOOL_LINK_MODE_Autoneg_BIT |
		1<<unix.ETHTOOL_LINK_MODE_TP_BIT |
		1<<unix.ETHTOOL_LINK_MODE_AUI_BIT |
		1<<unix.ETHTOOL_LINK_MODE_MII_BIT |
		1<<unix.ETHTOOL_LINK_MODE_FIBRE_BIT |
		1<<unix.ETHTOOL_LINK_MODE_BNC_BIT |
		1<<unix.ETHTOOL_LINK_MODE_Pause_BIT |
		1<<unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT |
		1<<unix.ETHTOOL_LINK_MODE_Backplane_BIT |
		1<<unix.ETHTOOL_LINK_MODE_10000baseR_FEC_BIT,
	1<<(unix.ETHTOOL_LINK_MODE_FEC_NONE_BIT-32) |
		1<<(unix.ETHTOOL_LINK_MODE_FEC_RS_BIT-32) |
		1<<(unix.ETHTOOL_LINK_MODE_FEC_BASER_BIT-32),
	1 << (unix.ETHTOOL_LINK_MODE_FEC_LLRS_BIT - 64),
}

// words reads bits as the kernel has them: 32-bit words in its byte order, the
// first bits first.
func words(b []byte) Modes {
	m := make(Modes, len(b)/4)
	for i := range m {
		m[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return m
}

// bytes are n words of the set.
func (m Modes) bytes(n int) []byte {
	b := make([]byte, 4*n)
	for i := range min(n, len(m)) {
		binary.NativeEndian.PutUint32(b[4*i:], m[i])
	}
	return b
}
