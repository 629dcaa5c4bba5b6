package kerneltest

import (
	"slices"
	"strings"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// Create implements ifcfg.Cloner.
func (k *Kernel) Create(name string) error {
	k.Log = append(k.Log, "Create "+name)
	if err := k.Fail["Create"]; err != ctl.OK {
		return err
	}
	prefix := strings.TrimRight(name, "0123456789")
	make := k.Make[prefix]
	if make == nil {
		return ctl.EINVAL // what Linux says of a kind that it was built without
	}
	i := make(name[len(prefix):])
	i.Name = name
	k.Add(i)
	return nil
}

// Destroy implements ifcfg.Cloner. As NetBSD it does not remove a NIC that is
// up, and nobody removes lo0.
func (k *Kernel) Destroy(name string) error {
	k.Log = append(k.Log, "Destroy "+name)
	if err := k.Fail["Destroy"]; err != ctl.OK {
		return err
	}
	i := k.Named(name)
	switch {
	case i == nil:
		return ctl.ENXIO
	case i.Class == ifcfg.ClassLoopback && i.Index == 1:
		return ctl.EPERM
	case k.AsNetBSD && i.Media != nil && i.Flags&ifcfg.FlagUp != 0:
		return ctl.EBUSY
	}
	k.remove(name)
	return nil
}

// remove takes an interface away. The vlan(4) interfaces on it stay.
func (k *Kernel) remove(name string) {
	for _, i := range k.ifaces {
		if i.VLAN.Parent == name {
			k.detach(i)
		}
	}
	k.ifaces = slices.DeleteFunc(k.ifaces, func(i *Iface) bool { return i.Name == name })
	k.countVLANs()
}

// ZeroCounters implements ifcfg.Driver.
func (k *Kernel) ZeroCounters(indexes ...int) error {
	for _, index := range indexes {
		i, err := k.change("ZeroCounters", index, "")
		if err != nil {
			return err
		}
		i.Counters = ifcfg.Counters{}
	}
	return nil
}

// SetQueueLen implements ifcfg.Tuner.
func (k *Kernel) SetQueueLen(index, frames int) error {
	_, err := k.change("SetQueueLen", index, "%d", frames)
	return err
}

// Rename implements ifcfg.Tuner.
func (k *Kernel) Rename(index int, name string) error {
	i, err := k.change("Rename", index, "%s", name)
	switch {
	case err != nil:
		return err
	case k.Named(name) != nil:
		return ctl.EEXIST
	}
	i.Name = name
	return nil
}

// Flags of the interfaces that tests need most.
const (
	EtherFlags    = ifcfg.FlagBroadcast | ifcfg.FlagSimplex | ifcfg.FlagMulticast
	LoopbackFlags = ifcfg.FlagLoopback | ifcfg.FlagRunning | ifcfg.FlagMulticast
)

// Loopback is a loopback interface without addresses, down.
func Loopback(name string) Iface {
	return Iface{Link: ifcfg.Link{Name: name, Class: ifcfg.ClassLoopback, Flags: LoopbackFlags, MTU: 33624, LinkUp: true}}
}

// NIC is an Ethernet interface, down and without media as a virtual one. That
// it has its link counts only for a kernel that is AsNetBSD.
func NIC(name string, a ether.Addr) Iface {
	return Iface{Link: ifcfg.Link{
		Name: name, Class: ifcfg.ClassEthernet, Flags: EtherFlags, MTU: 1500, MaxMTU: 65535, Addr: a, LinkUp: true,
	}}
}
