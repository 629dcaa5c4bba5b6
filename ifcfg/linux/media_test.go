package linux

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
)

func bits(all ...int) eth.Modes {
	m := make(eth.Modes, 4)
	for _, b := range all {
		m[b/32] |= 1 << (b % 32)
	}
	return m
}

func TestMediaOf(t *testing.T) {
	const (
		autoneg = unix.ETHTOOL_LINK_MODE_Autoneg_BIT
		tp      = unix.ETHTOOL_LINK_MODE_TP_BIT
		h10     = unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT
		f100    = unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT
		f1000   = unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT
	)
	copper := bits(autoneg, tp, h10, f100, f1000)
	lines := []string{"10baseT", "100baseTX mediaopt full-duplex", "1000baseT mediaopt full-duplex", "autoselect"}
	testMedia(t, []mediaTest{
		{"veth", eth.Settings{Speed: 10000, Duplex: eth.FullDuplex, Supported: bits()}, true, nil},
		{
			"copper",
			eth.Settings{Speed: 1000, Duplex: eth.FullDuplex, Port: eth.PortTP, Autoneg: true, Supported: copper},
			true,
			&ifcfg.Media{Type: "Ethernet", Current: "autoselect", Active: "1000baseT full-duplex", Valid: true, Supported: lines},
		},
		{
			"copper without cable",
			eth.Settings{Autoneg: true, Supported: copper},
			false,
			&ifcfg.Media{Type: "Ethernet", Current: "autoselect", Active: "none", Valid: true, Supported: lines},
		},
		{
			"fixed",
			eth.Settings{Speed: 10, Duplex: eth.HalfDuplex, Supported: copper},
			true,
			&ifcfg.Media{Type: "Ethernet", Current: "10baseT", Active: "10baseT", Valid: true, Supported: lines},
		},
		{
			"a speed without a name",
			eth.Settings{Speed: 56000, Duplex: eth.FullDuplex, Supported: bits(f1000)},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: "Other", Active: "Other", Valid: true, Supported: []string{"1000baseT mediaopt full-duplex"},
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
			eth.Settings{Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortDirectAttach, Supported: bits(sr, cr)},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: "10Gbase-Twinax full-duplex", Active: "10Gbase-Twinax full-duplex", Valid: true,
				Supported: []string{"10GbaseSR mediaopt full-duplex", "10Gbase-Twinax mediaopt full-duplex"},
			},
		},
		{
			"both ends decide",
			eth.Settings{
				Speed: 10000, Duplex: eth.FullDuplex, Port: eth.PortFibre, Autoneg: true,
				Supported: bits(sr, lr), Advertised: bits(lr), Partner: bits(lr),
			},
			true,
			&ifcfg.Media{
				Type: "Ethernet", Current: "autoselect", Active: "10GbaseLR full-duplex", Valid: true,
				Supported: []string{"10GbaseSR mediaopt full-duplex", "10GbaseLR mediaopt full-duplex"},
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
			if diff := cmp.Diff(tt.want, mediaOf(&tt.in, tt.carrier)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
