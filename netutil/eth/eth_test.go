package eth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// open makes a Conn for a namespace. It is used outside of it.
func open(t testing.TB, n *nettest.NS) *Conn {
	t.Helper()
	var c *Conn
	var err error
	n.Do(func() { c, err = Open() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestCarrier(t *testing.T) {
	a, b := nettest.New(t), nettest.New(t)
	nettest.Veth(a, "re0", b, "q0")
	a.Run("ip", "tuntap", "add", "agr0", "mode", "tap")
	c := open(t, a)
	want := func(name string, want bool) {
		t.Helper()
		got, err := c.Carrier(name)
		if err != nil || got != want {
			t.Errorf("carrier of %s is %v, %v, want %v", name, got, err, want)
		}
	}
	want("lo", true)
	want("re0", true)
	want("agr0", false)
	b.Run("ip", "link", "set", "q0", "down")
	want("re0", false)
	b.Run("ip", "link", "set", "q0", "up")
	want("re0", true)
	a.Run("ip", "link", "set", "re0", "down")
	want("re0", false)
}

// TestRunning looks at what a driver without ETHTOOL_GLINK is judged by.
func TestRunning(t *testing.T) {
	a, b := nettest.New(t), nettest.New(t)
	nettest.Veth(a, "re0", b, "q0")
	c := open(t, a)
	becomes := func(want bool) {
		t.Helper()
		nettest.Eventually(t, 5*time.Second, func() error {
			got, err := c.running("re0")
			if err == nil && got != want {
				err = fmt.Errorf("running is %v, want %v", got, want)
			}
			return err
		})
	}
	becomes(true)
	b.Run("ip", "link", "set", "q0", "down")
	becomes(false)
}

func TestSettings(t *testing.T) {
	a, b := nettest.New(t), nettest.New(t)
	nettest.Veth(a, "re0", b, "q0")
	a.Run("ip", "tuntap", "add", "agr0", "mode", "tap")
	a.Run("ip", "link", "add", "br0", "type", "bridge")
	c := open(t, a)
	for _, name := range []string{"lo", "agr0", "br0", "re0"} {
		s, err := c.Settings(name)
		if err != nil || s.HasMedia() {
			t.Errorf("settings of %s: %+v, %v, media %v", name, s, err, s.HasMedia())
		}
		if name == "re0" && (s.Speed != 10000 || s.Duplex != FullDuplex || s.Autoneg) {
			t.Errorf("a veth has 10000 Mb/s, full duplex; got %+v", s)
		}
		if name == "lo" && (s.Speed != 0 || s.Duplex != DuplexUnknown) {
			t.Errorf("loopback has %+v", s)
		}
	}
}

func TestNoInterface(t *testing.T) {
	c := open(t, nettest.New(t))
	for _, name := range []string{"", "re0", strings.Repeat("n", 15), strings.Repeat("n", 16), strings.Repeat("n", 40)} {
		if _, err := c.Carrier(name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("carrier of %q: %v, want ENODEV", name, err)
		}
		if _, err := c.Settings(name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("settings of %q: %v, want ENODEV", name, err)
		}
	}
	if _, err := c.Carrier("re0"); err.Error() != "eth carrier re0: no such device" {
		t.Errorf("the error reads %q", err)
	}
}

func TestCarrierAllocatesNothing(t *testing.T) {
	c := open(t, nettest.New(t))
	n := testing.AllocsPerRun(100, func() {
		if _, err := c.Carrier("lo"); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a poll, want 0", n)
	}
}

func TestDecode(t *testing.T) {
	const words = 4
	nic := linkSettings{speed: 1000, duplex: 1, port: 0, autoneg: 1, words: words}
	nic.modes[0] = 1<<unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT | 1<<unix.ETHTOOL_LINK_MODE_Autoneg_BIT
	nic.modes[words] = 1 << unix.ETHTOOL_LINK_MODE_Autoneg_BIT
	nic.modes[2*words+1] = 1 << (unix.ETHTOOL_LINK_MODE_2500baseT_Full_BIT - 32)
	backplane := linkSettings{speed: ^uint32(0), duplex: 0xff, port: 0xef, words: 3}
	backplane.modes[0] = 1<<unix.ETHTOOL_LINK_MODE_Backplane_BIT | 1<<unix.ETHTOOL_LINK_MODE_Pause_BIT
	backplane.modes[1] = 1 << (unix.ETHTOOL_LINK_MODE_FEC_RS_BIT - 32)
	backplane.modes[2] = 1 << (unix.ETHTOOL_LINK_MODE_FEC_LLRS_BIT - 64)
	tests := []struct {
		name  string
		in    linkSettings
		want  Settings
		media bool
	}{
		{
			name: "a NIC", in: nic, media: true,
			want: Settings{
				Speed: 1000, Duplex: FullDuplex, Port: PortTP, Autoneg: true,
				Supported: nic.modes[:4], Advertised: nic.modes[4:8], Partner: nic.modes[8:12],
			},
		},
		{
			name: "nothing to choose from, nothing known", in: backplane,
			want: Settings{
				Port: PortNone, Supported: backplane.modes[:3], Advertised: backplane.modes[3:6], Partner: backplane.modes[6:9],
			},
		},
		{
			name: "half duplex on fibre, no modes", in: linkSettings{speed: 10, port: 3},
			want: Settings{Speed: 10, Duplex: HalfDuplex, Port: PortFibre},
		},
		{
			name: "a connector of a newer kernel", in: linkSettings{port: 0x42, duplex: 0xff},
			want: Settings{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.in.decode()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got.HasMedia() != tt.media {
				t.Errorf("HasMedia is %v", got.HasMedia())
			}
		})
	}
}

func TestModesHas(t *testing.T) {
	m := Modes{1 << 31, 1}
	for bit, want := range map[int]bool{31: true, 32: true, 0: false, 33: false, 64: false, -1: false} {
		if m.Has(bit) != want {
			t.Errorf("Has(%d) = %v", bit, !want)
		}
	}
}

func BenchmarkCarrier(b *testing.B) {
	c := open(b, nettest.New(b))
	for b.Loop() {
		if _, err := c.Carrier("lo"); err != nil {
			b.Fatal(err)
		}
	}
}
