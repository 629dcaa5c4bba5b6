package linux

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/nettest"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// inside runs f with a Kernel of a namespace in which re0 is one end of a link.
func inside(t *testing.T, f func(k *Kernel, re0 int)) {
	t.Helper()
	ns, far := nettest.New(t), nettest.New(t)
	nettest.Veth(ns, "re0", far, "far0")
	ns.Do(func() {
		k, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		}()
		l, err := k.Link("re0")
		if err != nil {
			t.Fatal(err)
		}
		f(k, l.Index)
	})
}

func wantErrno(t *testing.T, err error, symbol string) {
	t.Helper()
	if errno, ok := errors.AsType[ifcfg.Errno](err); !ok || errno.Symbol() != symbol {
		t.Errorf("error %v, want %s", err, symbol)
	}
}

// lo0 is NetBSD's name of lo; whatever else has that name comes first.
func TestLo0(t *testing.T) {
	inside(t, func(k *Kernel, _ int) {
		l, err := k.Link("lo0")
		if err != nil || l.Name != "lo" {
			t.Errorf("lo0 is %q, %v, want lo", l.Name, err)
		}
		_, err = k.Link("lo1")
		wantErrno(t, err, "ENXIO")
		if err := createTun("lo0", unix.IFF_TAP); err != nil {
			t.Fatal(err)
		}
		if l, err = k.Link("lo0"); err != nil || l.Name != "lo0" {
			t.Errorf("lo0 is %q, %v, want the new lo0", l.Name, err)
		}
	})
}

// The kernel removes the secondary addresses of a subnet with its primary one
// unless it is told otherwise, and there is no address that NetBSD would lose.
func TestDelAddrKeepsTheOthers(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/promote_secondaries", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			a := ifcfg.Addr{IP: addr(ip), Mask: ifcfg.MaskOf(24, 32), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite}
			if err := k.AddAddr(re0, a); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.DelAddr(re0, addr("10.0.0.1")); err != nil {
			t.Fatal(err)
		}
		all, err := k.Addrs(re0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range all[re0] {
			if a.IP.Is4() {
				got = append(got, a.IP.String())
			}
		}
		if diff := cmp.Diff([]string{"10.0.0.2", "10.0.0.3"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A refused update leaves the address as it was.
func TestAddAddrRefused(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		good := ifcfg.Addr{IP: addr("2001:db8::1"), Mask: ifcfg.MaskOf(64, 128), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite}
		if err := k.AddAddr(re0, good); err != nil {
			t.Fatal(err)
		}
		bad := good
		bad.Mask, bad.Preferred, bad.Valid = ifcfg.MaskOf(80, 128), 10, 5
		wantErrno(t, k.AddAddr(re0, bad), "EINVAL")
		same, err := k.same(re0, good.IP)
		if err != nil || len(same) != 1 || same[0].PrefixLen != 64 {
			t.Errorf("the address is %+v, %v, want it with /64", same, err)
		}
	})
}

// What the kernel made itself is not given back to an interface that is down:
// it makes it again.
func TestDownDropsAutomaticAddress(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		locals := func() (n int) {
			all, err := k.Addrs(re0)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range all[re0] {
				if a.IP.IsLinkLocalUnicast() {
					n++
				}
			}
			return n
		}
		if got := locals(); got != 1 {
			t.Fatalf("%d link-local addresses to begin with, want 1", got)
		}
		if err := k.SetFlags(re0, 0, ifcfg.FlagUp); err != nil {
			t.Fatal(err)
		}
		if got := locals(); got != 0 {
			t.Errorf("%d link-local addresses while down, want none", got)
		}
		if err := k.SetFlags(re0, ifcfg.FlagUp, 0); err != nil {
			t.Fatal(err)
		}
		if got := locals(); got != 1 {
			t.Errorf("%d link-local addresses when up again, want 1", got)
		}
	})
}

// destroy leaves alone what only has a clone's name.
func TestDestroy(t *testing.T) {
	inside(t, func(k *Kernel, _ int) {
		for _, name := range []string{"tap0", "tun0"} {
			if err := k.Create(name); err != nil {
				t.Fatal(err)
			}
		}
		wantErrno(t, k.Create("tap0"), "EEXIST")
		wantErrno(t, k.Create("eth0"), "EINVAL")
		wantErrno(t, k.Destroy("tap1"), "ENXIO")
		wantErrno(t, k.Destroy("lo"), "EPERM")
		wantErrno(t, k.Destroy("re0"), "EINVAL")
		tap, tun := k.mustKind(t, "tap0"), k.mustKind(t, "tun0")
		if !tap || tun {
			t.Errorf("tap0 carries frames: %v, tun0: %v, want true and false", tap, tun)
		}
		for _, name := range []string{"tap0", "tun0"} {
			if err := k.Destroy(name); err != nil {
				t.Error(err)
			}
		}
	})
}

// mustKind reports whether a tun device carries Ethernet frames.
func (k *Kernel) mustKind(t *testing.T, name string) bool {
	t.Helper()
	l, err := k.rt.LinkByName(name)
	if err != nil || l.Tun == nil {
		t.Fatalf("%s: %+v, %v", name, l, err)
	}
	return l.Tun.TAP
}

// Media of an interface without link modes is nothing, and no error.
func TestMediaOfVeth(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		m, err := k.Media(re0)
		if m != nil || err != nil {
			t.Errorf("media %+v, %v, want none", m, err)
		}
	})
}

// Every Kernel method of a missing interface finds it not configured.
func TestMissing(t *testing.T) {
	inside(t, func(k *Kernel, _ int) {
		const none = 99
		_, addrsErr := k.Addrs(none)
		_, mediaErr := k.Media(none)
		tests := map[string]error{
			"Addrs": addrsErr, "Media": mediaErr,
			"SetFlags":    k.SetFlags(none, ifcfg.FlagUp, 0),
			"down":        k.SetFlags(none, 0, ifcfg.FlagUp),
			"SetMTU":      k.SetMTU(none, 1500),
			"AddAddr":     k.AddAddr(none, ifcfg.Addr{IP: addr("::1"), Mask: addr("ffff::"), Valid: 1}),
			"DelAddr":     k.DelAddr(none, addr("::1")),
			"AddLinkAddr": k.AddLinkAddr(none, [6]byte{2}, true),
			"DelLinkAddr": k.DelLinkAddr(none, [6]byte{2}),
		}
		for name, err := range tests {
			t.Run(strings.ToLower(name), func(t *testing.T) { wantErrno(t, err, "ENXIO") })
		}
	})
}
