package kernel

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"

	"ifagr/netutil/hook"
)

// priors are the programs of predecessors, as far as they are known by number.
//
// Where this process may read the names of programs it finds them by name, and
// its maps through them. Without CAP_SYS_ADMIN it has nothing but numbers, so
// each daemon writes those of its programs into the alias of the inner end, the
// one that sits there first. Of the ports' there is room for some 50; those of more
// ports are known to whoever has kept what Port.Note was told.
type priors struct {
	ids []ebpf.ProgramID
	out []ebpf.ProgramID // those of them that act at the inner end
}

// Of the alias: its first word, the base of the numbers, which keeps them short,
// and the length that the kernel takes.
const (
	aliasWord = "agr"
	aliasBase = 36
	aliasMost = 255
)

// parseAlias reads what formatAlias wrote. Anything else lists nothing.
func parseAlias(alias string) priors {
	words := strings.Fields(alias)
	if len(words) == 0 || words[0] != aliasWord {
		return priors{}
	}
	var p priors
	for _, w := range words[1:] {
		if id, err := strconv.ParseUint(w, aliasBase, 32); err == nil && id != 0 {
			p.ids = append(p.ids, ebpf.ProgramID(id))
		}
	}
	return p
}

// formatAlias lists programs, as many as there is room for: some 50.
func formatAlias(ids []ebpf.ProgramID) string {
	alias := aliasWord
	for _, id := range ids {
		next := " " + strconv.FormatUint(uint64(id), aliasBase)
		if len(alias)+len(next) > aliasMost {
			break
		}
		alias += next
	}
	return alias
}

// note writes down the programs of this process, and behind them those of its
// predecessors that may still be somewhere.
func (d *Device) note() {
	ids := append([]ebpf.ProgramID{idOf(d.out)}, d.prior.out...)
	first := len(ids)
	for _, p := range d.ports {
		ids = append(ids, p.id)
	}
	slices.Sort(ids[first:])
	for _, id := range d.prior.ids {
		if !slices.Contains(d.prior.out, id) {
			ids = append(ids, id)
		}
	}
	if err := d.links.SetAlias(d.pair.inner.Index, formatAlias(ids)); err != nil {
		d.log.Warn("programs not noted", "device", d.name, "err", err)
	}
}

// adopt takes a pair over as it is. If the maps of the predecessor can be taken
// over, the programs are exchanged at once and nothing of their memory is lost.
// If not, because they may not be opened or are of another version, new programs
// would know of no port: the old ones act until the first Program.
func (d *Device) adopt() error {
	d.prior = parseAlias(d.pair.inner.Alias)
	old, err := d.priorsAt(d.pair.inner.Index, agrProgAgrOut)
	if err != nil {
		return err
	}
	for _, a := range old {
		d.used = a.Kind
		if d.tables, err = adoptTables(a.Maps); err == nil {
			d.lastSlot = d.tables.lastSlot() // a program without a port may be in those below
			d.settleDead()
			return d.equip()
		}
		d.log.Info("maps of the predecessor not taken over", "device", d.name, "reason", err)
	}
	for _, a := range old {
		d.late = true
		d.prior.out = append(d.prior.out, a.ID)
	}
	if d.tables, err = newTables(); err != nil {
		return err
	}
	return d.equip()
}

// priorsAt lists the programs of predecessors at an interface: those of a name, those
// in the alias, and more.
func (d *Device) priorsAt(ifindex int, name string, more ...ebpf.ProgramID) ([]hook.Attached, error) {
	all, err := hook.List(ifindex)
	return slices.DeleteFunc(all, func(a hook.Attached) bool {
		return a.Name != name && !slices.Contains(d.prior.ids, a.ID) && !slices.Contains(more, a.ID)
	}), err
}

// settleDead is for maps of a process that died while it held frames: they are
// lost, and what comes next has nothing to wait for.
func (d *Device) settleDead() {
	d.tables.config.hold.Store(0)
	if err := d.agreeAll(); err != nil {
		d.log.Error("counters of held frames not read", "device", d.name, "err", err)
	}
}

// agreeAll makes all counters of held frames agree. Nothing must be held.
func (d *Device) agreeAll() error {
	convs, err := d.tables.conversations()
	if err != nil {
		return err
	}
	totals, err := d.tables.totals()
	if err != nil {
		return err
	}
	for c := range convs {
		d.tables.plan[c].drained.Store(convs[c].Punted)
		d.tables.plan[c].gap.Store(0)
	}
	d.tables.config.drainedFrames.Store(totals.PuntedFrames)
	d.tables.config.drainedBytes.Store(totals.PuntedBytes)
	return nil
}

// takeOver puts the new programs in place of those that were left to act until
// now. The ports come first: what they bring in goes to the same interface.
func (d *Device) takeOver() error {
	if !d.late {
		return nil
	}
	for _, p := range d.ports {
		if err := d.attachIn(p); err != nil {
			return err
		}
	}
	if err := d.attachOut(); err != nil {
		return err
	}
	d.late, d.prior.out = false, nil
	return nil
}
