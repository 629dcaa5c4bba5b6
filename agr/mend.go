package agr

import (
	"time"

	"ifagr/netutil/rtnl"
)

// mender is a device that has more interfaces than agrN, which other tools can
// change as well.
type mender interface {
	// Sound reports whether they are as they must be, in a list of all interfaces
	// by index. The list may be old.
	Sound(links map[int]rtnl.Link) bool
	// Fault reads them, and says in words what another tool has changed; empty:
	// nothing. It fails where that is beyond repair for now.
	Fault() (string, error)
	// Mend puts it back.
	Mend() error
}

// mend puts back what another tool changed of agrN's interfaces and is not an
// administrator's to change: agrN's name, and what a device has besides. That
// happens at most three times a minute; after that it is shown as a conflict.
func (a *aggregate) mend(dev rtnl.Link, v *view) {
	fault, repair := a.fault(dev, v)
	switch {
	case fault == "":
		a.conflict = ""
		return
	case repair != nil && a.reverts.allow(time.Now()):
		a.log.Warn("another tool changed the interface; put back", "agr", a.name, "found", fault)
		err := repair()
		if err == nil {
			a.conflict = ""
			return
		}
		a.log.Error("interface not put back", "agr", a.name, "found", fault, "err", err)
	case a.conflict != fault:
		a.log.Error("another tool has changed the interface; it is left alone now", "agr", a.name, "found", fault)
	}
	a.conflict = fault
}

// fault says what is not as it must be, and how it can be put back, if it can.
func (a *aggregate) fault(dev rtnl.Link, v *view) (string, func() error) {
	if dev.Name != a.name {
		return a.name + " was renamed to " + dev.Name, func() error { return a.os.Rename(dev.Index, a.name) }
	}
	m, ok := a.dev.(mender)
	if !ok || m.Sound(v.links) {
		return "", nil
	}
	fault, err := m.Fault()
	if err != nil {
		return err.Error(), nil
	}
	return fault, m.Mend
}

// maxAbsent bounds how many absent ports are remembered.
const maxAbsent = 64

// miss remembers a port whose interface went. If it was not deleted but moved to
// another network namespace it may come back, and still has what it was given.
func (a *aggregate) miss(p *port) {
	if len(a.absent) == maxAbsent {
		a.absent = a.absent[1:]
	}
	gone := portOf(p.record())
	gone.mac = p.mac
	a.absent = append(a.absent, gone)
}

// welcome gives ports that were in another network namespace, and have come back,
// what they had. One is known by its name and by the address that it was given.
func (a *aggregate) welcome(v *view) {
	for i := len(a.absent) - 1; i >= 0; i-- {
		p := a.absent[i]
		for _, l := range v.links {
			if l.Name != p.name {
				continue
			}
			a.absent = append(a.absent[:i:i], a.absent[i+1:]...)
			if l.Addr == p.mac && a.ledger.owner(l.Index) == "" {
				p.index = l.Index
				a.log.Info("a port that was elsewhere is back; it gets back what it had", "agr", a.name, "port", p.name)
				a.giveBack(p)
			}
			break
		}
	}
}
