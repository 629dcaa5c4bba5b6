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

	Clock       Clock // who sets the pace
	ClockForced bool  // we insist on setting it
}

// HasMedia reports whether the interface has link modes to choose from. veth,
// TAP, virtio and bridges have none.
func (s *Settings) HasMedia() bool {
	return !s.Supported.Sending().Empty()
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

// maxWords bounds the length of each of the three mode sets of a reply; the
// kernel's own type for it goes no further.
const maxWords = 127

// linkSettings is the kernel's struct ethtool_link_settings. In modes the
// supported, the advertised and the far end's modes follow one another, words
// words each.
type linkSettings struct {
	cmd, speed   uint32
	duplex, port uint8
	phy          uint8
	autoneg      uint8
	mdio, mdix   uint8
	mdixWish     uint8
	words        int8
	transceiver  uint8
	clockWish    uint8
	clock        uint8
	rate         uint8
	_            [7]uint32
	modes        [3 * maxWords]uint32
}

// Settings asks for the settings of an interface (ETHTOOL_GLINKSETTINGS). They
// are zero for an interface that has none; the error unwraps to unix.ENODEV when
// there is no such interface.
func (c *Conn) Settings(name string) (Settings, error) {
	s, err := c.linkSettings(name)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("eth settings %s: %w", name, err)
	}
	return s.decode(), nil
}

// linkSettings makes an ETHTOOL_GLINKSETTINGS request. The first one says that
// there is room for 0 words, and the kernel answers with how many it wants,
// negated.
func (c *Conn) linkSettings(name string) (linkSettings, error) {
	for words := int8(0); ; {
		s := linkSettings{cmd: unix.ETHTOOL_GLINKSETTINGS, words: words}
		if err := c.ethtool(name, unsafe.Pointer(&s)); err != nil {
			return s, err
		}
		if words != 0 || s.words >= 0 {
			return s, nil
		}
		words = -s.words
	}
}

// decode translates a reply. A driver writes speed -1 where it does not know.
func (s *linkSettings) decode() Settings {
	out := Settings{
		Speed: speed(s.speed), Duplex: duplex(s.duplex), Port: port(s.port), Autoneg: s.autoneg != 0,
		Clock: clock(s.clock), ClockForced: s.clockWish == clockForceOurs,
	}
	if n := int(s.words); n > 0 {
		out.Supported = slices.Clone(s.modes[:n])
		out.Advertised = slices.Clone(s.modes[n : 2*n])
		out.Partner = slices.Clone(s.modes[2*n : 3*n])
	}
	return out
}

func speed(v uint32) uint64 {
	if v == ^uint32(0) {
		return 0
	}
	return uint64(v)
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

func kernelDuplex(d Duplex) uint8 {
	if d == HalfDuplex {
		return 0
	}
	return 1
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
