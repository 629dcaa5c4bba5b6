package user

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// TestUnavailable: only "the kernel has none" and "you may not" lead to another
// shield.
func TestUnavailable(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"no such hook", hook.ErrNotSupported, true},
		{"no eBPF", ebpf.ErrNotSupported, true},
		{"not permitted", os.ErrPermission, true},
		{"no memory", errors.New("cannot allocate memory"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := unavailable(tt.err)
			if errors.Is(got, hook.ErrNotSupported) != tt.want || !errors.Is(got, tt.err) {
				t.Errorf("unavailable(%v) is %v, want %v", tt.err, got, tt.want)
			}
		})
	}
}

// programShields are the shields that a program makes, and what they need.
var programShields = map[string]nettest.Need{ShieldTCX: nettest.TCX, ShieldClsact: nettest.Clsact}

// TestShieldOfMissingInterface: nothing is fallen back from, or left behind.
func TestShieldOfMissingInterface(t *testing.T) {
	for used, need := range programShields {
		t.Run(used, func(t *testing.T) {
			nettest.Require(t, need)
			n := nettest.New(t)
			n.Do(func() {
				s := newShield(slog.New(slog.DiscardHandler))
				s.used = used
				defer func() { _ = s.close() }()
				if _, err := s.protect(datapath.Port{Index: 4711}); err == nil || s.used != used {
					t.Errorf("error %v, shield %s", err, s.used)
				}
			})
		})
	}
}

// TestProgramShields: the program stands before those of others while the port is
// protected, and not after that.
func TestProgramShields(t *testing.T) {
	for used, need := range programShields {
		t.Run(used, func(t *testing.T) {
			nettest.Require(t, need)
			n := nettest.New(t)
			nettest.Veth(n, "re0", n, "re1")
			n.Do(func() {
				s := newShield(slog.New(slog.DiscardHandler))
				s.used = used
				undo, err := s.protect(datapath.Port{Index: indexOf(t, "re0")})
				if err != nil {
					t.Fatal(err)
				}
				if got := atHooks(t, "re0"); got != used+" "+ShieldProgram {
					t.Errorf("at the hooks: %q", got)
				}
				if err := errors.Join(undo(), s.close()); err != nil {
					t.Error(err)
				}
				if got := atHooks(t, "re0"); got != "" {
					t.Errorf("left at the hooks: %q", got)
				}
			})
		})
	}
}

// TestFallBack: a port whose filters leave no room for ours gets the settings, and
// says why.
func TestFallBack(t *testing.T) {
	nettest.Require(t, nettest.Clsact)
	n := nettest.New(t)
	nettest.Veth(n, "re0", n, "re1")
	n.Run("tc", "qdisc", "add", "dev", "re0", "clsact")
	n.Run("tc", "filter", "add", "dev", "re0", "ingress", "pref", "1", "protocol", "ip", "u32", "match", "u32", "0", "0", "classid", "1:1")
	var log bytes.Buffer
	n.Do(func() {
		s := newShield(slog.New(slog.NewTextHandler(&log, nil)))
		s.used = ShieldClsact
		undo, err := s.protect(datapath.Port{Index: indexOf(t, "re0")})
		if err != nil {
			t.Fatal(err)
		}
		if s.used != ShieldSettings || !strings.Contains(log.String(), "settings only") || !strings.Contains(log.String(), "clsact") {
			t.Errorf("shield %s: %s", s.used, log.String())
		}
		if err := errors.Join(undo(), s.close()); err != nil {
			t.Error(err)
		}
	})
}

// TestFallBackInOrder: without tcx clsact is next if the program was loaded, and
// settings if it was not.
func TestFallBackInOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		prog *ebpf.Program
		want []string
	}{
		{"a kernel without tcx", &ebpf.Program{}, []string{ShieldClsact, ShieldSettings}},
		{"no eBPF at all", nil, []string{ShieldSettings}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShield(slog.New(slog.DiscardHandler))
			s.prog = tt.prog
			for _, want := range tt.want {
				if s.fallBack(hook.ErrNotSupported); s.used != want {
					t.Errorf("then %s, want %s", s.used, want)
				}
			}
		})
	}
}

// TestRootlessShield: who is root only in a user namespace of his own has no eBPF,
// and gets the settings.
func TestRootlessShield(t *testing.T) {
	const inside = "SHIELD_TEST_ROOTLESS"
	if os.Getenv(inside) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("unshare", "-Urn", self, "-test.run=^TestRootlessShield$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "shield "+ShieldSettings) {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	s := newShield(slog.New(slog.DiscardHandler))
	undo, err := s.protect(datapath.Port{Index: indexOf(t, "lo")})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("shield " + s.used)
	if err := errors.Join(undo(), s.close()); err != nil {
		t.Error(err)
	}
}

// atHooks is what stands at an interface's hooks, in order.
func atHooks(t *testing.T, name string) string {
	t.Helper()
	list, err := hook.List(indexOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range list {
		all = append(all, string(a.Kind)+" "+a.Name)
	}
	return strings.Join(all, ", ")
}

// TestSettingsOfMissingInterface: the interface is not there for the settings,
// and then not for the undo.
func TestSettingsOfMissingInterface(t *testing.T) {
	n := nettest.New(t)
	n.Do(func() {
		if _, err := protectBySettings(4711); err == nil || !strings.Contains(err.Error(), "noarp") {
			t.Errorf("error %v", err)
		}
	})
	nettest.Veth(n, "re0", n, "re1")
	n.Do(func() {
		undo, err := protectBySettings(indexOf(t, "re0"))
		if err != nil {
			t.Fatal(err)
		}
		n.Run("ip", "link", "delete", "re0")
		if err := undo(); err != nil {
			t.Errorf("undo on an interface that has gone: %v", err)
		}
	})
}

// TestSettingsFollowRename: the undo finds the interface under its new name.
func TestSettingsFollowRename(t *testing.T) {
	n := nettest.New(t)
	nettest.Veth(n, "re0", n, "re1", nettest.Down)
	n.Sysctl("net/ipv4/conf/re0/rp_filter", "2")
	n.Do(func() {
		undo, err := protectBySettings(indexOf(t, "re0"))
		if err != nil {
			t.Fatal(err)
		}
		n.Run("ip", "link", "set", "re0", "name", "wan0")
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	})
	if got := n.Output("sysctl", "-n", "net.ipv4.conf.wan0.rp_filter"); got != "2\n" {
		t.Errorf("rp_filter is %q, want 2", got)
	}
}

// indexOf is an interface's index in the calling thread's namespace.
func indexOf(t *testing.T, name string) int {
	t.Helper()
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return ifi.Index
}
