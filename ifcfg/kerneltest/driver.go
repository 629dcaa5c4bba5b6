package kerneltest

import (
	"slices"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
)

// SetDescription implements ifcfg.Links.
func (k *Kernel) SetDescription(index int, text string) error {
	i, err := k.change("SetDescription", index, "%q", text)
	if err != nil {
		return err
	}
	i.Description = text
	return nil
}

// Media implements ifcfg.Driver.
func (k *Kernel) Media(index int) (*ifcfg.Media, error) {
	if i := k.at(index); i != nil {
		return i.Media, nil
	}
	return nil, ctl.ENXIO
}

// SetMedia implements ifcfg.Driver. A medium is one of those that the
// interface supports.
func (k *Kernel) SetMedia(index int, m ifcfg.MediaRequest) error {
	i, err := k.change("SetMedia", index, "%s", m.Medium)
	switch {
	case err != nil:
		return err
	case i.Media == nil:
		return ctl.ENOTTY
	case !slices.Contains(i.Media.Supported, m.Medium):
		return ctl.EINVAL
	}
	i.Media.Current = m.Medium
	if m.Subtype != "autoselect" {
		i.Media.Active = m.Medium
	}
	return nil
}

// Caps implements ifcfg.Offloads.
func (k *Kernel) Caps(index int) (map[int]ifcfg.Caps, error) {
	all := map[int]ifcfg.Caps{}
	for _, i := range k.ifaces {
		if index == 0 || index == i.Index {
			all[i.Index] = i.Caps
		}
	}
	return all, nil
}

// csumTx are the capabilities that are one switch of most of Linux's drivers,
// as csumRx are.
const (
	csumTx = ifcfg.CapIP4CsumTx | ifcfg.CapTCP4CsumTx | ifcfg.CapUDP4CsumTx | ifcfg.CapTCP6CsumTx | ifcfg.CapUDP6CsumTx
	csumRx = ifcfg.CapIP4CsumRx | ifcfg.CapTCP4CsumRx | ifcfg.CapUDP4CsumRx | ifcfg.CapTCP6CsumRx | ifcfg.CapUDP6CsumRx
	tso    = ifcfg.CapTSO4 | ifcfg.CapTSO6
)

// VethCaps are what a fresh veth of Linux does: all that there is but LRO, and
// nothing for the filter of VLANs.
func VethCaps() ifcfg.Caps {
	const all, tagging = tso | csumTx | csumRx, ifcfg.EtherCapVLANHWTagging
	return ifcfg.Caps{Able: all, Enabled: all, EtherAble: tagging, EtherEnabled: tagging}
}

// TapCaps are what a fresh TAP of Linux does: nothing, until a program comes
// that takes it.
func TapCaps() ifcfg.Caps { return ifcfg.Caps{Able: tso | csumTx} }

// SetCaps implements ifcfg.Offloads, with one switch for each direction of the
// checksums unless the kernel is AsNetBSD. Segments wait for checksums.
func (k *Kernel) SetCaps(index int, on, off ifcfg.Cap) error {
	i, err := k.change("SetCaps", index, "+%#x -%#x", on, off)
	if err != nil {
		return err
	}
	if on&i.Stuck != 0 {
		return ctl.EINVAL
	}
	if k.AsNetBSD {
		i.Caps.Enabled = (i.Caps.Enabled | on) &^ off & i.Caps.Able
		return nil
	}
	if on&tso != 0 {
		on |= csumTx
	}
	wanted := (i.Caps.Enabled | i.waiting | shared(on)) &^ shared(off) & i.Caps.Able
	i.waiting = 0
	if wanted&csumTx == 0 {
		i.waiting = wanted & tso
	}
	i.Caps.Enabled = wanted &^ i.waiting
	return nil
}

// shared completes the bits that are one switch.
func shared(c ifcfg.Cap) ifcfg.Cap {
	for _, s := range []ifcfg.Cap{csumTx, csumRx} {
		if c&s != 0 {
			c |= s
		}
	}
	return c
}

// SetEtherCaps implements ifcfg.Offloads.
func (k *Kernel) SetEtherCaps(index int, on, off ifcfg.EtherCap) error {
	i, err := k.change("SetEtherCaps", index, "+%#x -%#x", on, off)
	if err != nil {
		return err
	}
	i.Caps.EtherEnabled = (i.Caps.EtherEnabled | on) &^ off & i.Caps.EtherAble
	return nil
}
