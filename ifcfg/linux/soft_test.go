package linux

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// The metric and the counters' beginning are there for the next program, until
// another interface has the place.
func TestRemembered(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		must(t, k.rt.AddLink(rtnl.NewLink{Name: "tap7", Kind: "bridge", Index: 77}))
		bridge := mustLink(t, k, "tap7")
		must(t, k.SetMetric(bridge.Index, 5), k.ZeroCounters(bridge.Index))
		if l := mustLink(t, open(), "tap7"); l.Metric != 5 {
			t.Errorf("the metric is %d, want 5", l.Metric)
		}
		must(t, k.rt.DelLink(bridge.Index), createTun("tap7", unix.IFF_TAP))
		if l := mustLink(t, open(), "tap7"); l.Metric != 0 {
			t.Errorf("another interface has the metric %d", l.Metric)
		}
	})
}

// Another interface with the same kind, name and index is another one.
func TestReplacedInterface(t *testing.T) {
	remembering(t, func(open func() *Kernel, re0 int) {
		k := open()
		must(t, k.SetMetric(re0, 5), k.rt.DelLink(re0))
		must(t, k.rt.AddVeth(rtnl.Veth{Name: "re0", FarName: "far1", Index: re0}))
		if l := mustLink(t, open(), "re0"); l.Index != re0 || l.Metric != 0 {
			t.Errorf("the new re0 has index %d and metric %d, want %d and 0", l.Index, l.Metric, re0)
		}
	})
}

// An interface to which we give another address is the same one.
func TestNewAddressKeepsMetric(t *testing.T) {
	remembering(t, func(open func() *Kernel, re0 int) {
		k := open()
		must(t, k.SetMetric(re0, 5), k.AddLinkAddr(re0, ether.Addr{2, 0, 0, 0, 0, 7}, true))
		if l := mustLink(t, open(), "re0"); l.Metric != 5 {
			t.Errorf("the metric is %d, want 5", l.Metric)
		}
	})
}

// Counters count from where they were zeroed, and what is printed then is what
// they were before.
func TestZeroCounters(t *testing.T) {
	remembering(t, func(open func() *Kernel, _ int) {
		k := open()
		lo := mustLink(t, k, "lo")
		must(t, k.SetFlags(lo.Index, ifcfg.FlagUp, 0))
		send(t)
		before := mustLink(t, k, "lo")
		if before.Counters.InPackets == 0 {
			t.Fatal("nothing was counted")
		}
		must(t, k.ZeroCounters(before.Index))
		k = open()
		if got := mustLink(t, k, "lo").Counters; got != (ifcfg.Counters{}) {
			t.Errorf("zeroed: %+v", got)
		}
		send(t)
		after := mustLink(t, k, "lo").Counters
		if after.InPackets == 0 || after.InPackets >= before.Counters.InPackets+after.InPackets {
			t.Errorf("counted %d packets after %d were zeroed", after.InPackets, before.Counters.InPackets)
		}
	})
}

// send makes lo count a packet.
func send(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}))
}

func TestSince(t *testing.T) {
	tests := []struct {
		name          string
		now, at, want ifcfg.Counters
	}{
		{"nothing before", ifcfg.Counters{InBytes: 3}, ifcfg.Counters{}, ifcfg.Counters{InBytes: 3}},
		{"some before", ifcfg.Counters{InBytes: 3, Collisions: 9}, ifcfg.Counters{InBytes: 1, Collisions: 9}, ifcfg.Counters{InBytes: 2}},
		{"one began again", ifcfg.Counters{InBytes: 3, OutBytes: 1}, ifcfg.Counters{InBytes: 1, OutBytes: 2}, ifcfg.Counters{InBytes: 3, OutBytes: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, since(tt.now, tt.at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What tells interfaces apart is not what changes while they are the same one.
func TestKeyOf(t *testing.T) {
	perm, other := ether.Addr{2, 0, 0, 0, 0, 1}, ether.Addr{2, 0, 0, 0, 0, 2}
	tests := []struct {
		name string
		a, b rtnl.Link
		same bool
	}{
		{"hardware with another address", rtnl.Link{PermAddr: perm, Addr: perm}, rtnl.Link{PermAddr: perm, Addr: other}, true},
		{"other hardware", rtnl.Link{PermAddr: perm}, rtnl.Link{PermAddr: other}, false},
		{"another tap", rtnl.Link{Kind: "tun", Addr: perm}, rtnl.Link{Kind: "tun", Addr: other}, false},
		{"bridge that took a port's address", rtnl.Link{Kind: "bridge", Addr: perm}, rtnl.Link{Kind: "bridge", Addr: other}, true},
		{"agr that took a port's address", rtnl.Link{Name: "agr0", Kind: "tun", Addr: perm}, rtnl.Link{Name: "agr0", Kind: "tun", Addr: other}, true},
		{"another name", rtnl.Link{Name: "tap0"}, rtnl.Link{Name: "tap1"}, false},
		{"another index", rtnl.Link{Index: 1}, rtnl.Link{Index: 2}, false},
		{"another kind", rtnl.Link{Kind: "veth"}, rtnl.Link{Kind: "tun"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := keyOf(&tt.a) == keyOf(&tt.b); got != tt.same {
				t.Errorf("the same key: %v, want %v", got, tt.same)
			}
		})
	}
}

// Without a place for the soft state everything else works, and what needs it
// says so.
func TestNoPlace(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		file := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(file, nil, 0o644))
		k.soft = soft{dirs: []string{file}}
		if _, err := k.Links(); err != nil {
			t.Error(err)
		}
		must(t, k.SetMTU(re0, 1400), k.SetFlags(re0, ifcfg.FlagUp, 0))
		if err := k.SetMetric(re0, 3); err == nil {
			t.Error("a metric that was not kept is no error")
		}
		if err := k.Create("vlan0"); err == nil {
			t.Error("a vlan that was not kept is no error")
		}
	})
}

// Who may not change an interface may not change what is remembered of it.
func TestPrivileged(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		must(t, k.privileged())
		k.soft = soft{dirs: []string{t.TempDir()}}
		caps := dropAdmin(t)
		err := k.privileged()
		metricErr, vlanErr := k.SetMetric(re0, 3), k.Create("vlan0")
		restore(t, caps)
		wantErrno(t, err, "EPERM")
		wantErrno(t, metricErr, "EPERM")
		wantErrno(t, vlanErr, "EPERM")
	})
}

// dropAdmin takes CAP_NET_ADMIN from this thread.
func dropAdmin(t *testing.T) (had [2]unix.CapUserData) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	must(t, unix.Capget(&h, &had[0]))
	less := had
	less[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	must(t, unix.Capset(&h, &less[0]))
	return had
}

func restore(t *testing.T, caps [2]unix.CapUserData) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	must(t, unix.Capset(&h, &caps[0]))
}
