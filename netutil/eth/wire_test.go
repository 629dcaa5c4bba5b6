package eth

import (
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"
)

// family is what the number of ethtool's family is in these tests.
const family = 21

// driver is a NIC on the wire: it answers requests with constructed replies, and
// keeps the requests that change something.
type driver struct {
	replies map[uint8]func(*netlink.AttributeEncoder)
	changes []string // command, and the attributes in hexadecimal
}

func (d *driver) tool(t *testing.T) *Tool {
	g := &genl{nl: nltest.Dial(d.answer), family: family}
	t.Cleanup(func() { _ = g.close() })
	return &Tool{genl: g, ioctl: &Conn{fd: -1}}
}

func (d *driver) answer(reqs []netlink.Message) ([]netlink.Message, error) {
	if len(reqs) == 0 {
		return nil, io.EOF
	}
	req := reqs[0]
	cmd := req.Data[0]
	if req.Header.Flags&netlink.Acknowledge != 0 {
		d.changes = append(d.changes, hex.EncodeToString(req.Data[:1])+" "+hex.EncodeToString(req.Data[sizeofGenlMsg:]))
		return nltest.Error(0, reqs)
	}
	put := d.replies[cmd]
	if put == nil {
		return nltest.Error(int(unix.EOPNOTSUPP), reqs)
	}
	ae := netlink.NewAttributeEncoder()
	ae.Nested(attrHeader, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, 2)
		ae.String(unix.ETHTOOL_A_HEADER_DEV_NAME, "eth0")
		return nil
	})
	put(ae)
	attrs, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Flags, h.Length = 0, 0
	return []netlink.Message{{Header: h, Data: append([]byte{cmd, 1, 0, 0}, attrs...)}}, nil
}

// copper is what a NIC with 10, 100 and 1000BASE-T can do.
func copper() Modes {
	return ModesOf(unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT, unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT,
		unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT, unix.ETHTOOL_LINK_MODE_Autoneg_BIT, unix.ETHTOOL_LINK_MODE_TP_BIT,
		unix.ETHTOOL_LINK_MODE_FEC_LLRS_BIT)
}

func igb() *driver {
	return &driver{replies: map[uint8]func(*netlink.AttributeEncoder){
		unix.ETHTOOL_MSG_LINKMODES_GET: func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.ETHTOOL_A_LINKMODES_AUTONEG, 1)
			putBits(ae, unix.ETHTOOL_A_LINKMODES_OURS, ModesOf(unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT), copper())
			ae.Nested(unix.ETHTOOL_A_LINKMODES_PEER, func(ae *netlink.AttributeEncoder) error {
				ae.Flag(unix.ETHTOOL_A_BITSET_NOMASK, true)
				ae.Uint32(unix.ETHTOOL_A_BITSET_SIZE, 92)
				ae.Bytes(unix.ETHTOOL_A_BITSET_VALUE, ModesOf(unix.ETHTOOL_LINK_MODE_Pause_BIT).bytes(3))
				return nil
			})
			ae.Uint32(unix.ETHTOOL_A_LINKMODES_SPEED, 1000)
			ae.Uint8(unix.ETHTOOL_A_LINKMODES_DUPLEX, 1)
			ae.Uint8(unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_CFG, clockForceOurs)
			ae.Uint8(unix.ETHTOOL_A_LINKMODES_MASTER_SLAVE_STATE, clockIsOurs)
		},
		unix.ETHTOOL_MSG_LINKINFO_GET: func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.ETHTOOL_A_LINKINFO_PORT, 0)
			ae.Uint8(unix.ETHTOOL_A_LINKINFO_TRANSCEIVER, 1)
		},
		unix.ETHTOOL_MSG_PAUSE_GET: func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.ETHTOOL_A_PAUSE_AUTONEG, 1)
			ae.Uint8(unix.ETHTOOL_A_PAUSE_RX, 1)
			ae.Uint8(unix.ETHTOOL_A_PAUSE_TX, 0)
		},
		unix.ETHTOOL_MSG_EEE_GET: func(ae *netlink.AttributeEncoder) {
			putBits(ae, unix.ETHTOOL_A_EEE_MODES_OURS, nil, ModesOf(unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT))
			ae.Uint8(unix.ETHTOOL_A_EEE_ACTIVE, 0)
			ae.Uint8(unix.ETHTOOL_A_EEE_ENABLED, 1)
		},
		unix.ETHTOOL_MSG_STRSET_GET: putNames,
		unix.ETHTOOL_MSG_FEATURES_GET: func(ae *netlink.AttributeEncoder) {
			putBits(ae, unix.ETHTOOL_A_FEATURES_HW, ModesOf(0, 2), ModesOf(0, 1, 2, 33))
			putBits(ae, unix.ETHTOOL_A_FEATURES_WANTED, ModesOf(0), ModesOf(0, 33))
			putBits(ae, unix.ETHTOOL_A_FEATURES_ACTIVE, ModesOf(0, 33), ModesOf(0, 33))
			putBits(ae, unix.ETHTOOL_A_FEATURES_NOCHANGE, ModesOf(2, 33), ModesOf(2, 33))
		},
	}}
}

// putNames names the bits 0, 2 and 33.
func putNames(ae *netlink.AttributeEncoder) {
	ae.Nested(unix.ETHTOOL_A_STRSET_STRINGSETS, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(unix.ETHTOOL_A_STRINGSETS_STRINGSET, func(ae *netlink.AttributeEncoder) error {
			ae.Uint32(unix.ETHTOOL_A_STRINGSET_ID, stringsOfFeatures)
			ae.Nested(unix.ETHTOOL_A_STRINGSET_STRINGS, func(ae *netlink.AttributeEncoder) error {
				for i, s := range map[uint32]string{0: "rx-checksum", 2: "tx-lockless", 33: "rx-vlan-filter"} {
					ae.Nested(unix.ETHTOOL_A_STRINGS_STRING, func(ae *netlink.AttributeEncoder) error {
						ae.Uint32(unix.ETHTOOL_A_STRING_INDEX, i)
						ae.String(unix.ETHTOOL_A_STRING_VALUE, s)
						return nil
					})
				}
				return nil
			})
			return nil
		})
		return nil
	})
}

func TestWireReplies(t *testing.T) {
	tool := igb().tool(t)
	s, err := tool.Settings("eth0")
	want := Settings{
		Speed: 1000, Duplex: FullDuplex, Port: PortTP, Autoneg: true, Clock: ClockOurs, ClockForced: true,
		Supported:  copper(),
		Advertised: Modes{1 << unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT, 0, 0},
		Partner:    Modes{1 << unix.ETHTOOL_LINK_MODE_Pause_BIT, 0, 0},
	}
	if diff := cmp.Diff(want, s); diff != "" || err != nil {
		t.Errorf("settings: error %v (-want +got):\n%s", err, diff)
	}
	if p, err := tool.Pause("eth0"); err != nil || p != (Pause{Autoneg: true, Rx: true}) {
		t.Errorf("pause: %+v, %v", p, err)
	}
	if e, err := tool.EEE("eth0"); err != nil || e != (EEE{Able: true, Enabled: true}) {
		t.Errorf("eee: %+v, %v", e, err)
	}
	f := mustFeatures(t, tool, "eth0")
	type is struct{ active, switchable bool }
	for name, want := range map[string]is{
		"rx-checksum": {true, true}, "tx-lockless": {false, false}, "rx-vlan-filter": {true, false}, "": {false, false},
	} {
		if got := (is{f.Active(name), f.Switchable(name)}); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
}

// The requests, byte for byte as they are on a little-endian machine. The header
// is the same in all of them: eth0, compact bit sets, no reply.
func TestWireRequests(t *testing.T) {
	const header = "18000180" + "09000200" + "6574683000000000" + "08000300" + "03000000"
	const bits3 = "08000200" + "60000000" // 96 bits
	tests := []struct {
		name string
		do   func(*Tool) error
		want string
	}{
		{
			"forced",
			func(tool *Tool) error { return tool.SetLink("eth0", LinkChange{Speed: 100, Duplex: FullDuplex}) },
			"05 " + header + "0500020000000000" + "0800050064000000" + "0500060001000000",
		},
		{
			"negotiated, with the clock",
			func(tool *Tool) error {
				modes := ModesOf(unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT)
				return tool.SetLink("eth0", LinkChange{Autoneg: true, Modes: modes, Clock: ClockOurs})
			},
			"05 " + header + "0500020001000000" +
				"2c000380" + bits3 + "10000400" + "200000000000000000000000" + "10000500" + "290000000000000000000000" +
				"0500070004000000",
		},
		{
			"the clock is the far end's to choose",
			func(tool *Tool) error {
				return tool.SetLink("eth0", LinkChange{Speed: 10, Duplex: HalfDuplex, Clock: ClockTheirs})
			},
			"05 " + header + "0500020000000000" + "080005000a000000" + "0500060000000000" + "0500070003000000",
		},
		{
			"pause",
			func(tool *Tool) error { return tool.SetPause("eth0", Pause{Autoneg: true, Tx: true}) },
			"16 " + header + "0500020001000000" + "0500030000000000" + "0500040001000000",
		},
		{
			"eee",
			func(tool *Tool) error { return tool.SetEEE("eth0", true) },
			"18 " + header + "0500050001000000",
		},
		{
			"features",
			func(tool *Tool) error {
				return tool.SetFeatures("eth0", FeatureChange{On: []string{"rx-vlan-filter"}, Off: []string{"rx-checksum"}})
			},
			"0c " + header + "24000380" + "08000200" + "40000000" + "0c000400" + "0000000002000000" + "0c000500" + "0100000002000000",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := igb()
			if err := tt.do(d.tool(t)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.Join(d.changes, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The ioctl keeps what is no way to send, and what else it does not know.
func TestIoctlChange(t *testing.T) {
	s := linkSettings{autoneg: 1, words: 2, clockWish: clockPreferOurs, mdixWish: 3}
	s.modes = [3 * maxWords]uint32{copper()[0], 0, 1<<unix.ETHTOOL_LINK_MODE_Autoneg_BIT | 1<<unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT, 0}
	LinkChange{Autoneg: true, Modes: ModesOf(unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT)}.change(&s)
	want := ModesOf(unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT, unix.ETHTOOL_LINK_MODE_Autoneg_BIT)
	if diff := cmp.Diff(append(want, 0), Modes(s.modes[2:4])); diff != "" {
		t.Errorf("advertised (-want +got):\n%s", diff)
	}
	if s.cmd != unix.ETHTOOL_SLINKSETTINGS || s.autoneg != 1 || s.mdixWish != 3 || s.clockWish != 0 {
		t.Errorf("request %#x, autoneg %d, mdix %d, clock %d", s.cmd, s.autoneg, s.mdixWish, s.clockWish)
	}
}

// FuzzReply hands anything to the decoders.
func FuzzReply(f *testing.F) {
	for _, put := range igb().replies {
		ae := netlink.NewAttributeEncoder()
		put(ae)
		b, err := ae.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{1, 1, 0, 0}, b...))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func(*netlink.AttributeDecoder) error{
			new(Settings).linkModes,
			new(Settings).linkInfo,
			new(Pause).decode,
			new(EEE).decode,
			func(ad *netlink.AttributeDecoder) error { _, err := new(Features).decode(ad); return err },
			func(ad *netlink.AttributeDecoder) error {
				names, err := stringSet(ad)
				if len(names) > maxFeatures {
					t.Errorf("%d names", len(names))
				}
				return err
			},
		} {
			_ = reply(b, decode)
		}
	})
}
