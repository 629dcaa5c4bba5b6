package linux

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/rtnl"
)

// cloner is how the interfaces of one name are made.
type cloner struct {
	kind string // Linux's
	tun  uint16 // IFF_TUN or IFF_TAP, for kind "tun"
}

// cloners lists them by NetBSD's names.
func cloners() map[string]cloner {
	return map[string]cloner{
		"bridge": {kind: "bridge"},
		"lo":     {kind: "dummy"},
		"tap":    {kind: "tun", tun: unix.IFF_TAP},
		"tun":    {kind: "tun", tun: unix.IFF_TUN},
		"vether": {kind: "dummy"},
		"wg":     {kind: "wireguard"},
	}
}

// Cloners implements ifcfg.Cloner.
func (k *Kernel) Cloners() []string { return slices.Sorted(maps.Keys(cloners())) }

func clonerOf(name string) (cloner, bool) {
	c, ok := cloners()[strings.TrimRight(name, "0123456789")]
	return c, ok
}

// Create implements ifcfg.Cloner. A kind that this kernel was built without is
// a name that means nothing.
func (k *Kernel) Create(name string) error {
	c, ok := clonerOf(name)
	if !ok {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	if c.kind == "tun" {
		return createTun(name, c.tun)
	}
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, name)
	ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.IFLA_INFO_KIND, c.kind)
		return nil
	})
	_, err := k.execute(unix.RTM_NEWLINK, netlink.Create|netlink.Excl|netlink.Acknowledge, make([]byte, unix.SizeofIfInfomsg), ae)
	if is(err, unix.EOPNOTSUPP) {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	return err
}

// createTun makes a TUN or TAP device that outlives this process.
func createTun(name string, mode uint16) error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if is(err, unix.EACCES) {
		return ifcfg.ErrnoNamed("EPERM") // the file's mode says what the kernel would
	}
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return failed(err)
	}
	ifr.SetUint16(mode | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
	err = unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, ifr)
	if is(err, unix.EBUSY) {
		return ifcfg.ErrnoNamed("EEXIST") // an interface of that name
	}
	if err != nil {
		return failed(err)
	}
	return failed(unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 1))
}

// Destroy implements ifcfg.Cloner. An interface that only has a clone's name,
// and is something else, is left alone.
func (k *Kernel) Destroy(name string) error {
	link, err := k.Link(name)
	if err != nil {
		return err
	}
	if link.Class == ifcfg.ClassLoopback {
		return ifcfg.ErrnoNamed("EPERM")
	}
	c, ok := clonerOf(name)
	l := k.links[link.Index]
	if !ok || !made(&l, c) {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	return failed(k.rt.DelLink(l.Index))
}

func made(l *rtnl.Link, c cloner) bool {
	if l.Kind != c.kind {
		return false
	}
	return l.Tun == nil || l.Tun.TAP == (c.tun == unix.IFF_TAP)
}
