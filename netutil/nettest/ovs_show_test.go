package nettest

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/ether"
)

func TestParseOVS(t *testing.T) {
	system := ether.Addr{0x02, 0, 0, 0, 0, 0x09}
	want := OVSState{
		Status: "passive negotiated", System: system, Priority: 77, Key: 7, Time: "fast",
		Mode: "balance-tcp", LACPStatus: "negotiated",
		Ports: map[string]OVSPort{
			"q0": {
				State: "current", Attached: true, Enabled: true,
				Actor: OVSEnd{
					System: system, Priority: 77, Port: 2, PortPriority: 65535, Key: 7,
					State: []string{"timeout", "aggregation", "synchronized", "collecting", "distributing"},
				},
				Partner: OVSEnd{
					System:   ether.Addr{0xe6, 0xf6, 0x2f, 0x2c, 0x71, 0x43},
					Priority: 65534, Port: 1, PortPriority: 65535, Key: 1,
					State: []string{"activity", "timeout", "aggregation", "synchronized", "collecting", "distributing"},
				},
			},
			"q1": {
				State: "defaulted",
				Actor: OVSEnd{
					System: system, Priority: 77, Port: 1, PortPriority: 65535, Key: 7,
					State: []string{"timeout", "aggregation", "defaulted"},
				},
			},
		},
	}
	got := parseOVS(read(t, "lacp_show.txt"), read(t, "bond_show.txt"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := got.distributing([]string{"q0"}, true); err != nil {
		t.Errorf("q0 distributes at both ends, got %v", err)
	}
	for _, p := range []string{"q1", "q2"} {
		if got.distributing([]string{p}, true) == nil {
			t.Errorf("%s counts as distributing", p)
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzParseOVS(f *testing.F) {
	f.Add(read(f, "lacp_show.txt"), read(f, "bond_show.txt"))
	f.Add("x: y\n: \n\n a: b\n", ": enabled\n x: enabled\n")
	f.Fuzz(func(t *testing.T, lacp, bond string) {
		s := parseOVS(lacp, bond)
		if diff := cmp.Diff(s, parseOVS(lacp, bond)); diff != "" {
			t.Errorf("two readings of one text differ: %s", diff)
		}
	})
}
