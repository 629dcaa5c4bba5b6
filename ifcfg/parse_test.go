package ifcfg_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
)

func ip(s string) ifcfg.AddrWord {
	return ifcfg.AddrWord{IP: netip.MustParseAddr(s), PrefixLen: -1}
}

func ref[T any](v T) *T { return &v }

func inet(a ifcfg.Address) *ifcfg.Address {
	a.Family, a.Given = ifcfg.Inet, true
	return &a
}

func anyInet(a ifcfg.Address) *ifcfg.Address {
	a.Any = true
	return inet(a)
}

type ops = []ifcfg.Op

var equal = cmpopts.EquateComparable(netip.Addr{})

func TestParse(t *testing.T) {
	const up = ifcfg.FlagUp
	a1, a2, a3 := ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3")
	slash24 := ifcfg.AddrWord{IP: a1.IP, PrefixLen: 24}
	testParse(t, []parseTest{
		{line: "re0"},
		{line: "re0 inet", family: ifcfg.Inet},
		{line: "re0 up", want: ops{&ifcfg.SetFlags{Set: up}}},
		{line: "re0 down up", want: ops{&ifcfg.SetFlags{Clear: up}, &ifcfg.SetFlags{Set: up}}},
		{line: "re0 arp debug -link1", want: ops{
			&ifcfg.SetFlags{Clear: ifcfg.FlagNoARP}, &ifcfg.SetFlags{Set: ifcfg.FlagDebug}, &ifcfg.SetFlags{Clear: ifcfg.FlagLink1},
		}},
		{line: "re0 mtu 9000 metric -1", want: ops{&ifcfg.SetMTU{MTU: 9000}, &ifcfg.SetMetric{Metric: -1}}},
		{line: "re0 mtu 4294968796 metric 2147483648", want: ops{
			&ifcfg.SetMTU{MTU: 1500}, &ifcfg.SetMetric{Metric: -2147483648},
		}},
		{line: "agr0 create", want: ops{&ifcfg.Clone{}}},
		{line: "lo4 create inet", family: ifcfg.Inet, want: ops{&ifcfg.Clone{}}},
		{line: "agr0 create agrport re0 -agrport re1 up", want: ops{
			&ifcfg.Clone{}, &ifcfg.SetPort{Port: "re0", Add: true}, &ifcfg.SetPort{Port: "re1"}, &ifcfg.SetFlags{Set: up},
		}},
		{line: "agr0 destroy no matter what follows", want: ops{&ifcfg.Clone{Destroy: true}}},
		// The address comes last, whatever its place in the line.
		{line: "re0 10.0.0.1/24 mtu 9000 up", want: ops{
			&ifcfg.SetMTU{MTU: 9000}, &ifcfg.SetFlags{Set: up}, anyInet(ifcfg.Address{First: slash24}),
		}},
		{line: "re0 media 100baseTX 10.0.0.1 up", want: ops{
			&ifcfg.MediaWord{Word: "media", Text: "100baseTX"}, &ifcfg.SetFlags{Set: up}, &ifcfg.MediaChange{Subtype: "100baseTX"}, anyInet(ifcfg.Address{First: a1}),
		}},
		{line: "re0 10.0.0.1 10.0.0.2 10.0.0.3", want: ops{
			&ifcfg.NeedFlags{By: "setifdstormask"}, &ifcfg.NeedFlags{By: "setifbroadaddr", Broadcast: true},
			anyInet(ifcfg.Address{First: a1, Second: &a2, Masks: []ifcfg.MaskWord{{Mask: &a2, Second: true}}, Cast: &a3}),
		}},
		{line: "re0 inet netmask 10.0.0.2 10.0.0.1 10.0.0.3 alias", family: ifcfg.Inet, want: ops{
			&ifcfg.NeedFlags{By: "setifbroadaddr", Broadcast: true},
			inet(ifcfg.Address{First: a1, Masks: []ifcfg.MaskWord{{Mask: &a2}}, Cast: &a3, Action: ifcfg.ActionAlias}),
		}},
		{line: "re0 inet delete", family: ifcfg.Inet, want: ops{
			&ifcfg.Address{Family: ifcfg.Inet, Action: ifcfg.ActionDelete},
		}},
		{line: "re0 10.0.0.1 -alias prefixlen 24 netmask 10.0.0.2", want: ops{&ifcfg.NeedMask{Len: 24}, anyInet(ifcfg.Address{
			First: a1, Action: ifcfg.ActionDelete, Masks: []ifcfg.MaskWord{{Len: 24}, {Mask: &a2}},
		})}},
		{line: "re0 10.0.0.1 preference -5", want: ops{anyInet(ifcfg.Address{First: a1}), &ifcfg.Preference{Value: -5}}},
	})
}

func TestParseFamilies(t *testing.T) {
	testParse(t, []parseTest{
		{line: "re0 inet6 fe80::1%re0 pltime 0x10 vltime -1 eui64 deprecated anycast", family: ifcfg.Inet6, want: ops{
			&ifcfg.Address{
				Family: ifcfg.Inet6, Given: true, First: ip("fe80::1%re0"),
				Preferred: ref(int64(16)), Valid: ref(int64(-1)), EUI64: true, Anycast: true,
			},
		}},
		{line: "re0 inet6 ::1 anycast -deprecated", family: ifcfg.Inet6, want: ops{
			&ifcfg.Address{Family: ifcfg.Inet6, Given: true, First: ip("::1"), Deprecate: ref(false)},
		}},
		{line: "re0 link 0:1:2:A:4:5 active", family: ifcfg.LinkLayer, want: ops{&ifcfg.Address{
			Family: ifcfg.LinkLayer, Given: true, Active: true,
			First: ifcfg.AddrWord{Octets: "\x00\x01\x02\x0a\x04\x05", PrefixLen: -1},
		}}},
	})
}

type parseTest struct {
	line   string
	family ifcfg.Family
	want   ops
}

func testParse(t *testing.T, tests []parseTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(tt.line), nil)
			want := &ifcfg.Command{Iface: strings.Fields(tt.line)[0], Family: tt.family, Ops: tt.want}
			if diff := cmp.Diff(want, got, equal); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func wantUsage(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*ifcfg.UsageError](err); !ok {
		t.Errorf("error %v, want the usage", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"",
		"re0 bogus",
		"re0 mtu", "re0 mtu x", "re0 mtu 9223372036854775808", "re0 mtu 0x10",
		"re0 alias delete", "re0 delete delete", "re0 alias -alias",
		"agr0 create up inet6", // a family is one in its place only
		"re0 create create", "re0 create destroy", "re0 up create", "re0 -create",
		"re0 mediaopt fdx media 100baseTX", "re0 media a media b", "re0 mode x media a", "re0 instance 1", "re0 media a instance 16",
		"re0 media a -mediaopt b", "re0 media a instance 1 inst 2",
		"re0 inet preference 5", "re0 10.0.0.1 preference 99999",
		"re0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4", "re0 10.0.0.1 netmask 255.0.0.0 10.0.0.3 10.0.0.4",
		"re0 10.0.0.1 netmask", "re0 10.0.0.1 netmask 0xffffff00/24", "re0 10.0.0.1/24/25", "re0 10.0.0.1/x", "re0 10.0.0.1/-1", "re0 10.0.0.1/255",
		"re0 inet ::1", "re0 inet6 10.0.0.1", "re0 inet6 ::1%",
		"re0 link 00:11:22:33:44:gg", "re0 link 00:11:22:33:44:555", "re0 link 10.0.0.1", "re0 link 00:11:22:33:44:55/24",
		"re0 link 00:11:22:33:44:77 netmask 255.0.0.0",
		"agr0 agrport", "agr0 agrport abcdefghijklmnopq",
		"abcdefghijklmnopq",
		"re0" + strings.Repeat(" up", 32),
		"re0 lagglacp", "re0 lagglacp maxports 0", "re0 pri 5", "re0 laggport re1 pri", "re0 vhid 256", "re0 advskew 255", "re0 state up",
		"re0 session 1", "re0 cookie 1 2 3", "re0 list", "re0 list up", "re0 frag 255", "re0 rts 0", "re0 chan 65536", "re0 phase 3",
		"re0 add", "re0 add up", "re0 del re1", "re0 hw", "re0 hw ether", "re0 hw ether 1:2:3", "re0 hw re1", "re0 name", "re0 txqueuelen -1",
		"re0 pointopoint", "re0 dstaddr up", "re0 inet add ::1", "re0 inet6 add 10.0.0.1", "re0 link add 2:0:0:0:0:1",
		"re0 -broadcast", "re0 -pointopoint", "re0 dynamic", "re0 outfill 1", "re0 keepalive 1", "re0 mem_start 1", "re0 io_addr 1", "re0 irq 1",
		"re0 -a",
	} {
		t.Run(line, func(t *testing.T) {
			_, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(line), nil)
			wantUsage(t, err)
		})
	}
}

// 32 words are as many as NetBSD takes.
func TestParseManyWords(t *testing.T) {
	cmd, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields("re0"+strings.Repeat(" up", 31)), nil)
	if err != nil || len(cmd.Ops) != 31 {
		t.Errorf("%v, %v, want 31 operations", cmd, err)
	}
}

// Some words are wrong in a way that is no matter of syntax.
func TestParseFatal(t *testing.T) {
	tests := []struct {
		line, want string
		errno      ifcfg.Errno
	}{
		{"re0 10.0.0.1/33", "paddr_match: prefixlen_to_mask(2, 33): Invalid argument", ctl.EINVAL},
		{"re0 inet6 ::1/129", "paddr_match: prefixlen_to_mask(24, 129): Invalid argument", ctl.EINVAL},
		{"abcdefghijklmnop up", "Cannot copy string; 16 chars needed 16 provided: File name too long", ctl.ENAMETOOLONG},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			_, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(tt.line), nil)
			if err == nil || err.Error() != tt.want || !errors.Is(err, tt.errno) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestParseForms(t *testing.T) {
	tests := []struct {
		name string
		form ifcfg.Form
		line string
		want *ifcfg.Command // nil = usage
	}{
		{"all", ifcfg.FormAll, "", &ifcfg.Command{}},
		{"all of a family", ifcfg.FormAll, "inet6", &ifcfg.Command{Family: ifcfg.Inet6}},
		{"all, and an interface", ifcfg.FormAll, "re0", nil},
		{"all of two families", ifcfg.FormAll, "inet inet6", nil},
		{"status", ifcfg.FormStatus, "re0 link", &ifcfg.Command{Iface: "re0", Family: ifcfg.LinkLayer}},
		{"status and a command", ifcfg.FormStatus, "re0 up", nil},
		{"status of nothing", ifcfg.FormStatus, "", nil},
		{"no operand", ifcfg.FormNone, "", &ifcfg.Command{}},
		{"no operand, and one", ifcfg.FormNone, "re0", nil},
		{"carrier", ifcfg.FormCarrier, "re0 whatever follows", &ifcfg.Command{Iface: "re0"}},
		{"carrier of nothing", ifcfg.FormCarrier, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ifcfg.Parse(tt.form, strings.Fields(tt.line), nil)
			if tt.want == nil {
				wantUsage(t, err)
				return
			}
			if diff := cmp.Diff(tt.want, got, equal); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// hosts resolves names; asked has those that were looked up.
type hosts struct {
	all   map[string][]string
	asked []string
}

func (h *hosts) LookupHost(name string, f ifcfg.Family) ([]netip.Addr, error) {
	h.asked = append(h.asked, name)
	var out []netip.Addr
	for _, s := range h.all[name] {
		a := netip.MustParseAddr(s)
		if f == ifcfg.FamilyNone || a.Is4() == (f == ifcfg.Inet) {
			out = append(out, a)
		}
	}
	return out, nil
}

func (h *hosts) LookupAddr(netip.Addr) (string, error) { return "", errors.New("no such address") }

// A name has to have exactly one address of the family.
func TestParseHostNames(t *testing.T) {
	tests := []struct {
		line  string
		want  string // "" = usage
		asked []string
	}{
		{"re0 inet both", "10.0.0.5", []string{"both"}},
		{"re0 inet6 both", "2001:db8::5", []string{"both"}},
		{"re0 both", "", []string{"both"}},
		{"re0 two", "", []string{"two"}},
		{"re0 four/8", "10.0.0.6", []string{"four"}},
		{"re0 nobody", "", []string{"nobody"}},
		{"re0 -nobody", "", nil},
		{"re0 10.0.0.1", "10.0.0.1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			h := &hosts{all: map[string][]string{
				"both": {"10.0.0.5", "2001:db8::5"}, "two": {"10.0.0.1", "10.0.0.2"}, "four": {"10.0.0.6"},
			}}
			cmd, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields(tt.line), h)
			if diff := cmp.Diff(tt.asked, h.asked); diff != "" {
				t.Errorf("asked the resolver (-want +got):\n%s", diff)
			}
			if tt.want == "" {
				wantUsage(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := cmd.Ops[0].(*ifcfg.Address).First.IP.String(); got != tt.want {
				t.Errorf("address %s, want %s", got, tt.want)
			}
		})
	}
}

// Whatever the words are, they are a command or get an answer, and operations
// come in the order of their stages.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"re0 10.0.0.1/24 alias up", "agr0 create agrport re0 agrport re1", "re0 inet6 fe80::1%re0 pltime 5 delete",
		"re0 link 2:0:0:0:0:1 active", "re0 media auto mediaopt fdx instance 3", "re0 10.1 255.0.0.0 10.2 preference 3",
	} {
		f.Add(uint8(ifcfg.FormCommand), seed)
	}
	f.Fuzz(func(t *testing.T, form uint8, line string) {
		cmd, err := ifcfg.Parse(ifcfg.Form(form)%(ifcfg.FormCarrier+1), strings.Split(line, " "), nil)
		if (cmd == nil) == (err == nil) {
			t.Fatalf("%q: command %v with error %v", line, cmd, err)
		}
		if err != nil {
			return
		}
		last := ifcfg.StageNow
		for _, op := range cmd.Ops {
			if op.Stage() < last {
				t.Errorf("%q: %T after a later stage", line, op)
			}
			last = op.Stage()
		}
	})
}
