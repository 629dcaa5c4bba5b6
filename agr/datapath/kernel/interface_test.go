package kernel_test

import (
	"encoding/json"
	"errors"
	"testing"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// counters are what `ip -s link` says of an interface.
func (s *side) counters(name string) (rx, tx uint64) {
	s.t.Helper()
	var l []struct {
		Stats64 struct {
			Rx, Tx struct{ Packets uint64 }
		}
	}
	if err := json.Unmarshal([]byte(s.Output("ip", "-s", "-j", "link", "show", "dev", name)), &l); err != nil {
		s.t.Fatal(err)
	}
	return l[0].Stats64.Rx.Packets, l[0].Stats64.Tx.Packets
}

// TestPair looks at the interfaces that New makes.
func TestPair(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	s := &side{NS: nettest.New(t), t: t}
	var dev *kernel.Device
	s.Do(func() {
		var err error
		if dev, err = kernel.New("agr0", toB, kernel.Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if dev.Name() != "agr0" || dev.Index() != s.index("agr0") || dev.Adopted() {
		t.Errorf("%s, index %d, adopted %v", dev.Name(), dev.Index(), dev.Adopted())
	}
	type link struct {
		Ifindex     int
		Address     string
		MTU         int
		Flags       []string
		Addrgenmode string `json:"inet6_addr_gen_mode"`
		Linkinfo    struct {
			Kind string `json:"info_kind"`
		}
	}
	look := func(name string) link {
		var l []link
		if err := json.Unmarshal([]byte(s.Output("ip", "-d", "-j", "link", "show", "dev", name)), &l); err != nil {
			t.Fatal(err)
		}
		return l[0]
	}
	outer, inner := look("agr0"), look("agr0p")
	if outer.Address != toB.String() || outer.MTU != 1500 || outer.Linkinfo.Kind != "veth" {
		t.Errorf("agr0: %+v", outer)
	}
	if inner.Addrgenmode != "none" || inner.MTU != 65535 || inner.Ifindex == outer.Ifindex || inner.Address == outer.Address {
		t.Errorf("agr0p: %+v", inner)
	}
	for _, on := range []bool{true, false, true} {
		s.Run("ip", "link", "set", "agr0", "up")
		s.Do(func() {
			if err := dev.SetCarrier(on); err != nil {
				t.Fatal(err)
			}
		})
		carrier, err := s.read("agr0", "carrier")
		if want := map[bool]string{true: "1\n", false: "0\n"}[on]; err != nil || carrier != want {
			t.Errorf("carrier %q (%v), want %q", carrier, err, want)
		}
	}
	s.Do(func() {
		if err := dev.Close(true); err != nil {
			t.Error(err)
		}
	})
	if s.exists("agr0") || s.exists("agr0p") {
		t.Error("something is left")
	}
}

// read reads an attribute of an interface below /sys, which shows the namespace
// of the process that mounted it.
func (s *side) read(name, attribute string) (string, error) {
	out, err := s.Command("unshare", "-m", "sh", "-c",
		"mount -t sysfs sysfs /sys && cat /sys/class/net/"+name+"/"+attribute).Output()
	return string(out), err
}

func (s *side) exists(name string) bool {
	return s.Command("ip", "link", "show", "dev", name).Run() == nil
}

// TestNotOurs leaves other tools' interfaces alone.
func TestNotOurs(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	for name, add := range map[string][]string{
		"a bridge":          {"ip", "link", "add", "agr0", "type", "bridge"},
		"another's veth":    {"ip", "link", "add", "agr0", "type", "veth", "peer", "name", "x0"},
		"a tap":             {"ip", "tuntap", "add", "agr0", "mode", "tap"},
		"the inner end's":   {"ip", "link", "add", "agr0p", "type", "bridge"},
		"an alternate name": {"sh", "-c", "ip link add x0 type bridge && ip link property add dev x0 altname agr0"},
	} {
		t.Run(name, func(t *testing.T) {
			n := nettest.New(t)
			n.Run(add[0], add[1:]...)
			before := n.Output("ip", "-d", "link", "show")
			n.Do(func() {
				if _, err := kernel.New("agr0", ether.Addr{}, kernel.Options{}); !errors.Is(err, datapath.ErrNotOurs) {
					t.Errorf("%v, want ErrNotOurs", err)
				}
			})
			if after := n.Output("ip", "-d", "link", "show"); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// TestUnsupported: without eBPF, or with a name that is too long, nothing is left
// behind.
func TestUnsupported(t *testing.T) {
	nettest.Require(t, nettest.TCX)
	n := nettest.New(t)
	before := n.Output("ip", "link", "show")
	for name, o := range map[string]kernel.Options{"agr0": {Hook: "none"}, "agr012345678901": {}} {
		n.Do(func() {
			if _, err := kernel.New(name, ether.Addr{}, o); !errors.Is(err, kernel.ErrUnsupported) {
				t.Errorf("%s: %v, want ErrUnsupported", name, err)
			}
		})
	}
	child := n.StartCmd(childCommand(t, childConfig{Name: "agr0"}, "unshare", "-Ur"))
	if err := child.Wait(waitForChild); err == nil {
		t.Error("a process without privileges could do it")
	}
	if after := n.Output("ip", "link", "show"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Log(child.Output())
}
