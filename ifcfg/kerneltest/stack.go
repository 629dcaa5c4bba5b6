package kerneltest

import (
	"strings"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// SetVLAN implements ifcfg.Stacker.
func (k *Kernel) SetVLAN(index int, v ifcfg.VLAN) error {
	i, err := k.change("SetVLAN", index, "%d %s", v.Tag, v.Parent)
	if err != nil {
		return err
	}
	if v.Parent == "" {
		k.detach(i)
		return nil
	}
	for _, other := range k.ifaces {
		if other.VLAN == v {
			return ctl.EEXIST
		}
	}
	parent := k.Named(v.Parent)
	i.VLAN, i.Addr, i.MTU, i.LinkUp = v, parent.Addr, parent.MTU, parent.LinkUp
	i.Flags |= ifcfg.FlagRunning
	k.countVLANs()
	return nil
}

func (k *Kernel) detach(i *Iface) {
	i.VLAN, i.Addr, i.MTU, i.LinkUp = ifcfg.VLAN{}, ether.Addr{}, 0, false
	i.Flags &^= ifcfg.FlagRunning
	k.countVLANs()
}

// countVLANs lets the parents of vlan(4) interfaces know.
func (k *Kernel) countVLANs() {
	for _, i := range k.ifaces {
		i.HasVLAN = false
	}
	for _, i := range k.ifaces {
		if parent := k.Named(i.VLAN.Parent); parent != nil {
			parent.HasVLAN = true
		}
	}
}

// bare reports a vlan(4) interface without a parent, which takes no address.
func (i *Iface) bare() bool { return strings.HasPrefix(i.Name, "vlan") && i.VLAN.Parent == "" }

// SetTunnel implements ifcfg.Stacker.
func (k *Kernel) SetTunnel(index int, t ifcfg.Tunnel) error {
	i, err := k.change("SetTunnel", index, "%s %s", t.Src, t.Dst)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(i.Name, "gif") && !strings.HasPrefix(i.Name, "gre") {
		return ctl.ENOTTY
	}
	i.Tunnel = t
	i.Flags &^= ifcfg.FlagRunning
	if t.Src.IsValid() {
		i.Flags |= ifcfg.FlagRunning
	}
	return nil
}
