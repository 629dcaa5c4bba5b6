package dist

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Parts of frames, in hex. Layouts: IEEE 802.3, RFC 791, RFC 8200, RFC 9293.
const (
	da   = "020000000002"
	sa   = "020000000001"
	ip1  = "0a000001"
	ip2  = "0a000002"
	ip3  = "0a000003"
	p80  = "c0000050" // ports 49152, 80
	p81  = "c0000051"
	six1 = "20010db8000000000000000000000001"
	six2 = "20010db8000000000000000000000002"
	rest = "0000000000000000000000000000000000000000"
)

// v4 is an IPv4 packet without options: the parts that matter, and zeros.
func v4(firstOctet, fragment, proto, src, dst, payload string) string {
	return firstOctet + "00" + "0028" + "0001" + fragment + "40" + proto + "0000" + src + dst + payload
}

// v6 is an IPv6 packet: version, class and label, next header, payload.
func v6(first, next, payload string) string {
	return first + "0014" + next + "40" + six1 + six2 + payload
}

var (
	plain4 = da + sa + "0800"
	plain6 = da + sa + "86dd"
	tcp4   = v4("45", "0000", "06", ip1, ip2, p80+rest)
	tcp4x3 = v4("45", "0000", "06", ip1, ip3, p80+rest)
)

// named is a frame for tests and vectors.
type named struct{ name, hex string }

var samples = []named{
	{"empty", ""},
	{"13 octets", da + sa + "08"},
	{"addresses and type only", plain4},
	{"ARP broadcast", "ffffffffffff" + sa + "0806" + "0001080006040001" + sa + ip1 + "000000000000" + ip2},
	{"LLDP type", da + sa + "88cc0207"},
	{"tcp4", plain4 + tcp4},
	{"tcp4 port 81", plain4 + v4("45", "0000", "06", ip1, ip2, p81+rest)},
	{"tcp4 to .3", plain4 + tcp4x3},
	{"tcp4 back", sa + da + "0800" + v4("45", "0000", "06", ip2, ip1, "0050c000"+rest)},
	{"tcp4 back, same MACs", plain4 + v4("45", "0000", "06", ip2, ip1, p80+rest)},
	{"tcp4 don't fragment", plain4 + v4("45", "4000", "06", ip1, ip2, p80+rest)},
	{"tcp4 with options", plain4 + v4("46", "0000", "06", ip1, ip2, "01010100"+p80+rest)},
	{"tcp4 with options cut before the ports", plain4 + v4("4f", "0000", "06", ip1, ip2, "01010100"+p80)},
	{"tcp4 version 5", plain4 + v4("55", "0000", "06", ip1, ip2, p80+rest)},
	{"tcp4 to .3 version 5", plain4 + v4("55", "0000", "06", ip1, ip3, p80+rest)},
	{"tcp4 header length 16", plain4 + v4("44", "0000", "06", ip1, ip2, p80+rest)},
	{"tcp4 to .3 header length 16", plain4 + v4("44", "0000", "06", ip1, ip3, p80+rest)},
	{"tcp4 cut after 19 octets", plain4 + tcp4[:38]},
	{"tcp4 cut after 23 octets", plain4 + tcp4[:46]},
	{"udp4", plain4 + v4("45", "0000", "11", ip1, ip2, p80+rest)},
	{"udp4 first fragment", plain4 + v4("45", "2000", "11", ip1, ip2, p80+rest)},
	{"udp4 first fragment, port 81", plain4 + v4("45", "2000", "11", ip1, ip2, p81+rest)},
	{"udp4 later fragment", plain4 + v4("45", "00b9", "11", ip1, ip2, rest)},
	{"icmp4", plain4 + v4("45", "0000", "01", ip1, ip2, "0800f7ff00000000")},
	{"icmp4 other", plain4 + v4("45", "0000", "01", ip1, ip2, "0800f7fe00000001")},
	{"sctp4", plain4 + v4("45", "0000", "84", ip1, ip2, p80+rest)},
	{"sctp4 port 81", plain4 + v4("45", "0000", "84", ip1, ip2, p81+rest)},
	{"tcp4 in VLAN 100", da + sa + "81000064" + "0800" + tcp4},
	{"tcp4 in VLAN 100, priority 5", da + sa + "8100a064" + "0800" + tcp4},
	{"tcp4 in S-VLAN 100", da + sa + "88a80064" + "0800" + tcp4},
	{"tcp4 in S-VLAN 100, VLAN 7", da + sa + "88a80064" + "81000007" + "0800" + tcp4},
	{"tcp4 in three tags", da + sa + "88a80064" + "81000007" + "81000008" + "0800" + tcp4},
	{"tcp4 to .3 in three tags", da + sa + "88a80064" + "81000007" + "81000008" + "0800" + tcp4x3},
	{"tag cut short", da + sa + "81000064"},
	{"second tag cut short", da + sa + "88a80064" + "8100"},
	{"tcp6", plain6 + v6("60000000", "06", p80+rest)},
	{"tcp6 port 81", plain6 + v6("60000000", "06", p81+rest)},
	{"tcp6 label 12345", plain6 + v6("60012345", "06", p80+rest)},
	{"tcp6 class 5", plain6 + v6("60500000", "06", p80+rest)},
	{"tcp6 version 4", plain6 + v6("40000000", "06", p80+rest)},
	{"tcp6 in VLAN 100", da + sa + "81000064" + "86dd" + v6("60000000", "06", p80+rest)},
	{"udp6", plain6 + v6("60000000", "11", p80+rest)},
	{"udp6 fragment", plain6 + v6("60000000", "2c", "1100000100000001"+p80+rest)},
	{"udp6 fragment, port 81", plain6 + v6("60000000", "2c", "1100000100000001"+p81+rest)},
	{"udp6 behind hop-by-hop options", plain6 + v6("60000000", "00", "1100010400000000"+p80+rest)},
	{"tcp6 cut after 39 octets", plain6 + v6("60000000", "06", "")[:78]},
	{"tcp6 cut after 43 octets", plain6 + v6("60000000", "06", "c00000")},
}

// frame is the octets of a sample, new with each call.
func (n named) frame() []byte {
	b, err := hex.DecodeString(n.hex)
	if err != nil {
		panic(n.name + ": " + err.Error())
	}
	return b
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	for _, s := range samples {
		if s.name == name {
			return s.frame()
		}
	}
	t.Fatalf("no sample %q", name)
	return nil
}

// TestSamples guards the tests' own parts: an IPv4 header is 20 octets, an IPv6
// one 40, and no name is used twice.
func TestSamples(t *testing.T) {
	if n := len(v4("45", "0000", "06", ip1, ip2, "")) / 2; n != 20 {
		t.Errorf("IPv4 header of %d octets", n)
	}
	if n := len(v6("60000000", "06", "")) / 2; n != 40 {
		t.Errorf("IPv6 header of %d octets", n)
	}
	seen := map[string]bool{}
	for _, s := range samples {
		if seen[s.name] || strings.Contains(s.name, "#") {
			t.Errorf("sample name %q", s.name)
		}
		seen[s.name] = true
	}
}
