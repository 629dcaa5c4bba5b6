package linux

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
)

const full = ifcfg.MediaFullDuplex

func TestMediaOf(t *testing.T) {
	const (
		autoneg = unix.ETHTOOL_LINK_MODE_Autoneg_BIT
		tp      = unix.ETHTOOL_LINK_MODE_TP_BIT
		h10     = unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT
		f100    = unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT
		f1000   = unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT
	)
	copper := eth.ModesOf(autoneg, tp, h10, f100, f1000)
	lines := []ifcfg.Medium{{Subtype: "10baseT"}, {Subtype: "100baseTX", Options: full}, {Subtype: "1000baseT", Options: full}, {Subtype: "autoselect"}}
	testMedia(t, []mediaTest{
		{
			"copper",
			eth.Settings{Speed: 1000, Duplex: eth.FullDuplex, Port: eth.PortTP, Autoneg: true, Supported: copper},
			true,
			&ifcfg.Media{Type: "Ethernet", Current: ifcfg.Medium{Subtype: "autoselect"}, Active: ifcfg.Medium{Subtype: "1000baseT", Options: full}, Valid: true, Supported: lines},
		},
		{
			"copper without cable",
			eth.Settings{Autoneg: true, Supported: copper},
			false,
			&ifcfg.Media{Type: "Ethernet", Current: ifcfg.Medium{Subtype: "autoselect"}, Active: ifcfg.Medium{Subtype: "none"}, Valid: true, Supported: lines},
		},
		{
			"fixed",
			eth.Settings{Speed: 10, Duplex: eth.HalfDuplex, Supported: copper},
			true,
			&ifcfg.Media{Type: "Ethernet", Current: ifcfg.Medium{Subtype: "10baseT"}, Active: ifcfg.Medium{Subtype: "10baseT"}, Valid: true, Supported: lines},
		},
		{
			"a speed without a name",
			eth.Settings{Speed: 56000, Duplex: eth.FullDuplex, Supported: eth.ModesOf(f1000)},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: ifcfg.Medium{Subtype: "Other"}, Active: ifcfg.Medium{Subtype: "Other"}, Valid: true, Supported: []ifcfg.Medium{{Subtype: "1000baseT", Options: full}},
			},
		},
	})
}

// Several modes have the same speed.
func TestMediaOfFibre(t *testing.T) {
	const (
		sr = unix.ETHTOOL_LINK_MODE_10000baseSR_Full_BIT
		lr = unix.ETHTOOL_LINK_MODE_10000baseLR_Full_BIT
		cr = unix.ETHTOOL_LINK_MODE_10000baseCR_Full_BIT
	)
	testMedia(t, []mediaTest{
		{
			"the connector decides",
			eth.Settings{Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortDirectAttach, Supported: eth.ModesOf(sr, cr)},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: ifcfg.Medium{Subtype: "10Gbase-Twinax", Options: full}, Active: ifcfg.Medium{Subtype: "10Gbase-Twinax", Options: full}, Valid: true,
				Supported: []ifcfg.Medium{{Subtype: "10GbaseSR", Options: full}, {Subtype: "10Gbase-Twinax", Options: full}},
			},
		},
		{
			"both ends decide",
			eth.Settings{
				Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortFibre, Autoneg: true,
				Supported: eth.ModesOf(sr, lr), Advertised: eth.ModesOf(lr), Partner: eth.ModesOf(lr),
			},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: ifcfg.Medium{Subtype: "autoselect"}, Active: ifcfg.Medium{Subtype: "10GbaseLR", Options: full}, Valid: true,
				Supported: []ifcfg.Medium{{Subtype: "10GbaseSR", Options: full}, {Subtype: "10GbaseLR", Options: full}},
			},
		},
	})
}

type mediaTest struct {
	name    string
	in      eth.Settings
	carrier bool
	want    *ifcfg.Media
}

func testMedia(t *testing.T, tests []mediaTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mediaOf(&tt.in, eth.Pause{}, tt.carrier)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
