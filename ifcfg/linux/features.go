package linux

import (
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
	"ifagr/netutil/rtnl"
)

// toggle is a switch of Linux's: capabilities of NetBSD that go on and off
// together, and the features (ethtool(8)) that they are. Without all, any of
// the features will do.
type toggle[C ~uint64 | ~uint32] struct {
	bits     C
	features []string
	all      bool
}

const (
	csumTx4 = ifcfg.CapIP4CsumTx | ifcfg.CapTCP4CsumTx | ifcfg.CapUDP4CsumTx
	csumTx6 = ifcfg.CapTCP6CsumTx | ifcfg.CapUDP6CsumTx
	csumRx  = ifcfg.CapIP4CsumRx | ifcfg.CapTCP4CsumRx | ifcfg.CapUDP4CsumRx | ifcfg.CapTCP6CsumRx | ifcfg.CapUDP6CsumRx
)

// toggles and etherToggles list them. A driver has either the generic checksum
// or those of the protocols; the kernel refuses both at the same time.
func toggles() []toggle[ifcfg.Cap] {
	return []toggle[ifcfg.Cap]{
		{bits: csumTx4, features: []string{"tx-checksum-ip-generic", "tx-checksum-ipv4"}},
		{bits: csumTx6, features: []string{"tx-checksum-ip-generic", "tx-checksum-ipv6"}},
		{bits: csumRx, features: []string{"rx-checksum"}},
		{bits: ifcfg.CapTSO4, features: []string{"tx-tcp-segmentation"}},
		{bits: ifcfg.CapTSO6, features: []string{"tx-tcp6-segmentation"}},
		{bits: ifcfg.CapLRO, features: []string{"rx-lro"}},
	}
}

func etherToggles() []toggle[ifcfg.EtherCap] {
	return []toggle[ifcfg.EtherCap]{
		{bits: ifcfg.EtherCapVLANHWTagging, features: []string{"rx-vlan-hw-parse", "tx-vlan-hw-insert"}, all: true},
		{bits: ifcfg.EtherCapVLANHWFilter, features: []string{"rx-vlan-filter"}},
	}
}

// holds reports whether what is asked holds for the toggle's features.
func (t *toggle[C]) holds(ask func(feature string) bool) bool {
	for _, f := range t.features {
		if ask(f) != t.all {
			return !t.all
		}
	}
	return t.all
}

// enabled are the capabilities that are on.
func enabled[C ~uint64 | ~uint32](f *eth.Features, all []toggle[C]) (on C) {
	for _, t := range all {
		if t.holds(f.Active) {
			on |= t.bits
		}
	}
	return on
}

// able are the capabilities that can be on. One that cannot be turned off is
// one of them.
func able[C ~uint64 | ~uint32](f *eth.Features, all []toggle[C]) (can C) {
	for _, t := range all {
		if t.holds(func(name string) bool { return f.Switchable(name) || f.Active(name) }) {
			can |= t.bits
		}
	}
	return can
}

// featureCaps says in NetBSD's words what an interface does for the system.
func featureCaps(f *eth.Features) ifcfg.Caps {
	return ifcfg.Caps{
		Able: able(f, toggles()), Enabled: enabled(f, toggles()),
		EtherAble: able(f, etherToggles()), EtherEnabled: enabled(f, etherToggles()),
	}
}

// withEEE adds the saving of energy, which is no feature.
func withEEE(t offloadTool, l *rtnl.Link, c ifcfg.Caps) (ifcfg.Caps, error) {
	if !hardware(l) {
		return c, nil
	}
	e, err := t.EEE(l.Name)
	if err != nil && !is(err, unix.EOPNOTSUPP, unix.ENODEV) {
		return c, failed(err)
	}
	if e.Able {
		c.EtherAble |= ifcfg.EtherCapEEE
		if e.Enabled {
			c.EtherEnabled |= ifcfg.EtherCapEEE
		}
	}
	return c, nil
}

// setCaps turns capabilities on and off. The kernel cuts segments only where it
// may also scatter frames and leave checksums to the driver; for NetBSD these
// are no conditions, so they are turned on as well.
func setCaps(t offloadTool, name string, on, off ifcfg.Cap) error {
	with := on
	if on&ifcfg.CapTSO4 != 0 {
		with |= csumTx4
	}
	if on&ifcfg.CapTSO6 != 0 {
		with |= csumTx6
	}
	f, err := t.Features(name)
	if err != nil {
		return failed(err)
	}
	c := changeOf(&f, toggles(), with, off)
	if with != on {
		c.On = append(c.On, "tx-scatter-gather")
	}
	return setFeatures(t, name, c, toggles(), on, off)
}

func setEtherCaps(t offloadTool, name string, on, off ifcfg.EtherCap) error {
	f, err := t.Features(name)
	if err != nil {
		return failed(err)
	}
	if eee := (on | off) & ifcfg.EtherCapEEE; eee != 0 {
		if err := t.SetEEE(name, on&eee != 0); err != nil {
			return failed(err)
		}
		if on|off == eee {
			return nil
		}
	}
	all := etherToggles()
	return setFeatures(t, name, changeOf(&f, all, on, off), all, on, off)
}

// changeOf finds the features to change.
func changeOf[C ~uint64 | ~uint32](f *eth.Features, all []toggle[C], on, off C) (c eth.FeatureChange) {
	for _, t := range all {
		names := t.switchable(f)
		switch {
		case off&t.bits != 0:
			c.Off = append(c.Off, names...)
		case on&t.bits != 0 && len(names) > 0 && !t.all:
			c.On = append(c.On, names[0])
		case on&t.bits != 0:
			c.On = append(c.On, names...)
		}
	}
	c.On, c.Off = unique(c.On), unique(c.Off) // the generic checksum is in two toggles
	return c
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *toggle[C]) switchable(f *eth.Features) (names []string) {
	for _, n := range t.features {
		if f.Switchable(n) {
			names = append(names, n)
		}
	}
	return names
}

// setFeatures makes the change and looks what has become of it: the kernel
// takes a wish that the driver cannot fulfil. One that was given up for a
// feature that had to go is no failure.
func setFeatures[C ~uint64 | ~uint32](t offloadTool, name string, c eth.FeatureChange, all []toggle[C], on, off C) error {
	if err := t.SetFeatures(name, c); err != nil {
		return failed(err)
	}
	f, err := t.Features(name)
	if err != nil {
		return failed(err)
	}
	for _, t := range all {
		isOn := t.holds(f.Active)
		givenUp := slices.ContainsFunc(t.features, func(n string) bool { return slices.Contains(c.Off, n) })
		if off&t.bits != 0 && isOn || on&t.bits != 0 && !isOn && !givenUp {
			return ifcfg.ErrnoNamed("EINVAL")
		}
	}
	return nil
}
