package ifcfg

import (
	"fmt"
	"net/netip"
	"strings"

	"ifagr/agr/ctl"
)

// inetFeature prints inet addresses; their words are addressFeature's.
func inetFeature() feature {
	return feature{status: map[section]func(*printer) error{
		secInet: func(p *printer) error { return p.family(Inet, p.s.Style.inetLine) },
	}}
}

// inet makes the change of an inet address (ifconfig(8), inet(4)).
func (a *Address) inet(c *change, l *Link, err error) error {
	if err != nil {
		return failed("SIOCGIFADDR", err)
	}
	if !a.Given {
		return a.inetDeleteFirst(c, l)
	}
	mask, err := a.mask(l, 32)
	if err != nil {
		return err
	}
	if !a.fits(32) {
		return failed("SIOCAIFADDR", ctl.EAFNOSUPPORT)
	}
	if l.Flags&(FlagBroadcast|FlagPointToPt) == FlagBroadcast|FlagPointToPt {
		return errIfFlags
	}
	switch a.Action {
	case ActionDelete:
		return c.delAddr(l, "SIOCDIFADDR", a.First.IP)
	case ActionSet:
		first, err := c.first(l, Inet)
		if err != nil {
			return failed("SIOCGIFADDR", err)
		}
		if first.IP.IsValid() {
			if err := c.delAddr(l, "SIOCDIFADDR", first.IP); err != nil {
				return err
			}
		}
		if a.First.IP.IsUnspecified() {
			return nil // as with the other ifconfig of Linux: only the old one goes
		}
	case ActionAlias:
	}
	if err := c.addAddr(l, "SIOCAIFADDR", a.inetAddr(l, mask)); err != nil {
		return err
	}
	return c.bringUp(l, "SIOCAIFADDR")
}

// inetAddr is the address to add, with NetBSD's defaults for what is not given.
func (a *Address) inetAddr(l *Link, mask netip.Addr) Addr {
	if !mask.IsValid() {
		mask = classMask(a.First.IP)
	}
	addr := Addr{
		IP: a.First.IP, Mask: mask, Dst: a.destination(l),
		Preferred: Infinite, Valid: Infinite,
	}
	if l.Flags&FlagBroadcast != 0 {
		addr.Broadcast = inetAddr(inetBits(addr.IP) | ^inetBits(mask))
		if a.Cast != nil {
			addr.Broadcast = a.Cast.IP
		}
	}
	return addr
}

// classMask is the mask that an address had before there were masks.
func classMask(a netip.Addr) netip.Addr {
	switch first := a.As4()[0]; {
	case first < 128:
		return MaskOf(8, 32)
	case first < 192:
		return MaskOf(16, 32)
	}
	return MaskOf(24, 32)
}

func (a *Address) inetDeleteFirst(c *change, l *Link) error {
	first, err := c.first(l, Inet)
	if err == nil && !first.IP.IsValid() {
		err = ctl.EADDRNOTAVAIL
	}
	if err != nil {
		return failed("SIOCGIFADDR", err)
	}
	return c.delAddr(l, "SIOCDIFADDR", first.IP)
}

// first is the interface's first address of the family, the zero Addr when it
// has none.
func (c *change) first(l *Link, f Family) (Addr, error) {
	all, err := c.Kernel.Addrs(l.Index)
	if err != nil {
		return Addr{}, err
	}
	for _, a := range all[l.Index] {
		if familyOf(a.IP) == f {
			return a, nil
		}
	}
	return Addr{}, nil
}

func familyOf(ip netip.Addr) Family {
	if ip.Is4() {
		return Inet
	}
	return Inet6
}

// addAddr and delAddr change addresses; a port refuses both.
func (c *change) addAddr(l *Link, request string, a Addr) error {
	err := c.notPort(l)
	if err == nil {
		err = c.Kernel.AddAddr(l.Index, a)
	}
	if err != nil {
		return failed(request, err)
	}
	return nil
}

func (c *change) delAddr(l *Link, request string, ip netip.Addr) error {
	err := c.notPort(l)
	if err == nil {
		err = c.Kernel.DelAddr(l.Index, ip.WithZone(""))
	}
	if err != nil {
		return failed(request, err)
	}
	return nil
}

// bringUp sets UP, which an address does by itself in NetBSD.
func (c *change) bringUp(l *Link, request string) error {
	if err := c.Kernel.SetFlags(l.Index, FlagUp, 0); err != nil {
		return failed(request, err)
	}
	return nil
}

// inetLine7 is one address in style netbsd7.
func inetLine7(p *printer, a Addr, nth int) string {
	var b strings.Builder
	b.WriteString("\tinet ")
	if nth > 0 {
		b.WriteString("alias ")
	}
	b.WriteString(p.host(a.IP))
	if p.link.Flags&FlagPointToPt != 0 {
		b.WriteString(" -> " + p.host(a.Dst))
	}
	fmt.Fprintf(&b, " netmask 0x%x", inetBits(a.Mask))
	if p.link.Flags&FlagBroadcast != 0 {
		b.WriteString(" broadcast " + p.host(broadcastOf(a)))
	}
	b.WriteString(flagWords(a.Flags & (AddrTentative | AddrDuplicated | AddrDetached)))
	return b.String()
}

// broadcastOf is the broadcast address, made up when another tool left it out.
func broadcastOf(a Addr) netip.Addr {
	if a.Broadcast.IsValid() {
		return a.Broadcast
	}
	return inetAddr(inetBits(a.IP) | ^inetBits(a.Mask))
}

// flagWords are the words of an address line, in NetBSD's order.
func flagWords(f AddrFlags) string {
	s := ""
	for _, w := range [...]struct {
		f    AddrFlags
		text string
	}{
		{AddrAnycast, " anycast"},
		{AddrTentative, " tentative"},
		{AddrDuplicated, " duplicated"},
		{AddrDetached, " detached"},
		{AddrDeprecated, " deprecated"},
		{AddrAutoconf, " autoconf"},
		{AddrTemporary, " temporary"},
	} {
		if f&w.f != 0 {
			s += w.text
		}
	}
	return s
}
