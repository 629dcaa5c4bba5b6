package netstart_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/ifcfg/netstart"
)

// roots is a file that only root can write.
func roots(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), Mode: 0o644, Sys: &syscall.Stat_t{}}
}

// machine has lo0, and re0 to re2 with indexes after agr0's.
type machine struct {
	*kerneltest.Kernel
	said []string // what was reported, and the commands for a shell
}

// start runs netstart on a new machine and gives it with the number of failures.
func start(t *testing.T, files fstest.MapFS, names ...string) (*machine, int) {
	t.Helper()
	m := &machine{Kernel: &kerneltest.Kernel{Make: map[string]func(string) kerneltest.Iface{
		"lo":   func(string) kerneltest.Iface { return kerneltest.Loopback("") },
		"tap":  func(string) kerneltest.Iface { return kerneltest.NIC("", [6]byte{2, 0, 0, 0, 0, 9}) },
		"vlan": func(string) kerneltest.Iface { return kerneltest.Iface{Link: ifcfg.Link{Class: ifcfg.ClassVLAN}} },
	}}}
	m.Add(kerneltest.Loopback("lo0"))
	for i := range 3 {
		m.Add(kerneltest.NIC(fmt.Sprintf("re%d", i), [6]byte{2, 0, 0, 0, 0, byte(i)}))
	}
	style, _ := ifcfg.StyleNamed("")
	say := func(place string, what any) { m.said = append(m.said, fmt.Sprintf("%s: %v", place, what)) }
	r := &netstart.Runner{
		Files: files,
		Session: &ifcfg.Session{
			Kernel: m.Kernel, Aggr: &kerneltest.Aggr{Kernel: m.Kernel}, Style: style, Out: &strings.Builder{},
		},
		Shell: func(_ context.Context, command, iface string) error {
			say("int="+iface, command)
			if strings.Contains(command, "false") {
				return errors.New("exit status 1")
			}
			return nil
		},
		Report: func(place string, err error) { say(place, err) },
	}
	return m, r.Run(t.Context(), names...)
}

// made lists the changes of some kinds that were made, in their order.
func (m *machine) made(kinds ...string) []string {
	var out []string
	for _, l := range m.Log {
		for _, kind := range kinds {
			if strings.HasPrefix(l, kind+" ") {
				out = append(out, l)
			}
		}
	}
	return out
}

func check(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// What NetBSD's manual and its users write into such files.
func TestTypicalFiles(t *testing.T) {
	m, failed := start(t, fstest.MapFS{
		"ifconfig.re2": roots("inet 10.0.1.12 netmask 255.255.255.0\n" +
			"inet 10.0.1.13 netmask 255.255.255.255 alias\n" +
			"inet6 2001:db8::1 prefixlen 64 alias\n" +
			"inet6 2001:db8:: prefixlen 64 alias anycast\n" +
			"mtu \\\n  1400\n"),
		"ifconfig.agr0": roots("create\n# the ports\nagrport re0 agrport re1\nup\n"),
	})
	check(t, "said", []string{"ifconfig.re2:4: SIOCAIFADDR_IN6: Operation not supported"}, m.said)
	check(t, "made", []string{
		"AddAddr lo0 127.0.0.1/8",
		"AddAddr re2 10.0.1.12/24 brd 10.0.1.255",
		"AddAddr re2 10.0.1.13/32 brd 10.0.1.13",
		"AddAddr re2 2001:db8::1/64",
		"AddAddr re2 2001:db8::/64",
		"SetMTU re2 1400",
		"agrd Create agr0",
		"agrd SetPort agr0 re0 add=true",
		"agrd SetPort agr0 re1 add=true",
	}, m.made("AddAddr", "SetMTU", "agrd Create", "agrd SetPort"))
	if failed != 1 {
		t.Errorf("%d failures, want 1", failed)
	}
}

// Every failure says where, and nothing that follows is left out.
func TestFailures(t *testing.T) {
	m, failed := start(t, fstest.MapFS{
		"ifconfig.agr0": roots("agrport re0\nagrport re0\ninet 10.0.0.1\n"),
		"ifconfig.re1": roots("inet nonsense\ndhcp\ndescription 'open\n" +
			"mtu 1\n!false $int\n!true\ninet 10.0.0.2/24\n"),
		"ifconfig.br-lan": roots("up\n"), // no interface has that name
	})
	check(t, "said", []string{
		"ifconfig.re1:1: not understood: inet nonsense",
		"ifconfig.re1:2: dhcp: agrd runs no DHCP client; start one by an !command line, or by other means",
		"ifconfig.re1:3: a quote has no end",
		"ifconfig.re1:4: SIOCSIFMTU: Invalid argument", // a warning, as in NetBSD
		"int=re1: false $int",
		"ifconfig.re1:5: !false $int: exit status 1",
		"int=re1: true",
		"ifconfig.agr0:2: SIOCSETAGR: Device busy",
	}, m.said)
	check(t, "made", []string{"AddAddr re1 10.0.0.2/24 brd 10.0.0.255", "AddAddr agr0 10.0.0.1/8 brd 10.255.255.255"},
		m.made("AddAddr re1", "AddAddr agr0"))
	if failed != 5 {
		t.Errorf("%d failures, want 5", failed)
	}
}

// Ports come before agr, and agr before vlan, whatever the names and indexes;
// files of what cannot be created are left alone.
func TestOrder(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"by rank", map[string]string{
			"vlan0": "", "agr0": "", "re0": "", "re1": "", "lo0": "", "gif0": "", "tap3": "",
		}, "lo0 re0 re1 tap3 agr0 vlan0"},
		{"a vlan as a port", map[string]string{
			"agr0": "agrport vlan1", "vlan1": "vlan 5 vlanif re0", "vlan0": "vlan 5 vlanif agr0",
		}, "vlan1 agr0 vlan0"},
		{"a vlan on a vlan", map[string]string{
			"vlan0": "vlan 5 vlanif vlan1", "vlan1": "vlan 6 vlanif re0",
		}, "vlan1 vlan0"},
		{"a ring", map[string]string{
			"vlan0": "vlanif vlan1", "vlan1": "vlanif vlan0",
		}, "vlan1 vlan0"},
		{"leftovers of an editor", map[string]string{"tap0~": "", "tap1.bak": "", "tap2": ""}, "tap2"},
		{"not to be created", map[string]string{"em0": "", "agr": "", "tap2": ""}, "tap2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := fstest.MapFS{}
			for name, text := range tt.files {
				files["ifconfig."+name] = roots("!visit\n" + text)
			}
			m, _ := start(t, files)
			var got []string
			for _, s := range m.said {
				if name, ok := strings.CutSuffix(s, ": visit"); ok {
					got = append(got, strings.TrimPrefix(name, "int="))
				}
			}
			check(t, "order", strings.Fields(tt.want), got)
		})
	}
}

// With names it does what they say, and nothing else.
func TestNamed(t *testing.T) {
	files := fstest.MapFS{
		"ifconfig.re0":  roots("!one\n"),
		"ifconfig.agr0": roots("!two\n"),
		"ifconfig.re1":  roots("!three\n"),
		"ifaliases":     roots("10.0.0.9 re1\n"),
	}
	m, failed := start(t, files, "agr0", "re0", "re2", "br-lan")
	check(t, "said", []string{
		"br-lan: the name of an interface may have letters, digits and _ only",
		"ifconfig.re2: no such file, and rc.conf does not set ifconfig_re2",
		"int=agr0: two", "int=re0: one",
	}, m.said)
	check(t, "made", nil, m.made("AddAddr"))
	if failed != 2 {
		t.Errorf("%d failures, want 2", failed)
	}
}

// A command runs only when nobody but root can have written it.
func TestTrust(t *testing.T) {
	tests := []struct {
		name string
		mode fs.FileMode
		sys  any
		runs bool
	}{
		{"root's", 0o644, &syscall.Stat_t{}, true},
		{"root's alone", 0o600, &syscall.Stat_t{}, true},
		{"writable by a group", 0o664, &syscall.Stat_t{}, false},
		{"writable by all", 0o646, &syscall.Stat_t{}, false},
		{"somebody's", 0o644, &syscall.Stat_t{Uid: 1000}, false},
		{"unknown", 0o644, nil, false},
	}
	const refused = "the command is not run: the file must belong to root and be writable by nobody else"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for file, text := range map[string]string{"ifconfig.re0": "!true\nup\n", "rc.conf": "ifconfig_re0='!true;up'\n"} {
				m, failed := start(t, fstest.MapFS{file: {Data: []byte(text), Mode: tt.mode, Sys: tt.sys}})
				want := []string{"int=re0: true"}
				if !tt.runs {
					want = []string{file + ":1: " + refused}
				}
				check(t, "said", want, m.said)
				check(t, "made", []string{"SetFlags re0 +0x1 -0x0"}, m.made("SetFlags re0"))
				if (failed == 0) != tt.runs {
					t.Errorf("%d failures", failed)
				}
			}
		})
	}
}

// The variables of rc.conf come before the files.
func TestVariablesAndAliases(t *testing.T) {
	m, failed := start(t, fstest.MapFS{
		"rc.conf": roots("hostname=$(hostname)\nifconfig_re0=\"inet 10.0.0.1/24\"\n" +
			"ifaliases_re0='10.0.0.2 255.255.255.255 10.0.0.3 -'\nifaliases_re1='10.0.0.4 -'\nifconfig_re2=$x\n"),
		"ifconfig.re0": roots("inet 10.0.0.99\n"),
		"ifaliases":    roots("# address interface netmask\n10.1.0.1 re1 255.255.0.0\n10.1.0.2 re1\n10.1.0.3\n"),
	})
	check(t, "said", []string{
		`ifconfig.re2: rc.conf:5: ifconfig_re2: '$' is for a shell: quote it, or begin the line with an exclamation mark`,
		"ifaliases:4: want address, interface and netmask: 10.1.0.3",
	}, m.said)
	check(t, "made", []string{
		"AddAddr lo0 127.0.0.1/8",
		"AddAddr re0 10.0.0.1/24 brd 10.0.0.255",
		"AddAddr re0 10.0.0.2/32 brd 10.0.0.2",
		"AddAddr re0 10.0.0.3/8 brd 10.255.255.255",
		"AddAddr re1 10.1.0.1/16 brd 10.1.255.255",
		"AddAddr re1 10.1.0.2/8 brd 10.255.255.255",
	}, m.made("AddAddr"))
	if failed != 2 {
		t.Errorf("%d failures, want 2", failed)
	}
}

// What cannot be created, or is no file, is told, and the rest goes on.
func TestNotThere(t *testing.T) {
	m, failed := start(t, fstest.MapFS{
		"ifconfig.em0":  roots("up\n"),
		"ifconfig.tap0": {Mode: fs.ModeNamedPipe | 0o644},
		"ifconfig.re0":  roots("up\n"),
	}, "em0", "tap0", "re0")
	check(t, "said", []string{
		"ifconfig.tap0: not a plain file",
		"ifconfig.em0: clone_command: Invalid argument",
		"ifconfig.em0: exec_matches: Invalid argument",
		"ifconfig.em0:1: exec_matches: Device not configured",
	}, m.said)
	check(t, "made", []string{"SetFlags re0 +0x1 -0x0"}, m.made("SetFlags"))
	if failed != 3 {
		t.Errorf("%d failures, want 3", failed)
	}
}

// An interrupt ends it before the next line.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var said []string
	k := &kerneltest.Kernel{}
	k.Add(kerneltest.NIC("re0", [6]byte{2}))
	style, _ := ifcfg.StyleNamed("")
	r := &netstart.Runner{
		Files:   fstest.MapFS{"ifconfig.re0": roots("!sleep\nup\n")},
		Session: &ifcfg.Session{Kernel: k, Aggr: &kerneltest.Aggr{Kernel: k}, Style: style, Out: &strings.Builder{}},
		Shell:   func(context.Context, string, string) error { cancel(); return nil },
		Report:  func(place string, err error) { said = append(said, place+": "+err.Error()) },
	}
	if failed := r.Run(ctx, "re0"); failed != 1 {
		t.Errorf("%d failures, want 1", failed)
	}
	check(t, "said", []string{"ifconfig.re0:2: context canceled"}, said)
	check(t, "made", nil, k.Log)
}
