package linux

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/rtnl"
)

// SetVLAN implements ifcfg.Stacker.
func (k *Kernel) SetVLAN(index int, v ifcfg.VLAN) error {
	p := k.pendingAt(index)
	switch {
	case p == nil && v.Parent == "":
		return k.detach(index)
	case p == nil:
		return ifcfg.ErrnoNamed("EBUSY")
	case v.Parent == "":
		return nil
	}
	parent, err := k.rt.LinkByName(v.Parent)
	if err != nil {
		return failed(err)
	}
	return k.attach(*p, vlanLink(p, parent.Index, v.Tag))
}

// vlanLink is the device that a pending vlan becomes. Its MTU is the parent's.
func vlanLink(p *softstate.Pseudo, parent int, tag uint16) rtnl.NewLink {
	n := newDevice(p, "vlan")
	n.Parent, n.VLAN = parent, tag
	return n
}

// SetTunnel implements ifcfg.Stacker.
func (k *Kernel) SetTunnel(index int, t ifcfg.Tunnel) error {
	p := k.pendingAt(index)
	if p == nil {
		return k.setDeviceTunnel(index, t)
	}
	if isVLAN(p) {
		return ifcfg.ErrnoNamed("ENOTTY")
	}
	if !t.Src.IsValid() {
		return nil
	}
	return k.attachTunnel(*p, t)
}

// setDeviceTunnel changes a tunnel that has its ends already. Those of another
// family need another device.
func (k *Kernel) setDeviceTunnel(index int, t ifcfg.Tunnel) error {
	l, err := k.rt.LinkByIndex(index)
	if err != nil {
		return failed(err)
	}
	c, ok := clonerOf(l.Name)
	if !ok || c.kind6 == "" || !made(&l, c) {
		return ifcfg.ErrnoNamed("ENOTTY")
	}
	if kind := c.tunnelKind(t); t.Src.IsValid() && kind == l.Kind {
		err := failedTunnel(k.rt.ChangeTunnel(l.Name, kind, ends(t)))
		if err == nil {
			k.keepPseudo(softstate.Pseudo{Name: l.Name, Index: index, Attached: true, Ports: ports(t)})
		}
		return err
	}
	if err := k.detach(index); err != nil || !t.Src.IsValid() {
		return err
	}
	return k.attachTunnel(*k.remembered().PseudoAt(index), t)
}

func (k *Kernel) attachTunnel(p softstate.Pseudo, t ifcfg.Tunnel) error {
	p.Ports = ports(t)
	return k.attach(p, tunnelLink(&p, t))
}

// tunnelLink is the device that a pending tunnel becomes.
func tunnelLink(p *softstate.Pseudo, t ifcfg.Tunnel) rtnl.NewLink {
	c, _ := clonerOf(p.Name)
	n := newDevice(p, c.tunnelKind(t))
	n.Flags |= unix.IFF_MULTICAST
	e := ends(t)
	n.Tunnel = &e
	return n
}

// tunnelKind is Linux's kind of a tunnel through the family of its ends.
func (c cloner) tunnelKind(t ifcfg.Tunnel) string {
	if t.Src.Addr().Is6() {
		return c.kind6
	}
	return c.kind
}

func ends(t ifcfg.Tunnel) rtnl.Tunnel {
	return rtnl.Tunnel{Local: t.Src.Addr().WithZone(""), Remote: t.Dst.Addr().WithZone("")}
}

func ports(t ifcfg.Tunnel) [2]uint16 { return [2]uint16{t.Src.Port(), t.Dst.Port()} }

// tunnelOf are the ends of a device that has both.
func tunnelOf(l *rtnl.Link) ifcfg.Tunnel {
	t := l.Tunnel
	if t == nil || !t.Local.IsValid() || !t.Remote.IsValid() || t.Local.IsUnspecified() || t.Remote.IsUnspecified() {
		return ifcfg.Tunnel{}
	}
	return ifcfg.Tunnel{Src: netip.AddrPortFrom(t.Local, 0), Dst: netip.AddrPortFrom(t.Remote, 0)}
}

func withPorts(t ifcfg.Tunnel, ports [2]uint16) ifcfg.Tunnel {
	if !t.Src.IsValid() {
		return t
	}
	return ifcfg.Tunnel{
		Src: netip.AddrPortFrom(t.Src.Addr(), ports[0]), Dst: netip.AddrPortFrom(t.Dst.Addr(), ports[1]),
	}
}

// failedTunnel is failed for the ends of a tunnel, which NetBSD finds not
// available when another one has them.
func failedTunnel(err error) error {
	if is(err, unix.EEXIST) {
		return &kernelError{errno: ifcfg.ErrnoNamed("EADDRNOTAVAIL"), cause: err}
	}
	return failed(err)
}

// newDevice begins the device that a pending interface becomes.
func newDevice(p *softstate.Pseudo, kind string) rtnl.NewLink {
	n := rtnl.NewLink{Name: p.Name, Kind: kind, Index: p.Index, MTU: p.MTU}
	if n.Index >= firstMadeUp {
		n.Index = 0
	}
	n.Flags = kernelFlags(p.Flags & pendingFlags)
	return n
}

// attach makes a pending interface a device, with everything that it was given
// before.
func (k *Kernel) attach(p softstate.Pseudo, n rtnl.NewLink) error {
	err := k.rt.AddLink(n)
	if is(err, unix.EBUSY) && n.Index != 0 {
		n.Index = 0
		err = k.rt.AddLink(n)
	}
	switch {
	case is(err, unix.ERANGE):
		return ifcfg.ErrnoNamed("EINVAL")
	case n.Tunnel != nil && err != nil:
		return failedTunnel(err)
	case err != nil:
		return failed(err)
	}
	l, err := k.rt.LinkByName(p.Name)
	if err != nil {
		return failed(err)
	}
	k.links[l.Index] = l
	// It is attached, which was asked for, whatever becomes of the rest.
	if p.Description != "" {
		_ = k.rt.SetAlias(l.Index, p.Description)
	}
	for _, a := range p.Addrs {
		_ = k.AddAddr(l.Index, a)
	}
	k.keepPseudo(softstate.Pseudo{
		Name: p.Name, Index: l.Index, Attached: true, Parent: n.Parent, Metric: p.Metric, Ports: p.Ports,
	})
	return nil
}

// keepPseudo remembers what a device cannot know of itself. Without it the
// interface ends with its device.
func (k *Kernel) keepPseudo(p softstate.Pseudo) {
	if old := k.remembered().Pseudo(p.Name); old != nil && old.Attached {
		p.Metric, p.Parent = old.Metric, old.Parent
	}
	_ = k.update(func(st *softstate.State) { st.Put(p) })
}

// detach makes a device a pending interface again. That is remembered first:
// what could not be kept is not destroyed.
func (k *Kernel) detach(index int) error {
	l, err := k.rt.LinkByIndex(index)
	if err != nil {
		return failed(err)
	}
	p, err := k.stripped(&l)
	if err != nil {
		return err
	}
	if err := k.update(func(st *softstate.State) { st.Put(p) }); err != nil {
		return err
	}
	delete(k.links, index)
	return failed(k.rt.DelLink(index))
}

// stripped is what stays of a device when it goes.
func (k *Kernel) stripped(l *rtnl.Link) (softstate.Pseudo, error) {
	p := softstate.Pseudo{
		Name: l.Name, Index: l.Index, MTU: l.MTU, Description: l.Alias,
		Flags: linkOf(l).Flags & pendingFlags,
	}
	if isVLAN(&p) {
		p.MTU = 0 // it was the parent's
	}
	if old := k.remembered().Pseudo(l.Name); old != nil {
		p.Metric = old.Metric
	}
	all, err := k.rt.Addrs(l.Index, unix.AF_UNSPEC)
	if err != nil {
		return p, failed(err)
	}
	for _, a := range inOrder(all) {
		if !byKernel(&a) {
			p.Addrs = append(p.Addrs, addrOf(&a))
		}
	}
	return p, nil
}

// byKernel reports an address that the kernel made itself, and makes again.
func byKernel(a *rtnl.Addr) bool {
	return a.Flags&unix.IFA_F_TEMPORARY != 0 || a.Proto != 0 && a.Proto <= protoKernelLL
}

// vlanOf is what a vlan device is attached to.
func (k *Kernel) vlanOf(l *rtnl.Link) ifcfg.VLAN {
	if l.Kind != "vlan" {
		return ifcfg.VLAN{}
	}
	v := ifcfg.VLAN{Tag: l.VLAN, Parent: "if" + strconv.Itoa(l.Parent)} // as ip(8) calls one that is elsewhere
	if l.ParentElsewhere {
		return v
	}
	if parent, err := k.at(l.Parent); err == nil {
		v.Parent = parent.Name
	}
	return v
}

// vlanConfig lists the vlans of the reading thread's network namespace and
// their parents; a kernel without any has no such file.
const vlanConfig = "/proc/thread-self/net/vlan/config"

// vlanParents are the names of the interfaces that carry vlans.
func vlanParents() map[string]bool {
	b, err := os.ReadFile(vlanConfig)
	if err != nil {
		return nil
	}
	return parseVLANConfig(string(b))
}

// parseVLANConfig reads the lines "vlan0 | 7 | re0" behind two lines of title.
func parseVLANConfig(text string) map[string]bool {
	parents := map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.Split(line, "|")
		if len(fields) != 3 {
			continue
		}
		if _, err := strconv.ParseUint(strings.TrimSpace(fields[1]), 10, 16); err == nil {
			parents[strings.TrimSpace(fields[2])] = true
		}
	}
	return parents
}
