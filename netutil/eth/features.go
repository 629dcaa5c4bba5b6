package eth

import (
	"bytes"
	"errors"
	"slices"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Features are the offloads of an interface (ethtool(8), --show-features). The
// names are the kernel's, "tx-tcp-segmentation".
type Features struct {
	names                []string // in the order of the bits; shared
	hw, active, noswitch Modes
}

// NewFeatures makes Features. The names are in the order of the bits: hw are
// those that the driver can switch, active those that are on, noswitch those
// that nobody can switch.
func NewFeatures(names []string, hw, active, noswitch Modes) Features {
	return Features{names: names, hw: hw, active: active, noswitch: noswitch}
}

func (f *Features) bit(name string) int { return slices.Index(f.names, name) }

// Active reports whether a feature is on.
func (f *Features) Active(name string) bool { return f.active.Has(f.bit(name)) }

// Switchable reports whether a feature can be turned on and off.
func (f *Features) Switchable(name string) bool {
	b := f.bit(name)
	return f.hw.Has(b) && !f.noswitch.Has(b)
}

// Equal reports whether two interfaces, of which the same Tool has told, have the
// same features.
func (f *Features) Equal(g *Features) bool {
	return slices.Equal(f.active, g.active) && slices.Equal(f.hw, g.hw) && slices.Equal(f.noswitch, g.noswitch)
}

// FeatureChange is what features are to become. A feature in none of the lists
// stays as it is, one in both goes off.
type FeatureChange struct {
	On, Off []string
}

// Features asks for the offloads of an interface.
func (t *Tool) Features(name string) (Features, error) {
	var f Features
	err := t.either("features", name, func() error {
		if err := t.featureNames(name); err != nil {
			return err
		}
		return t.get(unix.ETHTOOL_MSG_FEATURES_GET, name, func(ad *netlink.AttributeDecoder) error {
			_, err := f.decode(ad)
			return err
		})
	}, func() (err error) {
		if err = t.featureNames(name); err == nil {
			_, f, err = t.ioctl.features(name)
		}
		return err
	})
	f.names = t.names
	return f, err
}

// AllFeatures asks for the offloads of all interfaces, by index. A kernel that
// can tell them only one by one is unix.EOPNOTSUPP.
func (t *Tool) AllFeatures() (map[int]Features, error) {
	all := map[int]Features{}
	err := t.either("features", "of all", func() error {
		if err := t.featureNames(""); err != nil {
			return err
		}
		return t.genl.ask(unix.ETHTOOL_MSG_FEATURES_GET, netlink.Dump, about(""), func(ad *netlink.AttributeDecoder) error {
			var f Features
			index, err := f.decode(ad)
			f.names = t.names
			all[index] = f
			return err
		})
	}, func() error { return unix.EOPNOTSUPP })
	return all, err
}

// decode reads ETHTOOL_MSG_FEATURES_GET_REPLY.
func (f *Features) decode(ad *netlink.AttributeDecoder) (index int, err error) {
	for ad.Next() {
		switch ad.Type() {
		case attrHeader:
			index = deviceIndex(ad)
		case unix.ETHTOOL_A_FEATURES_HW:
			f.hw, _ = valueAndMask(ad)
		case unix.ETHTOOL_A_FEATURES_ACTIVE:
			f.active, _ = valueAndMask(ad)
		case unix.ETHTOOL_A_FEATURES_NOCHANGE:
			f.noswitch, _ = valueAndMask(ad)
		}
	}
	return index, ad.Err()
}

// SetFeatures turns features on and off. That the driver, or another feature,
// keeps one from changing is no error: ask again what has become of it. Names
// that the kernel does not have are left out.
func (t *Tool) SetFeatures(name string, c FeatureChange) error {
	return t.either("set features", name, func() error {
		if err := t.featureNames(name); err != nil {
			return err
		}
		ae := about(name)
		value, mask := c.bits(t.names)
		putBits(ae, unix.ETHTOOL_A_FEATURES_WANTED, value, mask)
		return t.set(unix.ETHTOOL_MSG_FEATURES_SET, ae)
	}, func() error {
		if err := t.featureNames(name); err != nil {
			return err
		}
		blocks, _, err := t.ioctl.features(name)
		if err != nil {
			return err
		}
		value, mask := c.bits(t.names)
		return t.ioctl.setFeatures(name, blocks, value, mask)
	})
}

// bits are the features to change and what they are to be, in as many words as
// the names need.
func (c FeatureChange) bits(names []string) (value, mask Modes) {
	mask = make(Modes, (len(names)+31)/32)
	value = make(Modes, len(mask))
	for _, n := range c.On {
		if b := slices.Index(names, n); b >= 0 {
			value[b/32] |= 1 << (b % 32)
			mask[b/32] |= 1 << (b % 32)
		}
	}
	for _, n := range c.Off {
		if b := slices.Index(names, n); b >= 0 {
			value[b/32] &^= 1 << (b % 32)
			mask[b/32] |= 1 << (b % 32)
		}
	}
	return value, mask
}

const (
	stringsOfFeatures = 4  // ETH_SS_FEATURES
	stringSize        = 32 // ETH_GSTRING_LEN
	maxFeatures       = 512
)

// featureNames asks for the names of the features, which are the kernel's and
// not one driver's. The ioctl needs some interface to ask about.
func (t *Tool) featureNames(name string) error {
	if t.names != nil {
		return nil
	}
	if t.genl != nil {
		var names []string
		err := t.genl.ask(unix.ETHTOOL_MSG_STRSET_GET, 0, featureNamesRequest(), func(ad *netlink.AttributeDecoder) (err error) {
			names, err = stringSet(ad)
			return err
		})
		if !errors.Is(err, unix.EOPNOTSUPP) {
			t.names = names
			return err
		}
	}
	names, err := t.ioctl.featureNames(name)
	t.names = names
	return err
}

// featureNamesRequest has a header, without which some kernels refuse it.
func featureNamesRequest() *netlink.AttributeEncoder {
	ae := about("")
	ae.Nested(unix.ETHTOOL_A_STRSET_STRINGSETS, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(unix.ETHTOOL_A_STRINGSETS_STRINGSET, func(ae *netlink.AttributeEncoder) error {
			ae.Uint32(unix.ETHTOOL_A_STRINGSET_ID, stringsOfFeatures)
			return nil
		})
		return nil
	})
	return ae
}

// stringSet reads the strings of ETHTOOL_MSG_STRSET_GET_REPLY, which are nested
// as the table is: sets, a set, its strings, a string.
func stringSet(ad *netlink.AttributeDecoder) ([]string, error) {
	var out []string
	put := func(ad *netlink.AttributeDecoder) error {
		index, text := 0, ""
		for ad.Next() {
			switch ad.Type() {
			case unix.ETHTOOL_A_STRING_INDEX:
				index = int(ad.Uint32())
			case unix.ETHTOOL_A_STRING_VALUE:
				text = ad.String()
			}
		}
		if index >= maxFeatures || ad.Err() != nil {
			return ad.Err()
		}
		for index >= len(out) {
			out = append(out, "")
		}
		out[index] = text
		return nil
	}
	within := put
	for _, attr := range []uint16{
		unix.ETHTOOL_A_STRINGS_STRING, unix.ETHTOOL_A_STRINGSET_STRINGS,
		unix.ETHTOOL_A_STRINGSETS_STRINGSET, unix.ETHTOOL_A_STRSET_STRINGSETS,
	} {
		within = nested(attr, within)
	}
	return out, within(ad)
}

// nested hands what is inside of each attribute of one type to f.
func nested(attr uint16, f func(*netlink.AttributeDecoder) error) func(*netlink.AttributeDecoder) error {
	return func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			if ad.Type() == attr {
				ad.Nested(f)
			}
		}
		return ad.Err()
	}
}

// The kernel's struct ethtool_gfeatures and ethtool_sfeatures, with room for
// more blocks than there are.
type (
	getFeatures struct {
		cmd, size uint32
		blocks    [maxFeatures / 32]struct{ available, requested, active, never uint32 }
	}
	setFeatures struct {
		cmd, size uint32
		blocks    [maxFeatures / 32]struct{ valid, requested uint32 }
	}
)

// features makes an ETHTOOL_GFEATURES request. The features have no names yet.
func (c *Conn) features(name string) (blocks int, f Features, err error) {
	v := getFeatures{cmd: unix.ETHTOOL_GFEATURES}
	v.size = uint32(len(v.blocks))
	if err := c.ethtool(name, unsafe.Pointer(&v)); err != nil {
		return 0, f, err
	}
	blocks = min(int(v.size), len(v.blocks))
	for _, b := range v.blocks[:blocks] {
		f.hw = append(f.hw, b.available)
		f.active = append(f.active, b.active)
		f.noswitch = append(f.noswitch, b.never)
	}
	return blocks, f, nil
}

// setFeatures makes an ETHTOOL_SFEATURES request of as many blocks as the
// kernel has.
func (c *Conn) setFeatures(name string, blocks int, value, mask Modes) error {
	v := setFeatures{cmd: unix.ETHTOOL_SFEATURES, size: uint32(blocks)}
	for i := range min(blocks, len(mask)) {
		v.blocks[i].valid, v.blocks[i].requested = mask[i], value[i]
	}
	return c.ethtool(name, unsafe.Pointer(&v))
}

// featureNames makes an ETHTOOL_GSTRINGS request.
func (c *Conn) featureNames(name string) ([]string, error) {
	n := struct {
		cmd, reserved uint32
		mask          uint64
		count         uint32
	}{cmd: unix.ETHTOOL_GSSET_INFO, mask: 1 << stringsOfFeatures}
	if err := c.ethtool(name, unsafe.Pointer(&n)); err != nil {
		return nil, err
	}
	v := struct {
		cmd, set, count uint32
		data            [maxFeatures][stringSize]byte
	}{cmd: unix.ETHTOOL_GSTRINGS, set: stringsOfFeatures, count: min(n.count, maxFeatures)}
	if err := c.ethtool(name, unsafe.Pointer(&v)); err != nil {
		return nil, err
	}
	var out []string
	for _, s := range v.data[:min(v.count, maxFeatures)] {
		text, _, _ := bytes.Cut(s[:], []byte{0})
		out = append(out, string(text))
	}
	return out, nil
}
