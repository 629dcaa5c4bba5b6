package ifcfg

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// parseInet reads an inet address in the forms of inet_aton(3): one to four
// parts, each decimal, octal (0...) or hexadecimal (0x...), the last one
// filling what the others leave. As in NetBSD 7, a part is taken modulo 2^32
// before its range is looked at, and white space ends the address.
func parseInet(s string) (netip.Addr, bool) {
	var v uint32
	for i := 0; ; i++ {
		part, rest, ok := atonPart(s)
		if !ok {
			return netip.Addr{}, false
		}
		if rest != "" && rest[0] == '.' {
			if i == 3 || part > 0xff {
				return netip.Addr{}, false
			}
			v |= part << (24 - 8*i)
			s = rest[1:]
			continue
		}
		if rest != "" && !isSpace(rest[0]) || uint64(part) >= 1<<(32-8*i) {
			return netip.Addr{}, false
		}
		return inetAddr(v | part), true
	}
}

// atonPart reads one number, which must begin with a digit.
func atonPart(s string) (v uint32, rest string, ok bool) {
	if s == "" || !isDigit(s[0]) {
		return 0, s, false
	}
	base := uint32(10)
	if s[0] == '0' {
		base, s = 8, s[1:]
		ok = true // the 0 is a digit of its own
		if s != "" && (s[0] == 'x' || s[0] == 'X') {
			base, s, ok = 16, s[1:], false
		}
	}
	for s != "" {
		d, isDigit := digit(s[0], base)
		if !isDigit {
			break
		}
		v, s, ok = v*base+d, s[1:], true
	}
	return v, s, ok
}

func digit(c byte, base uint32) (uint32, bool) {
	d, err := strconv.ParseUint(string(c), 16, 8)
	if err != nil || uint32(d) >= base {
		return 0, false
	}
	return uint32(d), true
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// inetAddr and inetBits convert between an inet address and its number.
func inetAddr(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
}

func inetBits(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}
