package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

// Priors are the numbers of the programs of predecessors that may still be somewhere, as
// far as they were written down in the alias of the inner end, and the indexes of the
// interfaces where this device sees to them itself: the inner end and its ports.
func (d *Device) Priors() (programs []uint32, own []int) {
	for _, id := range d.prior.ids {
		programs = append(programs, uint32(id))
	}
	own = append(own, d.pair.inner.Index)
	for _, p := range d.ports {
		own = append(own, p.Index)
	}
	return programs, own
}

// Swept says which programs of predecessors a Sweep has found where they stay. The
// others need not be remembered any more.
func (d *Device) Swept(still map[uint32]bool) {
	if d.late {
		return // they act, and are found when they do not any more
	}
	d.prior.ids = slices.DeleteFunc(d.prior.ids, func(id ebpf.ProgramID) bool { return !still[uint32(id)] })
	d.note()
}

// Sweep takes programs with these numbers, of which several devices may have told, away
// from every interface but those to keep, by index, and tells which of them are still
// somewhere. With gone, it does so with what is known by its name as well, where names
// may be read: programs of this aggregate's, and those of aggregates that have gone. That
// costs more where there are many interfaces.
func (d *Device) Sweep(keep map[int]bool, programs map[uint32]bool, gone bool) (still map[uint32]bool, err error) {
	all, err := d.links.Links()
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	inner := make(map[int]bool)
	for _, l := range all {
		inner[l.Index] = strings.HasSuffix(l.Name, innerSuffix)
	}
	still = make(map[uint32]bool)
	var errs []error
	for _, l := range all {
		var ids []ebpf.ProgramID
		var err error
		if gone && !keep[l.Index] {
			ids, err = d.findStrays(l.Index, programs, inner)
		} else {
			ids, err = find(l.Index, programs)
		}
		errs = append(errs, err)
		if !keep[l.Index] {
			errs = append(errs, d.removeStray(l, ids))
			continue
		}
		for _, id := range ids {
			still[uint32(id)] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	return still, nil
}

// find finds programs by their numbers.
func find(ifindex int, programs map[uint32]bool) ([]ebpf.ProgramID, error) {
	if len(programs) == 0 {
		return nil, nil
	}
	ids, err := hook.IDs(ifindex)
	return slices.DeleteFunc(ids, func(id ebpf.ProgramID) bool { return !programs[uint32(id)] }), err
}

// findStrays finds them by their names as well.
func (d *Device) findStrays(ifindex int, programs map[uint32]bool, inner map[int]bool) (ids []ebpf.ProgramID, err error) {
	there, err := hook.List(ifindex)
	for _, a := range there {
		if programs[uint32(a.ID)] || a.Name == agrProgAgrIn && d.isStray(a, inner) {
			ids = append(ids, a.ID)
		}
	}
	return ids, err
}

// removeStray takes programs away from an interface, and what a port's brings along.
func (d *Device) removeStray(l rtnl.Link, ids []ebpf.ProgramID) error {
	if len(ids) == 0 {
		return nil
	}
	d.log.Info("stray programs removed", "device", d.name, "from", l.Name, "programs", ids)
	return errors.Join(hook.Detach(l.Index, "", ids...), pkt.RemoveStatic(l.Index, ether.SlowProtocols))
}

// isStray tells whose program of that name it is by the inner end that its maps
// name: ours, or one that has gone.
func (d *Device) isStray(a hook.Attached, inner map[int]bool) bool {
	index, err := innerOf(a.Maps)
	if err != nil {
		return false // another's
	}
	return index == d.pair.inner.Index || !inner[index]
}

// innerOf reads the index of the inner end in the maps of a program. In every
// layout it is the second word of the configuration.
func innerOf(ids []ebpf.MapID) (int, error) {
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return 0, fmt.Errorf("open map %d: %w", id, err)
		}
		info, err := m.Info()
		var config []byte
		if err == nil && info.Name == agrMapAgrConfig {
			config, err = m.LookupBytes(uint32(0))
		}
		if err := errors.Join(err, m.Close()); err != nil {
			return 0, fmt.Errorf("look at map %d: %w", id, err)
		}
		if len(config) >= 8 {
			return int(binary.NativeEndian.Uint32(config[4:])), nil
		}
	}
	return 0, errLayout
}
