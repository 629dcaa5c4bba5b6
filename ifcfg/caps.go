package ifcfg

import "ifagr/agr/ctl"

// capabilityFeature brings what an interface does in place of the protocols:
// checksums, and segments of TCP (ifconfig(8); if_capabilities of ifnet(9)).
func capabilityFeature() feature {
	return feature{words: capabilityWords, status: map[section]func(*printer) error{secCapabilities: printCapabilities}}
}

// Cap are capabilities of an interface.
type Cap uint64

// Bits of Cap, with NetBSD's numbers and names.
const (
	CapTSO4 Cap = 0x80 << iota
	CapIP4CsumRx
	CapIP4CsumTx
	CapTCP4CsumRx
	CapTCP4CsumTx
	CapUDP4CsumRx
	CapUDP4CsumTx
	CapTCP6CsumRx
	CapTCP6CsumTx
	CapUDP6CsumRx
	CapUDP6CsumTx
	CapTSO6
	CapLRO // no word turns it on or off

	capColumns = 58
)

// Caps are what an interface can do, and what of it is turned on.
type Caps struct {
	Able, Enabled           Cap
	EtherAble, EtherEnabled EtherCap
}

func capNames() []bitName {
	return []bitName{
		{uint64(CapTSO4), "TSO4"},
		{uint64(CapIP4CsumRx), "IP4CSUM_Rx"},
		{uint64(CapIP4CsumTx), "IP4CSUM_Tx"},
		{uint64(CapTCP4CsumRx), "TCP4CSUM_Rx"},
		{uint64(CapTCP4CsumTx), "TCP4CSUM_Tx"},
		{uint64(CapUDP4CsumRx), "UDP4CSUM_Rx"},
		{uint64(CapUDP4CsumTx), "UDP4CSUM_Tx"},
		{uint64(CapTCP6CsumRx), "TCP6CSUM_Rx"},
		{uint64(CapTCP6CsumTx), "TCP6CSUM_Tx"},
		{uint64(CapUDP6CsumRx), "UDP6CSUM_Rx"},
		{uint64(CapUDP6CsumTx), "UDP6CSUM_Tx"},
		{uint64(CapTSO6), "TSO6"},
		{uint64(CapLRO), "LRO"},
	}
}

// capabilityWords adds a word for each bit that can be chosen, and one for each
// pair of directions.
func capabilityWords(v *vocabulary) {
	for _, w := range []struct {
		text   string
		rx, tx Cap
	}{
		{"ip4csum", CapIP4CsumRx, CapIP4CsumTx},
		{"tcp4csum", CapTCP4CsumRx, CapTCP4CsumTx},
		{"udp4csum", CapUDP4CsumRx, CapUDP4CsumTx},
		{"tcp6csum", CapTCP6CsumRx, CapTCP6CsumTx},
		{"udp6csum", CapUDP6CsumRx, CapUDP6CsumTx},
	} {
		v.capability(w.text, w.rx|w.tx)
		v.capability(w.text+"-rx", w.rx)
		v.capability(w.text+"-tx", w.tx)
	}
	v.capability("tso4", CapTSO4)
	v.capability("tso6", CapTSO6)
}

func (v *vocabulary) capability(text string, bits Cap) {
	v.word(text, rule{}, func(args) step {
		return func(s *sentence) { pending[SetCaps](s).turn(bits, 0) }
	})
	v.word("-"+text, rule{}, func(args) step {
		return func(s *sentence) { pending[SetCaps](s).turn(0, bits) }
	})
}

// SetCaps is the one change of capabilities that a line makes.
type SetCaps struct {
	On, Off Cap
}

// turn adds a word; it overrides the words before it.
func (s *SetCaps) turn(on, off Cap) { s.On, s.Off = s.On&^off|on, s.Off&^on|off }

// Stage implements Op.
func (*SetCaps) Stage() Stage { return StageCapabilities }

func (s *SetCaps) apply(c *change) error {
	l, caps, err := c.caps()
	switch {
	case err != nil:
	case s.On&^caps.Able != 0:
		err = ctl.EINVAL
	case hasCaps(l):
		err = c.Kernel.SetCaps(l.Index, s.On, s.Off&caps.Able)
	}
	if err != nil {
		return failed("SIOCSIFCAP", err)
	}
	return nil
}

// hasCaps reports whether capabilities of an interface are shown and can be
// changed. Those of an agr interface are its daemon's.
func hasCaps(l *Link) bool { return l.Class == ClassEthernet && !isAgr(l.Name) }

// caps gives the interface of the line with its capabilities, which are none
// for an interface that cannot have any.
func (c *change) caps() (*Link, Caps, error) {
	l, err := c.on()
	if err != nil || !hasCaps(l) {
		return l, Caps{}, err
	}
	all, err := c.Kernel.Caps(l.Index)
	return l, all[l.Index], err
}

func (p *printer) capabilities() (Caps, error) {
	if p.caps == nil {
		var err error
		if p.caps, err = p.s.Kernel.Caps(p.link.Index); err != nil {
			return Caps{}, failed("SIOCGIFCAP", err)
		}
	}
	return p.caps[p.link.Index], nil
}

func printCapabilities(p *printer) error {
	if !hasCaps(&p.link) {
		return nil
	}
	caps, err := p.capabilities()
	if err != nil || caps.Able == 0 {
		return err
	}
	p.wrapped("capabilities", uint64(caps.Able), capNames(), capColumns)
	p.wrapped("enabled", uint64(caps.Enabled), capNames(), capColumns)
	return nil
}
