package linux

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/softstate"
	"ifagr/netutil/rtnl"
)

// soft is what is remembered beside the kernel: nothing until it is asked for.
type soft struct {
	dirs  []string
	store *softstate.Store
	state *softstate.State
	known map[int]*softstate.Interface // by index
}

// remembered reads the soft state once.
func (k *Kernel) remembered() *softstate.State {
	if k.soft.state == nil {
		var st softstate.State
		if store, err := k.softStore(); err == nil {
			st = store.Load()
		}
		k.soft.set(st)
	}
	return k.soft.state
}

func (s *soft) set(st softstate.State) {
	s.state, s.known = &st, map[int]*softstate.Interface{}
	for i := range st.Interfaces {
		s.known[st.Interfaces[i].Index] = &st.Interfaces[i]
	}
}

func (k *Kernel) softStore() (*softstate.Store, error) {
	if k.soft.store == nil {
		cookie, err := k.rt.NetnsCookie()
		if err != nil {
			return nil, failed(err)
		}
		k.soft.store = softstate.Open(cookie, k.soft.dirs...)
	}
	return k.soft.store, nil
}

// update changes the soft state, which needs the privilege to change an
// interface.
func (k *Kernel) update(change func(*softstate.State)) error {
	if err := k.privileged(); err != nil {
		return err
	}
	store, err := k.softStore()
	if err != nil {
		return err
	}
	st, err := store.Update(change)
	if err != nil {
		return failed(err)
	}
	k.soft.set(st)
	return nil
}

// privileged is EPERM for who may not change interfaces here: the kernel looks
// at that before it looks at a change, and this one changes nothing.
func (k *Kernel) privileged() error {
	const loopback = 1 // index of every namespace's first interface
	header := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(header[4:], loopback)
	_, err := k.execute(unix.RTM_SETLINK, netlink.Acknowledge, header, netlink.NewAttributeEncoder())
	if is(err, unix.EPERM) {
		return err
	}
	return nil
}

// keyOf tells an interface from one that comes to have its index and name. Of a
// virtual one only the address tells, unless that is other interfaces' or
// agrd's to choose.
func keyOf(l *rtnl.Link) softstate.Key {
	id := l.PermAddr
	if id.IsZero() && l.Kind != "bridge" && l.Kind != "vlan" && !agrName(l.Name) {
		id = l.Addr
	}
	return softstate.Key{Index: l.Index, Name: l.Name, Identity: fmt.Sprintf("%s %d %s", l.Kind, l.Type, id)}
}

// agrName reports an interface of agrd's.
func agrName(name string) bool {
	unit, ok := strings.CutPrefix(name, "agr")
	return ok && unit != "" && strings.Trim(unit, "0123456789") == ""
}

// describe is linkOf with what is remembered.
func (k *Kernel) describe(l *rtnl.Link) ifcfg.Link {
	out := linkOf(l)
	out.VLAN = k.vlanOf(l)
	st := k.remembered()
	if e := k.soft.known[l.Index]; e != nil && e.Key == keyOf(l) {
		out.Metric = e.Metric
		if e.Baseline != nil {
			out.Counters = since(out.Counters, *e.Baseline)
		}
	}
	if p := st.Pseudo(l.Name); p != nil && p.Attached && p.Index == l.Index {
		out.Metric = p.Metric
		out.Tunnel = withPorts(out.Tunnel, p.Ports)
	}
	return out
}

// since is what counters have counted after they were at base. Counters that
// are behind it began again by themselves, or are another interface's.
func since(c, base ifcfg.Counters) ifcfg.Counters {
	out := c
	was := each(&base)
	for i, n := range each(&out) {
		if *n < *was[i] {
			return c
		}
		*n -= *was[i]
	}
	return out
}

func each(c *ifcfg.Counters) []*uint64 {
	return []*uint64{
		&c.InPackets, &c.InBytes, &c.InMulticasts, &c.InErrors, &c.InDrops, &c.InUnknown,
		&c.OutPackets, &c.OutBytes, &c.OutMulticasts, &c.OutErrors, &c.Collisions,
	}
}

// ZeroCounters implements ifcfg.Driver. Linux cannot, so the values that were
// read last are subtracted from now on.
func (k *Kernel) ZeroCounters(indexes ...int) error {
	base := map[softstate.Key]ifcfg.Counters{}
	for _, index := range indexes {
		if k.pendingAt(index) != nil {
			continue // it has never counted
		}
		l, err := k.at(index)
		if err != nil {
			return err
		}
		base[keyOf(&l)] = countersOf(&l)
	}
	return k.update(func(st *softstate.State) {
		for key, c := range base {
			st.Remember(key).Baseline = &c
		}
	})
}

// SetMetric implements ifcfg.Links: Linux has metrics on routes only.
func (k *Kernel) SetMetric(index int, metric int32) error {
	if p := k.pendingAt(index); p != nil {
		return k.changePending(p, func(p *softstate.Pseudo) { p.Metric = metric })
	}
	l, err := k.at(index)
	if err != nil {
		return err
	}
	return k.update(func(st *softstate.State) {
		if p := st.Pseudo(l.Name); p != nil && p.Attached && p.Index == l.Index {
			p.Metric = metric
			return
		}
		st.Remember(keyOf(&l)).Metric = metric
	})
}

// rekey keeps what is remembered of an interface that we gave another address.
func (k *Kernel) rekey(before *rtnl.Link) {
	old := keyOf(before)
	if k.remembered(); k.soft.known[old.Index] == nil {
		return
	}
	after, err := k.rt.LinkByIndex(before.Index)
	if err != nil {
		return
	}
	// Without the soft state only the metric and the counters are others.
	_ = k.update(func(st *softstate.State) {
		if e := st.Interface(old); e != nil {
			e.Key = keyOf(&after)
		}
	})
}
