package ifcfg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// Design D13: what each of our words asks for.
func TestAgrOptionWords(t *testing.T) {
	mac := ether.Addr{2, 0xcc, 0, 0, 0, 1}
	tests := []struct {
		line string
		want ctl.Setting
	}{
		{"lacpmode active", ctl.Setting{Option: ctl.OptMode, A: ctl.ModeActive}},
		{"lacpmode passive", ctl.Setting{Option: ctl.OptMode, A: ctl.ModePassive}},
		{"lacptimeout slow", ctl.Setting{Option: ctl.OptTimeout, A: ctl.TimeoutSlow}},
		{"lacptimeout fast", ctl.Setting{Option: ctl.OptTimeout, A: ctl.TimeoutFast}},
		{"lacpsyspri 100", ctl.Setting{Option: ctl.OptSystemPrio, A: 100}},
		{"lacpkey 7", ctl.Setting{Option: ctl.OptKey, A: 7}},
		{"lacpportpri re0 5", ctl.Setting{Option: ctl.OptPortPrio, Port: "re0", A: 5}},
		{"lacpstrict", ctl.Setting{Option: ctl.OptFallback, A: ctl.FallbackNone}},
		{"-lacpstrict", ctl.Setting{Option: ctl.OptFallback, A: ctl.FallbackAll}},
		{"lacpfallback none", ctl.Setting{Option: ctl.OptFallback, A: ctl.FallbackNone}},
		{"lacpfallback single,30", ctl.Setting{Option: ctl.OptFallback, A: ctl.FallbackSingle, B: 30}},
		{"lacpfallback all,0", ctl.Setting{Option: ctl.OptFallback, A: ctl.FallbackAll}},
		{"minlinks 2", ctl.Setting{Option: ctl.OptMinLinks, A: 2}},
		{"minlinks 3,2", ctl.Setting{Option: ctl.OptMinLinks, A: 3, B: 2}},
		{"maxports 0", ctl.Setting{Option: ctl.OptMaxPorts}},
		{"agrhash l2", ctl.Setting{Option: ctl.OptHash, A: ctl.HashL2}},
		{"agrhash l3", ctl.Setting{Option: ctl.OptHash, A: ctl.HashL3}},
		{"agrhash l4", ctl.Setting{Option: ctl.OptHash, A: ctl.HashL4}},
		{"agrmac first", ctl.Setting{Option: ctl.OptMACPolicy, A: ctl.MACFirst}},
		{"agrmac follow", ctl.Setting{Option: ctl.OptMACPolicy, A: ctl.MACFollow}},
		{"agrmac fixed 2:cc:0:0:0:1", ctl.Setting{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: mac}},
		{"lacpcoupled", ctl.Setting{Option: ctl.OptCoupled, A: ctl.ControlCoupled}},
		{"-lacpcoupled", ctl.Setting{Option: ctl.OptCoupled, A: ctl.ControlIndependent}},
		{"lacprestore 5,60", ctl.Setting{Option: ctl.OptWaitRestore, A: 5, B: 60}},
		{"lacprestore 0", ctl.Setting{Option: ctl.OptWaitRestore}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			cmd, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields("agr0 "+tt.line), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]ifcfg.Op{&ifcfg.SetOptions{Settings: []ctl.Setting{tt.want}}}, cmd.Ops); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What does not parse is answered by the usage text, as of every other word.
func TestAgrOptionSyntax(t *testing.T) {
	for _, line := range []string{
		"lacpmode", "lacpmode maybe", "lacptimeout 3", "lacpsyspri x", "lacpsyspri -1", "lacpsyspri 4294967296", "lacpkey", "lacpportpri re0",
		"lacpportpri re0 low", "lacpfallback some", "lacpfallback single,", "lacpfallback single,x", "lacpfallback ,5", "minlinks 2,", "minlinks ,2",
		"minlinks 2,1,1", "minlinks -2", "minlinks 3,0", "lacprestore 5,0", "maxports many", "agrhash 4", "agrmac", "agrmac fixed", "agrmac fixed re0", "agrmac fixed 2:0:0:0:0",
		"agrmac first 2:0:0:0:0:1", "lacprestore 5s",
	} {
		_, err := ifcfg.Parse(ifcfg.FormCommand, strings.Fields("agr0 "+line), nil)
		if _, ok := errors.AsType[*ifcfg.UsageError](err); !ok {
			t.Errorf("%s: %v, want a usage error", line, err)
		}
	}
}

// Options that stand together are one request; another word between them ends it,
// so that a port is there when its priority is set.
func TestAgrOptionRequests(t *testing.T) {
	b := newBench(t)
	b.must(t, "agr0 lacpmode passive minlinks 2 agrport re0 lacpportpri re0 5 maxports 3")
	want := []string{
		"agrd SetOptions agr0 [{1  1 0 00:00:00:00:00:00} {7  2 0 00:00:00:00:00:00}]",
		"agrd SetPort agr0 re0 add=true",
		"agrd SetOptions agr0 [{5 re0 5 0 00:00:00:00:00:00} {8  3 0 00:00:00:00:00:00}]",
	}
	if diff := cmp.Diff(want, b.k.Log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := len(b.aggr.Settings("agr0")); got != 4 {
		t.Errorf("%d settings, want 4", got)
	}
}

// The words are agr's, and what agrd refuses ends the line with NetBSD's error.
func TestAgrOptionRefused(t *testing.T) {
	b := newBench(t)
	b.k.Named("re0").AltNames = []string{"uplink"}
	tests := []struct{ line, want string }{
		{"re0 lacpmode passive", "valid only with agr(4) interfaces"},
		{"agr9 lacpmode passive", "SIOCSETAGR: Device not configured"},
		{"agr0 minlinks 3 maxports 2", "SIOCSETAGR: Invalid argument"},
		{"agr0 lacpportpri re7 5", "SIOCSETAGR: No such file or directory"},
		{"agr0 agrport re0 lacpportpri uplink 5", ""},
	}
	for _, tt := range tests {
		got := ""
		if err := b.do(t, tt.line); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.line, got, tt.want)
		}
	}
	if got := b.aggr.Settings("agr0"); len(got) != 1 || got[0].Port != "re0" {
		t.Errorf("settings are %v", got)
	}
}

// -j prints all that agrd knows, and of an agr interface only.
func TestStatusJSON(t *testing.T) {
	b := newBench(t)
	b.aggr.States = map[string]*ctl.Status{"agr0": agrState()}
	if err := b.s.StatusJSON("agr0"); err != nil {
		t.Fatal(err)
	}
	var got ctl.Status
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(agrState(), &got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"re0": "valid only with agr(4) interfaces", "agr9": "SIOCGETAGR: Device not configured"} {
		if err := b.s.StatusJSON(name); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// Without a name -j prints all agr interfaces, and none of another kind. One that
// agrd does not answer about is an error, behind the others.
func TestStatusAllJSON(t *testing.T) {
	b := newBench(t)
	print := func() (names string, err error) {
		t.Helper()
		b.out.Reset()
		err = b.s.StatusAllJSON(ifcfg.Filter{})
		var got []ctl.Status
		if jsonErr := json.Unmarshal(b.out.Bytes(), &got); jsonErr != nil || got == nil {
			t.Fatalf("%s: %v", b.out.String(), jsonErr)
		}
		for _, st := range got {
			names += fmt.Sprintf("%s,%d ", st.Name, st.Version)
		}
		return names, err
	}
	b.must(t, "agr3 create")
	b.must(t, "agr2 create")
	b.aggr.States = map[string]*ctl.Status{}
	for _, name := range []string{"agr0", "agr2", "agr3"} {
		b.aggr.States[name] = &ctl.Status{Version: ctl.StatusVersion, Name: name}
	}
	if names, err := print(); names != "agr0,1 agr1,1 agr3,1 agr2,1 " || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	b.aggr.Fail = map[string]ifcfg.Errno{"Status": ctl.ENXIO}
	if names, err := print(); names != "" || err == nil || err.Error() != "SIOCGETAGR agr0: Device not configured" {
		t.Errorf("without agrd: %q, %v", names, err)
	}
}
