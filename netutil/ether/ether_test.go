package ether

import (
	"encoding/hex"
	"errors"
	"testing"
)

func TestAddrText(t *testing.T) {
	tests := []struct {
		in, out string
		bad     bool
	}{
		{in: "02:aa:00:00:00:01", out: "02:aa:00:00:00:01"},
		{in: "2:A:0:b:E:f", out: "02:0a:00:0b:0e:0f"},
		{in: "02:aa:00:00:00", bad: true},
		{in: "02:aa:00:00:00:00:01", bad: true},
		{in: "02:aa:00:00:00:001", bad: true},
		{in: "02:aa:00:00:00:", bad: true},
		{in: "02:aa:00:00:00:zz", bad: true},
		{in: "", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			a, err := ParseAddr(tt.in)
			if tt.bad {
				if !errors.Is(err, ErrAddr) {
					t.Fatalf("ParseAddr(%q) = %v, %v; want ErrAddr", tt.in, a, err)
				}
				return
			}
			if err != nil || a.String() != tt.out {
				t.Fatalf("ParseAddr(%q) = %v, %v; want %s", tt.in, a, err, tt.out)
			}
			var b Addr
			text, _ := a.MarshalText()
			if err := b.UnmarshalText(text); err != nil || b != a {
				t.Fatalf("round trip of %v gave %v, %v", a, b, err)
			}
		})
	}
}

// Design D8: spanning tree crosses the aggregate, the other reserved group
// addresses and slow protocols do not; a tagged 0x8809 with a VLAN is data.
func TestStaysOnPort(t *testing.T) {
	const sa = "020000000001"
	tests := []struct {
		name, frame string
		want        bool
	}{
		{"spanning tree", "0180c2000000" + sa + "0026424203", false},
		{"pause", "0180c2000001" + sa + "88080001ffff", true},
		{"LACPDU", "0180c2000002" + sa + "88090101", true},
		{"802.1X", "0180c2000003" + sa + "888e0100", true},
		{"LLDP", "0180c200000e" + sa + "88cc0207", true},
		{"first address behind the block", "0180c2000010" + sa + "0800", false},
		{"slow protocol to a unicast address", "020000000002" + sa + "88090101", true},
		{"priority-tagged slow protocol", "020000000002" + sa + "8100e00088090101", true},
		{"slow protocol in VLAN 5", "020000000002" + sa + "8100000588090101", false},
		{"priority-tagged IPv4", "020000000002" + sa + "8100e0000800", false},
		{"broadcast", "ffffffffffff" + sa + "0806", false},
		{"runt", "020000000002" + sa + "08", true},
		{"tag cut short", "020000000002" + sa + "810000", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if got := StaysOnPort(b); got != tt.want {
				t.Errorf("StaysOnPort = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestStaysOnPortAllocatesNothing(t *testing.T) {
	frame := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { StaysOnPort(frame) }); n != 0 {
		t.Errorf("%v allocations for a frame, want 0", n)
	}
}
