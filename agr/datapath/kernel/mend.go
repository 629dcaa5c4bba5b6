package kernel

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"ifagr/netutil/rtnl"
)

// ErrInnerAway says that the inner end is in another network namespace: nothing
// can be forwarded until it is back.
var ErrInnerAway = errors.New("the inner end was moved to another network namespace")

// Sound reports whether the inner end is what it must be, in a list of all
// interfaces by index. Whether it is up is agrN's carrier, and left to SetCarrier.
func (d *Device) Sound(links map[int]rtnl.Link) bool {
	l, found := links[d.pair.inner.Index]
	return found && d.innerFault(l) == ""
}

// innerFault says what another tool has changed of the inner end; empty: nothing.
func (d *Device) innerFault(l rtnl.Link) string {
	switch {
	case l.Name != d.name+innerSuffix:
		return fmt.Sprintf("%s%s was renamed to %s", d.name, innerSuffix, l.Name)
	case l.MTU != innerMTU:
		return fmt.Sprintf("%s has mtu %d", l.Name, l.MTU)
	case makesAddrs(l):
		return fmt.Sprintf("%s makes addresses", l.Name)
	}
	return ""
}

// Fault says in words what another tool has changed of the inner end; empty:
// nothing. It fails with ErrInnerAway while that is in another network namespace.
func (d *Device) Fault() (string, error) {
	inner, err := d.findInner()
	if err != nil {
		return "", err
	}
	if inner.Index != d.pair.inner.Index {
		return inner.Name + " has another index", nil
	}
	return d.innerFault(inner), nil
}

// findInner reads the inner end, which may have another index than it had.
func (d *Device) findInner() (rtnl.Link, error) {
	outer, err := d.links.LinkByIndex(d.pair.outer.Index)
	if err != nil {
		return rtnl.Link{}, err
	}
	if outer.ParentElsewhere {
		return rtnl.Link{}, ErrInnerAway
	}
	return d.links.LinkByIndex(outer.Parent)
}

// Mend makes the inner end again what it must be.
func (d *Device) Mend() error {
	inner, err := d.findInner()
	if err != nil {
		return err
	}
	if inner.Name != d.name+innerSuffix {
		err = d.links.Rename(inner.Index, d.name+innerSuffix) // EBUSY before Linux 6.2, as it is up
	}
	if inner.Index == d.pair.inner.Index && !makesAddrs(inner) {
		return errors.Join(err, setUpInner(d.links, inner))
	}
	return errors.Join(err, d.equipAgain(inner))
}

// equipAgain is for an inner end that was in another namespace: it has lost its
// settings there, and its filters, and perhaps its index.
func (d *Device) equipAgain(inner rtnl.Link) error {
	old, was, prior := d.out, d.pair.inner, d.prior
	d.pair.inner = inner
	d.prior.ids = append([]ebpf.ProgramID{idOf(old)}, prior.ids...)
	err := d.equip()
	d.prior = prior
	if err == nil {
		return old.Close()
	}
	if d.out != nil && d.out != old {
		err = errors.Join(err, d.out.Close())
	}
	d.out, d.pair.inner = old, was
	return err
}

// makesAddrs reports whether the kernel gives the interface automatic addresses.
func makesAddrs(l rtnl.Link) bool {
	return l.AddrGenMode != rtnl.AddrGenUnknown && l.AddrGenMode != rtnl.AddrGenNone
}
