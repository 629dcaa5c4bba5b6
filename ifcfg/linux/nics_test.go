package linux

import (
	"golang.org/x/sys/unix"

	"ifagr/netutil/eth"
	"ifagr/netutil/rtnl"
)

// nics are drivers as Linux 6.18 has them, with what they answer to ethtool.
func nics() map[string]*nic {
	return map[string]*nic{"igb": igb(), "sfp": sfp(), "virtio": virtio(), "veth": veth()}
}

func features(more ...string) []string {
	return append([]string{
		"tx-scatter-gather", "tx-checksum-ipv4", "tx-checksum-ip-generic", "tx-checksum-ipv6", "tx-vlan-hw-insert",
		"rx-vlan-hw-parse", "rx-vlan-filter", "rx-lro", "rx-gro", "tx-tcp-segmentation", "tx-tcp6-segmentation", "rx-checksum",
	}, more...)
}

func hardwareLink() rtnl.Link { return rtnl.Link{Name: "eth0", Type: unix.ARPHRD_ETHER} }

// igb is an Intel I210 with 1000BASE-T, linked to a switch that does
// everything.
func igb() *nic {
	copper := eth.ModesOf(
		unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT, unix.ETHTOOL_LINK_MODE_10baseT_Full_BIT,
		unix.ETHTOOL_LINK_MODE_100baseT_Half_BIT, unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT,
		unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT,
		unix.ETHTOOL_LINK_MODE_Autoneg_BIT, unix.ETHTOOL_LINK_MODE_TP_BIT,
		unix.ETHTOOL_LINK_MODE_Pause_BIT, unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT)
	on := []string{
		"tx-scatter-gather", "tx-checksum-ip-generic", "tx-vlan-hw-insert", "rx-vlan-hw-parse", "rx-gro",
		"tx-tcp-segmentation", "tx-tcp6-segmentation", "rx-checksum",
	}
	return &nic{
		link: hardwareLink(), mtu: 9216, fastest: 1000,
		settings: eth.Settings{
			Speed: 1000, Duplex: eth.FullDuplex, Port: eth.PortTP, Autoneg: true,
			Supported: copper, Advertised: copper, Partner: copper, Clock: eth.ClockTheirs,
		},
		pause: &eth.Pause{Autoneg: true, Rx: true, Tx: true},
		eee:   &eth.EEE{Able: true},
		names: features(), hw: on, wanted: on, fixed: []string{"rx-vlan-filter"},
	}
}

// sfp is an Intel 82599 with a direct attach cable in its SFP+ cage: no
// negotiation, no energy to save.
func sfp() *nic {
	cage := eth.ModesOf(
		unix.ETHTOOL_LINK_MODE_1000baseX_Full_BIT, unix.ETHTOOL_LINK_MODE_10000baseCR_Full_BIT,
		unix.ETHTOOL_LINK_MODE_10000baseSR_Full_BIT, unix.ETHTOOL_LINK_MODE_10000baseLR_Full_BIT,
		unix.ETHTOOL_LINK_MODE_100000baseDR2_Full_BIT, // no such module, but a mode without a name
		unix.ETHTOOL_LINK_MODE_FIBRE_BIT, unix.ETHTOOL_LINK_MODE_FEC_NONE_BIT)
	on := []string{
		"tx-scatter-gather", "tx-checksum-ip-generic", "tx-vlan-hw-insert", "rx-vlan-hw-parse", "rx-vlan-filter", "rx-gro",
		"tx-tcp-segmentation", "tx-tcp6-segmentation", "rx-checksum",
	}
	return &nic{
		link: hardwareLink(), mtu: 9710, fastest: 10000,
		settings: eth.Settings{
			Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortDirectAttach,
			Supported: cage, Advertised: eth.ModesOf(unix.ETHTOOL_LINK_MODE_10000baseCR_Full_BIT),
		},
		pause: &eth.Pause{Rx: true},
		names: features(), hw: append([]string{"rx-lro"}, on...), wanted: on,
	}
}

// virtio is a virtio_net of a hypervisor: it has no link modes, and the rings
// of its host decide what it can do.
func virtio() *nic {
	on := []string{"tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation", "rx-gro"}
	return &nic{
		link: hardwareLink(), mtu: 65535,
		settings: eth.Settings{Port: eth.PortOther},
		names:    features(), hw: on, wanted: on, fixed: []string{"rx-checksum", "rx-vlan-filter"},
	}
}

// veth is one end of a pair.
func veth() *nic {
	on := []string{
		"tx-scatter-gather", "tx-checksum-ip-generic", "tx-vlan-hw-insert", "rx-vlan-hw-parse", "tx-tcp-segmentation",
		"tx-tcp6-segmentation", "rx-checksum",
	}
	l := hardwareLink()
	l.Kind = "veth"
	return &nic{
		link: l, mtu: 65535,
		settings: eth.Settings{Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortTP},
		names:    features(), hw: append([]string{"rx-gro"}, on...), wanted: on,
	}
}
