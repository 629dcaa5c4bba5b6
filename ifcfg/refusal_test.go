package ifcfg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
)

// Words that no driver knows end in what the request would have answered: that
// there is no such interface comes first. What the scoreboard has is not
// repeated here.
func TestRefusals(t *testing.T) {
	tests := []struct {
		line  string
		style string
		want  string
		warns []string
	}{
		{line: "nosuch0 vhid 1", want: "SIOCGVH: Device not configured"},
		{line: "nosuch0 hidessid", want: "exec_matches: Device not configured", warns: []string{"SIOCS80211: Device not configured"}},
		{line: "nosuch0 laggproto lacp", want: "exec_matches: Operation not supported"},
		{line: "nosuch0 list scan", want: "exec_matches: Device not configured", warns: []string{"ioctl(SIOCGIFFLAGS): Device not configured"}},
		{line: "nosuch0 ssid x", want: "SIOCS80211NWID: Device not configured"},
		{line: "re0 list scan", want: "The interface must be up before scanning."},
		{line: "re0 up list scan", want: "unable to get scan results", warns: []string{"SIOCS80211: Inappropriate ioctl for device"}},
		{line: "re0 up list scan", style: "netbsd10", want: "unable to get scan results"},
		{line: "re0 ssid 123456789012345678901234567890123", want: "setifssid: SSID too long"},
		{line: "re0 nwid 0x41", want: "SIOCS80211NWID: Inappropriate ioctl for device"},
		{line: "re0 bssid 1:2:3", want: "malformed BSSID: 1:2:3"},
		{line: "re0 atalk phase 2 range 1-2", want: "main: getsock: Address family not supported by protocol family"},
		{line: "re0 lagglacp dumpdu maxports 2 -stopdu mtu 1400", want: "exec_matches: Operation not supported"},
		{line: "re0 mtu 1400 vhid 1", want: "SIOCGVH: Inappropriate ioctl for device"},
	}
	for _, tt := range tests {
		t.Run(tt.style+" "+tt.line, func(t *testing.T) {
			b := newBench(t)
			b.s.Style, _ = ifcfg.StyleNamed(tt.style)
			if err := b.do(t, tt.line); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(tt.warns, b.warns); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// A refused word does not undo what came before it, and nothing after it
// happens.
func TestRefusalEndsLine(t *testing.T) {
	b := newBench(t)
	if err := b.do(t, "re0 mtu 1400 vhid 1 mtu 1300 10.0.0.1"); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff([]string{"SetMTU re0 1400"}, b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
