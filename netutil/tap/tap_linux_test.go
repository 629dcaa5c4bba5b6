package tap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
	"ifagr/netutil/tap"
)

var mac = ether.Addr{0x02, 0xaa, 0, 0, 0, 1}

// link is what `ip -d -j link show` says of a device.
type link struct {
	Index   int      `json:"ifindex"`
	Flags   []string `json:"flags"`
	State   string   `json:"operstate"`
	Address string   `json:"address"`
	Info    struct {
		Kind string `json:"info_kind"`
		Data struct {
			Type    string `json:"type"`
			PI      bool   `json:"pi"`
			VnetHdr bool   `json:"vnet_hdr"`
			Multi   bool   `json:"multi_queue"`
			Persist bool   `json:"persist"`
			User    any    `json:"user"`
		} `json:"info_data"`
	} `json:"linkinfo"`
}

func show(t *testing.T, n *nettest.NS, name string) link {
	t.Helper()
	var l []link
	if err := json.Unmarshal([]byte(n.Output("ip", "-d", "-j", "link", "show", "dev", name)), &l); err != nil {
		t.Fatal(err)
	}
	return l[0]
}

func exists(n *nettest.NS, name string) (found bool) {
	n.Do(func() {
		_, err := net.InterfaceByName(name)
		found = err == nil
	})
	return found
}

func namespace(t *testing.T) *nettest.NS {
	t.Helper()
	nettest.Require(t, nettest.TUN)
	return nettest.New(t)
}

func create(t *testing.T, n *nettest.NS, name string) (d *tap.Device) {
	t.Helper()
	var err error
	n.Do(func() { d, err = tap.Create(name, tap.Options{Addr: mac}) })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openTap(n *nettest.NS, name string) (d *tap.Device, err error) {
	n.Do(func() { d, err = tap.Open(name) })
	return d, err
}

func TestCreate(t *testing.T) {
	n := namespace(t)
	d := create(t, n, "agr0")
	defer func() { _ = d.Delete() }()
	n.Run("ip", "link", "set", "agr0", "up")

	l := show(t, n, "agr0")
	var want link
	want.Index, want.Address, want.State = d.Index(), mac.String(), "DOWN"
	want.Flags = []string{"NO-CARRIER", "BROADCAST", "MULTICAST", "UP"}
	want.Info.Kind, want.Info.Data.Type = "tun", "tap"
	want.Info.Data.VnetHdr, want.Info.Data.Persist, want.Info.Data.User = true, true, l.Info.Data.User
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("new device: -want +got\n%s", diff)
	}
	if l.Info.Data.User == nil {
		t.Error("the device has no owner, and so is anybody's")
	}
}

func TestSetCarrier(t *testing.T) {
	n := namespace(t)
	d := create(t, n, "agr0")
	defer func() { _ = d.Delete() }()
	n.Run("ip", "link", "set", "agr0", "up")
	for _, on := range []bool{true, false, true} {
		if err := d.SetCarrier(on); err != nil {
			t.Fatal(err)
		}
		got := strings.Contains(strings.Join(show(t, n, "agr0").Flags, " "), "LOWER_UP")
		if got != on {
			t.Errorf("carrier %v after SetCarrier(%v)", got, on)
		}
	}
}

// TestTransient: a device that is not persistent goes with its descriptor, and can
// be adopted by nobody.
func TestTransient(t *testing.T) {
	n := namespace(t)
	var d *tap.Device
	var err error
	n.Do(func() { d, err = tap.Create("agr0h", tap.Options{Transient: true}) })
	if err != nil {
		t.Fatal(err)
	}
	if l := show(t, n, "agr0h"); l.Info.Data.Persist || l.Info.Data.User == nil {
		t.Errorf("%+v", l)
	}
	if _, err := openTap(n, "agr0h"); !errors.Is(err, tap.ErrNotOurs) {
		t.Errorf("adopted: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if exists(n, "agr0h") {
		t.Error("agr0h was left behind")
	}
}

// TestCreateFails wants the error, and everything as it was.
func TestCreateFails(t *testing.T) {
	n := namespace(t)
	nettest.Veth(n, "re0", n, "re1")
	for _, name := range []string{"re0", "re1"} { // the kernel says late that they are up
		nettest.Eventually(t, 5*time.Second, func() error {
			if state := show(t, n, name).State; state != "UP" {
				return fmt.Errorf("%s is %s", name, state)
			}
			return nil
		})
	}
	n.Run("ip", "tuntap", "add", "other", "mode", "tap")
	tests := []struct {
		name, device string
		is           error  // nil: any
		text         string // in the message
	}{
		{"an interface of another kind", "re0", tap.ErrBusy, "tap create re0: TUNSETIFF: "},
		{"somebody's tap device", "other", tap.ErrBusy, "tap create other: TUNSETIFF: "},
		{"name of 16 letters", "agr0123456789abc", nil, "tap create agr0123456789abc: name: "},
		{"name with a slash", "agr/0", nil, "tap create agr/0: TUNSETIFF: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := n.Output("ip", "-d", "link", "show")
			var err error
			n.Do(func() { _, err = tap.Create(tt.device, tap.Options{Addr: mac}) })
			if err == nil || (tt.is != nil && !errors.Is(err, tt.is)) || !strings.HasPrefix(err.Error(), tt.text) {
				t.Errorf("error %v; want %q and %v", err, tt.text, tt.is)
			}
			if diff := cmp.Diff(before, n.Output("ip", "-d", "link", "show")); diff != "" {
				t.Errorf("something changed: -before +after\n%s", diff)
			}
		})
	}
}

// TestCreateRefused has an address that no interface can have, which fails after
// the device was made.
func TestCreateRefused(t *testing.T) {
	n := namespace(t)
	var err error
	n.Do(func() { _, err = tap.Create("agr0", tap.Options{Addr: ether.SlowProtocols}) })
	if err == nil || !strings.HasPrefix(err.Error(), "tap create agr0: SIOCSIFHWADDR: ") {
		t.Errorf("error %v", err)
	}
	if exists(n, "agr0") {
		t.Error("agr0 was left behind")
	}
}

// TestAdopt is a restart: the device stays, with index and address, and loses
// its carrier.
func TestAdopt(t *testing.T) {
	n := namespace(t)
	d := create(t, n, "agr0")
	n.Run("ip", "link", "set", "agr0", "up")
	n.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "agr0")
	if err := errors.Join(d.SetCarrier(true), d.Close()); err != nil {
		t.Fatal(err)
	}
	if l := show(t, n, "agr0"); !strings.Contains(strings.Join(l.Flags, " "), "NO-CARRIER") {
		t.Errorf("without anybody attached the flags are %v", l.Flags)
	}
	again, err := openTap(n, "agr0")
	if err != nil {
		t.Fatal(err)
	}
	if again.Index() != d.Index() || again.Name() != "agr0" {
		t.Errorf("adopted %s, index %d; want agr0, %d", again.Name(), again.Index(), d.Index())
	}
	if l := show(t, n, "agr0"); l.Address != mac.String() || !strings.Contains(strings.Join(l.Flags, " "), "NO-CARRIER") {
		t.Errorf("adopted with address %s and flags %v", l.Address, l.Flags)
	}
	if out := n.Output("ip", "addr", "show", "dev", "agr0"); !strings.Contains(out, "192.0.2.1") {
		t.Errorf("the IPv4 address is gone: %s", out)
	}
	if err := again.Delete(); err != nil {
		t.Fatal(err)
	}
	if exists(n, "agr0") {
		t.Error("Delete left it")
	}
}

func TestOpenFails(t *testing.T) {
	n := namespace(t)
	nettest.Veth(n, "re0", n, "re1")
	n.Run("ip", "tuntap", "add", "tun0", "mode", "tun")
	n.Run("ip", "tuntap", "add", "multi0", "mode", "tap", "multi_queue", "user", "0")
	n.Run("ip", "tuntap", "add", "theirs0", "mode", "tap", "user", "65534")
	inUse := create(t, n, "agr1")
	defer func() { _ = inUse.Delete() }()
	tests := []struct {
		device string
		is     error
	}{
		{"agr0", os.ErrNotExist},
		{"re0", tap.ErrNotOurs},
		{"tun0", tap.ErrNotOurs},
		{"multi0", tap.ErrNotOurs},
		{"theirs0", tap.ErrNotOurs},
		{"agr1", tap.ErrBusy},
	}
	for _, tt := range tests {
		t.Run(tt.device, func(t *testing.T) {
			before := n.Output("ip", "-d", "link", "show")
			if d, err := openTap(n, tt.device); !errors.Is(err, tt.is) {
				t.Errorf("Open = %v, %v; want %v", d, err, tt.is)
			}
			if diff := cmp.Diff(before, n.Output("ip", "-d", "link", "show")); diff != "" {
				t.Errorf("something changed: -before +after\n%s", diff)
			}
		})
	}
}

// TestDeletedByOthers: `ip link delete agr0` ends the reader, and Delete does
// not mind.
func TestDeletedByOthers(t *testing.T) {
	n := namespace(t)
	d := create(t, n, "agr0")
	b := tap.NewBatch(4)
	if err := d.Read(b); !errors.Is(err, tap.ErrWouldBlock) {
		t.Errorf("Read with nothing to read: %v, want ErrWouldBlock", err)
	}
	n.Run("ip", "link", "delete", "agr0")
	if !readable(t, d) {
		t.Error("a reader that waits is not woken")
	}
	if err := d.Read(b); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read: %v, want os.ErrNotExist", err)
	}
	if w := d.Write([][]byte{arpRequest()}); w != (tap.Written{}) {
		t.Errorf("wrote %v to a deleted interface", w)
	}
	if err := d.Delete(); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

// readable waits until poll(2) says that a read would not wait.
func readable(t *testing.T, d *tap.Device) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(d.FD()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 5000)
		if !errors.Is(err, unix.EINTR) {
			return n == 1 && err == nil
		}
	}
}

// arpRequest asks for 192.0.2.1, with an empty virtio_net_hdr in front.
func arpRequest() []byte {
	f := make([]byte, tap.HeaderLen)
	f = append(f, bytes.Repeat([]byte{0xff}, 6)...)
	f = append(f, 0x02, 0xbb, 0, 0, 0, 1, 0x08, 0x06)
	f = append(f, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0xbb, 0, 0, 0, 1, 192, 0, 2, 9)
	return append(f, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1)
}

// TestFrames has the host answer an ARP request, and refuse one while down.
func TestFrames(t *testing.T) {
	n := namespace(t)
	n.Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	d := create(t, n, "agr0")
	defer func() { _ = d.Delete() }()
	req := arpRequest()
	if got := d.Write([][]byte{req, req}); got != (tap.Written{}) {
		t.Errorf("a device that is down took %v", got)
	}
	n.Run("ip", "link", "set", "agr0", "up")
	n.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "agr0")
	if err := d.SetCarrier(true); err != nil {
		t.Fatal(err)
	}
	// The kernel sends nothing before its link watch has seen the carrier.
	nettest.Eventually(t, 5*time.Second, func() error {
		if s := show(t, n, "agr0").State; s != "UP" {
			return errors.New("agr0 is " + s)
		}
		return nil
	})
	want := tap.Written{Frames: 2, Octets: 2 * (len(req) - tap.HeaderLen)}
	runt := []byte{1, 2, 3}
	if got := d.Write([][]byte{req, runt, req}); got != want {
		t.Errorf("wrote %v, want %v", got, want)
	}
	b := tap.NewBatch(8)
	if !readable(t, d) {
		t.Fatal("no answer")
	}
	if err := d.Read(b); err != nil {
		t.Fatal(err)
	}
	f := b.Frames()[0]
	if len(f) < tap.HeaderLen+14 || !bytes.Equal(f[tap.HeaderLen+6:tap.HeaderLen+14], append(mac[:], 0x08, 0x06)) {
		t.Errorf("the answer is % x", f)
	}
	frames := [][]byte{req}
	if allocs := testing.AllocsPerRun(100, func() { d.Write(frames) }); allocs != 0 {
		t.Errorf("%v allocations for a write, want 0", allocs)
	}
}
