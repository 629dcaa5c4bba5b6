package eth

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Settings is what a driver says about its link (ethtool(8), ethtool DEVNAME).
type Settings struct {
	Speed   uint64 // Mb/s; 0 unknown
	Duplex  Duplex
	Port    Port
	Autoneg bool // the speed is negotiated

	Supported  Modes // by the interface
	Advertised Modes // to the far end
	Partner    Modes // advertised by the far end
}

// HasMedia reports whether the interface has link modes to choose from. veth,
// TAP, virtio and bridges have none.
func (s *Settings) HasMedia() bool {
	for i, w := range s.Supported {
		if i < len(notModes) {
			w &^= notModes[i]
		}
		if w != 0 {
			return true
		}
	}
	return false
}

// Duplex says whether both ends may send at the same time.
type Duplex uint8

// Values of Duplex.
const (
	DuplexUnknown Duplex = iota
	HalfDuplex
	FullDuplex
)

// String is ethtool(8)'s word.
func (d Duplex) String() string {
	switch d {
	case HalfDuplex:
		return "half"
	case FullDuplex:
		return "full"
	case DuplexUnknown:
	}
	return "unknown"
}

// Port is the kind of connector.
type Port uint8

// Values of Port.
const (
	PortUnknown Port = iota
	PortTP
	PortAUI
	PortMII
	PortFibre
	PortBNC
	PortDirectAttach
	PortNone
	PortOther
)

// String is a short name of the connector, in lower case.
func (p Port) String() string {
	names := [...]string{"unknown", "tp", "aui", "mii", "fibre", "bnc", "da", "none", "other"}
	if int(p) < len(names) {
		return names[p]
	}
	return names[PortUnknown]
}

// Modes is a set of the kernel's link mode bits (unix.ETHTOOL_LINK_MODE_*_BIT).
type Modes []uint32

// Has reports whether a link mode is in the set.
func (m Modes) Has(bit int) bool {
	return bit >= 0 && bit/32 < len(m) && m[bit/32]&(1<<(bit%32)) != 0
}

// notModes are the bits that describe something else than a way to send:
// negotiation, connectors, pause and error correction.
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

// maxWords bounds the length of each of the three mode sets of a reply; the
// kernel's own type for it goes no further.
const maxWords = 127

// linkSettings is the kernel's struct ethtool_link_settings. In modes the
// supported, the advertised and the far end's modes follow one another, words
// words each.
type linkSettings struct {
	cmd, speed   uint32
	duplex, port uint8
	_            uint8
	autoneg      uint8
	_            [3]uint8
	words        int8
	_            [4]uint8
	_            [7]uint32
	modes        [3 * maxWords]uint32
}

// Settings asks for the settings of an interface (ETHTOOL_GLINKSETTINGS). They
// are zero for an interface that has none; the error unwraps to unix.ENODEV when
// there is no such interface.
func (c *Conn) Settings(name string) (Settings, error) {
	// The first request says that we have room for 0 words, the kernel answers
	// with how many it wants, negated.
	var s linkSettings
	for words := int8(0); ; words = -s.words {
		s = linkSettings{cmd: unix.ETHTOOL_GLINKSETTINGS, words: words}
		err := c.ethtool(name, unsafe.Pointer(&s))
		if errors.Is(err, unix.EOPNOTSUPP) {
			return Settings{}, nil
		}
		if err != nil {
			return Settings{}, fmt.Errorf("eth settings %s: %w", name, err)
		}
		if words != 0 || s.words >= 0 {
			return s.decode(), nil
		}
	}
}

// decode translates a reply. A driver writes speed -1 where it does not know.
func (s *linkSettings) decode() Settings {
	out := Settings{Duplex: duplex(s.duplex), Port: port(s.port), Autoneg: s.autoneg != 0}
	if s.speed != ^uint32(0) {
		out.Speed = uint64(s.speed)
	}
	if n := int(s.words); n > 0 {
		out.Supported = slices.Clone(s.modes[:n])
		out.Advertised = slices.Clone(s.modes[n : 2*n])
		out.Partner = slices.Clone(s.modes[2*n : 3*n])
	}
	return out
}

func duplex(v uint8) Duplex {
	switch v {
	case 0: // DUPLEX_HALF
		return HalfDuplex
	case 1: // DUPLEX_FULL
		return FullDuplex
	}
	return DuplexUnknown
}

func port(v uint8) Port {
	switch v {
	case 0xef: // PORT_NONE
		return PortNone
	case 0xff: // PORT_OTHER
		return PortOther
	}
	if v > 5 { // PORT_DA
		return PortUnknown
	}
	return Port(v) + PortTP
}
