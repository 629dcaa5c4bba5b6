package ifcfg_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/ether"
)

// bench is a session on a kernel in memory with lo0, re0 and re1, and with agr0
// and agr1 without ports.
type bench struct {
	k     *kerneltest.Kernel
	aggr  *kerneltest.Aggr
	s     *ifcfg.Session
	out   bytes.Buffer
	warns []string
	hints []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{k: &kerneltest.Kernel{}}
	b.aggr = &kerneltest.Aggr{Kernel: b.k}
	b.k.Add(kerneltest.Loopback("lo0"))
	b.k.Add(kerneltest.NIC("re0", ether.Addr{2, 0, 0, 0, 0, 1}))
	b.k.Add(kerneltest.NIC("re1", ether.Addr{2, 0, 0, 0, 0, 2}))
	for _, name := range []string{"agr0", "agr1"} {
		if err := b.aggr.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	b.k.Log = nil
	style, ok := ifcfg.StyleNamed("")
	if !ok {
		t.Fatal("no default style")
	}
	b.s = &ifcfg.Session{
		Kernel: b.k, Aggr: b.aggr, Style: style, Out: &b.out,
		Warn: func(err error) { b.warns = append(b.warns, err.Error()) },
		Hint: func(text string) { b.hints = append(b.hints, text) },
	}
	return b
}

// do configures; the line has to parse.
func (b *bench) do(t *testing.T, line string) error {
	t.Helper()
	cmd, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(line), nil)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return b.s.Configure(cmd)
}

func (b *bench) must(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := b.do(t, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// ifconfig(8): words act from left to right, then media, then the address.
func TestConfigureOrder(t *testing.T) {
	tests := []struct {
		name   string
		before []string
		line   string
		want   []string
	}{
		{"address last", nil, "re0 10.0.0.1/24 mtu 9000 up", []string{
			"SetMTU re0 9000", "SetFlags re0 +0x1 -0x0",
			"AddAddr re0 10.0.0.1/24 brd 10.0.0.255", "SetFlags re0 +0x1 -0x0",
		}},
		{"every word", nil, "re0 down up down", []string{
			"SetFlags re0 +0x0 -0x1", "SetFlags re0 +0x1 -0x0", "SetFlags re0 +0x0 -0x1",
		}},
		{"replaced", []string{"re0 10.0.0.1/24", "re0 10.0.0.2/24 alias"}, "re0 10.0.0.3/24", []string{
			"DelAddr re0 10.0.0.1", "AddAddr re0 10.0.0.3/24 brd 10.0.0.255", "SetFlags re0 +0x1 -0x0",
		}},
		{"alias", []string{"re0 10.0.0.1/24"}, "re0 10.0.0.3/24 alias", []string{
			"AddAddr re0 10.0.0.3/24 brd 10.0.0.255", "SetFlags re0 +0x1 -0x0",
		}},
		{"the first inet6 address brings up", nil, "re0 inet6 2001:db8::1", []string{
			"AddAddr re0 2001:db8::1/64", "SetFlags re0 +0x1 -0x0",
		}},
		{"the second does not", []string{"re0 inet6 2001:db8::1"}, "re0 inet6 2001:db8::2/70", []string{"AddAddr re0 2001:db8::2/70"}},
		{"ports as written", nil, "agr0 agrport re0 -agrport re0 agrport re1", []string{
			"agrd SetPort agr0 re0 add=true", "agrd SetPort agr0 re0 add=false", "agrd SetPort agr0 re1 add=true",
		}},
		{"flags of an agr go two ways", nil, "agr0 link1 up debug -link0", []string{
			"agrd SetFlags agr0 +0x2000 -0x0", "SetFlags agr0 +0x1 -0x0", "SetFlags agr0 +0x4 -0x0", "agrd SetFlags agr0 +0x0 -0x1000",
		}},
		{"mtu of an agr", nil, "agr0 mtu 1400", []string{"agrd SetMTU agr0 1400"}},
		{"address of an agr", []string{"agr0 agrport re0"}, "agr0 link 2:0:0:0:0:9 active", []string{
			"agrd SetAddr agr0 02:00:00:00:00:09", "AddLinkAddr agr0 02:00:00:00:00:01 active=false",
		}},
		{"no address, no change", nil, "re0 inet alias netmask 255.0.0.0", nil},
		{"created first", nil, "agr2 create up", []string{"agrd Create agr2", "SetFlags agr2 +0x1 -0x0"}},
		{"a unit with zeros", nil, "agr02 create", []string{"agrd Create agr2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.must(t, tt.before...)
			b.k.Log = nil
			b.must(t, tt.line)
			if diff := cmp.Diff(tt.want, b.k.Log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What a line says when the kernel or agrd refuses.
func TestConfigureErrors(t *testing.T) {
	const eperm = ctl.EPERM
	tests := []struct {
		name   string
		before []string
		fail   string
		line   string
		want   string // the error
		warns  []string
	}{
		{name: "flags", fail: "SetFlags", line: "re0 up", want: "exec_matches: Operation not permitted"},
		{name: "inet", fail: "AddAddr", line: "re0 10.0.0.1", want: "SIOCAIFADDR: Operation not permitted"},
		{name: "replaced inet", before: []string{"re0 10.0.0.2"}, fail: "DelAddr", line: "re0 10.0.0.1", want: "SIOCDIFADDR: Operation not permitted"},
		{name: "inet6", fail: "AddAddr", line: "re0 inet6 ::2", want: "SIOCAIFADDR_IN6: Operation not permitted"},
		{name: "link", fail: "AddLinkAddr", line: "re0 link 2:0:0:0:0:9", want: "SIOCALIFADDR: Operation not permitted"},
		{name: "mtu warns", fail: "SetMTU", line: "re0 mtu 1400", warns: []string{"SIOCSIFMTU: Operation not permitted"}},
		{
			name: "create", fail: "Create", line: "agr7 create", want: "exec_matches: Operation not permitted",
			warns: []string{"clone_command: Operation not permitted"},
		},
		{name: "agrport", fail: "SetPort", line: "agr0 agrport re0", want: "SIOCSETAGR: Operation not permitted"},
		{name: "atalk", line: "re0 atalk 1.2", want: "main: getsock: Address family not supported by protocol family"},
		{name: "preference", line: "re0 10.0.0.1 preference 1", warns: []string{"SIOCSIFADDRPREF: Operation not supported"}},
		{name: "mixed families", line: "re0 10.0.0.1 netmask ffff::", want: "SIOCAIFADDR: Address family not supported by protocol family"},
		{name: "prefixlen of link", line: "re0 link 2:0:0:0:0:9 prefixlen 8", want: "prefixlen_to_mask: Invalid argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.must(t, tt.before...)
			b.k.Fail = map[string]ifcfg.Errno{tt.fail: eperm}
			b.aggr.Fail = b.k.Fail
			err := b.do(t, tt.line)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.warns, b.warns); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// NetBSD looks for the family in the kernel when the words have been executed,
// and before the address.
func TestFamilyComesAfterWords(t *testing.T) {
	b := newBench(t)
	b.k.NoInet6 = true
	if got := said(b.do(t, "re0 inet6 ::2 mtu 1400 debug")); got != "main: getsock: Address family not supported by protocol family" {
		t.Errorf("error %q", got)
	}
	if diff := cmp.Diff([]string{"SetMTU re0 1400", "SetFlags re0 +0x4 -0x0"}, b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An attached port refuses what would disturb the aggregate, and lets its flags
// be changed (agr(4)).
func TestPortIsBusy(t *testing.T) {
	tests := []struct {
		line string
		want string // the error
		warn string
	}{
		{line: "re0 inet 10.8.0.2/24", want: "SIOCAIFADDR: Device busy"},
		{line: "re0 inet6 2001:db8::1", want: "SIOCAIFADDR_IN6: Device busy"},
		{line: "re0 inet 10.8.0.2 delete", want: "SIOCDIFADDR: Device busy"},
		{line: "re0 link 2:0:0:0:0:9 active", want: "SIOCALIFADDR: Device busy"},
		{line: "re0 link 2:0:0:0:0:9", want: "SIOCALIFADDR: Device busy"},
		{line: "re0 mtu 1400", warn: "SIOCSIFMTU: Device busy"},
		{line: "re0 metric 0", warn: "SIOCSIFMETRIC: Device busy"},
		{line: "re0 down"},
		{line: "re0 up -arp debug"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			b := newBench(t)
			b.must(t, "agr0 agrport re0")
			err := b.do(t, tt.line)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want || !errors.Is(err, ctl.EBUSY)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if got := strings.Join(b.warns, "\n"); got != tt.warn {
				t.Errorf("warning %q, want %q", got, tt.warn)
			}
		})
	}
}

// Design D3: the user learns which address is in the way, and how to remove it.
func TestHints(t *testing.T) {
	tests := []struct {
		name   string
		before []string
		line   string
		want   []string
	}{
		{"its own link-local address", []string{"re0 inet6 fe80::1"}, "agr0 agrport re0", []string{
			"re0 has inet6 fe80::1%re0; remove it with: ifconfig re0 inet6 fe80::1 delete",
		}},
		{"two addresses", []string{"re0 10.0.0.1/24", "re0 inet6 2001:db8::1"}, "agr0 agrport re0", []string{
			"re0 has inet 10.0.0.1; remove it with: ifconfig re0 inet 10.0.0.1 delete",
			"re0 has inet6 2001:db8::1; remove it with: ifconfig re0 inet6 2001:db8::1 delete",
		}},
		{"a port of another agr", []string{"agr0 agrport re0"}, "agr1 agrport re0", []string{
			"re0 is a port of agr0; remove it with: ifconfig agr0 -agrport re0",
		}},
		{"another error", nil, "agr0 agrport agr1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.must(t, tt.before...)
			if err := b.do(t, tt.line); err == nil {
				t.Error("no error")
			}
			if diff := cmp.Diff(tt.want, b.hints); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, h := range tt.want { // and it has to be true
				_, cmd, _ := strings.Cut(h, "remove it with: ifconfig ")
				b.must(t, cmd)
			}
			if tt.want != nil {
				b.must(t, tt.line)
			}
		})
	}
}

// Design D10: the address of an aggregate outlives the port that it is from.
func TestHintAboutKeptAddress(t *testing.T) {
	tests := []struct {
		name   string
		ports  []ctl.PortStatus
		port   string
		policy string
		want   []string
	}{
		{"its owner leaves", []ctl.PortStatus{{Name: "re0", OwnMAC: ether.Addr{2, 0, 0, 0, 0, 1}}, {Name: "re1"}}, "re0", "first", []string{
			"agr0 keeps the address 02:00:00:00:00:01 of re0; give it that of another port with: ifconfig agr0 agrmac follow",
		}},
		{"another port leaves", []ctl.PortStatus{{Name: "re0", OwnMAC: ether.Addr{2, 0, 0, 0, 0, 1}}, {Name: "re1"}}, "re1", "first", nil},
		{"the address follows", []ctl.PortStatus{{Name: "re0", OwnMAC: ether.Addr{2, 0, 0, 0, 0, 1}}, {Name: "re1"}}, "re0", "follow", nil},
		{"the last port leaves", []ctl.PortStatus{{Name: "re0", OwnMAC: ether.Addr{2, 0, 0, 0, 0, 1}}}, "re0", "first", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.must(t, "agr0 agrport re0 agrport re1")
			b.aggr.States = map[string]*ctl.Status{"agr0": {
				MAC: ether.Addr{2, 0, 0, 0, 0, 1}, Ports: tt.ports, Options: ctl.Options{MACPolicy: tt.policy},
			}}
			b.must(t, "agr0 -agrport "+tt.port)
			if diff := cmp.Diff(tt.want, b.hints); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// agrd gets the one name of the kernel for an interface with several.
func TestPortByOtherName(t *testing.T) {
	b := newBench(t)
	b.k.Named("re0").AltNames = []string{"uplink"}
	b.must(t, "agr0 agrport uplink")
	if diff := cmp.Diff([]string{"agrd SetPort agr0 re0 add=true"}, b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
