package ifcfg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBits7(t *testing.T) {
	tests := []struct {
		name  string
		v     uint64
		names []bitName
		want  string
	}{
		{"no bit", 0, iffNames("NOTRAILERS"), "0x0"},
		{"ascending", 0x8843, iffNames("NOTRAILERS"), "0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>"},
		{"all", 0xffff, iffNames("NOTRAILERS"), "0xffff<UP,BROADCAST,DEBUG,LOOPBACK,POINTOPOINT,NOTRAILERS,RUNNING,NOARP,PROMISC," +
			"ALLMULTI,OACTIVE,SIMPLEX,LINK0,LINK1,LINK2,MULTICAST>"},
		{"no name", 0x100, agrPortNames(), "0x100"},
		{"collecting only (design D1)", 1, agrPortNames(), "0x1<COLLECTING>"},
		{"distributing only (design D1)", 2, agrPortNames(), "0x2<DISTRIBUTING>"},
		{"both", 3, agrPortNames(), "0x3<COLLECTING,DISTRIBUTING>"},
		{"LACP state", 0x3d, lacpStateNames(), "0x3d<ACTIVITY,AGGREGATION,SYNC,COLLECTING,DISTRIBUTING>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, bits7(tt.v, tt.names)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// ifcapNames are the names of NetBSD's interface capabilities, which have the
// longest lines.
func ifcapNames() []bitName {
	return []bitName{
		{0x80, "TSO4"},
		{0x100, "IP4CSUM_Rx"},
		{0x200, "IP4CSUM_Tx"},
		{0x400, "TCP4CSUM_Rx"},
		{0x800, "TCP4CSUM_Tx"},
		{0x1000, "UDP4CSUM_Rx"},
		{0x2000, "UDP4CSUM_Tx"},
		{0x4000, "TCP6CSUM_Rx"},
		{0x8000, "TCP6CSUM_Tx"},
		{0x10000, "UDP6CSUM_Rx"},
		{0x20000, "UDP6CSUM_Tx"},
		{0x40000, "TSO6"},
		{0x80000, "LRO"},
	}
}

func TestWrapBits7(t *testing.T) {
	tests := []struct {
		name string
		v    uint64
		want []string
	}{
		{"none", 0, []string{"0"}},
		{"one", 0x200, []string{"200<IP4CSUM_Tx>"}},
		{"two lines", 0x3f00, []string{
			"3f00<IP4CSUM_Rx,IP4CSUM_Tx,TCP4CSUM_Rx,TCP4CSUM_Tx>",
			"3f00<UDP4CSUM_Rx,UDP4CSUM_Tx>",
		}},
		{"three lines", 0x7ff80, []string{
			"7ff80<TSO4,IP4CSUM_Rx,IP4CSUM_Tx,TCP4CSUM_Rx>",
			"7ff80<TCP4CSUM_Tx,UDP4CSUM_Rx,UDP4CSUM_Tx,TCP6CSUM_Rx>",
			"7ff80<TCP6CSUM_Tx,UDP6CSUM_Rx,UDP6CSUM_Tx,TSO6>",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wrapBits7(tt.v, ifcapNames(), 58)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A name that is longer than the line still gets a line of its own.
func TestWrapBits7TooLong(t *testing.T) {
	want := []string{"300<IP4CSUM_Rx>", "300<IP4CSUM_Tx>"}
	if diff := cmp.Diff(want, wrapBits7(0x300, ifcapNames(), 5)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
