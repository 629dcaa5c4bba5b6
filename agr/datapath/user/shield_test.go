package user

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/nettest"
)

// TestUnavailable: only "the kernel has none" and "you may not" lead to the
// other shield.
func TestUnavailable(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"not supported", ebpf.ErrNotSupported, true},
		{"not permitted", os.ErrPermission, true},
		{"no memory", errors.New("cannot allocate memory"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := errors.Is(unavailable(tt.err), errNoTCX); got != tt.want || !errors.Is(unavailable(tt.err), tt.err) {
				t.Errorf("unavailable(%v) is errNoTCX: %v, want %v", tt.err, got, tt.want)
			}
		})
	}
}

// TestShieldOfMissingInterface: nothing is fallen back from, or left behind.
func TestShieldOfMissingInterface(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	n := nettest.New(t)
	n.Do(func() {
		s := newShield(slog.New(slog.DiscardHandler))
		defer func() { _ = s.close() }()
		if _, err := s.protect(datapath.Port{Index: 4711}); err == nil || s.used != ShieldTCX {
			t.Errorf("error %v, shield %s", err, s.used)
		}
	})
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
