package ifcfg

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ifagr/agr/ctl"
)

// AddrWord is an address as a line has it.
type AddrWord struct {
	IP        netip.Addr // inet or inet6, with its zone; zero for a link-layer address
	Octets    string     // of a link-layer address, any number of them
	PrefixLen int        // behind the slash, 0 to 254; -1 = none
	Port      uint16     // behind the comma; means something to tunnels only
}

// maxOctets is the longest link-layer address that a word can have.
const maxOctets = 120

// afInet6 is NetBSD's number of the family, which one of its messages shows.
const afInet6 = 24

// parseAddrWord reads an address word of a family. Only the first positional
// address may have a prefix length behind a slash.
func parseAddrWord(f Family, names Resolver, slash bool) func(string) (any, bool, error) {
	return func(text string) (any, bool, error) {
		switch f {
		case LinkLayer:
			o, ok := parseOctets(text)
			return AddrWord{Octets: o, PrefixLen: -1}, ok, nil
		case AppleTalk:
			_, _, ok := strings.Cut(text, ".")
			return AddrWord{PrefixLen: -1}, ok, nil
		case FamilyNone, Inet, Inet6:
		}
		w := AddrWord{PrefixLen: -1}
		host, port, _ := strings.Cut(text, ",")
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			w.Port = uint16(n)
		}
		if i := strings.LastIndexByte(host, '/'); slash && i >= 0 {
			n, ok := parsePrefixLen(host[i+1:])
			if !ok {
				return nil, false, nil
			}
			host, w.PrefixLen = host[:i], n
		}
		var ok bool
		if w.IP, ok = parseHost(host, f, names); !ok {
			return nil, false, nil
		}
		return w, true, checkPrefixLen(w)
	}
}

func parsePrefixLen(s string) (int, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return int(n), err == nil && n <= 254
}

// checkPrefixLen is the fatal error about a prefix that the family has not.
func checkPrefixLen(w AddrWord) error {
	if w.PrefixLen <= w.IP.BitLen() {
		return nil
	}
	af := 2
	if w.IP.Is6() {
		af = afInet6
	}
	return failed(fmt.Sprintf("paddr_match: prefixlen_to_mask(%d, %d)", af, w.PrefixLen), ctl.EINVAL)
}

// parseHost reads a numeric address of the family, or looks the name up. A
// name counts only when it has exactly one address. What begins with a dash is
// never looked up.
func parseHost(host string, f Family, names Resolver) (netip.Addr, bool) {
	if f != Inet6 {
		if a, ok := parseInet(host); ok {
			return a, true
		}
	}
	if f != Inet {
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			return a, true
		}
	}
	if names == nil || host == "" || host[0] == '-' || strings.ContainsAny(host, "/: \t\n%") {
		return netip.Addr{}, false
	}
	found, err := names.LookupHost(host, f)
	if err != nil || len(found) != 1 {
		return netip.Addr{}, false
	}
	return found[0].Unmap(), true
}

// parseOctets reads one or more octets of one or two hexadecimal digits with
// colons between them.
func parseOctets(text string) (string, bool) {
	parts := strings.Split(text, ":")
	if len(parts) > maxOctets {
		return "", false
	}
	b := make([]byte, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) > 2 {
			return "", false
		}
		b = append(b, byte(n))
	}
	return string(b), true
}
