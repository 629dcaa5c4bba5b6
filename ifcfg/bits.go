package ifcfg

import (
	"strconv"
	"strings"
)

// bitName names one bit.
type bitName struct {
	bit  uint64
	name string
}

// iffNames are the names of an interface's flags. What bit 0x20 means has changed.
func iffNames(bit20 string) []bitName {
	return []bitName{
		{0x1, "UP"},
		{0x2, "BROADCAST"},
		{0x4, "DEBUG"},
		{0x8, "LOOPBACK"},
		{0x10, "POINTOPOINT"},
		{0x20, bit20},
		{0x40, "RUNNING"},
		{0x80, "NOARP"},
		{0x100, "PROMISC"},
		{0x200, "ALLMULTI"},
		{0x400, "OACTIVE"},
		{0x800, "SIMPLEX"},
		{0x1000, "LINK0"},
		{0x2000, "LINK1"},
		{0x4000, "LINK2"},
		{0x8000, "MULTICAST"},
	}
}

// eccapNames are the names of an Ethernet interface's capabilities, of which
// NetBSD 7 knew the first eccaps7.
func eccapNames() []bitName {
	return []bitName{{0x1, "VLAN_MTU"}, {0x2, "VLAN_HWTAGGING"}, {0x4, "JUMBO_MTU"}, {0x8, "VLAN_HWFILTER"}, {0x10, "EEE"}}
}

const eccaps7 = 3

func agrPortNames() []bitName {
	return []bitName{{0x1, "COLLECTING"}, {0x2, "DISTRIBUTING"}}
}

func lacpStateNames() []bitName {
	return []bitName{
		{0x1, "ACTIVITY"},
		{0x2, "TIMEOUT"},
		{0x4, "AGGREGATION"},
		{0x8, "SYNC"},
		{0x10, "COLLECTING"},
		{0x20, "DISTRIBUTING"},
		{0x40, "DEFAULTED"},
		{0x80, "EXPIRED"},
	}
}

// setNames are the names of the bits that are set, in ascending order.
func setNames(v uint64, names []bitName) []string {
	var out []string
	for _, n := range names {
		if v&n.bit != 0 {
			out = append(out, n.name)
		}
	}
	return out
}

// bits7 is a bit field in style netbsd7: always 0x, and the names of the bits
// that have one.
func bits7(v uint64, names []bitName) string {
	return "0x" + wrapOne(v, setNames(v, names))
}

func wrapOne(v uint64, names []string) string {
	s := strconv.FormatUint(v, 16)
	if len(names) > 0 {
		s += "<" + strings.Join(names, ",") + ">"
	}
	return s
}

// wrapBits7 is a bit field on as many lines as it takes, none longer than max
// columns and each with the whole value. The columns count a 0x that style
// netbsd7 then leaves out, so that its lines break where the newer style's do.
func wrapBits7(v uint64, names []bitName, maxColumns int) []string {
	set := setNames(v, names)
	room := maxColumns - len("0x<>") - len(strconv.FormatUint(v, 16))
	var lines []string
	for len(set) > 0 {
		n, used := 1, len(set[0])
		for n < len(set) && used+1+len(set[n]) <= room {
			used += 1 + len(set[n])
			n++
		}
		lines, set = append(lines, wrapOne(v, set[:n])), set[n:]
	}
	if lines == nil {
		lines = []string{wrapOne(v, nil)}
	}
	return lines
}
