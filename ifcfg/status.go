package ifcfg

import (
	"fmt"
	"net/netip"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
)

// Filter selects interfaces; what is not set does not matter.
type Filter struct {
	Up, Down  bool // -u, -d
	Broadcast bool // -b
	Carrier   bool // -s
}

// printer prints one interface.
type printer struct {
	s         *Session
	link      Link
	name      string // as the interface is called in what is printed
	wanted    Family // the only family to show; FamilyNone = all
	addrs     map[int][]Addr
	extra     map[int][]ether.Addr // additional link-layer addresses; nil = not read yet
	caps      map[int]Caps         // nil = not read yet
	ports     []ctl.PortInfo
	linkFlags ctl.LinkFlags
	noAgrd    bool  // it was asked and did not answer
	zeroErr   error // why -z could not zero the counters
}

// Status prints one interface, unless the filter leaves it out. The name is
// printed as it was typed.
func (s *Session) Status(name string, f Family, filter Filter) error {
	l, err := s.Kernel.Link(name)
	if err != nil {
		return failed("SIOCGIFFLAGS "+name, err)
	}
	if !s.selects(filter, &l) {
		return nil
	}
	if !s.hasFamily(f) {
		return failed("status: getsock", ctl.EAFNOSUPPORT)
	}
	p := &printer{s: s, link: l, name: name, wanted: f}
	if p.shows(Inet) || p.shows(Inet6) {
		if p.addrs, err = s.Kernel.Addrs(l.Index); err != nil {
			return failed("getifaddrs", err)
		}
	}
	p.zeroErr = s.zero(l)
	return p.print(s.sections())
}

// StatusAll prints all interfaces that the filter lets pass, in the order of
// their indexes.
func (s *Session) StatusAll(f Family, filter Filter) error {
	if !s.hasFamily(f) {
		return failed("status: getsock", ctl.EAFNOSUPPORT)
	}
	links, err := s.selected(filter)
	if err != nil {
		return err
	}
	all := printer{s: s, wanted: f, zeroErr: s.zero(links...)}
	if all.shows(Inet) || all.shows(Inet6) {
		if all.addrs, err = s.Kernel.Addrs(0); err != nil {
			return failed("getifaddrs", err)
		}
	}
	if all.caps, err = s.Kernel.Caps(0); err != nil {
		return failed("SIOCGIFCAP", err)
	}
	if all.shows(LinkLayer) {
		if all.extra, err = s.Kernel.LinkAddrs(0); err != nil {
			return failed("print_link_addresses: ioctl", err)
		}
	}
	sections := s.sections()
	for _, l := range links {
		p := all
		p.link, p.name = l, l.Name
		if err := p.print(sections); err != nil {
			return err
		}
	}
	return nil
}

// sections puts the features' sections into the style's order. Several
// features may add to one section.
func (s *Session) sections() []func(*printer) error {
	var out []func(*printer) error
	for _, sec := range s.Style.sections {
		for _, f := range features() {
			if print := f.status[sec]; print != nil {
				out = append(out, print)
			}
		}
	}
	return out
}

func (p *printer) print(sections []func(*printer) error) error {
	p.askAgrd()
	for _, print := range sections {
		if err := print(p); err != nil {
			return err
		}
	}
	return nil
}

// askAgrd reads what only agrd knows about its interface. Without an answer
// the interface is shown as the kernel has it.
func (p *printer) askAgrd() {
	if !isAgr(p.link.Name) {
		return
	}
	var err error
	if p.ports, err = p.s.Aggr.Ports(p.link.Name); err == nil {
		p.linkFlags, err = p.s.Aggr.Flags(p.link.Name)
	}
	if err != nil {
		p.noAgrd = true
		p.s.Warn(failed("SIOCGETAGR", err))
	}
}

// bareAgr reports an agr interface without ports: it has neither MTU nor
// address then (agr(4)).
func (p *printer) bareAgr() bool { return isAgr(p.link.Name) && len(p.ports) == 0 }

// shows reports whether the lines of a family are wanted.
func (p *printer) shows(f Family) bool { return p.wanted == FamilyNone || p.wanted == f }

func (p *printer) printf(format string, a ...any) { fmt.Fprintf(p.s.Out, format, a...) }

// flags are the interface's, with what agrd adds to its own.
func (p *printer) flags() Flags {
	f := p.link.Flags
	if isAgr(p.link.Name) {
		f = f&^flagsOfAgrd | Flags(p.linkFlags)&flagsLink
		if len(p.ports) > 0 {
			f |= FlagRunning
		}
	}
	return f
}

func printHeader(p *printer) error {
	p.printf("%s: flags=%s", p.name, p.s.Style.bits(uint64(p.flags()), p.s.Style.flags))
	if p.link.Metric != 0 {
		p.printf(" metric %d", p.link.Metric)
	}
	if p.link.MTU != 0 && !p.bareAgr() {
		p.printf(" mtu %d", p.link.MTU)
	}
	p.printf("\n")
	return nil
}

// family prints the addresses of one family, each on a line.
func (p *printer) family(f Family, line func(*printer, Addr, int) string) error {
	if !p.shows(f) {
		return nil
	}
	nth := 0
	for _, a := range p.inOrder(p.addrs[p.link.Index]) {
		if familyOf(a.IP) != f {
			continue
		}
		if p.detached() {
			a.Flags = a.Flags&^(AddrTentative|AddrDuplicated) | AddrDetached
		}
		p.printf("%s\n", line(p, a, nth))
		nth++
	}
	return nil
}

// inOrder puts the addresses of the interface into the order of the style.
func (p *printer) inOrder(all []Addr) []Addr {
	if !p.s.Style.localFirst || p.link.Class == ClassLoopback {
		return all
	}
	return localFirst(all)
}

// detached reports that the interface's addresses reach nobody: it is down, or
// its link is. An agr interface has no link state in NetBSD 7.
func (p *printer) detached() bool {
	return p.link.Flags&FlagUp == 0 || hasLinkAddr(&p.link) && !p.link.LinkUp && (p.s.Style.linkState || !isAgr(p.link.Name))
}

// host is an address, or the name of its host when those are wanted. The
// missing address is nothing.
func (p *printer) host(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	if p.s.Options.Names && p.s.Resolver != nil {
		if name, err := p.s.Resolver.LookupAddr(a); err == nil && name != "" {
			return name
		}
	}
	return a.String()
}

// scoped is host for inet6: a link-local address says on which interface.
func (p *printer) scoped(a netip.Addr) string {
	if a.IsValid() && a.IsLinkLocalUnicast() {
		return a.String() + "%" + p.name // netip keeps a table of all zones, which would cost more than all the rest
	}
	return p.host(a)
}

func (p *printer) linkAddrs() ([]ether.Addr, error) {
	if p.extra == nil {
		var err error
		if p.extra, err = p.s.Kernel.LinkAddrs(p.link.Index); err != nil {
			return nil, err
		}
	}
	return p.extra[p.link.Index], nil
}
