package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
)

// Design D2: what NetBSD says comes first and is never changed; advice follows
// where it is wanted.
func TestHints(t *testing.T) {
	tests := []struct {
		name   string
		hints  bool
		stderr string
	}{
		{"wanted", true, "ifconfig: SIOCSETAGR: Device busy\n" +
			"ifconfig: hint: virt0 has inet6 fe80::b00a:1ff:fe0b:e00%virt0; " +
			"remove it with: ifconfig virt0 inet6 fe80::b00a:1ff:fe0b:e00 delete\n"},
		{"not wanted", false, "ifconfig: SIOCSETAGR: Device busy\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.env.hints = tt.hints
			w.run("agr0", "create")
			w.run("virt0", "create", "up")
			want := result{Stderr: tt.stderr, Status: 1}
			if diff := cmp.Diff(want, w.run("agr0", "agrport", "virt0")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// detailed is an agrd that explains itself.
type detailed struct{ ifcfg.Aggr }

func (detailed) Create(string) error {
	return &ctl.RequestError{Errno: ctl.ENXIO, Detail: "agrd was not started: Device not configured"}
}

// What agrd has to say beyond NetBSD's words is advice too.
func TestDetailIsHint(t *testing.T) {
	w := newWorld()
	w.env.hints = true
	w.env.aggr = func() ifcfg.Aggr { return detailed{w.aggr} }
	want := result{Status: 1, Stderr: "ifconfig: clone_command: Device not configured\n" +
		"ifconfig: exec_matches: Device not configured\n" +
		"ifconfig: hint: agrd was not started\n"}
	if diff := cmp.Diff(want, w.run("agr0", "create")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// denied is an agrd that has nothing to say beyond NetBSD's words.
type denied struct{ ifcfg.Aggr }

func (denied) SetOptions(string, []ctl.Setting) error {
	return &ctl.RequestError{Errno: ctl.EPERM, Detail: ctl.EPERM.Error()}
}

// Advice that only repeats the error is none.
func TestNoEmptyHint(t *testing.T) {
	w := newWorld()
	w.env.hints = true
	w.env.aggr = func() ifcfg.Aggr { return denied{w.aggr} }
	w.run("agr0", "create")
	want := result{Status: 1, Stderr: "ifconfig: SIOCSETAGR: Operation not permitted\n"}
	if diff := cmp.Diff(want, w.run("agr0", "maxports", "2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// -j is one document with a name, an array without one, and stands alone or with
// -a and what goes with that.
func TestJSONForms(t *testing.T) {
	w := newWorld()
	w.run("agr0", "create")
	w.run("agr1", "create")
	for _, tt := range []struct{ line, begin string }{
		{"-j agr0", "{"},
		{"-j", "["},
		{"-a -j", "["},
		{"-j -a", "["},
		{"-aj -u", "["},
		{"-l -j", ""},
		{"-j agr0 up", ""},
		{"-a -j agr0", ""},
		{"-j re0", ""},
	} {
		r := w.run(strings.Fields(tt.line)...)
		if r.Status != 0 == (tt.begin != "") || !strings.HasPrefix(r.Stdout, tt.begin) || tt.begin == "" && r.Stdout != "" {
			t.Errorf("ifconfig %s: %+v, want it to begin with %q", tt.line, r, tt.begin)
		}
	}
	if r := newWorld().run("-j"); r != (result{Stdout: "[]\n"}) {
		t.Errorf("without agr interfaces: %+v", r)
	}
}

// broken is a kernel with a fault.
type broken struct{ ifcfg.Kernel }

func (broken) Links() ([]ifcfg.Link, error) { panic("fault") }

// No fault shows as a trace.
func TestInternalError(t *testing.T) {
	w := newWorld()
	w.env.kernel = func() (ifcfg.Kernel, error) { return broken{w.Kernel}, nil }
	want := result{Stderr: "ifconfig: internal error: fault\n", Status: 1}
	if diff := cmp.Diff(want, w.run("-l")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestOutputIsLost(t *testing.T) {
	var stderr bytes.Buffer
	if status := run([]string{"-l"}, newWorld().env, full{}, &stderr); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	if diff := cmp.Diff("ifconfig: stdout: no space\n", stderr.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownStyle(t *testing.T) {
	w := newWorld()
	w.env.style = "netbsd6"
	want := result{Stderr: "ifconfig: IFCONFIG_STYLE: netbsd6: no such style\n", Status: 1}
	if diff := cmp.Diff(want, w.run("-l")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A line that does not parse opens nothing.
func TestUsageTouchesNothing(t *testing.T) {
	w := newWorld()
	w.env.kernel = func() (ifcfg.Kernel, error) { t.Error("the kernel was opened"); return w.Kernel, nil }
	want := result{Stderr: ifcfg.Usage(), Status: 1}
	if diff := cmp.Diff(want, w.run("agr0", "create", "up", "nonsense")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Letters that the transcripts do not have.
func TestOptions(t *testing.T) {
	tests := []struct {
		line string
		want string // of stderr; USAGE stands for the usage text
	}{
		{"-w2147483648", "ifconfig: 2147483648: not a number\n"},
		{"-w2147483647", "ifconfig: 2147483647: not a number\n"},
		{"-w 0x5", "ifconfig: 0x5: not a number\n"},
		{"-w1 -w1", ""},
		{"-l -w 1", "USAGE"},
		{"-w 1 -L", "USAGE"},
		{"-w 1 -W", "ifconfig: option requires an argument -- W\nUSAGE"},
		{"-s -l", ""},
		{"-s -a", ""},
		{"-m -s lo0", ""},
		{"-L lo0 up", "USAGE"},
		{"-v lo0 up", ""},
		{"-d -b -h -N -u -s -l", ""},
		{"-az lo0", "USAGE"},
		{"-A -A -l", "ifconfig: -A is deprecated\nifconfig: -A is deprecated\n"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got := newWorld().run(strings.Fields(tt.line)...)
			stderr := strings.ReplaceAll(got.Stderr, ifcfg.Usage(), "USAGE")
			if stderr != tt.want {
				t.Errorf("stderr %q, want %q", stderr, tt.want)
			}
			if wantStatus := strings.HasSuffix(tt.want, "USAGE") || strings.Contains(tt.want, "not a number"); (got.Status == 1) != wantStatus {
				t.Errorf("status %d", got.Status)
			}
		})
	}
}

// Whatever the words and whatever the machine: the status is 0 or 1, 1 comes
// with a word (but for the carrier test), and there is no internal error.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		"", "-av", "-L lo0", "agr0 create agrport virt0", "virt0 10.0.0.1/24 alias", "virt0 inet6 2001:db8:: eui64 pltime 3",
		"virt0 link 2:0:0:0:0:9 active", "virt0 media auto", "-s virt0", "virt0 destroy", "virt0 255.255.255.255 10.1 10.2 delete",
		"virt0 10.0.0.1 netmask ::1", "lo0 inet6 ::1 10.0.0.1",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, line string, netbsd bool) {
		if args := strings.Fields(line); len(args) > 0 && args[0][0] == '-' && strings.ContainsAny(line, "wW") {
			return // it may wait
		}
		w := newWorld()
		w.AsNetBSD = netbsd
		w.Add(virtNamed("virt0"))
		w.run("agr0", "create")
		r := w.run(strings.Fields(line)...)
		if r.Status != 0 && r.Status != 1 || strings.Contains(r.Stderr, "internal error") {
			t.Errorf("%q: %+v", line, r)
		}
		if r.Status == 1 && r.Stderr == "" && !strings.Contains(line, "s") {
			t.Errorf("%q failed without a word", line)
		}
	})
}

func virtNamed(name string) kerneltest.Iface {
	i := virt("0")
	i.Name = name
	return i
}
