package eth

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// bothWays runs a test with a Tool of a namespace that asks by netlink, and with
// one that asks by ioctl as on a kernel without ethtool's family. re0 is one end
// of a pair, agr0 a TAP.
func bothWays(t *testing.T, f func(t *testing.T, tool *Tool)) {
	for _, way := range []string{"netlink", "ioctl"} {
		t.Run(way, func(t *testing.T) {
			a, b := nettest.New(t), nettest.New(t)
			nettest.Veth(a, "re0", b, "q0")
			a.Run("ip", "tuntap", "add", "agr0", "mode", "tap")
			var tool *Tool
			var err error
			a.Do(func() { tool, err = OpenTool() })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := tool.Close(); err != nil {
					t.Error(err)
				}
			})
			if way == "ioctl" && tool.genl != nil {
				_ = tool.genl.close()
				tool.genl = nil
			}
			f(t, tool)
		})
	}
}

func mustFeatures(t *testing.T, tool *Tool, name string) Features {
	t.Helper()
	f, err := tool.Features(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A veth does what it is told.
func TestToolFeatures(t *testing.T) {
	bothWays(t, func(t *testing.T, tool *Tool) {
		const csum, hw, rx = "tx-checksum-ip-generic", "tx-vlan-hw-insert", "rx-checksum"
		f := mustFeatures(t, tool, "re0")
		for _, name := range []string{csum, hw, rx} {
			if !f.Active(name) || !f.Switchable(name) {
				t.Errorf("%s: active %v, switchable %v, want both", name, f.Active(name), f.Switchable(name))
			}
		}
		if f.Active("no-such-feature") || f.Switchable("no-such-feature") {
			t.Error("a feature that no kernel has")
		}
		if err := tool.SetFeatures("re0", FeatureChange{On: []string{csum, "no-such-feature"}, Off: []string{csum, hw}}); err != nil {
			t.Fatal(err)
		}
		f = mustFeatures(t, tool, "re0")
		if f.Active(csum) || f.Active(hw) || !f.Active(rx) {
			t.Errorf("active are %v, %v and %v, want the last only", f.Active(csum), f.Active(hw), f.Active(rx))
		}
		if err := tool.SetFeatures("re0", FeatureChange{On: []string{hw, csum}}); err != nil {
			t.Fatal(err)
		}
		if f = mustFeatures(t, tool, "re0"); !f.Active(csum) || !f.Active(hw) {
			t.Error("the features do not come back")
		}
	})
}

// A TAP cannot do more than the program behind it said it takes, and the
// kernel does not call that an error.
func TestToolFeaturesOfTap(t *testing.T) {
	bothWays(t, func(t *testing.T, tool *Tool) {
		const tso = "tx-tcp-segmentation"
		if err := tool.SetFeatures("agr0", FeatureChange{On: []string{tso}}); err != nil {
			t.Fatal(err)
		}
		if f := mustFeatures(t, tool, "agr0"); f.Active(tso) || !f.Switchable(tso) {
			t.Errorf("active %v, switchable %v", f.Active(tso), f.Switchable(tso))
		}
	})
}

// Both ways tell the same.
func TestToolSame(t *testing.T) {
	a := nettest.New(t)
	a.Run("ip", "tuntap", "add", "agr0", "mode", "tap")
	a.Do(func() {
		by, err := OpenTool()
		if err != nil {
			t.Fatal(err)
		}
		defer by.Close()
		if by.genl == nil {
			t.Skip("SKIP-FEATURE: ethtool netlink")
		}
		ioctl := &Tool{ioctl: by.ioctl}
		for _, name := range []string{"lo", "agr0"} {
			want, got := mustFeatures(t, ioctl, name), mustFeatures(t, by, name)
			for _, f := range []*Features{&want, &got} {
				f.names = slices.DeleteFunc(slices.Clone(f.names), func(s string) bool { return s == "" })
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Features{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: (-ioctl +netlink):\n%s", name, diff)
			}
		}
	})
}

func TestToolAllFeatures(t *testing.T) {
	bothWays(t, func(t *testing.T, tool *Tool) {
		all, err := tool.AllFeatures()
		if tool.genl == nil {
			if !errors.Is(err, unix.EOPNOTSUPP) {
				t.Errorf("error %v, want EOPNOTSUPP", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"lo", "re0", "agr0"} {
			want := mustFeatures(t, tool, name)
			same := func(f Features) bool { return cmp.Equal(want, f, cmp.AllowUnexported(Features{})) }
			if !slices.ContainsFunc(slices.Collect(maps.Values(all)), same) {
				t.Errorf("none of the %d interfaces has the features of %s", len(all), name)
			}
		}
	})
}

// Neither a veth nor a TAP has anything of the rest.
func TestToolWithout(t *testing.T) {
	bothWays(t, func(t *testing.T, tool *Tool) {
		s, err := tool.Settings("re0")
		if err != nil || s.Speed != 10000 || s.Duplex != FullDuplex || s.HasMedia() {
			t.Errorf("settings of a veth: %+v, %v", s, err)
		}
		want := func(what string, err error, errno unix.Errno) {
			t.Helper()
			if !errors.Is(err, errno) {
				t.Errorf("%s: error %v, want %v", what, err, errno)
			}
		}
		_, err = tool.Pause("re0")
		want("pause", err, unix.EOPNOTSUPP)
		_, err = tool.EEE("re0")
		want("eee", err, unix.EOPNOTSUPP)
		want("set pause", tool.SetPause("re0", Pause{Rx: true}), unix.EOPNOTSUPP)
		want("set eee", tool.SetEEE("re0", true), unix.EOPNOTSUPP)
		want("set link", tool.SetLink("re0", LinkChange{Speed: 100}), unix.EOPNOTSUPP)
		_, err = tool.Settings("re9")
		want("no interface", err, unix.ENODEV)
		_, err = tool.Features("re9")
		want("no interface", err, unix.ENODEV)
		_, err = tool.Features("a-name-that-is-too-long-for-an-interface")
		want("no interface", err, unix.ENODEV)
	})
}

// A TAP lets its speed and duplex be set, so that the change itself can be seen.
func TestToolSetLink(t *testing.T) {
	bothWays(t, func(t *testing.T, tool *Tool) {
		if err := tool.SetLink("agr0", LinkChange{Speed: 100, Duplex: HalfDuplex}); err != nil {
			t.Fatal(err)
		}
		s, err := tool.Settings("agr0")
		if err != nil || s.Speed != 100 || s.Duplex != HalfDuplex || s.Autoneg {
			t.Errorf("settings: %+v, %v", s, err)
		}
	})
}
