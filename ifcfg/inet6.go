package ifcfg

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ifagr/agr/ctl"
)

// inet6Feature brings the words of inet6 and its status lines.
func inet6Feature() feature {
	return feature{
		module: modInet6,
		usage: []string{
			"[ anycast | -anycast ] [ deprecated | -deprecated ]",
			"[ pltime n ] [ vltime n ] [ eui64 ]",
		},
		words: inet6Words,
		status: map[section]func(*printer) error{
			secInet6: func(p *printer) error { return p.family(Inet6, p.s.Style.inet6Line) },
		},
	}
}

// inet6Words are known on every line and mean something for inet6 only.
func inet6Words(v *vocabulary) {
	set := func(text string, f func(*Address)) {
		v.word(text, rule{}, func(args) step { return func(s *sentence) { f(v.address(s)) } })
	}
	set("eui64", func(a *Address) { a.EUI64 = true })
	// Of these four only the last word of a line counts, as in NetBSD.
	set("anycast", func(a *Address) { a.Anycast, a.Deprecate = true, nil })
	set("-anycast", func(a *Address) { a.Anycast, a.Deprecate = false, nil })
	set("deprecated", func(a *Address) { a.Anycast, a.Deprecate = false, new(true) })
	set("-deprecated", func(a *Address) { a.Anycast, a.Deprecate = false, new(false) })
	v.arg("pltime", rule{}, v.number(true, func(x args) step {
		return func(s *sentence) { v.address(s).Preferred = new(x.Int(0)) }
	}))
	v.arg("vltime", rule{}, v.number(true, func(x args) step {
		return func(s *sentence) { v.address(s).Valid = new(x.Int(0)) }
	}))
}

// inet6 makes the change of an inet6 address (ifconfig(8), inet6(4)).
func (a *Address) inet6(c *change, l *Link, err error) error {
	if !a.Given {
		if err == nil {
			err = ctl.EADDRNOTAVAIL
		}
		return failed("SIOCGIFADDR_IN6", err)
	}
	mask, err := a.mask(l, 128)
	if err != nil {
		return err
	}
	zone := a.First.IP.Zone()
	foreign := zone != "" && (!a.First.IP.IsLinkLocalUnicast() || !c.ownZone(l, zone))
	if a.Action == ActionDelete {
		if foreign {
			return failed("SIOCDIFADDR_IN6", ctl.EADDRNOTAVAIL)
		}
		return c.delAddr(l, "SIOCDIFADDR_IN6", a.First.IP)
	}
	ip, err := a.hostPart(c, l)
	if err != nil {
		return err
	}
	addr, err := a.inet6Addr(l, ip, mask)
	if err != nil || foreign {
		return failed("SIOCAIFADDR_IN6", ctl.EINVAL)
	}
	if addr.Valid == 0 {
		return c.expire(l, addr.IP)
	}
	return c.addInet6(l, addr)
}

// expire makes an address with a valid lifetime of 0, which is one that is not
// there (in6.c of NetBSD takes that for no error).
func (c *change) expire(l *Link, ip netip.Addr) error {
	err := c.delAddr(l, "SIOCAIFADDR_IN6", ip)
	if ctl.ErrnoOf(err) == ctl.EADDRNOTAVAIL {
		return nil
	}
	return err
}

// addInet6 adds the address; the first one takes the interface up.
func (c *change) addInet6(l *Link, addr Addr) error {
	first, err := c.first(l, Inet6)
	if err != nil {
		return failed("SIOCAIFADDR_IN6", err)
	}
	if err := c.addAddr(l, "SIOCAIFADDR_IN6", addr); err != nil {
		return err
	}
	if first.IP.IsValid() {
		return nil
	}
	return c.bringUp(l, "SIOCAIFADDR_IN6")
}

// inet6Addr is the address to add, or EINVAL.
func (a *Address) inet6Addr(l *Link, ip, mask netip.Addr) (Addr, error) {
	if !a.fits(128) {
		return Addr{}, ctl.EINVAL
	}
	if !mask.IsValid() {
		mask = MaskOf(64, 128)
	}
	addr := Addr{
		IP: ip.WithZone(""), Mask: mask, Dst: a.destination(l).WithZone(""),
		Preferred: seconds(a.Preferred), Valid: seconds(a.Valid),
	}
	if n, ok := PrefixLen(mask); !ok || addr.Dst.IsValid() && n != 128 {
		return Addr{}, ctl.EINVAL
	}
	if addr.Preferred > addr.Valid {
		return Addr{}, ctl.EINVAL
	}
	if a.Deprecate != nil && *a.Deprecate {
		addr.Preferred = 0
	}
	if a.Anycast {
		addr.Flags |= AddrAnycast
	}
	return addr, nil
}

// ownZone reports whether a zone means the interface itself.
func (c *change) ownZone(l *Link, zone string) bool {
	return zone == c.name || zone == l.Name || zone == strconv.Itoa(l.Index)
}

// hostPart gives the address, its low half filled from the interface's own
// link-local address when the line says eui64.
func (a *Address) hostPart(c *change, l *Link) (netip.Addr, error) {
	if !a.EUI64 {
		return a.First.IP, nil
	}
	ip := a.First.IP.As16()
	if [8]byte(ip[8:]) != [8]byte{} {
		return netip.Addr{}, complaint(fmt.Sprintf(c.Style.filledFormat, a.First.IP))
	}
	all, err := c.Kernel.Addrs(l.Index)
	if err != nil {
		return netip.Addr{}, failed("SIOCGIFADDR_IN6", err)
	}
	for _, own := range all[l.Index] {
		if own.IP.Is6() && own.IP.IsLinkLocalUnicast() {
			low := own.IP.As16()
			copy(ip[8:], low[8:])
			return netip.AddrFrom16(ip), nil
		}
	}
	return netip.Addr{}, errNoLocal
}

// inet6Line7 is one address in style netbsd7.
func inet6Line7(p *printer, a Addr, _ int) string {
	var b strings.Builder
	b.WriteString("\tinet6 " + p.scoped(a.IP))
	if p.link.Flags&FlagPointToPt != 0 {
		b.WriteString(" -> " + p.scoped(a.Dst))
	}
	n, _ := PrefixLen(a.Mask)
	fmt.Fprintf(&b, " prefixlen %d%s", n, flagWords(a.Flags))
	b.WriteString(p.inet6Suffix(a))
	return b.String()
}

// inet6Suffix is what ends the line of an inet6 address: the interface that a
// link-local one is on, and with -L the lifetimes.
func (p *printer) inet6Suffix(a Addr) string {
	s := ""
	if a.IP.IsLinkLocalUnicast() {
		s = fmt.Sprintf(" scopeid 0x%x", p.link.Index)
	}
	if p.s.Options.Lifetimes && (a.Preferred != Infinite || a.Valid != Infinite) {
		s += fmt.Sprintf(" pltime %s vltime %s", lifetime(a.Preferred), lifetime(a.Valid))
	}
	return s
}

func lifetime(n uint32) string {
	if n == Infinite {
		return "infty"
	}
	return strconv.FormatUint(uint64(n), 10)
}
