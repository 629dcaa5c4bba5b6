package linux

import (
	"errors"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/eth"
	"ifagr/netutil/rtnl"
)

// Kernel is an ifcfg.Kernel. It is for one goroutine.
type Kernel struct {
	rt    *rtnl.Conn
	raw   *netlink.Conn     // for what rtnl has no words for; nil until it is needed
	tool  *eth.Tool         // nil until it is needed
	links map[int]rtnl.Link // by index, as last seen
	soft  soft
}

var _ ifcfg.Kernel = (*Kernel)(nil)

// Open connects to the kernel in the network namespace of the calling thread.
func Open() (*Kernel, error) { return OpenWith(softstate.Directories()...) }

// OpenWith is Open with other directories for the soft state.
func OpenWith(dirs ...string) (*Kernel, error) {
	rt, err := rtnl.Open()
	if err != nil {
		return nil, failed(err)
	}
	return &Kernel{rt: rt, links: map[int]rtnl.Link{}, soft: soft{dirs: dirs}}, nil
}

// Close ends the connections.
func (k *Kernel) Close() error {
	errs := []error{k.rt.Close()}
	if k.raw != nil {
		errs = append(errs, k.raw.Close())
	}
	if k.tool != nil {
		errs = append(errs, k.tool.Close())
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
	if errors.Is(err, rtnl.ErrNotFound) {
		if p := k.pending(name); p != nil {
			return pendingLink(p), nil
		}
	}
	if err != nil {
		return ifcfg.Link{}, failed(err)
	}
	k.links[l.Index] = l
	out := k.describe(&l)
	out.HasVLAN = vlanParents()[l.Name]
	return out, nil
}

// Links implements ifcfg.Links.
func (k *Kernel) Links() ([]ifcfg.Link, error) {
	all, err := k.rt.Links()
	if err != nil {
		return nil, failed(err)
	}
	for i := range all {
		k.links[all[i].Index] = all[i]
	}
	parents := vlanParents()
	out := make([]ifcfg.Link, len(all))
	for i := range all {
		out[i] = k.describe(&all[i])
		out[i].HasVLAN = parents[all[i].Name]
	}
	return k.withPending(out), nil
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
		HasMedia: hardware(l), Description: l.Alias,
		Inner:    inner(l),
		Counters: countersOf(l),
		Tunnel:   tunnelOf(l),
	}
	out.Flags = flagsOf(l, out.Class)
	return out
}

func countersOf(l *rtnl.Link) ifcfg.Counters {
	return ifcfg.Counters{
		InPackets: l.Stats.RxPackets, InBytes: l.Stats.RxBytes, InMulticasts: l.Stats.Multicast,
		InErrors: l.Stats.RxErrors, InDrops: l.Stats.RxDropped, InUnknown: l.Stats.RxNoHandler,
		OutPackets: l.Stats.TxPackets, OutBytes: l.Stats.TxBytes, OutErrors: l.Stats.TxErrors,
		Collisions: l.Stats.Collisions,
	}
}

func classOf(l *rtnl.Link) ifcfg.Class {
	switch {
	case l.Type == unix.ARPHRD_LOOPBACK || furtherLoopback(l):
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
	if l.Up() {
		f |= ifcfg.FlagRunning
	}
	switch {
	case furtherLoopback(l):
		f = f&^(ifcfg.FlagBroadcast|ifcfg.FlagNoARP) | ifcfg.FlagLoopback | ifcfg.FlagRunning | ifcfg.FlagMulticast
	case c == ifcfg.ClassLoopback:
		f |= ifcfg.FlagRunning
	case c == ifcfg.ClassVLAN: // it runs while it is attached
		f |= ifcfg.FlagSimplex | ifcfg.FlagRunning
	case c == ifcfg.ClassEthernet:
		f |= ifcfg.FlagSimplex
	case l.Tunnel != nil:
		f = f&^ifcfg.FlagNoARP | ifcfg.FlagPointToPt | ifcfg.FlagMulticast | ifcfg.FlagRunning
	}
	return f
}

// furtherLoopback reports lo1 and the like, which Linux only has as interfaces
// that lead nowhere.
func furtherLoopback(l *rtnl.Link) bool {
	unit, ok := strings.CutPrefix(l.Name, "lo")
	return ok && l.Kind == "dummy" && unit != "" && strings.Trim(unit, "0123456789") == ""
}

// inner reports what belongs to agrN's kernel datapath: agrNp, the end of its
// pair that carries its frames, and agrNh, which holds frames back.
func inner(l *rtnl.Link) bool {
	suffix := map[string]string{"veth": "p", "tun": "h"}[l.Kind]
	unit, ours := strings.CutPrefix(l.Name, "agr")
	unit, ends := strings.CutSuffix(unit, suffix)
	return suffix != "" && ours && ends && unit != "" && strings.Trim(unit, "0123456789") == ""
}

const linkFlags = ifcfg.FlagLink0 | ifcfg.FlagLink1 | ifcfg.FlagLink2

// SetFlags implements ifcfg.Links.
func (k *Kernel) SetFlags(index int, set, clear ifcfg.Flags) error {
	if set&linkFlags != 0 {
		return ifcfg.ErrnoNamed("EOPNOTSUPP")
	}
	clear &^= linkFlags
	if p := k.pendingAt(index); p != nil {
		return k.setPendingFlags(p, set, clear)
	}
	if clear&ifcfg.FlagUp == 0 {
		return failed(k.rt.SetFlags(index, kernelFlags(set), kernelFlags(set|clear)))
	}
	return k.keepingAddrs(index, func() error {
		return k.rt.SetFlags(index, kernelFlags(set), kernelFlags(set|clear))
	})
}

// SetDescription implements ifcfg.Links.
func (k *Kernel) SetDescription(index int, text string) error {
	if p := k.pendingAt(index); p != nil {
		return k.changePending(p, func(p *softstate.Pseudo) { p.Description = text })
	}
	return failed(k.rt.SetAlias(index, text))
}

// SetMTU implements ifcfg.Links.
func (k *Kernel) SetMTU(index, mtu int) error {
	if p := k.pendingAt(index); p != nil {
		return k.setPendingMTU(p, mtu)
	}
	return failed(k.rt.SetMTU(index, mtu))
}
