package eth

import (
	"errors"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Clock says who sets the pace of a link whose two ends must agree about it
// (IEEE 802.3 40.5).
type Clock uint8

// Values of Clock. ClockUnknown is what a link without such roles has.
const (
	ClockUnknown Clock = iota
	ClockOurs
	ClockTheirs
)

// LinkChange is how a link is to be used.
type LinkChange struct {
	Autoneg bool   // negotiate; otherwise Speed and Duplex are forced
	Speed   uint64 // Mb/s
	Duplex  Duplex
	Modes   Modes // the ways to send that are advertised; used with Autoneg
	Clock   Clock // ClockOurs insists on that role, ClockTheirs leaves it to the far end; ClockUnknown changes nothing
}

// The kernel's numbers of the roles, in what is configured and in what is so.
const (
	clockPreferOurs   = 2
	clockPreferTheirs = 3
	clockForceOurs    = 4
	clockIsOurs       = 2
	clockIsTheirs     = 3
)

// Settings asks for the settings of an interface. They are zero for one that
// has none.
func (t *Tool) Settings(name string) (Settings, error) {
	var s Settings
	err := t.either("settings", name, func() error {
		err := t.get(unix.ETHTOOL_MSG_LINKMODES_GET, name, s.linkModes)
		if err == nil {
			err = t.get(unix.ETHTOOL_MSG_LINKINFO_GET, name, s.linkInfo)
		}
		return err
	}, func() (err error) {
		s, err = t.ioctl.Settings(name)
		return errors.Unwrap(err)
	})
	return s, err
}

// linkModes decodes ETHTOOL_MSG_LINKMODES_GET_REPLY.
func (s *Settings) linkModes(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.ETHTOOL_A_LINKMODES_AUTONEG:
			s.Autoneg = ad.Uint8() != 0
		case unix.ETHTOOL_A_LINKMODES_OURS:
			s.Advertised, s.Supported = valueAndMask(ad)
		case unix.ETHTOOL_A_LINKMODES_PEER:
			s.Partner, _ = valueAndMask(ad)
		case unix.ETHTOOL_A_LINKMODES_SPEED:
			s.Speed = speed(ad.Uint32())
		case unix.ETHTOOL_A_LINKMODES_DUPLEX:
			s.Duplex = duplex(ad.Uint8())
		case unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_CFG:
			s.ClockForced = ad.Uint8() == clockForceOurs
		case unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_STATE:
			s.Clock = clock(ad.Uint8())
		}
	}
	return ad.Err()
}

// linkInfo decodes ETHTOOL_MSG_LINKINFO_GET_REPLY.
func (s *Settings) linkInfo(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if ad.Type() == unix.ETHTOOL_A_LINKINFO_PORT {
			s.Port = port(ad.Uint8())
		}
	}
	return ad.Err()
}

// SetLink changes how a link is used. Modes that are no ways to send, such as
// pause, stay as they are.
func (t *Tool) SetLink(name string, l LinkChange) error {
	return t.either("set link", name, func() error {
		var s Settings
		if err := t.get(unix.ETHTOOL_MSG_LINKMODES_GET, name, s.linkModes); err != nil {
			return err
		}
		return t.set(unix.ETHTOOL_MSG_LINKMODES_SET, l.request(name, s.Supported.Sending()))
	}, func() error {
		s, err := t.ioctl.linkSettings(name)
		if err != nil {
			return err
		}
		l.change(&s)
		return t.ioctl.ethtool(name, unsafe.Pointer(&s))
	})
}

// request is ETHTOOL_MSG_LINKMODES_SET, of an interface that can send in the
// ways of all.
func (l LinkChange) request(name string, all Modes) *netlink.AttributeEncoder {
	ae := about(name)
	ae.Uint8(unix.ETHTOOL_A_LINKMODES_AUTONEG, flag(l.Autoneg))
	if l.Autoneg {
		putBits(ae, unix.ETHTOOL_A_LINKMODES_OURS, l.Modes, all)
	} else {
		ae.Uint32(unix.ETHTOOL_A_LINKMODES_SPEED, uint32(l.Speed))
		ae.Uint8(unix.ETHTOOL_A_LINKMODES_DUPLEX, kernelDuplex(l.Duplex))
	}
	if l.Clock != ClockUnknown {
		ae.Uint8(unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_CFG, l.Clock.wish())
	}
	return ae
}

// change makes the change to an answer of ETHTOOL_GLINKSETTINGS, which becomes
// an ETHTOOL_SLINKSETTINGS.
func (l LinkChange) change(s *linkSettings) {
	s.cmd = unix.ETHTOOL_SLINKSETTINGS
	s.autoneg = flag(l.Autoneg)
	if l.Autoneg {
		n := max(0, int(s.words))
		advertised := Modes(s.modes[n : 2*n])
		copy(advertised, advertised.AndNot(advertised.Or(s.modes[:n]).Sending()).Or(l.Modes)[:n])
	} else {
		s.speed, s.duplex = uint32(l.Speed), kernelDuplex(l.Duplex)
	}
	s.clockWish = 0
	if l.Clock != ClockUnknown {
		s.clockWish = l.Clock.wish()
	}
}

func (c Clock) wish() uint8 {
	if c == ClockOurs {
		return clockForceOurs
	}
	return clockPreferTheirs
}

func clock(v uint8) Clock {
	switch v {
	case clockIsOurs:
		return ClockOurs
	case clockIsTheirs:
		return ClockTheirs
	}
	return ClockUnknown
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// Pause is whether frames of IEEE 802.3 31B stop the sender.
type Pause struct {
	Autoneg bool // it is negotiated, and Rx and Tx are what is offered
	Rx, Tx  bool // the far end may stop us; we may stop the far end
}

// Pause asks for the pause parameters.
func (t *Tool) Pause(name string) (Pause, error) {
	var p Pause
	err := t.either("pause", name, func() error {
		return t.get(unix.ETHTOOL_MSG_PAUSE_GET, name, p.decode)
	}, func() error {
		v := pauseParam{cmd: unix.ETHTOOL_GPAUSEPARAM}
		err := t.ioctl.ethtool(name, unsafe.Pointer(&v))
		p = Pause{Autoneg: v.autoneg != 0, Rx: v.rx != 0, Tx: v.tx != 0}
		return err
	})
	return p, err
}

// pauseParam is the kernel's struct ethtool_pauseparam.
type pauseParam struct{ cmd, autoneg, rx, tx uint32 }

func (p *Pause) decode(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.ETHTOOL_A_PAUSE_AUTONEG:
			p.Autoneg = ad.Uint8() != 0
		case unix.ETHTOOL_A_PAUSE_RX:
			p.Rx = ad.Uint8() != 0
		case unix.ETHTOOL_A_PAUSE_TX:
			p.Tx = ad.Uint8() != 0
		}
	}
	return ad.Err()
}

// SetPause changes the pause parameters.
func (t *Tool) SetPause(name string, p Pause) error {
	return t.either("set pause", name, func() error {
		ae := about(name)
		ae.Uint8(unix.ETHTOOL_A_PAUSE_AUTONEG, flag(p.Autoneg))
		ae.Uint8(unix.ETHTOOL_A_PAUSE_RX, flag(p.Rx))
		ae.Uint8(unix.ETHTOOL_A_PAUSE_TX, flag(p.Tx))
		return t.set(unix.ETHTOOL_MSG_PAUSE_SET, ae)
	}, func() error {
		v := pauseParam{
			cmd: unix.ETHTOOL_SPAUSEPARAM, autoneg: uint32(flag(p.Autoneg)), rx: uint32(flag(p.Rx)), tx: uint32(flag(p.Tx)),
		}
		return t.ioctl.ethtool(name, unsafe.Pointer(&v))
	})
}

// EEE is Energy-Efficient Ethernet (IEEE 802.3 78).
type EEE struct {
	Able    bool // some link mode can do it
	Enabled bool // it is advertised
	Active  bool // both ends do it
}

// EEE asks whether the interface saves energy.
func (t *Tool) EEE(name string) (EEE, error) {
	var e EEE
	err := t.either("eee", name, func() error {
		return t.get(unix.ETHTOOL_MSG_EEE_GET, name, e.decode)
	}, func() error {
		v := eee{cmd: unix.ETHTOOL_GEEE}
		err := t.ioctl.ethtool(name, unsafe.Pointer(&v))
		e = EEE{Able: v.supported != 0, Enabled: v.enabled != 0, Active: v.active != 0}
		return err
	})
	return e, err
}

func (e *EEE) decode(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.ETHTOOL_A_EEE_MODES_OURS:
			_, supported := valueAndMask(ad)
			e.Able = !supported.Empty()
		case unix.ETHTOOL_A_EEE_ACTIVE:
			e.Active = ad.Uint8() != 0
		case unix.ETHTOOL_A_EEE_ENABLED:
			e.Enabled = ad.Uint8() != 0
		}
	}
	return ad.Err()
}

// eee is the kernel's struct ethtool_eee.
type eee struct {
	cmd, supported, advertised, partner uint32
	active, enabled, txEnabled, txTimer uint32
	_                                   [2]uint32
}

// SetEEE turns the saving of energy on or off.
func (t *Tool) SetEEE(name string, on bool) error {
	return t.either("set eee", name, func() error {
		ae := about(name)
		ae.Uint8(unix.ETHTOOL_A_EEE_ENABLED, flag(on))
		return t.set(unix.ETHTOOL_MSG_EEE_SET, ae)
	}, func() error {
		v := eee{cmd: unix.ETHTOOL_GEEE}
		if err := t.ioctl.ethtool(name, unsafe.Pointer(&v)); err != nil {
			return err
		}
		v.cmd, v.enabled = unix.ETHTOOL_SEEE, uint32(flag(on))
		return t.ioctl.ethtool(name, unsafe.Pointer(&v))
	})
}
