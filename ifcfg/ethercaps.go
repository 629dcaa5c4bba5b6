package ifcfg

import "ifagr/agr/ctl"

// etherCapsFeature brings what an interface can do as an Ethernet one
// (ifconfig(8); ethercap of NetBSD's if_ether.h).
func etherCapsFeature() feature {
	return feature{words: etherCapWords, status: map[section]func(*printer) error{secEthernet: printEtherCaps}}
}

// EtherCap are capabilities of an Ethernet interface.
type EtherCap uint32

// Bits of EtherCap, with NetBSD's numbers. VLAN_MTU and JUMBO_MTU follow from
// what a Link is, and nobody turns them on.
const (
	etherCapVLANMTU       EtherCap = 0x1
	EtherCapVLANHWTagging EtherCap = 0x2 // tags are put in and taken out by the hardware
	etherCapJumboMTU      EtherCap = 0x4
	EtherCapVLANHWFilter  EtherCap = 0x8  // frames of foreign VLANs do not come up
	EtherCapEEE           EtherCap = 0x10 // IEEE 802.3az

	etherCapColumns = 55
)

func etherCapWords(v *vocabulary) {
	for _, w := range []struct {
		text string
		bit  EtherCap
	}{
		{"vlan-hwfilter", EtherCapVLANHWFilter},
		{"vlan-hwtagging", EtherCapVLANHWTagging},
		{"eee", EtherCapEEE},
	} {
		v.word(w.text, rule{}, func(args) step {
			return func(s *sentence) { pending[SetEtherCaps](s).turn(w.bit, 0) }
		})
		v.word("-"+w.text, rule{}, func(args) step {
			return func(s *sentence) { pending[SetEtherCaps](s).turn(0, w.bit) }
		})
	}
}

// SetEtherCaps is the one change of Ethernet capabilities that a line makes.
type SetEtherCaps struct {
	On, Off EtherCap
}

// turn adds a word; it overrides the words before it.
func (e *SetEtherCaps) turn(on, off EtherCap) {
	e.On, e.Off = e.On&^off|on, e.Off&^on|off
}

// Stage implements Op.
func (*SetEtherCaps) Stage() Stage { return StageEtherCaps }

func (e *SetEtherCaps) apply(c *change) error {
	l, caps, err := c.caps()
	switch {
	case err != nil:
	case e.On&^caps.EtherAble != 0:
		err = ctl.EINVAL
	case hasCaps(l):
		err = c.Kernel.SetEtherCaps(l.Index, e.On, e.Off&caps.EtherAble)
	}
	if err != nil {
		return failed("SIOCSETHERCAP", err)
	}
	return nil
}

// printEtherCaps adds to the driver's capabilities what can be known without
// asking it: every Ethernet interface of Linux takes a VLAN tag's four bytes
// more.
func printEtherCaps(p *printer) error {
	if !hasCaps(&p.link) {
		return nil
	}
	caps, err := p.capabilities()
	if err != nil {
		return err
	}
	able, enabled := caps.EtherAble|etherCapVLANMTU, caps.EtherEnabled
	if p.link.MaxMTU >= maxMTUForJumbo {
		able |= etherCapJumboMTU
		if p.link.MTU > plainMTU {
			enabled |= etherCapJumboMTU
		}
	}
	if p.link.HasVLAN {
		enabled |= etherCapVLANMTU
	}
	p.wrapped("ec_capabilities", uint64(able), p.s.Style.etherCaps, etherCapColumns)
	p.wrapped("ec_enabled", uint64(enabled), p.s.Style.etherCaps, etherCapColumns)
	return nil
}

// wrapped prints a bit field on as many lines as the style makes of it.
func (p *printer) wrapped(label string, v uint64, names []bitName, maxColumns int) {
	for _, line := range p.s.Style.wrapBits(v, names, maxColumns) {
		p.printf("\t%s=%s\n", label, line)
	}
}
