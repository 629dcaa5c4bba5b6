package linux

import (
	"encoding/binary"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// LinkAddrs implements ifcfg.LinkAddrs: the unicast addresses that the
// interface's own filter lets pass besides its own.
func (k *Kernel) LinkAddrs(index int) (map[int][]ether.Addr, error) {
	ae := netlink.NewAttributeEncoder()
	if index != 0 {
		ae.Uint32(unix.NDA_IFINDEX, uint32(index))
	}
	msgs, err := k.execute(unix.RTM_GETNEIGH, netlink.Dump, ndmsg(0, 0, 0), ae)
	if err != nil {
		return nil, err
	}
	out := map[int][]ether.Addr{}
	for _, m := range msgs {
		i, a, ok := ownEntry(m.Data)
		if !ok || index != 0 && i != index {
			continue
		}
		if l, err := k.at(i); err != nil || a == l.Addr || slices.Contains(out[i], a) {
			continue
		}
		out[i] = append(out[i], a)
	}
	return out, nil
}

// ownEntry reads an entry of an interface's own filter; entries of bridges,
// learnt ones and groups are not of interest.
func ownEntry(b []byte) (index int, a ether.Addr, ok bool) {
	if len(b) < sizeofNdMsg {
		return 0, a, false
	}
	state, flags := binary.NativeEndian.Uint16(b[8:]), b[10]
	ad, err := netlink.NewAttributeDecoder(b[sizeofNdMsg:])
	if err != nil || state&unix.NUD_PERMANENT == 0 || flags&unix.NTF_SELF == 0 {
		return 0, a, false
	}
	for ad.Next() {
		if ad.Type() == unix.NDA_LLADDR {
			a, ok = ether.FromSlice(ad.Bytes())
		}
	}
	return int(binary.NativeEndian.Uint32(b[4:])), a, ok && !a.IsGroup()
}

// AddLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) AddLinkAddr(index int, a ether.Addr, active bool) error {
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
	_, err := k.execute(typ, flags|netlink.Acknowledge, ndmsg(index, unix.NUD_PERMANENT, unix.NTF_SELF), ae)
	return err
}

// DelLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) DelLinkAddr(index int, a ether.Addr) error {
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
