package ifcfg_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
)

// The words of the other ifconfig, and what they do here.
func TestNetTools(t *testing.T) {
	tests := []struct {
		name   string
		before []string
		line   string
		want   []string
	}{
		{"flags", nil, "re0 promisc -promisc allmulti -allmulti -multicast multicast", []string{
			"SetFlags re0 +0x100 -0x0", "SetFlags re0 +0x0 -0x100", "SetFlags re0 +0x200 -0x0", "SetFlags re0 +0x0 -0x200",
			"SetFlags re0 +0x0 -0x8000", "SetFlags re0 +0x8000 -0x0",
		}},
		{"hw ether", nil, "re0 down hw ether 02:00:00:00:00:09 up", []string{
			"SetFlags re0 +0x0 -0x1", "AddLinkAddr re0 02:00:00:00:00:09 active=true", "SetFlags re0 +0x1 -0x0",
		}},
		{"hw", nil, "re0 hw 2:0:0:0:0:9", []string{"AddLinkAddr re0 02:00:00:00:00:09 active=true"}},
		{"add beside the line's own address", nil, "re0 10.0.0.1/24 add 10.0.1.1/24 add 2001:db8::1/64", []string{
			"AddAddr re0 10.0.0.1/24 brd 10.0.0.255", "SetFlags re0 +0x1 -0x0",
			"AddAddr re0 10.0.1.1/24 brd 10.0.1.255", "SetFlags re0 +0x1 -0x0",
			"AddAddr re0 2001:db8::1/64", "SetFlags re0 +0x1 -0x0",
		}},
		{"inet6 add", nil, "re0 inet6 add 2001:db8::1/70", []string{"AddAddr re0 2001:db8::1/70", "SetFlags re0 +0x1 -0x0"}},
		{"del", []string{"re0 10.0.0.1/24", "re0 inet6 2001:db8::1"}, "re0 del 10.0.0.1/24 del 2001:db8::1/64", []string{
			"DelAddr re0 10.0.0.1", "DelAddr re0 2001:db8::1",
		}},
		{"pointopoint", nil, "tun0 10.0.0.1 pointopoint 10.0.0.2", []string{"AddAddr tun0 10.0.0.1/8 -> 10.0.0.2", "SetFlags tun0 +0x1 -0x0"}},
		{"dstaddr first", nil, "tun0 dstaddr 10.0.0.2 10.0.0.1 netmask 255.255.255.255", []string{
			"AddAddr tun0 10.0.0.1/32 -> 10.0.0.2", "SetFlags tun0 +0x1 -0x0",
		}},
		{"txqueuelen", nil, "re0 txqueuelen 500", []string{"SetQueueLen re0 500"}},
		{"name, and the line goes on", nil, "re0 name wan0 up", []string{"Rename re0 wan0", "SetFlags wan0 +0x1 -0x0"}},
		{"no address", []string{"re0 10.0.0.1/24", "re0 10.0.0.2/24 alias"}, "re0 0.0.0.0", []string{"DelAddr re0 10.0.0.1"}},
		{"no address, up", nil, "re0 0.0.0.0 up", []string{"SetFlags re0 +0x1 -0x0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.k.Add(kerneltest.Iface{Link: ifcfg.Link{Name: "tun0", Flags: ifcfg.FlagPointToPt}})
			b.must(t, tt.before...)
			b.k.Log = nil
			b.must(t, tt.line)
			if diff := cmp.Diff(tt.want, b.k.Log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNetToolsRefused(t *testing.T) {
	tests := []struct{ line, want string }{
		{"re0 pointopoint 10.0.0.2 10.0.0.1", "not a point-to-point interface"},
		{"re0 name re1", "SIOCSIFNAME: File exists"},
		{"re0 name agr7", "SIOCSIFNAME: Device busy"},
		{"agr0 name wan0", "SIOCSIFNAME: Device busy"},
		{"nosuch0 name wan0", "SIOCSIFNAME: Device not configured"},
		{"nosuch0 txqueuelen 1", "SIOCSIFTXQLEN: Device not configured"},
		{"nosuch0 promisc", "exec_matches: Device not configured"},
		{"nosuch0 hw ether 2:0:0:0:0:9", "commit_address: getifflags: Device not configured"},
		{"lo0 hw ether 2:0:0:0:0:9", "SIOCALIFADDR: Invalid argument"},
		{"re0 del 10.0.0.1", "SIOCDIFADDR: Can't assign requested address"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			if err := newBench(t).do(t, tt.line); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// A word that is not followed by what it wants is the name of a host, as in
// NetBSD.
func TestNetToolsAreHosts(t *testing.T) {
	names := []string{"add", "del", "hw", "name", "txqueuelen", "pointopoint", "dstaddr"}
	all := map[string][]string{}
	for _, name := range names {
		all[name] = []string{"10.0.0.5"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			line := "re0 " + name
			if name != "name" { // which takes any word
				line += " alias"
			}
			cmd, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(line), &hosts{all: all})
			if err != nil {
				t.Fatal(err)
			}
			a, ok := cmd.Ops[0].(*ifcfg.Address)
			if !ok || !a.Given || a.First.IP.String() != "10.0.0.5" {
				t.Errorf("operations %+v, want one with the host's address", cmd.Ops)
			}
		})
	}
}

// None of them is in a usage text.
func TestNetToolsAreNotInUsage(t *testing.T) {
	for _, name := range []string{"netbsd7", "netbsd10"} {
		style, _ := ifcfg.StyleNamed(name)
		for _, word := range strings.Fields(style.Usage()) {
			switch word {
			case "hw", "add", "del", "pointopoint", "dstaddr", "promisc", "allmulti", "multicast", "txqueuelen", "name":
				t.Errorf("%s has %s", name, word)
			}
		}
	}
}
