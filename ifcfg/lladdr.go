package ifcfg

import (
	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

// lladdrFeature prints link-layer addresses: the active one as a line of the
// interface, the others as lines of the family link.
func lladdrFeature() feature {
	return feature{status: map[section]func(*printer) error{
		secAddress: printActiveAddr,
		secLink:    printLinkAddrs,
	}}
}

// linkLayer makes the change of a link-layer address (ifconfig(8), "link").
func (a *Address) linkLayer(c *change, l *Link, err error) error {
	if !a.Given {
		return nil // NetBSD has no first address of this family, and says nothing
	}
	if err != nil {
		return failed("commit_address: getifflags", err)
	}
	if len(a.Masks) > 0 {
		return errMaskOfLink
	}
	request := "SIOCALIFADDR"
	if a.Action == ActionDelete {
		request = "SIOCDLIFADDR"
	}
	if err := a.linkLayerChange(c, l); err != nil {
		return failed(request, err)
	}
	return nil
}

func (a *Address) linkLayerChange(c *change, l *Link) error {
	if err := c.notPort(l); err != nil {
		return err
	}
	addr, ok := ether.FromSlice([]byte(a.First.Octets))
	if !ok || addr.IsGroup() || addr.IsZero() || !hasLinkAddr(l) {
		return ctl.EINVAL
	}
	if a.Action == ActionDelete {
		return c.Kernel.DelLinkAddr(l.Index, addr)
	}
	if !isAgr(l.Name) {
		return c.Kernel.AddLinkAddr(l.Index, addr, a.Active)
	}
	return c.agrLinkAddr(l, addr, a.Active)
}

// agrLinkAddr gives an agr interface a link-layer address, which it can have
// only while it has a port. The active one is agrd's to change, because it is
// the ports' as well; the former one stays as an additional address.
func (c *change) agrLinkAddr(l *Link, addr ether.Addr, active bool) error {
	ports, err := c.Aggr.Ports(l.Name)
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		return ctl.EINVAL
	}
	if !active {
		return c.Kernel.AddLinkAddr(l.Index, addr, false)
	}
	if addr == l.Addr {
		return nil
	}
	if err := c.Aggr.SetAddr(l.Name, addr); err != nil {
		return err
	}
	return c.Kernel.AddLinkAddr(l.Index, l.Addr, false)
}

func hasLinkAddr(l *Link) bool {
	switch l.Class {
	case ClassEthernet, ClassBridge, ClassVLAN:
		return true
	case ClassOther, ClassLoopback:
	}
	return false
}

func printActiveAddr(p *printer) error {
	if hasLinkAddr(&p.link) && !p.link.Addr.IsZero() && !p.bareAgr() {
		p.printf("\taddress: %s\n", p.link.Addr)
	}
	return nil
}

func printLinkAddrs(p *printer) error {
	if !p.shows(LinkLayer) || !hasLinkAddr(&p.link) || p.bareAgr() {
		return nil
	}
	all, err := p.linkAddrs()
	if err != nil {
		return failed("print_link_addresses: ioctl", err)
	}
	for _, a := range all {
		p.printf("\tlink %s\n", a)
	}
	return nil
}
