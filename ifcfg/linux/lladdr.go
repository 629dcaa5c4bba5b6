package linux

import (
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// LinkAddrs implements ifcfg.LinkAddrs: the unicast addresses that the
// interface's own filter lets pass besides its own.
func (k *Kernel) LinkAddrs(index int) (map[int][]ether.Addr, error) {
	if k.pendingAt(index) != nil {
		return nil, nil
	}
	if index != 0 {
		if l, err := k.at(index); err == nil && filtersNothing(&l) {
			return nil, nil
		}
	}
	all, err := k.rt.FilterAddrs(index)
	if err != nil {
		return nil, failed(err)
	}
	out := map[int][]ether.Addr{}
	for _, f := range all {
		if l, err := k.at(f.Index); err != nil || f.Addr == l.Addr || slices.Contains(out[f.Index], f.Addr) {
			continue
		}
		out[f.Index] = append(out[f.Index], f.Addr)
	}
	return out, nil
}

// filtersNothing reports an interface that can have no address besides its
// own. What has no filter receives everything when it has such an address, and
// counts that as promiscuous while it is up; of these kinds it is known that
// they have none. To ask for the addresses themselves makes the kernel look at
// all interfaces.
func filtersNothing(l *rtnl.Link) bool {
	return (l.Kind == "veth" || l.Kind == "tun") && l.Up() && l.Promiscuity == 0
}

// AddLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) AddLinkAddr(index int, a ether.Addr, active bool) error {
	if k.pendingAt(index) != nil {
		return ifcfg.ErrnoNamed("EINVAL")
	}
	delete(k.links, index)
	l, err := k.at(index)
	if err != nil || a == l.Addr {
		return err
	}
	if !active {
		return k.addEntry(index, a)
	}
	if err := k.activate(index, a, l.Up()); err != nil {
		return err
	}
	delete(k.links, index)
	k.rekey(&l)
	_ = k.delEntry(index, a) // it need not have been there
	// The former address stays as long as the driver can filter more than one.
	if err := k.addEntry(index, l.Addr); err != nil && !is(err, unix.EOPNOTSUPP) {
		return err
	}
	return nil
}

// activate makes an address the interface's. Some drivers want the interface
// down for that.
func (k *Kernel) activate(index int, a ether.Addr, up bool) error {
	err := k.rt.SetAddr(index, a)
	if !up || !is(err, unix.EBUSY) {
		return failed(err)
	}
	if err := k.keepingAddrs(index, func() error { return k.rt.SetDown(index) }); err != nil {
		return err
	}
	err = k.rt.SetAddr(index, a)
	if upErr := k.rt.SetUp(index); err == nil {
		err = upErr
	}
	return failed(err)
}

func (k *Kernel) addEntry(index int, a ether.Addr) error {
	err := k.entry(unix.RTM_NEWNEIGH, netlink.Create|netlink.Excl, index, a)
	if is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (k *Kernel) delEntry(index int, a ether.Addr) error {
	err := k.entry(unix.RTM_DELNEIGH, 0, index, a)
	if is(err, unix.ENOENT) {
		return ifcfg.ErrnoNamed("EADDRNOTAVAIL")
	}
	return err
}

func (k *Kernel) entry(typ uint16, flags netlink.HeaderFlags, index int, a ether.Addr) error {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.NDA_LLADDR, a[:])
	delete(k.links, index) // its promiscuity follows
	_, err := k.execute(typ, flags|netlink.Acknowledge, ndmsg(index, unix.NUD_PERMANENT, unix.NTF_SELF), ae)
	return err
}

// DelLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) DelLinkAddr(index int, a ether.Addr) error {
	if k.pendingAt(index) != nil {
		return ifcfg.ErrnoNamed("EADDRNOTAVAIL")
	}
	delete(k.links, index)
	l, err := k.at(index)
	if err != nil {
		return err
	}
	if a == l.Addr || a == l.PermAddr {
		return ifcfg.ErrnoNamed("EBUSY")
	}
	return k.delEntry(index, a)
}
