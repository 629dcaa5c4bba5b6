package linux

import (
	"errors"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
	"ifagr/netutil/rtnl"
)

// Kernel is an ifcfg.Kernel. It is for one goroutine.
type Kernel struct {
	rt    *rtnl.Conn
	raw   *netlink.Conn     // for what rtnl has no words for; nil until it is needed
	eth   *eth.Conn         // nil until it is needed
	links map[int]rtnl.Link // by index, as last seen
}

var _ ifcfg.Kernel = (*Kernel)(nil)

// Open connects to the kernel in the network namespace of the calling thread.
func Open() (*Kernel, error) {
	rt, err := rtnl.Open()
	if err != nil {
		return nil, failed(err)
	}
	return &Kernel{rt: rt, links: map[int]rtnl.Link{}}, nil
}

// Close ends the connections.
func (k *Kernel) Close() error {
	errs := []error{k.rt.Close()}
	if k.raw != nil {
		errs = append(errs, k.raw.Close())
	}
	if k.eth != nil {
		errs = append(errs, k.eth.Close())
	}
	return errors.Join(errs...)
}

// Link implements ifcfg.Links. NetBSD's name of the first loopback interface
// finds Linux's, unless another interface has it.
func (k *Kernel) Link(name string) (ifcfg.Link, error) {
	l, err := k.rt.LinkByName(name)
	if errors.Is(err, rtnl.ErrNotFound) && name == "lo0" {
		l, err = k.rt.LinkByName("lo")
	}
	if err != nil {
		return ifcfg.Link{}, failed(err)
	}
	k.links[l.Index] = l
	return linkOf(&l), nil
}

// Links implements ifcfg.Links.
func (k *Kernel) Links() ([]ifcfg.Link, error) {
	all, err := k.rt.Links()
	if err != nil {
		return nil, failed(err)
	}
	out := make([]ifcfg.Link, len(all))
	for i := range all {
		k.links[all[i].Index] = all[i]
		out[i] = linkOf(&all[i])
	}
	return out, nil
}

// at gives an interface as it was last seen, or looks.
func (k *Kernel) at(index int) (rtnl.Link, error) {
	if l, ok := k.links[index]; ok {
		return l, nil
	}
	l, err := k.rt.LinkByIndex(index)
	if err != nil {
		return rtnl.Link{}, failed(err)
	}
	k.links[index] = l
	return l, nil
}

// linkOf describes a Linux interface as NetBSD would.
func linkOf(l *rtnl.Link) ifcfg.Link {
	out := ifcfg.Link{
		Index: l.Index, Name: l.Name, Class: classOf(l), MTU: l.MTU, MaxMTU: l.MaxMTU,
		Addr:     l.Addr,
		LinkUp:   l.Up() && l.Carrier && (l.OperState == rtnl.OperUp || l.OperState == rtnl.OperUnknown),
		HasMedia: l.Kind == "" && l.Type == unix.ARPHRD_ETHER,
		Inner:    l.Kind == "veth" && innerName(l.Name),
		Counters: ifcfg.Counters{
			InPackets: l.Stats.RxPackets, InBytes: l.Stats.RxBytes, InMulticasts: l.Stats.Multicast,
			InErrors: l.Stats.RxErrors, InDrops: l.Stats.RxDropped, InUnknown: l.Stats.RxNoHandler,
			OutPackets: l.Stats.TxPackets, OutBytes: l.Stats.TxBytes, OutErrors: l.Stats.TxErrors,
			Collisions: l.Stats.Collisions,
		},
	}
	out.Flags = flagsOf(l, out.Class)
	return out
}

func classOf(l *rtnl.Link) ifcfg.Class {
	switch {
	case l.Type == unix.ARPHRD_LOOPBACK:
		return ifcfg.ClassLoopback
	case l.Type != unix.ARPHRD_ETHER:
		return ifcfg.ClassOther
	case l.Kind == "bridge":
		return ifcfg.ClassBridge
	case l.Kind == "vlan":
		return ifcfg.ClassVLAN
	}
	return ifcfg.ClassEthernet
}

// sameFlags are the flags with the same bit and meaning on both systems.
const sameFlags = ifcfg.FlagUp | ifcfg.FlagBroadcast | ifcfg.FlagDebug | ifcfg.FlagLoopback | ifcfg.FlagPointToPt |
	ifcfg.FlagNoARP | ifcfg.FlagPromisc | ifcfg.FlagAllMulti

// flagsOf translates the flags. NetBSD's RUNNING says that the driver is at
// work, with or without carrier; Linux's says something else.
func flagsOf(l *rtnl.Link, c ifcfg.Class) ifcfg.Flags {
	f := ifcfg.Flags(l.Flags) & sameFlags
	if l.Flags&unix.IFF_MULTICAST != 0 {
		f |= ifcfg.FlagMulticast
	}
	if l.Up() || c == ifcfg.ClassLoopback {
		f |= ifcfg.FlagRunning
	}
	if c == ifcfg.ClassEthernet || c == ifcfg.ClassVLAN {
		f |= ifcfg.FlagSimplex
	}
	return f
}

// innerName reports agrNp, the end of agrN's pair that carries its frames.
func innerName(name string) bool {
	unit, ok := strings.CutPrefix(name, "agr")
	unit, inner := strings.CutSuffix(unit, "p")
	return ok && inner && unit != "" && strings.Trim(unit, "0123456789") == ""
}

const linkFlags = ifcfg.FlagLink0 | ifcfg.FlagLink1 | ifcfg.FlagLink2

// SetFlags implements ifcfg.Links.
func (k *Kernel) SetFlags(index int, set, clear ifcfg.Flags) error {
	if set&linkFlags != 0 {
		return ifcfg.ErrnoNamed("EOPNOTSUPP")
	}
	clear &^= linkFlags
	if clear&ifcfg.FlagUp == 0 {
		return failed(k.rt.SetFlags(index, uint32(set), uint32(set|clear)))
	}
	return k.keepingAddrs(index, func() error {
		return k.rt.SetFlags(index, uint32(set), uint32(set|clear))
	})
}

// SetMTU implements ifcfg.Links.
func (k *Kernel) SetMTU(index, mtu int) error { return failed(k.rt.SetMTU(index, mtu)) }

// SetMetric implements ifcfg.Links: Linux has metrics on routes only.
func (k *Kernel) SetMetric(_ int, metric int32) error {
	if metric != 0 {
		return ifcfg.ErrnoNamed("EOPNOTSUPP")
	}
	return nil
}

// ZeroCounters implements ifcfg.Driver: Linux cannot.
func (k *Kernel) ZeroCounters(int) error { return ifcfg.ErrnoNamed("EOPNOTSUPP") }
