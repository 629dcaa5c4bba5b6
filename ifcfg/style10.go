package ifcfg

import (
	"fmt"
	"slices"
	"strings"
)

// netbsd10 is the style of NetBSD 10 and newer.
func netbsd10() Style {
	return Style{
		name: "netbsd10",
		usage: []module{
			modAddress, modParam, modCarp, modInet6, modMedia, modTunnel, modVLAN, modIEEE80211, modAgr, modL2TP, modLagg,
			modPFSync, modARP, modPreference, modLinkFlags, modLinkStr, modUnnumbered, modDescription,
		},
		sections: []section{
			secHeader, secCapabilities, secEthernet, secTunnel, secVLAN, secAgr, secDescription, secAddress, secLinkState,
			secMedia, secCounters, secLink, secInet6, secInet,
		},
		bits:         bits10,
		wrapBits:     wrapBits10,
		inetLine:     inetLine10,
		inet6Line:    inet6Line10,
		flags:        iffNames("UNNUMBERED"),
		etherCaps:    eccapNames(),
		linkState:    true,
		localFirst:   true,
		filledFormat: "interface index is already filled, ::%%S | %s%%S",
	}
}

// bits10 is a bit field in style netbsd10: no value is a plain 0.
func bits10(v uint64, names []bitName) string {
	if v == 0 {
		return "0"
	}
	return bits7(v, names)
}

// wrapBits10 is a bit field on as many lines as it takes, none longer than max
// columns and each with the whole value.
func wrapBits10(v uint64, names []bitName, maxColumns int) []string {
	lines := wrapBits7(v, names, maxColumns)
	if v != 0 {
		for i := range lines {
			lines[i] = "0x" + lines[i]
		}
	}
	return lines
}

// inetFlagNames and inet6FlagNames pair our flags of an address with the bits
// that NetBSD 10 shows for them (IN_IFF_ of in_var.h, IN6_IFF_ of in6_var.h).
func inetFlagNames() []flagName {
	return []flagName{
		{AddrTentative, bitName{0x1, "TENTATIVE"}},
		{AddrDuplicated, bitName{0x2, "DUPLICATED"}},
		{AddrDetached, bitName{0x4, "DETACHED"}},
	}
}

func inet6FlagNames() []flagName {
	return []flagName{
		{AddrAnycast, bitName{0x1, "ANYCAST"}},
		{AddrTentative, bitName{0x2, "TENTATIVE"}},
		{AddrDuplicated, bitName{0x4, "DUPLICATED"}},
		{AddrDetached, bitName{0x8, "DETACHED"}},
		{AddrDeprecated, bitName{0x10, "DEPRECATED"}},
		{AddrNoDAD, bitName{0x20, "NODAD"}},
		{AddrAutoconf, bitName{0x40, "AUTOCONF"}},
		{AddrTemporary, bitName{0x80, "TEMPORARY"}},
	}
}

type flagName struct {
	flag AddrFlags
	bit  bitName
}

// addrBits is the bit field of an address's flags.
func addrBits(f AddrFlags, all []flagName) string {
	var v uint64
	var names []bitName
	for _, n := range all {
		if f&n.flag != 0 {
			v |= n.bit.bit
			names = append(names, n.bit)
		}
	}
	return bits10(v, names)
}

// inetLine10 is one address in style netbsd10.
func inetLine10(p *printer, a Addr, _ int) string {
	var b strings.Builder
	b.WriteString("\tinet " + p.host(a.IP))
	n, contiguous := PrefixLen(a.Mask)
	if contiguous {
		fmt.Fprintf(&b, "/%d", n)
	}
	if p.link.Flags&FlagPointToPt != 0 {
		b.WriteString(" -> " + p.host(a.Dst))
	}
	if !contiguous {
		fmt.Fprintf(&b, " netmask 0x%x", inetBits(a.Mask))
	}
	if p.link.Flags&FlagBroadcast != 0 {
		b.WriteString(" broadcast " + p.host(broadcastOf(a)))
	}
	b.WriteString(" flags " + addrBits(a.Flags, inetFlagNames()))
	return b.String()
}

// inet6Line10 is one address in style netbsd10.
func inet6Line10(p *printer, a Addr, _ int) string {
	var b strings.Builder
	n, _ := PrefixLen(a.Mask)
	fmt.Fprintf(&b, "\tinet6 %s/%d", p.scoped(a.IP), n)
	if p.link.Flags&FlagPointToPt != 0 {
		b.WriteString(" -> " + p.scoped(a.Dst))
	}
	b.WriteString(" flags " + addrBits(a.Flags, inet6FlagNames()))
	b.WriteString(p.inet6Suffix(a))
	return b.String()
}

// localFirst moves link-local inet6 addresses to the front, which are the first
// that a NIC of NetBSD gets. The loopback interface's own address is older.
func localFirst(all []Addr) []Addr {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Addr) int { return rankOf(a) - rankOf(b) })
	return out
}

func rankOf(a Addr) int {
	if a.IP.Is6() && a.IP.IsLinkLocalUnicast() {
		return 0
	}
	return 1
}
