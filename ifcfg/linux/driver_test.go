package linux

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
	"ifagr/netutil/nettest"
)

// switchAll turns each capability of an interface off and on, and looks that it
// went (row N42 of the specification).
func switchAll(t *testing.T, k *Kernel, index int) {
	t.Helper()
	caps := func() ifcfg.Caps {
		all, err := k.Caps(index)
		if err != nil {
			t.Fatal(err)
		}
		return all[index]
	}
	able := caps()
	for bit := ifcfg.Cap(1); bit <= ifcfg.CapTSO6; bit <<= 1 {
		if able.Able&bit == 0 {
			continue
		}
		if err := k.SetCaps(index, bit, 0); err != nil || caps().Enabled&bit == 0 {
			t.Errorf("capability %#x is not on; error %v", bit, err)
		}
		if err := k.SetCaps(index, 0, bit); err != nil || caps().Enabled&bit != 0 {
			t.Errorf("capability %#x is not off; error %v", bit, err)
		}
	}
	for bit := ifcfg.EtherCap(1); bit <= ifcfg.EtherCapEEE; bit <<= 1 {
		if able.EtherAble&bit == 0 {
			continue
		}
		if err := k.SetEtherCaps(index, 0, bit); err != nil || caps().EtherEnabled&bit != 0 {
			t.Errorf("Ethernet capability %#x is not off; error %v", bit, err)
		}
		if err := k.SetEtherCaps(index, bit, 0); err != nil || caps().EtherEnabled&bit == 0 {
			t.Errorf("Ethernet capability %#x is not on; error %v", bit, err)
		}
	}
	if able.Able == 0 {
		t.Error("there is nothing to switch")
	}
}

func TestCapsOfVeth(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) { switchAll(t, k, re0) })
}

// A TAP does what the program behind it takes, and nothing without a program.
func TestCapsOfTap(t *testing.T) {
	nettest.Require(t, nettest.TUN)
	inside(t, func(k *Kernel, _ int) {
		f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		ifr, err := unix.NewIfreq("tap0")
		if err != nil {
			t.Fatal(err)
		}
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, ifr); err != nil {
			t.Fatal(err)
		}
		l, err := k.Link("tap0")
		if err != nil {
			t.Fatal(err)
		}
		wantErrno(t, k.SetCaps(l.Index, ifcfg.CapTSO4, 0), "EINVAL")
		if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6); err != nil {
			t.Fatal(err)
		}
		switchAll(t, k, l.Index)
	})
}

// All at once is the same as one by one, by netlink and by ioctl.
func TestAllCaps(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		if _, err := k.Links(); err != nil {
			t.Fatal(err)
		}
		all, err := k.Caps(0)
		if err != nil {
			t.Fatal(err)
		}
		one, err := k.Caps(re0)
		if err != nil || one[re0] != all[re0] || one[re0].Able == 0 {
			t.Errorf("one %+v, all %+v, error %v", one[re0], all[re0], err)
		}
		each, err := eachFeatures(k.tool, k.links)
		if err != nil || len(each) != len(all) {
			t.Errorf("%d interfaces one by one, %d at once, error %v", len(each), len(all), err)
		}
	})
}

func TestSetDescription(t *testing.T) {
	inside(t, func(k *Kernel, re0 int) {
		for _, text := range []string{"to the attic", "a", ""} {
			if err := k.SetDescription(re0, text); err != nil {
				t.Fatal(err)
			}
			if l, err := k.Link("re0"); err != nil || l.Description != text {
				t.Errorf("description %q, %v, want %q", l.Description, err, text)
			}
		}
		wantErrno(t, k.SetDescription(9999, "x"), "ENXIO")
	})
}

// What a driver refuses is NetBSD's error.
func TestDriverRefuses(t *testing.T) {
	n := igb()
	n.refuse = unix.EPERM
	auto := ifcfg.MediaRequest{Medium: ifcfg.Medium{Subtype: autoselect}}
	wantErrno(t, setMedia(n, "eth0", auto), "EPERM")
	wantErrno(t, setCaps(n, "eth0", ifcfg.CapTSO4, 0), "EPERM")
	wantErrno(t, setEtherCaps(n, "eth0", 0, ifcfg.EtherCapEEE), "EPERM")
	wantErrno(t, setEtherCaps(n, "eth0", ifcfg.EtherCapVLANHWTagging, 0), "EPERM")
	n.refuse = 0
	n.pause = nil
	auto.Options = ifcfg.MediaFlowControl
	wantErrno(t, setMedia(n, "eth0", auto), "EOPNOTSUPP")
}

// IEEE 802.3 28B.3: who may stop whom follows from what both ends advertise.
func TestPauseOptions(t *testing.T) {
	const (
		p, a   = unix.ETHTOOL_LINK_MODE_Pause_BIT, unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT
		rx, tx = ifcfg.MediaFlowControl | ifcfg.MediaRxPause, ifcfg.MediaFlowControl | ifcfg.MediaTxPause
		link   = unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT
	)
	offer := eth.Pause{Autoneg: true, Rx: true, Tx: true}
	tests := []struct {
		name         string
		pause        eth.Pause
		fixed, half  bool
		ours, theirs []int
		want         ifcfg.MediaOptions
	}{
		{"both", offer, false, false, []int{p}, []int{link, p}, rx | tx},
		{"nothing offered", offer, false, false, nil, []int{link, p, a}, 0},
		{"nothing in return", offer, false, false, []int{p, a}, []int{link}, 0},
		{"they may stop us", offer, false, false, []int{p, a}, []int{link, a}, rx},
		{"we may stop them", offer, false, false, []int{a}, []int{link, p, a}, tx},
		{"both could only stop", offer, false, false, []int{a}, []int{link, a}, 0},
		{"the far end is not known", offer, false, false, []int{p}, nil, rx | tx},
		{"forced", eth.Pause{Rx: true}, false, false, []int{p}, []int{link, p}, rx},
		{"forced link, pause negotiated", offer, true, false, []int{p}, nil, 0},
		{"half duplex", offer, false, true, []int{p}, []int{link, p}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := eth.Settings{
				Duplex: eth.FullDuplex, Autoneg: !tt.fixed, Advertised: eth.ModesOf(tt.ours...), Partner: eth.ModesOf(tt.theirs...),
			}
			if tt.half {
				s.Duplex = eth.HalfDuplex
			}
			if got := pauseOptions(&s, tt.pause); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
