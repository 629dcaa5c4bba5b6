package linux

import (
	"cmp"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/rtnl"
)

// Addrs implements ifcfg.Addrs.
func (k *Kernel) Addrs(index int) (map[int][]ifcfg.Addr, error) {
	if p := k.pendingAt(index); p != nil {
		return map[int][]ifcfg.Addr{index: p.Addrs}, nil
	}
	all, err := k.rt.Addrs(index, unix.AF_UNSPEC)
	if err != nil {
		return nil, failed(err)
	}
	all = slices.DeleteFunc(all, func(a rtnl.Addr) bool { return !possible(&a) })
	out := map[int][]ifcfg.Addr{}
	for _, a := range inOrder(all) {
		out[a.Index] = append(out[a.Index], addrOf(&a))
	}
	if index == 0 {
		k.addPendingAddrs(out)
	}
	return out, nil
}

// possible reports whether it is an address of inet or inet6. The kernel lists
// other families' addresses with them.
func possible(a *rtnl.Addr) bool {
	known := a.Family == unix.AF_INET && a.IP.Is4() || a.Family == unix.AF_INET6 && a.IP.Is6()
	return known && a.PrefixLen >= 0 && a.PrefixLen <= a.IP.BitLen()
}

// inOrder puts addresses into the order in which they were added, inet before
// inet6. The kernel lists primary inet addresses before secondary ones, and of
// equal inet6 addresses the newest first; the stamps of creation, in
// hundredths of a second, tell, and what has the same stamp stays as listed.
func inOrder(all []rtnl.Addr) []rtnl.Addr {
	v6 := slices.IndexFunc(all, func(a rtnl.Addr) bool { return a.Family == unix.AF_INET6 })
	if v6 >= 0 {
		slices.Reverse(all[v6:])
	}
	slices.SortStableFunc(all, func(a, b rtnl.Addr) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Created, b.Created))
	})
	return all
}

// addrOf describes an address as NetBSD would.
func addrOf(a *rtnl.Addr) ifcfg.Addr {
	out := ifcfg.Addr{
		IP: a.IP, Mask: ifcfg.MaskOf(a.PrefixLen, a.IP.BitLen()), Dst: a.Dest, Broadcast: a.Broadcast,
		Preferred: a.Preferred, Valid: a.Valid,
	}
	if a.Family == unix.AF_INET6 {
		out.Flags = flags6(a)
	}
	return out
}

func flags6(a *rtnl.Addr) ifcfg.AddrFlags {
	var f ifcfg.AddrFlags
	switch {
	case a.Flags&unix.IFA_F_DADFAILED != 0:
		f |= ifcfg.AddrDuplicated // the kernel leaves it tentative as well
	case a.Flags&unix.IFA_F_TENTATIVE != 0:
		f |= ifcfg.AddrTentative
	}
	if a.Flags&unix.IFA_F_DEPRECATED != 0 {
		f |= ifcfg.AddrDeprecated
	}
	if a.Flags&unix.IFA_F_TEMPORARY != 0 {
		f |= ifcfg.AddrTemporary
	}
	if a.Proto == rtnl.ProtoKernelRA {
		f |= ifcfg.AddrAutoconf
	}
	if a.Flags&unix.IFA_F_NODAD != 0 || a.IP.IsLoopback() {
		f |= ifcfg.AddrNoDAD // the kernel knows without a flag that ::1 is its own
	}
	return f
}

// AddAddr implements ifcfg.Addrs. The kernel changes neither the prefix length
// nor the broadcast address nor the far end of an address that is there, so
// that one is replaced; it comes back when its successor is refused.
func (k *Kernel) AddAddr(index int, a ifcfg.Addr) error {
	if p := k.pendingAt(index); p != nil {
		return k.addPendingAddr(p, a)
	}
	want, err := kernelAddr(index, a)
	if err != nil {
		return err
	}
	old, err := k.same(index, a.IP)
	if err != nil {
		return err
	}
	var replaced []rtnl.Addr
	for _, o := range old {
		if o.PrefixLen == want.PrefixLen && o.Dest == want.Dest && o.Broadcast == want.Broadcast {
			continue
		}
		if err := k.remove(o); err != nil {
			return err
		}
		replaced = append(replaced, o)
	}
	if err := k.rt.AddAddr(want); err != nil {
		for _, o := range replaced {
			_ = k.rt.AddAddr(o) // the refusal is what has to be told
		}
		return failed(err)
	}
	return nil
}

// kernelAddr translates an address for the kernel.
func kernelAddr(index int, a ifcfg.Addr) (rtnl.Addr, error) {
	n, contiguous := ifcfg.PrefixLen(a.Mask)
	if !contiguous || a.Valid == 0 {
		return rtnl.Addr{}, ifcfg.ErrnoNamed("EINVAL")
	}
	if a.Flags&ifcfg.AddrAnycast != 0 {
		return rtnl.Addr{}, ifcfg.ErrnoNamed("EOPNOTSUPP")
	}
	out := rtnl.Addr{
		Index: index, IP: a.IP, Dest: a.Dst, Broadcast: a.Broadcast, PrefixLen: n,
		Preferred: a.Preferred, Valid: a.Valid,
	}
	if a.IP.Is4() {
		out.Scope = scopeOf(a.IP)
	}
	return out, nil
}

func scopeOf(ip netip.Addr) uint8 {
	switch {
	case ip.IsLoopback():
		return unix.RT_SCOPE_HOST
	case ip.IsLinkLocalUnicast():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

// same lists the interface's entries for an address: Linux can have several,
// with different prefix lengths.
func (k *Kernel) same(index int, ip netip.Addr) ([]rtnl.Addr, error) {
	family := unix.AF_INET6
	if ip.Is4() {
		family = unix.AF_INET
	}
	all, err := k.rt.Addrs(index, family)
	if err != nil {
		return nil, failed(err)
	}
	awaitNextStamp(all)
	return slices.DeleteFunc(all, func(a rtnl.Addr) bool { return a.IP != ip }), nil
}

// remove takes one entry away, and no other one.
func (k *Kernel) remove(a rtnl.Addr) error {
	if a.IP.Is4() {
		k.keepSecondaries(a.Index)
	}
	return failed(k.rt.DelAddr(a))
}

// DelAddr implements ifcfg.Addrs.
func (k *Kernel) DelAddr(index int, ip netip.Addr) error {
	if p := k.pendingAt(index); p != nil {
		return k.delPendingAddr(p, ip)
	}
	old, err := k.same(index, ip)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		return ifcfg.ErrnoNamed("EADDRNOTAVAIL")
	}
	for _, o := range old {
		if err := k.remove(o); err != nil {
			return err
		}
	}
	return nil
}

// keepingAddrs takes an interface down in such a way that it keeps its inet6
// addresses, as NetBSD's does. The kernel keeps those without lifetime that are
// not link-local; of the others those come back that somebody gave it. What the
// kernel made itself it makes again when the interface comes up.
func (k *Kernel) keepingAddrs(index int, down func() error) error {
	k.sysctl(index, "ipv6", "keep_addr_on_down", "1")
	before, err := k.rt.Addrs(index, unix.AF_INET6)
	if err != nil {
		return failed(err)
	}
	if err := down(); err != nil {
		return failed(err)
	}
	after, err := k.rt.Addrs(index, unix.AF_INET6)
	if err != nil {
		return failed(err)
	}
	for _, a := range inOrder(before) {
		kept := slices.ContainsFunc(after, func(b rtnl.Addr) bool { return a.IP == b.IP })
		if kept || byKernel(&a) {
			continue
		}
		a.Flags = 0
		_ = k.rt.AddAddr(a) // the interface is down, which was asked for
	}
	return nil
}

// protoKernelLL is the Proto of an automatic link-local address; the kernel's
// other addresses have smaller ones.
const protoKernelLL = 3
