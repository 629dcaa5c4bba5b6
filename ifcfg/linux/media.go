package linux

import (
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
)

// mode is a way to send, in the words of NetBSD's ifmedia(4) and with the
// kernel's bit.
type mode struct {
	bit   int
	speed uint64 // Mb/s
	full  bool
	port  eth.Port // where several names have the same speed
	name  string
}

// modes lists what interfaces have most, in ascending order of speed.
func modes() []mode {
	return []mode{
		{unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT, 10, false, eth.PortTP, "10baseT"},
		{unix.ETHTOOL_LINK_MODE_10baseT_Full_BIT, 10, true, eth.PortTP, "10baseT"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Half_BIT, 100, false, eth.PortTP, "100baseTX"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT, 100, true, eth.PortTP, "100baseTX"},
		{unix.ETHTOOL_LINK_MODE_1000baseT_Half_BIT, 1000, false, eth.PortTP, "1000baseT"},
		{unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT, 1000, true, eth.PortTP, "1000baseT"},
		{unix.ETHTOOL_LINK_MODE_1000baseX_Full_BIT, 1000, true, eth.PortFibre, "1000baseSX"},
		{unix.ETHTOOL_LINK_MODE_1000baseKX_Full_BIT, 1000, true, eth.PortNone, "1000BASE-KX"},
		{unix.ETHTOOL_LINK_MODE_2500baseT_Full_BIT, 2500, true, eth.PortTP, "2.5GBASE-T"},
		{unix.ETHTOOL_LINK_MODE_2500baseX_Full_BIT, 2500, true, eth.PortNone, "2500BASE-KX"},
		{unix.ETHTOOL_LINK_MODE_5000baseT_Full_BIT, 5000, true, eth.PortTP, "5GBASE-T"},
		{unix.ETHTOOL_LINK_MODE_10000baseT_Full_BIT, 10000, true, eth.PortTP, "10Gbase-T"},
		{unix.ETHTOOL_LINK_MODE_10000baseSR_Full_BIT, 10000, true, eth.PortFibre, "10GbaseSR"},
		{unix.ETHTOOL_LINK_MODE_10000baseLR_Full_BIT, 10000, true, eth.PortFibre, "10GbaseLR"},
		{unix.ETHTOOL_LINK_MODE_10000baseLRM_Full_BIT, 10000, true, eth.PortFibre, "10Gbase-LRM"},
		{unix.ETHTOOL_LINK_MODE_10000baseCR_Full_BIT, 10000, true, eth.PortDirectAttach, "10Gbase-Twinax"},
		{unix.ETHTOOL_LINK_MODE_10000baseKR_Full_BIT, 10000, true, eth.PortNone, "10GBASE-KR"},
		{unix.ETHTOOL_LINK_MODE_10000baseKX4_Full_BIT, 10000, true, eth.PortNone, "10GBASE-KX4"},
		{unix.ETHTOOL_LINK_MODE_25000baseCR_Full_BIT, 25000, true, eth.PortDirectAttach, "25GBASE-CR"},
		{unix.ETHTOOL_LINK_MODE_25000baseKR_Full_BIT, 25000, true, eth.PortNone, "25GBASE-KR"},
		{unix.ETHTOOL_LINK_MODE_25000baseSR_Full_BIT, 25000, true, eth.PortFibre, "25GBASE-SR"},
		{unix.ETHTOOL_LINK_MODE_40000baseCR4_Full_BIT, 40000, true, eth.PortDirectAttach, "40GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseKR4_Full_BIT, 40000, true, eth.PortNone, "40GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseLR4_Full_BIT, 40000, true, eth.PortFibre, "40GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseSR4_Full_BIT, 40000, true, eth.PortFibre, "40GBASE-SR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseCR4_Full_BIT, 100000, true, eth.PortDirectAttach, "100GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseKR4_Full_BIT, 100000, true, eth.PortNone, "100GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseLR4_ER4_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseSR4_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-SR4"},
	}
}

// Media implements ifcfg.Driver.
func (k *Kernel) Media(index int) (*ifcfg.Media, error) {
	l, err := k.at(index)
	if err != nil {
		return nil, err
	}
	if k.eth == nil {
		if k.eth, err = eth.Open(); err != nil {
			return nil, failed(err)
		}
	}
	s, err := k.eth.Settings(l.Name)
	if err != nil {
		return nil, failed(err)
	}
	return mediaOf(&s, l.Carrier), nil
}

// SetMedia implements ifcfg.Driver: link modes are read only as yet.
func (k *Kernel) SetMedia(int, ifcfg.MediaChange) error { return ifcfg.ErrnoNamed("EOPNOTSUPP") }

// mediaOf says in ifmedia(4)'s words what a driver says about its link; nil
// when there is nothing to choose.
func mediaOf(s *eth.Settings, carrier bool) *ifcfg.Media {
	if !s.HasMedia() {
		return nil
	}
	used := inUse(s)
	m := &ifcfg.Media{Type: "Ethernet", Current: used, Active: used, Valid: true, Supported: supported(s)}
	if s.Autoneg {
		m.Current = "autoselect"
		if !carrier {
			m.Active = "none"
		}
	}
	return m
}

// inUse is the mode that the speed and the connector tell. One that both ends
// advertise is preferred, then one that fits the connector.
func inUse(s *eth.Settings) string {
	best, rank := "none", 0
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
			best, rank = m.words(" "), r
		}
	}
	if rank == 0 && s.Speed != 0 {
		return "Other"
	}
	return best
}

// words is the name with the option; between stands before the option.
func (m *mode) words(between string) string {
	if !m.full {
		return m.name
	}
	return m.name + between + "full-duplex"
}

// supported lists what -m shows.
func supported(s *eth.Settings) []string {
	var out []string
	for _, m := range modes() {
		if s.Supported.Has(m.bit) {
			out = append(out, m.words(" mediaopt "))
		}
	}
	if s.Supported.Has(unix.ETHTOOL_LINK_MODE_Autoneg_BIT) {
		out = append(out, "autoselect")
	}
	return out
}
