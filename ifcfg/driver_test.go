package ifcfg_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
)

// A description is shown in the style that has it, as it is.
func TestDescription(t *testing.T) {
	b := newBench(t)
	style, _ := ifcfg.StyleNamed("netbsd10")
	show := func() string {
		t.Helper()
		b.out.Reset()
		if err := b.s.Status("re0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(b.out.String()) {
			if strings.Contains(l, "description") {
				return l
			}
		}
		return ""
	}
	b.must(t, `re0 description "attic"`)
	if got := show(); got != "" {
		t.Errorf("style netbsd7 prints %q", got)
	}
	b.s.Style = style
	if diff := cmp.Diff("\tdescription: \"\"attic\"\"\n", show()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.must(t, "re0 descr cellar -description descr attic")
	if diff := cmp.Diff("\tdescription: \"attic\"\n", show()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.must(t, "re0 -descr")
	if got := show(); got != "" {
		t.Errorf("prints %q for none", got)
	}
	b.must(t, "agr0 description backbone")
	if got := b.k.Named("agr0").Description; got != "backbone" {
		t.Errorf("the description of an agr is %q", got)
	}
}

// Everything else on the line comes before the capabilities, and each kind of
// them is one request.
func TestCapabilitiesComeLast(t *testing.T) {
	b := newBench(t)
	i := b.k.Named("re0")
	i.Caps = ifcfg.Caps{
		Able: ifcfg.CapTSO4 | ifcfg.CapIP4CsumTx | ifcfg.CapIP4CsumRx, EtherAble: ifcfg.EtherCapEEE | ifcfg.EtherCapVLANHWFilter,
	}
	b.must(t, "re0 eee tso4 -vlan-hwfilter 10.0.0.1/24 mtu 9000 -ip4csum ip4csum-rx up")
	want := []string{
		"SetMTU re0 9000",
		"SetFlags re0 +0x1 -0x0",
		"AddAddr re0 10.0.0.1/24 brd 10.0.0.255",
		"SetFlags re0 +0x1 -0x0",
		"SetCaps re0 +0x180 -0x200",
		"SetEtherCaps re0 +0x10 -0x8",
	}
	if diff := cmp.Diff(want, b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.k.Log = nil
	if err := b.do(t, "re0 tso6 eee"); err == nil || err.Error() != "SIOCSIFCAP: Invalid argument" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string(nil), b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An agr interface has neither media nor capabilities, whatever the device
// behind it can do (recorded in 07-agr).
func TestAgrHasNoDriver(t *testing.T) {
	b := newBench(t)
	b.k.Named("agr0").Caps = ifcfg.Caps{Able: ifcfg.CapTSO4, EtherAble: ifcfg.EtherCapEEE}
	for line, want := range map[string]string{
		"agr0 tso4":             "SIOCSIFCAP: Invalid argument",
		"agr0 -tso4":            "",
		"agr0 eee":              "SIOCSETHERCAP: Invalid argument",
		"agr0 media autoselect": "SIOCGIFMEDIA: Inappropriate ioctl for device",
	} {
		got := ""
		if err := b.do(t, line); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if len(b.k.Log) != 0 {
		t.Errorf("changed: %q", b.k.Log)
	}
}

// Each row is a request that a line makes of a medium. Words are taken in any
// case and by any of their names.
func TestMediaRequest(t *testing.T) {
	const full, half, flow = ifcfg.MediaFullDuplex, ifcfg.MediaHalfDuplex, ifcfg.MediaFlowControl
	now := ifcfg.Medium{Subtype: "100baseTX", Options: full}
	tests := []struct {
		line string
		want ifcfg.MediaRequest
	}{
		{"media AUTO", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "autoselect"}}},
		{"media 1000t", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "1000baseT"}}},
		{"media UTP instance 3", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "10baseT", Instance: 3}}},
		{"media 10BASE-T-FDX", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "10baseT", Options: full}}},
		{"media 1000baset-fdx mediaopt flow", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "1000baseT", Options: full | flow}}},
		{"media hpna1", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "HomePNA1"}}},
		{"media 400gbase-sr4.2", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "400GBASE-SR4.2"}}},
		{"mediaopt FLOW,", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "100baseTX", Options: full | flow}}},
		{"-mediaopt fdx", ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "100baseTX"}, Cleared: full}},
		{
			"-mediaopt full-duplex mediaopt hdx",
			ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: "100baseTX", Options: half}, Cleared: full},
		},
		{"mode autoselect", ifcfg.MediaRequest{Medium: now}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			b := newBench(t)
			i := b.k.Named("re0")
			i.HasMedia, i.Media = true, &ifcfg.Media{Type: "Ethernet", Current: now, Active: now}
			k := &requests{Kernel: b.k}
			b.s.Kernel = k
			b.must(t, "re0 "+tt.line)
			if diff := cmp.Diff([]ifcfg.MediaRequest{tt.want}, k.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// requests keeps what is asked of a driver, and grants it.
type requests struct {
	ifcfg.Kernel
	got []ifcfg.MediaRequest
}

func (r *requests) SetMedia(_ int, m ifcfg.MediaRequest) error {
	r.got = append(r.got, m)
	return nil
}

// Options are printed in the order of ifmedia(4), after the subtype.
func TestMediumString(t *testing.T) {
	tests := map[string]ifcfg.Medium{
		"none":                 {Subtype: "none"},
		"100baseTX instance 2": {Subtype: "100baseTX", Instance: 2},
		"1000baseT master":     {Subtype: "1000baseT", Options: ifcfg.MediaMaster},
		"10baseT half-duplex":  {Subtype: "10baseT", Options: ifcfg.MediaHalfDuplex},
		"manual full-duplex,half-duplex,flowcontrol,flag0,flag1,flag2,loopback,master,rxpause,txpause": {
			Subtype: "manual", Options: 0x3ff,
		},
	}
	for want, m := range tests {
		if got := m.String(); got != want {
			t.Errorf("%+v is %q, want %q", m, got, want)
		}
	}
}

// A port of an agr refuses another medium, and takes other capabilities.
func TestDriverOfPort(t *testing.T) {
	b := newBench(t)
	i := b.k.Named("re0")
	i.HasMedia, i.Media = true, &ifcfg.Media{Type: "Ethernet"}
	i.Caps = kerneltest.VethCaps()
	b.must(t, "agr0 agrport re0", "re0 -tso4")
	if err := b.do(t, "re0 media autoselect"); err == nil || err.Error() != "SIOCSIFMEDIA: Device busy" {
		t.Errorf("error %v", err)
	}
	if i.Caps.Enabled != i.Caps.Able&^ifcfg.CapTSO4 {
		t.Errorf("enabled %#x", i.Caps.Enabled)
	}
}
