package rtnl

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func tunnelBetween(local, remote string) *Tunnel {
	return &Tunnel{Local: netip.MustParseAddr(local), Remote: netip.MustParseAddr(remote)}
}

// The requests for kinds that a kernel may lack are compared with octets that a
// person has read, in the byte order of amd64 and arm64.
func TestNewLinkGolden(t *testing.T) {
	tests := map[string]NewLink{
		"bridge": {Name: "bridge0", Kind: "bridge"},
		"dummy":  {Name: "lo1", Kind: "dummy", MTU: 33624},
		"wg":     {Name: "wg0", Kind: "wireguard"},
		"vlan": {
			Name: "vlan7", Kind: "vlan", Index: 12, MTU: 1400, Flags: unix.IFF_UP, Parent: 3, VLAN: 7,
		},
		"sit": {
			Name: "gif0", Kind: "sit", Index: 9, MTU: 1280, Flags: unix.IFF_MULTICAST,
			Tunnel: tunnelBetween("192.0.2.1", "198.51.100.2"),
		},
		"ip6tnl": {Name: "gif1", Kind: "ip6tnl", MTU: 1280, Tunnel: tunnelBetween("2001:db8::1", "2001:db8:1::2")},
		"gre":    {Name: "gre1", Kind: "gre", MTU: 1476, Tunnel: tunnelBetween("192.0.2.1", "198.51.100.2")},
		"ip6gre": {Name: "gre2", Kind: "ip6gre", Tunnel: tunnelBetween("2001:db8::1", "2001:db8:1::2")},
	}
	for name, n := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := n.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got := hex.Dump(b)
			file := filepath.Join("testdata", "newlink", name+".hex")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			decodes(t, &n, b)
		})
	}
}

// decodes checks that what is asked for is what we would read of it: the
// kernel's answers have the same attributes.
func decodes(t *testing.T, n *NewLink, b []byte) {
	t.Helper()
	var l Link
	if err := decodeLink(b, &l); err != nil {
		t.Fatal(err)
	}
	want := Link{
		Index: n.Index, Name: n.Name, Kind: n.Kind, MTU: n.MTU, Flags: n.Flags,
		Parent: n.Parent, VLAN: n.VLAN, Tunnel: n.Tunnel,
	}
	if diff := cmp.Diff(want, l, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-asked for +read):\n%s", diff)
	}
}
