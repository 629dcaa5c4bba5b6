package linux

import (
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/rtnl"
)

// cloner is how the interfaces of one name are made.
type cloner struct {
	kind   string // Linux's
	kind6  string // of a tunnel through inet6, whose kind is that through inet
	tun    uint16 // IFF_TUN or IFF_TAP, for kind "tun"
	mtu    int    // that it begins with; 0 = what the kernel chooses
	pseudo bool   // begins without a device
}

// loMTU is the MTU of NetBSD's loopback interfaces (lo(4)).
const loMTU = 33624

// cloners lists them by NetBSD's names.
func cloners() map[string]cloner {
	return map[string]cloner{
		"bridge": {kind: "bridge"},
		"gif":    {kind: "sit", kind6: "ip6tnl", mtu: gifMTU, pseudo: true},
		"gre":    {kind: "gre", kind6: "ip6gre", mtu: greMTU, pseudo: true},
		"lo":     {kind: "dummy", mtu: loMTU},
		"tap":    {kind: "tun", tun: unix.IFF_TAP},
		"tun":    {kind: "tun", tun: unix.IFF_TUN},
		"vether": {kind: "dummy"},
		"vlan":   {kind: "vlan", pseudo: true},
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
	switch {
	case !ok:
		return ifcfg.ErrnoNamed("EINVAL")
	case c.pseudo:
		return k.createPseudo(name, c.mtu)
	case c.kind == "tun":
		return createTun(name, c.tun)
	}
	err := k.rt.AddLink(c.device(name))
	if is(err, unix.EOPNOTSUPP) {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	return failed(err)
}

// device is the interface that the kernel makes.
func (c cloner) device(name string) rtnl.NewLink {
	return rtnl.NewLink{Name: name, Kind: c.kind, MTU: c.mtu}
}

const tunDevice = "/dev/net/tun"

// createTun makes a TUN or TAP device that outlives this process.
func createTun(name string, mode uint16) error {
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
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
	if p := k.pendingAt(link.Index); p != nil {
		return k.update(func(st *softstate.State) { st.Drop(name) })
	}
	l := k.links[link.Index]
	if l.Type == unix.ARPHRD_LOOPBACK {
		return ifcfg.ErrnoNamed("EPERM")
	}
	c, ok := clonerOf(name)
	if !ok || !made(&l, c) {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	if err := k.rt.DelLink(l.Index); err != nil {
		return failed(err)
	}
	delete(k.links, l.Index)
	k.forget(name, l.Index)
	return nil
}

// forget drops what is remembered of an interface that was destroyed.
func (k *Kernel) forget(name string, index int) {
	if st := k.remembered(); st.Pseudo(name) == nil && k.soft.known[index] == nil {
		return
	}
	_ = k.update(func(st *softstate.State) { // what is left is not believed
		st.Drop(name)
		st.Forget(index)
	})
}

func made(l *rtnl.Link, c cloner) bool {
	if l.Kind != c.kind && (c.kind6 == "" || l.Kind != c.kind6) {
		return false
	}
	return l.Tun == nil || l.Tun.TAP == (c.tun == unix.IFF_TAP)
}
