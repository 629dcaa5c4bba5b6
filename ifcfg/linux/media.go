package linux

import (
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
)

// media asks a driver for its medium; nil when there is nothing to choose.
func media(t linkTool, name string, carrier bool) (*ifcfg.Media, error) {
	s, err := t.Settings(name)
	if err != nil {
		return nil, failed(err)
	}
	if !s.HasMedia() {
		return nil, nil
	}
	var p eth.Pause
	if carrier {
		if p, err = t.Pause(name); err != nil && !is(err, unix.EOPNOTSUPP) {
			return nil, failed(err)
		}
	}
	return mediaOf(&s, p, carrier), nil
}

// mediaOf says in ifmedia(4)'s words what a driver says about its link.
func mediaOf(s *eth.Settings, p eth.Pause, carrier bool) *ifcfg.Media {
	m := &ifcfg.Media{Type: "Ethernet", Current: configured(s), Valid: true, Supported: supported(s)}
	switch {
	case carrier:
		m.Active = inUse(s)
		m.Active.Options |= pauseOptions(s, p)
		if s.Clock == eth.ClockOurs {
			m.Active.Options |= ifcfg.MediaMaster
		}
	case s.Autoneg:
		m.Active = ifcfg.Medium{Subtype: none}
	default:
		m.Active = m.Current
	}
	return m
}

const (
	autoselect = "autoselect"
	none       = "none"
	other      = "Other"
)

// configured is what was chosen. On copper modes from 1000baseT up are chosen by
// advertising nothing else, so a driver that advertises one of several modes was
// told to; on fibre the module may be the reason.
func configured(s *eth.Settings) ifcfg.Medium {
	if !s.Autoneg {
		return inUse(s)
	}
	if s.Port != eth.PortTP && s.Port != eth.PortMII {
		return ifcfg.Medium{Subtype: autoselect}
	}
	only, n := mode{}, 0
	for _, m := range modes() {
		if s.Supported.Has(m.bit) && s.Advertised.Has(m.bit) {
			only, n = m, n+1
		}
	}
	if n == 1 && !s.Supported.Sending().AndNot(s.Advertised).Empty() {
		return only.medium()
	}
	return ifcfg.Medium{Subtype: autoselect}
}

// inUse is the mode that the speed and the connector tell. One that both ends
// advertise is preferred, then one that fits the connector.
func inUse(s *eth.Settings) ifcfg.Medium {
	best, rank := ifcfg.Medium{Subtype: none}, 0
	for _, m := range modes() {
		if m.speed != s.Speed || m.full != (s.Duplex != eth.HalfDuplex) || !s.Supported.Has(m.bit) {
			continue
		}
		r := 1
		if m.port == s.Port {
			r = 2
		}
		if s.Advertised.Has(m.bit) && s.Partner.Has(m.bit) {
			r = 3
		}
		if r > rank {
			best, rank = m.medium(), r
		}
	}
	if rank == 0 && s.Speed != 0 {
		return ifcfg.Medium{Subtype: other}
	}
	return best
}

// pauseOptions says which ends may stop each other. Where that is negotiated,
// what both ends advertise decides (IEEE 802.3 28B.3), and where the driver
// does not tell what the far end advertises, what is offered.
func pauseOptions(s *eth.Settings, p eth.Pause) (o ifcfg.MediaOptions) {
	const pause, asym = unix.ETHTOOL_LINK_MODE_Pause_BIT, unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT
	if s.Duplex != eth.FullDuplex {
		return 0
	}
	switch {
	case p.Autoneg && !s.Autoneg:
		return 0
	case p.Autoneg && !s.Partner.Empty():
		ours, theirs := s.Advertised, s.Partner
		both := ours.Has(pause) && theirs.Has(pause)
		oneWay := ours.Has(asym) && theirs.Has(asym)
		p.Rx, p.Tx = both || oneWay && ours.Has(pause), both || oneWay && theirs.Has(pause)
	}
	if p.Rx {
		o |= ifcfg.MediaFlowControl | ifcfg.MediaRxPause
	}
	if p.Tx {
		o |= ifcfg.MediaFlowControl | ifcfg.MediaTxPause
	}
	return o
}

// supported lists what -m shows.
func supported(s *eth.Settings) []ifcfg.Medium {
	var out []ifcfg.Medium
	rest := s.Supported.Sending()
	for _, m := range modes() {
		if !s.Supported.Has(m.bit) {
			continue
		}
		rest = rest.AndNot(eth.ModesOf(m.bit))
		if word := m.medium(); !slices.Contains(out, word) { // some modes share a name
			out = append(out, word)
		}
	}
	if !rest.Empty() {
		out = append(out, ifcfg.Medium{Subtype: other})
	}
	if s.Supported.Has(unix.ETHTOOL_LINK_MODE_Autoneg_BIT) {
		out = append(out, ifcfg.Medium{Subtype: autoselect})
	}
	return out
}

// Options that can be asked for, and those that a driver can be made to have.
const (
	duplexOptions = ifcfg.MediaFullDuplex | ifcfg.MediaHalfDuplex
	wishes        = duplexOptions | ifcfg.MediaFlowControl | ifcfg.MediaMaster
)

// gigabit is the speed from which on a link needs negotiation to come up, and
// has no half duplex worth speaking of.
const gigabit = 1000

// setMedia chooses a medium.
func setMedia(t linkTool, name string, m ifcfg.MediaRequest) error {
	s, err := t.Settings(name)
	if err != nil {
		return failed(err)
	}
	l, ok := linkChange(&s, m)
	if !ok {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	if err := t.SetLink(name, l); err != nil {
		return failed(err)
	}
	if flow := m.Options & ifcfg.MediaFlowControl; flow != 0 || m.Cleared&ifcfg.MediaFlowControl != 0 {
		on := flow != 0
		return failed(t.SetPause(name, eth.Pause{Autoneg: l.Autoneg, Rx: on, Tx: on}))
	}
	return nil
}

// linkChange finds what the driver is to do; ok is false for what the interface
// cannot be.
func linkChange(s *eth.Settings, m ifcfg.MediaRequest) (l eth.LinkChange, ok bool) {
	autoneg := s.Supported.Has(unix.ETHTOOL_LINK_MODE_Autoneg_BIT)
	if m.Instance != 0 || m.Options&^wishes != 0 || m.Options&duplexOptions == duplexOptions {
		return l, false
	}
	wanted := s.Supported.Sending()
	if m.Subtype == autoselect {
		if m.Options&duplexOptions != 0 {
			wanted = modesWith(wanted, func(c *mode) bool { return c.full == (m.Options&ifcfg.MediaFullDuplex != 0) })
		}
		l = eth.LinkChange{Autoneg: true, Modes: wanted}
		return withClock(l, s, m), autoneg && !wanted.Empty()
	}
	wanted = modesWith(wanted, func(c *mode) bool { return c.is(m.Medium) })
	for _, c := range modes() {
		if !wanted.Has(c.bit) {
			continue
		}
		l = eth.LinkChange{Speed: c.speed, Duplex: c.duplex()}
		if c.speed >= gigabit && autoneg {
			l = eth.LinkChange{Autoneg: true, Modes: wanted}
		}
		return withClock(l, s, m), true
	}
	return l, false
}

// withClock adds the role that option master asks for. To give it up again
// leaves it to the far end.
func withClock(l eth.LinkChange, s *eth.Settings, m ifcfg.MediaRequest) eth.LinkChange {
	switch {
	case m.Options&ifcfg.MediaMaster != 0:
		l.Clock = eth.ClockOurs
	case s.ClockForced:
		l.Clock = eth.ClockTheirs
	}
	return l
}

// modesWith are those of the modes of which ok holds, by their names; what has
// no name is left out.
func modesWith(all eth.Modes, ok func(*mode) bool) eth.Modes {
	var out eth.Modes
	for _, m := range modes() {
		if all.Has(m.bit) && ok(&m) {
			out = out.Or(eth.ModesOf(m.bit))
		}
	}
	return out
}
