package ifcfg_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
)

// newStackBench is newBench with vlan0, vlan1 and gif0.
func newStackBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	bare := func(c ifcfg.Class, f ifcfg.Flags) func(string) kerneltest.Iface {
		return func(string) kerneltest.Iface { return kerneltest.Iface{Link: ifcfg.Link{Class: c, Flags: f}} }
	}
	b.k.Make = map[string]func(string) kerneltest.Iface{
		"vlan": bare(ifcfg.ClassVLAN, kerneltest.EtherFlags),
		"gif":  bare(ifcfg.ClassOther, ifcfg.FlagPointToPt|ifcfg.FlagMulticast),
	}
	b.must(t, "vlan0 create", "vlan1 create", "gif0 create")
	b.k.Log = nil
	return b
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// vlan(4): what a line with vlan words ends in.
func TestVLANWords(t *testing.T) {
	const (
		invalid = "SIOCSETVLAN: Invalid argument"
		busy    = "SIOCSETVLAN: Device busy"
		noProto = "SIOCSETVLAN: Protocol not supported"
		missing = "SIOCSETVLAN: No such file or directory"
	)
	tests := []struct {
		name   string
		before []string
		line   string
		want   string
		tag    uint16 // of vlan0 after that
		parent string
	}{
		{"attach", nil, "vlan0 vlan 7 vlanif re0", "", 7, "re0"},
		{"words between", nil, "vlan0 vlan 7 up vlanif re0 mtu 1400", "", 7, "re0"},
		{"the last tag counts", nil, "vlan0 vlan 7 vlan 8 vlanif re0", "", 8, "re0"},
		{"create and attach", []string{"vlan0 destroy"}, "vlan0 create vlan 7 vlanif re0 up", "", 7, "re0"},
		{"highest tag", nil, "vlan0 vlan 4094 vlanif re0", "", 4094, "re0"},
		{"tag of nothing", nil, "vlan0 vlan 7", "", 0, ""},
		{"tag 0", nil, "vlan0 vlan 0 vlanif re0", invalid, 0, ""},
		{"tag 4095", nil, "vlan0 vlan 4095 vlanif re0", invalid, 0, ""},
		{"tag 65535", nil, "vlan0 vlan 65535 vlanif re0", invalid, 0, ""},
		{"bad tag, missing parent", nil, "vlan0 vlan 4096 vlanif nosuch0", invalid, 0, ""},
		{"tag 0, missing parent", nil, "vlan0 vlan 0 vlanif nosuch0", missing, 0, ""},
		{"missing parent", nil, "vlan0 vlan 7 vlanif nosuch0", missing, 0, ""},
		{"parent lo0", nil, "vlan0 vlan 7 vlanif lo0", noProto, 0, ""},
		{"parent vlan1", nil, "vlan0 vlan 7 vlanif vlan1", noProto, 0, ""},
		{"parent gif0", nil, "vlan0 vlan 7 vlanif gif0", noProto, 0, ""},
		{"agr without ports", nil, "vlan0 vlan 7 vlanif agr0", noProto, 0, ""},
		{"agr with a port", []string{"agr0 agrport re1"}, "vlan0 vlan 7 vlanif agr0", "", 7, "agr0"},
		{"again", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 7 vlanif re0", busy, 7, "re0"},
		{"another tag", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 8 vlanif re0", busy, 7, "re0"},
		{"another parent", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 7 vlanif re1", busy, 7, "re0"},
		{"another tag alone", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 8", busy, 7, "re0"},
		{"bad tag alone", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 4096", invalid, 7, "re0"},
		{"same tag alone", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 7", busy, 7, "re0"},
		{"tag 0 alone", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 0", busy, 7, "re0"},
		{"attached, not Ethernet", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 vlan 7 vlanif lo0", busy, 7, "re0"},
		{"taken", []string{"vlan1 vlan 7 vlanif re0"}, "vlan0 vlan 7 vlanif re0", "SIOCSETVLAN: File exists", 0, ""},
		{"same tag elsewhere", []string{"vlan1 vlan 7 vlanif re0"}, "vlan0 vlan 7 vlanif re1", "", 7, "re1"},
		{"detach", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 -vlanif", "", 0, ""},
		{"detach from another", []string{"vlan0 vlan 7 vlanif re0"}, "vlan0 -vlanif re1", "", 0, ""},
		{"detach nothing", nil, "vlan0 -vlanif", "", 0, ""},
		{"missing", nil, "vlan7 vlan 7 vlanif re0", "setvlan: getvlan: Device not configured", 0, ""},
		{"not a vlan", nil, "re0 vlan 7 vlanif re1", "valid only with vlan(4) interfaces", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newStackBench(t)
			b.must(t, tt.before...)
			if got := said(b.do(t, tt.line)); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			want := ifcfg.VLAN{Tag: tt.tag, Parent: tt.parent}
			if got := b.k.Named("vlan0").VLAN; got != want {
				t.Errorf("attached to %+v, want %+v", got, want)
			}
		})
	}
}

// A vlan without a parent has no address; when its parent goes it stays.
func TestVLANAlone(t *testing.T) {
	b := newStackBench(t)
	if got := said(b.do(t, "vlan0 10.0.0.1/24")); got != "SIOCAIFADDR: Invalid argument" {
		t.Errorf("an address without a parent: %q", got)
	}
	b.must(t, "agr0 agrport re1", "vlan0 vlan 7 vlanif agr0", "vlan0 10.0.0.1/24", "agr0 -agrport re1", "agr0 destroy")
	if err := b.s.Status("vlan0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	const want = "vlan0: flags=0x8803<UP,BROADCAST,SIMPLEX,MULTICAST>\n" +
		"\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255 detached\n"
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A vlan is up with its parent, and keeps its inet addresses when it is detached.
func TestVLANUp(t *testing.T) {
	b := newStackBench(t)
	b.must(t, "re0 up", "vlan0 vlan 7 vlanif re0", "vlan1 up vlan 7 vlanif re1")
	if up := b.k.Named("vlan0").Flags & ifcfg.FlagUp; up == 0 {
		t.Error("the parent is up and the vlan is not")
	}
	if up := b.k.Named("vlan1").Flags & ifcfg.FlagUp; up != 0 {
		t.Error("the parent is down and the vlan is not")
	}
	b.must(t, "vlan0 10.0.0.1/24", "vlan0 inet6 2001:db8::1", "vlan0 -vlanif", "vlan0 mtu 1400")
	if diff := cmp.Diff([]string{"SIOCSIFMTU: Invalid argument"}, b.warns); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if err := b.s.Status("vlan0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	const want = "vlan0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST>\n" +
		"\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255 detached\n"
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The lines of both interfaces.
func TestVLANStatus(t *testing.T) {
	b := newStackBench(t)
	b.must(t, "vlan0 vlan 7 vlanif re0 up")
	for _, name := range []string{"re0", "vlan0"} {
		if err := b.s.Status(name, ifcfg.LinkLayer, ifcfg.Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"\tec_enabled=1<VLAN_MTU>\n",
		"vlan0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tvlan: 7 parent: re0\n\taddress: 02:00:00:00:00:01\n",
	} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("no %q in\n%s", want, b.out.String())
		}
	}
}

// A refused tunnel is a warning, one that makes no sense is an error.
func TestTunnelWords(t *testing.T) {
	tests := []struct {
		name, line string
		err, warn  string
		status     string // of the tunnel, after that
	}{
		{"inet", "gif0 tunnel 192.0.2.1 198.51.100.2", "", "", "inet 192.0.2.1 --> 198.51.100.2"},
		{"inet6", "gif0 inet6 tunnel 2001:db8::1 2001:db8::2", "", "", "inet6 2001:db8::1 --> 2001:db8::2"},
		{"no family", "gif0 tunnel 2001:db8::1 2001:db8::2", "", "", "inet6 2001:db8::1 --> 2001:db8::2"},
		{"ports", "gif0 tunnel 192.0.2.1,4000 198.51.100.2,65535", "", "", "inet 192.0.2.1,4000 --> 198.51.100.2,65535"},
		{"one port", "gif0 tunnel 192.0.2.1,0 198.51.100.2,9", "", "", "inet 192.0.2.1 --> 198.51.100.2,9"},
		{"again", "gif0 tunnel 192.0.2.1 192.0.2.2 tunnel 192.0.2.3 192.0.2.4", "", "", "inet 192.0.2.3 --> 192.0.2.4"},
		{"deleted", "gif0 tunnel 192.0.2.1 192.0.2.2 deletetunnel", "", "", ""},
		{"deleted twice", "gif0 deletetunnel deletetunnel", "", "", ""},
		{"families", "gif0 tunnel 192.0.2.1 2001:db8::2", "source and destination address families do not match", "", ""},
		{"scopes", "gif0 tunnel fe80::1%re0 fe80::2%re1", "scope mismatch", "", ""},
		{"group", "gif0 tunnel 2001:db8::1 ff02::1", "tunnel src/dst is multicast", "", ""},
		{"inet group", "gif0 tunnel 192.0.2.1 224.0.0.1", "", "", "inet 192.0.2.1 --> 224.0.0.1"},
		{"no tunnel", "re0 tunnel 192.0.2.1 192.0.2.2", "", "SIOCSLIFPHYADDR: Inappropriate ioctl for device", ""},
		{"deleted of no tunnel", "re0 deletetunnel", "SIOCDIFPHYADDR: Inappropriate ioctl for device", "", ""},
		{"missing", "gif7 tunnel 192.0.2.1 192.0.2.2", "", "SIOCSLIFPHYADDR: Device not configured", ""},
		{"deleted of a missing one", "gif7 deletetunnel", "SIOCDIFPHYADDR: Device not configured", "", ""},
		{"link-layer ends", "gif0 link tunnel 2:0 2:1", "", "SIOCSLIFPHYADDR: Address family not supported by protocol family", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newStackBench(t)
			if got := said(b.do(t, tt.line)); got != tt.err {
				t.Errorf("error %q, want %q", got, tt.err)
			}
			if got := strings.Join(b.warns, "\n"); got != tt.warn {
				t.Errorf("warning %q, want %q", got, tt.warn)
			}
			if err := b.s.Status("gif0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
				t.Fatal(err)
			}
			_, line, _ := strings.Cut(b.out.String(), "\ttunnel ")
			if got := strings.TrimSpace(line); got != tt.status {
				t.Errorf("status %q, want %q", got, tt.status)
			}
			running := b.k.Named("gif0").Flags&ifcfg.FlagRunning != 0
			if running != (tt.status != "") {
				t.Errorf("running: %v", running)
			}
		})
	}
}

// hostNames is a resolver with one name.
type hostNames struct{ ifcfg.Resolver }

func (hostNames) LookupAddr(netip.Addr) (string, error) { return "oslo", nil }

// -N names the ends as well.
func TestTunnelNames(t *testing.T) {
	b := newStackBench(t)
	b.must(t, "gif0 tunnel 192.0.2.1,7 192.0.2.2")
	b.s.Resolver, b.s.Options.Names = hostNames{}, true
	if err := b.s.Status("gif0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	if want := "\ttunnel inet oslo,7 --> oslo\n"; !strings.Contains(b.out.String(), want) {
		t.Errorf("no %q in\n%s", want, b.out.String())
	}
}

// -z prints what the counters were; a refusal shows after the lines before them.
func TestZero(t *testing.T) {
	b := newStackBench(t)
	b.k.Named("re0").Counters = ifcfg.Counters{InPackets: 2, InBytes: 168}
	b.s.Options.Zero = true
	for _, want := range []string{"\tinput: 2 packets, 168 bytes\n", "\tinput: 0 packets, 0 bytes\n"} {
		b.out.Reset()
		if err := b.s.Status("re0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("no %q in\n%s", want, b.out.String())
		}
	}
	b.out.Reset()
	b.k.Fail = map[string]ifcfg.Errno{"ZeroCounters": ifcfg.ErrnoNamed("EPERM")}
	err := b.s.StatusAll(ifcfg.FamilyNone, ifcfg.Filter{})
	if got := said(err); got != "SIOCZIFDATA: Operation not permitted" {
		t.Errorf("error %q", got)
	}
	if !strings.HasPrefix(b.out.String(), "lo0: ") || strings.Contains(b.out.String(), "input") {
		t.Errorf("printed %q", b.out.String())
	}
}
