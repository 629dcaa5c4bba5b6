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

func (m *mode) duplex() eth.Duplex {
	if m.full {
		return eth.FullDuplex
	}
	return eth.HalfDuplex
}

func (m *mode) medium() ifcfg.Medium {
	out := ifcfg.Medium{Subtype: m.name}
	if m.full {
		out.Options = ifcfg.MediaFullDuplex
	}
	return out
}

// is reports whether the mode is what a word asks for. From 1000 Mb/s up there
// is full duplex only, whether the word says so or not.
func (m *mode) is(w ifcfg.Medium) bool {
	full := w.Options&ifcfg.MediaFullDuplex != 0
	if m.speed >= gigabit && w.Options&ifcfg.MediaHalfDuplex == 0 {
		full = true
	}
	return m.name == w.Subtype && m.full == full
}

// modes lists the modes that have a name in NetBSD, in ascending order of speed
// and half duplex before full.
func modes() []mode {
	return []mode{
		{unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT, 10, false, eth.PortTP, "10baseT"},
		{unix.ETHTOOL_LINK_MODE_10baseT_Full_BIT, 10, true, eth.PortTP, "10baseT"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Half_BIT, 100, false, eth.PortTP, "100baseTX"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT, 100, true, eth.PortTP, "100baseTX"},
		{unix.ETHTOOL_LINK_MODE_100baseFX_Half_BIT, 100, false, eth.PortFibre, "100baseFX"},
		{unix.ETHTOOL_LINK_MODE_100baseFX_Full_BIT, 100, true, eth.PortFibre, "100baseFX"},
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
		{unix.ETHTOOL_LINK_MODE_10000baseER_Full_BIT, 10000, true, eth.PortFibre, "10GBASE-ER"},
		{unix.ETHTOOL_LINK_MODE_10000baseCR_Full_BIT, 10000, true, eth.PortDirectAttach, "10Gbase-Twinax"},
		{unix.ETHTOOL_LINK_MODE_10000baseKR_Full_BIT, 10000, true, eth.PortNone, "10GBASE-KR"},
		{unix.ETHTOOL_LINK_MODE_10000baseKX4_Full_BIT, 10000, true, eth.PortNone, "10GBASE-KX4"},
		{unix.ETHTOOL_LINK_MODE_20000baseKR2_Full_BIT, 20000, true, eth.PortNone, "20GBASE-KR2"},
		{unix.ETHTOOL_LINK_MODE_25000baseCR_Full_BIT, 25000, true, eth.PortDirectAttach, "25GBASE-CR"},
		{unix.ETHTOOL_LINK_MODE_25000baseKR_Full_BIT, 25000, true, eth.PortNone, "25GBASE-KR"},
		{unix.ETHTOOL_LINK_MODE_25000baseSR_Full_BIT, 25000, true, eth.PortFibre, "25GBASE-SR"},
		{unix.ETHTOOL_LINK_MODE_40000baseCR4_Full_BIT, 40000, true, eth.PortDirectAttach, "40GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseKR4_Full_BIT, 40000, true, eth.PortNone, "40GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseLR4_Full_BIT, 40000, true, eth.PortFibre, "40GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseSR4_Full_BIT, 40000, true, eth.PortFibre, "40GBASE-SR4"},
		{unix.ETHTOOL_LINK_MODE_50000baseCR_Full_BIT, 50000, true, eth.PortDirectAttach, "50GBASE-CR"},
		{unix.ETHTOOL_LINK_MODE_50000baseCR2_Full_BIT, 50000, true, eth.PortDirectAttach, "50GBASE-CR2"},
		{unix.ETHTOOL_LINK_MODE_50000baseKR_Full_BIT, 50000, true, eth.PortNone, "50GBASE-KR"},
		{unix.ETHTOOL_LINK_MODE_50000baseKR2_Full_BIT, 50000, true, eth.PortNone, "50GBASE-KR2"},
		{unix.ETHTOOL_LINK_MODE_50000baseLR_ER_FR_Full_BIT, 50000, true, eth.PortFibre, "50GBASE-LR"},
		{unix.ETHTOOL_LINK_MODE_50000baseSR_Full_BIT, 50000, true, eth.PortFibre, "50GBASE-SR"},
		{unix.ETHTOOL_LINK_MODE_50000baseSR2_Full_BIT, 50000, true, eth.PortFibre, "50GBASE-SR2"},
		{unix.ETHTOOL_LINK_MODE_56000baseKR4_Full_BIT, 56000, true, eth.PortNone, "56GBASE-R4"},
		{unix.ETHTOOL_LINK_MODE_56000baseCR4_Full_BIT, 56000, true, eth.PortDirectAttach, "56GBASE-R4"},
		{unix.ETHTOOL_LINK_MODE_56000baseSR4_Full_BIT, 56000, true, eth.PortFibre, "56GBASE-R4"},
		{unix.ETHTOOL_LINK_MODE_56000baseLR4_Full_BIT, 56000, true, eth.PortFibre, "56GBASE-R4"},
		{unix.ETHTOOL_LINK_MODE_100000baseCR2_Full_BIT, 100000, true, eth.PortDirectAttach, "100GBASE-CR2"},
		{unix.ETHTOOL_LINK_MODE_100000baseCR4_Full_BIT, 100000, true, eth.PortDirectAttach, "100GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseDR_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-DR"},
		{unix.ETHTOOL_LINK_MODE_100000baseKR2_Full_BIT, 100000, true, eth.PortNone, "100GBASE-KR2"},
		{unix.ETHTOOL_LINK_MODE_100000baseKR4_Full_BIT, 100000, true, eth.PortNone, "100GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseLR_ER_FR_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-LR"},
		{unix.ETHTOOL_LINK_MODE_100000baseLR4_ER4_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_100000baseSR2_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-SR2"},
		{unix.ETHTOOL_LINK_MODE_100000baseSR4_Full_BIT, 100000, true, eth.PortFibre, "100GBASE-SR4"},
		{unix.ETHTOOL_LINK_MODE_200000baseCR2_Full_BIT, 200000, true, eth.PortDirectAttach, "200GBASE-CR2"},
		{unix.ETHTOOL_LINK_MODE_200000baseCR4_Full_BIT, 200000, true, eth.PortDirectAttach, "200GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_200000baseDR4_Full_BIT, 200000, true, eth.PortFibre, "200GBASE-DR4"},
		{unix.ETHTOOL_LINK_MODE_200000baseKR2_Full_BIT, 200000, true, eth.PortNone, "200GBASE-KR2"},
		{unix.ETHTOOL_LINK_MODE_200000baseKR4_Full_BIT, 200000, true, eth.PortNone, "200GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_200000baseLR4_ER4_FR4_Full_BIT, 200000, true, eth.PortFibre, "200GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_200000baseSR4_Full_BIT, 200000, true, eth.PortFibre, "200GBASE-SR4"},
		{unix.ETHTOOL_LINK_MODE_400000baseCR4_Full_BIT, 400000, true, eth.PortDirectAttach, "400GBASE-CR4"},
		{unix.ETHTOOL_LINK_MODE_400000baseDR4_Full_BIT, 400000, true, eth.PortFibre, "400GBASE-DR4"},
		{unix.ETHTOOL_LINK_MODE_400000baseKR4_Full_BIT, 400000, true, eth.PortNone, "400GBASE-KR4"},
		{unix.ETHTOOL_LINK_MODE_400000baseLR4_ER4_FR4_Full_BIT, 400000, true, eth.PortFibre, "400GBASE-LR4"},
		{unix.ETHTOOL_LINK_MODE_400000baseLR8_ER8_FR8_Full_BIT, 400000, true, eth.PortFibre, "400GBASE-LR8"},
		{unix.ETHTOOL_LINK_MODE_400000baseSR8_Full_BIT, 400000, true, eth.PortFibre, "400GBASE-SR8"},
	}
}
