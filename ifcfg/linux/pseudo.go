package linux

import (
	"cmp"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/rtnl"
)

// A pseudo interface is one of NetBSD's that Linux has only when it stands on
// something (design D8): a vlan with its parent, a tunnel with its ends.
//
//	create -> pending --SetVLAN, SetTunnel--> attached: a device
//	             ^                              |
//	             +------ detached, or the ------+
//	                     parent has gone
//
// While it is pending the soft state is all there is. It has the index that the
// device has: one that the kernel does not give to anybody else.

const (
	// firstMadeUp is the first index of interfaces for which none could be
	// reserved; the kernel's own are far below.
	firstMadeUp = 1 << 30

	gifMTU    = 1280 // gif(4)
	gifMinMTU = 1280
	gifMaxMTU = 8192
	greMTU    = 1476 // gre(4)
	minMTU    = 68   // RFC 791
	maxMTU    = 65535

	pendingFlags = ifcfg.FlagUp | ifcfg.FlagDebug | ifcfg.FlagNoARP
)

// createPseudo remembers a new pending interface.
func (k *Kernel) createPseudo(name string, mtu int) error {
	if err := k.privileged(); err != nil {
		return err
	}
	index, err := reserveIndex(k.rt)
	if err != nil {
		index = k.madeUpIndex()
	}
	return k.update(func(st *softstate.State) {
		st.Put(softstate.Pseudo{Name: name, Index: index, MTU: mtu})
	})
}

// reserveIndex takes the next index of the kernel, which gives indexes in
// ascending order, by making an interface that is gone at once.
func reserveIndex(rt *rtnl.Conn) (int, error) {
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	ifr, err := unix.NewIfreq("ifagr%d")
	if err != nil {
		return 0, err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, ifr); err != nil {
		return 0, err
	}
	l, err := rt.LinkByName(ifr.Name())
	return l.Index, err
}

// madeUpIndex is an index that no interface has.
func (k *Kernel) madeUpIndex() int {
	index := firstMadeUp
	for _, p := range k.remembered().Pseudos {
		index = max(index, p.Index+1)
	}
	return index
}

// pending finds a pending interface by its name, nil when there is none. It is
// for names that the kernel does not know.
func (k *Kernel) pending(name string) *softstate.Pseudo {
	p := k.remembered().Pseudo(name)
	if p == nil || !k.settled(p) {
		return nil
	}
	if l, err := k.rt.LinkByIndex(p.Index); err == nil && l.Name != name {
		p.Index = k.madeUpIndex() // somebody else was given its index
	}
	return p
}

// settled reports whether an interface that is no device is a pending one: a
// vlan whose parent has gone is, and what somebody else has destroyed is not.
func (k *Kernel) settled(p *softstate.Pseudo) bool {
	if !p.Attached {
		return true
	}
	if p.Parent == 0 {
		return false
	}
	if _, err := k.rt.LinkByIndex(p.Parent); !errors.Is(err, rtnl.ErrNotFound) {
		return false
	}
	p.Attached, p.Parent = false, 0
	return true
}

// pendingAt finds a pending interface by its index, nil when there is none.
func (k *Kernel) pendingAt(index int) *softstate.Pseudo {
	p := k.remembered().PseudoAt(index)
	if p == nil || index <= 0 {
		return nil
	}
	if _, err := k.rt.LinkByName(p.Name); !errors.Is(err, rtnl.ErrNotFound) {
		return nil
	}
	return k.pending(p.Name)
}

// changePending changes what is remembered of a pending interface.
func (k *Kernel) changePending(p *softstate.Pseudo, change func(*softstate.Pseudo)) error {
	q := *p
	change(&q)
	return k.update(func(st *softstate.State) { st.Put(q) })
}

// withPending adds the pending interfaces to a list of all others.
func (k *Kernel) withPending(all []ifcfg.Link) []ifcfg.Link {
	if len(k.remembered().Pseudos) == 0 {
		return all
	}
	device := map[string]bool{}
	for i := range all {
		device[all[i].Name] = true
	}
	for _, p := range k.remembered().Pseudos {
		if device[p.Name] {
			continue
		}
		if q := k.pending(p.Name); q != nil {
			all = append(all, pendingLink(q))
		}
	}
	slices.SortStableFunc(all, func(a, b ifcfg.Link) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

// pendingLink describes a pending interface as NetBSD does.
func pendingLink(p *softstate.Pseudo) ifcfg.Link {
	l := ifcfg.Link{
		Index: p.Index, Name: p.Name, MTU: p.MTU, Metric: p.Metric, Description: p.Description,
		Flags: p.Flags & pendingFlags,
	}
	if isVLAN(p) {
		l.Class = ifcfg.ClassVLAN
		l.Flags |= ifcfg.FlagBroadcast | ifcfg.FlagSimplex | ifcfg.FlagMulticast
		return l
	}
	l.Flags |= ifcfg.FlagPointToPt | ifcfg.FlagMulticast
	l.LinkUp = true // a tunnel has no link to lose
	return l
}

func isVLAN(p *softstate.Pseudo) bool { return strings.HasPrefix(p.Name, "vlan") }

// setPendingFlags changes the flags that Linux's device will have as well.
func (k *Kernel) setPendingFlags(p *softstate.Pseudo, set, clear ifcfg.Flags) error {
	return k.changePending(p, func(p *softstate.Pseudo) { p.Flags = (p.Flags&^clear | set) & pendingFlags })
}

// setPendingMTU refuses that of a vlan, which has its parent's.
func (k *Kernel) setPendingMTU(p *softstate.Pseudo, mtu int) error {
	least, most := minMTU, maxMTU
	if strings.HasPrefix(p.Name, "gif") {
		least, most = gifMinMTU, gifMaxMTU
	}
	if isVLAN(p) || mtu < least || mtu > most {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	return k.changePending(p, func(p *softstate.Pseudo) { p.MTU = mtu })
}

// addPendingAddr gives a tunnel an address before it has its ends. A vlan
// without a parent takes none.
func (k *Kernel) addPendingAddr(p *softstate.Pseudo, a ifcfg.Addr) error {
	if isVLAN(p) {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	if _, err := kernelAddr(p.Index, a); err != nil {
		return err
	}
	return k.changePending(p, func(p *softstate.Pseudo) {
		p.Addrs = append(without(p.Addrs, a.IP), a)
		slices.SortStableFunc(p.Addrs, func(a, b ifcfg.Addr) int { return cmp.Compare(a.IP.BitLen(), b.IP.BitLen()) })
	})
}

func (k *Kernel) delPendingAddr(p *softstate.Pseudo, ip netip.Addr) error {
	rest := without(p.Addrs, ip)
	if len(rest) == len(p.Addrs) {
		return ifcfg.ErrnoNamed("EADDRNOTAVAIL")
	}
	return k.changePending(p, func(p *softstate.Pseudo) { p.Addrs = rest })
}

// addPendingAddrs adds the addresses of all pending interfaces.
func (k *Kernel) addPendingAddrs(all map[int][]ifcfg.Addr) {
	for _, p := range k.remembered().Pseudos {
		if q := k.pendingAt(p.Index); q != nil {
			all[q.Index] = q.Addrs
		}
	}
}

// without is a copy of the list that lacks an address.
func without(all []ifcfg.Addr, ip netip.Addr) []ifcfg.Addr {
	return slices.DeleteFunc(slices.Clone(all), func(a ifcfg.Addr) bool { return a.IP == ip })
}
