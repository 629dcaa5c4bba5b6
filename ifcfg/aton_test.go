package ifcfg

import (
	"net/netip"
	"testing"
)

func TestParseInet(t *testing.T) {
	tests := []struct{ in, want string }{ // want "" = not an address
		{"10.0.0.1", "10.0.0.1"},
		{"10", "0.0.0.10"},
		{"10.1", "10.0.0.1"},
		{"10.1.2", "10.1.0.2"},
		{"0x0a000001", "10.0.0.1"},
		{"012.0.0.1", "10.0.0.1"},
		{"0377.0.0.0", "255.0.0.0"},
		{"0xffffff00", "255.255.255.0"},
		{"0xfffffffff", "255.255.255.255"}, // modulo 2^32
		{"4294967306", "0.0.0.10"},
		{"10.0.0.4294967297", "10.0.0.1"},
		{"24", "0.0.0.24"},
		{"0", "0.0.0.0"},
		{"10.0.0.1 and more", "10.0.0.1"},
		{"10.65535", "10.0.255.255"},
		{"10.16777216", ""},
		{"10.0.65536", ""},
		{"192.168.1.256", ""},
		{"256.1.1.1", ""},
		{"1.2.3.4.5", ""},
		{"1.2.3.", ""},
		{".1.2.3", ""},
		{"1..2", ""},
		{"0x", ""},
		{"0xgg", ""},
		{"08", ""},
		{" 10.0.0.1", ""},
		{"10.0.0.1x", ""},
		{"-1", ""},
		{"", ""},
		{"::1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			a, ok := parseInet(tt.in)
			got := ""
			if ok {
				got = a.String()
			}
			if got != tt.want {
				t.Errorf("parseInet(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// Everything that netip reads as an address, parseInet reads as the same one,
// unless a leading zero makes a part octal; and what it reads prints so that it
// reads the same again.
func FuzzParseInet(f *testing.F) {
	for _, seed := range []string{"10.0.0.1", "0xffffff00", "10.1", "0377.1", "1.2.3.4 x", "256.1.1.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseInet(s)
		if want, err := netip.ParseAddr(s); err == nil && want.Is4() && (!ok || a != want) {
			t.Errorf("parseInet(%q) = %v, %v, want %v", s, a, ok, want)
		}
		if !ok {
			return
		}
		if again, ok := parseInet(a.String()); !ok || again != a {
			t.Errorf("%q is %v, which reads as %v, %v", s, a, again, ok)
		}
	})
}

func TestPrefixLen(t *testing.T) {
	tests := []struct {
		mask string
		n    int
		ok   bool
	}{
		{"0.0.0.0", 0, true},
		{"128.0.0.0", 1, true},
		{"255.255.255.0", 24, true},
		{"255.255.255.255", 32, true},
		{"255.0.255.0", 0, false},
		{"0.0.0.24", 0, false},
		{"ffff:ffff:ffff:ffff::", 64, true},
		{"ffff:8000::", 17, true},
		{"ffff::1", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.mask, func(t *testing.T) {
			mask := netip.MustParseAddr(tt.mask)
			n, ok := PrefixLen(mask)
			if n != tt.n || ok != tt.ok {
				t.Errorf("PrefixLen(%v) = %d, %v, want %d, %v", mask, n, ok, tt.n, tt.ok)
			}
			if again := MaskOf(n, mask.BitLen()); ok && again != mask {
				t.Errorf("MaskOf(%d) = %v, want %v", n, again, mask)
			}
		})
	}
}
