package kerneltest

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// Kernel is an ifcfg.Kernel in memory. It is for one goroutine.
type Kernel struct {
	// Log has one line for each change that was asked for, refused ones too.
	Log []string
	// Fail makes the change with that name ("SetMTU") fail.
	Fail map[string]ifcfg.Errno
	// AsNetBSD lets it do what NetBSD's kernel does and Linux's does not:
	// masks with holes, the flags LINK0 to LINK2 on every interface,
	// and a carrier while the interface is down.
	AsNetBSD bool
	// AutoLocal gives an Ethernet interface its inet6 link-local address when
	// it comes up.
	AutoLocal bool
	// NoInet6 is a kernel without inet6.
	NoInet6 bool
	// Make are the cloners: what a new interface of that prefix is like.
	Make map[string]func(unit string) Iface

	ifaces []*Iface
	next   int
}

// Iface is an interface with everything that belongs to it.
type Iface struct {
	ifcfg.Link
	Factory ether.Addr
	Addrs   []ifcfg.Addr
	Extra   []ether.Addr // additional link-layer addresses
	Media   *ifcfg.Media
	Caps    ifcfg.Caps
	Stuck   ifcfg.Cap // able, and yet nothing turns them on
	Port    bool      // of an agr: gets no automatic address
	// NoCarrier is a cable without a far end. Unless the kernel is AsNetBSD,
	// an interface that is down has no carrier either.
	NoCarrier bool
	AltNames  []string // other names that find it

	waiting ifcfg.Cap // turned on, and off until what they need is on
}

var _ ifcfg.Kernel = (*Kernel)(nil)

// Add makes an interface and gives it the next index.
func (k *Kernel) Add(i Iface) *Iface {
	k.next++
	i.Index = k.next
	i.Factory = i.Addr
	i.HasMedia = i.Media != nil
	if i.Class == ifcfg.ClassEthernet && !k.AsNetBSD {
		i.LinkUp = i.Flags&ifcfg.FlagUp != 0 && !i.NoCarrier
	}
	k.ifaces = append(k.ifaces, &i)
	return &i
}

// Named finds an interface for a test to look at or change; nil when there is
// none.
func (k *Kernel) Named(name string) *Iface {
	for _, i := range k.ifaces {
		if i.Name == name || slices.Contains(i.AltNames, name) {
			return i
		}
	}
	return nil
}

func (k *Kernel) at(index int) *Iface {
	for _, i := range k.ifaces {
		if i.Index == index {
			return i
		}
	}
	return nil
}

// change logs a change and finds its interface.
func (k *Kernel) change(call string, index int, format string, a ...any) (*Iface, error) {
	i := k.at(index)
	name := fmt.Sprintf("#%d", index)
	if i != nil {
		name = i.Name
	}
	k.Log = append(k.Log, call+" "+name+" "+fmt.Sprintf(format, a...))
	if err := k.Fail[call]; err != ctl.OK {
		return nil, err
	}
	if i == nil {
		return nil, ctl.ENXIO
	}
	return i, nil
}

// Link implements ifcfg.Links.
func (k *Kernel) Link(name string) (ifcfg.Link, error) {
	if i := k.Named(name); i != nil {
		return i.Link, nil
	}
	return ifcfg.Link{}, ctl.ENXIO
}

// Links implements ifcfg.Links.
func (k *Kernel) Links() ([]ifcfg.Link, error) {
	var all []ifcfg.Link
	for _, i := range k.ifaces {
		all = append(all, i.Link)
	}
	slices.SortFunc(all, func(a, b ifcfg.Link) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}

const linkFlags = ifcfg.FlagLink0 | ifcfg.FlagLink1 | ifcfg.FlagLink2

// SetFlags implements ifcfg.Links.
func (k *Kernel) SetFlags(index int, set, clear ifcfg.Flags) error {
	i, err := k.change("SetFlags", index, "+%#x -%#x", set, clear)
	if err != nil {
		return err
	}
	if set&linkFlags != 0 && !k.AsNetBSD {
		return ctl.EOPNOTSUPP
	}
	wasUp := i.Flags&ifcfg.FlagUp != 0
	i.Flags = i.Flags&^clear | set
	if set&ifcfg.FlagUp != 0 && !wasUp {
		k.comeUp(i)
	}
	if clear&ifcfg.FlagUp != 0 && i.Class == ifcfg.ClassEthernet {
		i.Flags &^= ifcfg.FlagRunning
		i.LinkUp = i.LinkUp && k.AsNetBSD
	}
	return nil
}

func (k *Kernel) comeUp(i *Iface) {
	if i.Class == ifcfg.ClassEthernet {
		i.Flags |= ifcfg.FlagRunning
		i.LinkUp = i.LinkUp || !k.AsNetBSD && !i.NoCarrier
	}
	local := slices.ContainsFunc(i.Addrs, func(a ifcfg.Addr) bool { return a.IP.Is6() && a.IP.IsLinkLocalUnicast() })
	if !k.AutoLocal || local || i.Port || i.Class != ifcfg.ClassEthernet || i.Addr.IsZero() {
		return
	}
	i.Addrs = append(i.Addrs, ifcfg.Addr{
		IP: LinkLocal(i.Addr), Mask: ifcfg.MaskOf(64, 128), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite,
	})
}

// LinkLocal is the automatic inet6 address of an interface (RFC 4291 2.5.1).
func LinkLocal(a ether.Addr) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: a[0] ^ 2, 9: a[1], 10: a[2], 11: 0xff, 12: 0xfe, 13: a[3], 14: a[4], 15: a[5]})
}

// SetMTU implements ifcfg.Links.
func (k *Kernel) SetMTU(index, mtu int) error {
	i, err := k.change("SetMTU", index, "%d", mtu)
	if err != nil {
		return err
	}
	if mtu < 68 || i.bare() || i.MaxMTU != 0 && mtu > i.MaxMTU {
		return ctl.EINVAL
	}
	i.MTU = mtu
	return nil
}

// SetMetric implements ifcfg.Links.
func (k *Kernel) SetMetric(index int, metric int32) error {
	i, err := k.change("SetMetric", index, "%d", metric)
	if err != nil {
		return err
	}
	i.Metric = metric
	return nil
}

// HasFamily implements ifcfg.Addrs.
func (k *Kernel) HasFamily(f ifcfg.Family) bool { return f != ifcfg.Inet6 || !k.NoInet6 }

// Addrs implements ifcfg.Addrs.
func (k *Kernel) Addrs(index int) (map[int][]ifcfg.Addr, error) {
	all := map[int][]ifcfg.Addr{}
	for _, i := range k.ifaces {
		if index == 0 || index == i.Index {
			all[i.Index] = slices.Clone(i.Addrs)
		}
	}
	return all, nil
}

// AddAddr implements ifcfg.Addrs.
func (k *Kernel) AddAddr(index int, a ifcfg.Addr) error {
	n, contiguous := ifcfg.PrefixLen(a.Mask)
	shown := fmt.Sprintf("%s/%d", a.IP, n)
	if !contiguous {
		shown = fmt.Sprintf("%s/%s", a.IP, a.Mask)
	}
	if a.Dst.IsValid() {
		shown += fmt.Sprintf(" -> %s", a.Dst)
	}
	if a.Broadcast.IsValid() {
		shown += fmt.Sprintf(" brd %s", a.Broadcast)
	}
	i, err := k.change("AddAddr", index, "%s", shown)
	switch {
	case err != nil:
		return err
	case !contiguous && !k.AsNetBSD, a.Valid == 0, i.bare():
		return ctl.EINVAL
	case a.Flags&ifcfg.AddrAnycast != 0:
		return ctl.EOPNOTSUPP
	}
	if a.Preferred == 0 {
		a.Flags |= ifcfg.AddrDeprecated
	}
	if n := i.find(a.IP); n >= 0 {
		old := i.Addrs[n]
		if k.AsNetBSD || old.Mask == a.Mask && old.Dst == a.Dst && old.Broadcast == a.Broadcast {
			i.Addrs[n] = a
			return nil
		}
		i.Addrs = slices.Delete(i.Addrs, n, n+1) // Linux has to replace it
	}
	i.Addrs = append(i.Addrs, a)
	return nil
}

// DelAddr implements ifcfg.Addrs.
func (k *Kernel) DelAddr(index int, ip netip.Addr) error {
	i, err := k.change("DelAddr", index, "%s", ip)
	if err != nil {
		return err
	}
	n := i.find(ip)
	if n < 0 {
		return ctl.EADDRNOTAVAIL
	}
	i.Addrs = slices.Delete(i.Addrs, n, n+1)
	return nil
}

func (i *Iface) find(ip netip.Addr) int {
	return slices.IndexFunc(i.Addrs, func(a ifcfg.Addr) bool { return a.IP == ip })
}

// LinkAddrs implements ifcfg.LinkAddrs.
func (k *Kernel) LinkAddrs(index int) (map[int][]ether.Addr, error) {
	all := map[int][]ether.Addr{}
	for _, i := range k.ifaces {
		if index == 0 || index == i.Index {
			all[i.Index] = slices.Clone(i.Extra)
		}
	}
	return all, nil
}

// AddLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) AddLinkAddr(index int, a ether.Addr, active bool) error {
	i, err := k.change("AddLinkAddr", index, "%s active=%v", a, active)
	if err != nil || a == i.Addr {
		return err
	}
	n := slices.Index(i.Extra, a)
	switch {
	case i.bare():
		return ctl.EINVAL
	case active && n >= 0:
		i.Extra = append(slices.Delete(i.Extra, n, n+1), i.Addr)
		i.Addr = a
	case active:
		i.Extra, i.Addr = append(i.Extra, i.Addr), a
	case n < 0:
		i.Extra = append(i.Extra, a)
	}
	return nil
}

// DelLinkAddr implements ifcfg.LinkAddrs.
func (k *Kernel) DelLinkAddr(index int, a ether.Addr) error {
	i, err := k.change("DelLinkAddr", index, "%s", a)
	if err != nil {
		return err
	}
	if a == i.Addr || a == i.Factory {
		return ctl.EBUSY
	}
	n := slices.Index(i.Extra, a)
	if n < 0 {
		return ctl.EADDRNOTAVAIL
	}
	i.Extra = slices.Delete(i.Extra, n, n+1)
	return nil
}

// Cloners implements ifcfg.Cloner.
func (k *Kernel) Cloners() []string { return slices.Sorted(maps.Keys(k.Make)) }
