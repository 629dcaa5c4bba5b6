package hook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// tries is how often a change of the list is tried again because somebody else
// changed it at the same time.
const tries = 20

// entry is a program in the list of a tcx hook.
type entry struct {
	Attached
	link link.ID // what keeps it there; 0: nothing but the hook
}

// queryTCX reads the list, and the revision that says whether it has changed
// since.
func queryTCX(ifindex int) (entries []entry, revision uint64, err error) {
	entries, revision, err = readTCX(ifindex)
	for i := range entries {
		describe(&entries[i].Attached)
	}
	return entries, revision, err
}

// readTCX is queryTCX without a look at the programs themselves. It is how the kernel
// is asked whether it has tcx at all: one without does not know the attach type
// (EINVAL).
func readTCX(ifindex int) (entries []entry, revision uint64, err error) {
	if ifindex <= 0 {
		return nil, 0, unix.ENODEV
	}
	var result *link.QueryResult
	for range tries {
		result, err = link.QueryPrograms(link.QueryOptions{Target: ifindex, Attach: ebpf.AttachTCXIngress})
		if !errors.Is(err, unix.ENOSPC) { // it grew while it was read
			break
		}
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, 0, nil
	case errors.Is(err, unix.EINVAL) || errors.Is(err, ebpf.ErrNotSupported):
		return nil, 0, fmt.Errorf("tcx: %w: %w", ErrNotSupported, err)
	case err != nil:
		return nil, 0, fmt.Errorf("tcx: %w", err)
	}
	for _, p := range result.Programs {
		e := entry{Attached: Attached{Kind: TCX, ID: p.ID}}
		e.link, _ = p.LinkID()
		entries = append(entries, e)
	}
	return entries, result.Revision, nil
}

// changeTCX hands the list to change, again when it was not the list any more.
func changeTCX(ifindex int, change func(list []entry, revision uint64) error) error {
	var err error
	for range tries {
		var list []entry
		var revision uint64
		if list, revision, err = queryTCX(ifindex); err != nil {
			return err
		}
		if err = change(list, revision); !errors.Is(err, unix.ESTALE) {
			return err
		}
	}
	return err
}

// attachTCX puts a program where the first one is that it replaces, else at the
// head. What else it replaces is left.
func attachTCX(ifindex int, prog *ebpf.Program, w wanted) error {
	return changeTCX(ifindex, func(list []entry, revision uint64) error {
		if slices.ContainsFunc(list, func(e entry) bool { return e.ID == w.but && e.link == 0 }) {
			return nil
		}
		o := link.RawAttachProgramOptions{
			Target: ifindex, Program: prog, Attach: ebpf.AttachTCXIngress,
			Anchor: link.Head(), ExpectedRevision: revision,
		}
		if i := slices.IndexFunc(list, func(e entry) bool { return w.has(e.Attached) }); i >= 0 {
			replaced, err := replaceTCX(o, list[i])
			if replaced || err != nil {
				return err
			}
			o.Anchor = link.BeforeProgramByID(list[i].ID)
		}
		if err := link.RawAttachProgram(o); err != nil {
			return fmt.Errorf("tcx: %w", err)
		}
		return nil
	})
}

// replaceTCX exchanges a program for another in one step. That takes a
// descriptor of the old one, which is had with CAP_SYS_ADMIN only, and an old one
// that no link keeps.
func replaceTCX(o link.RawAttachProgramOptions, old entry) (replaced bool, err error) {
	if old.link != 0 {
		return false, nil
	}
	p, err := ebpf.NewProgramFromID(old.ID)
	switch {
	case errors.Is(err, os.ErrPermission):
		return false, nil
	case errors.Is(err, os.ErrNotExist):
		return false, unix.ESTALE
	case err != nil:
		return false, fmt.Errorf("tcx: %w", err)
	}
	defer func() { _ = p.Close() }()
	o.Anchor = link.ReplaceProgram(p)
	if err := link.RawAttachProgram(o); err != nil {
		return false, fmt.Errorf("tcx: replace: %w", err)
	}
	return true, nil
}

// holdTCX puts a program at the head, kept by a link that goes with the process.
func holdTCX(ifindex int, prog *ebpf.Program) (io.Closer, error) {
	if ifindex <= 0 {
		return nil, unix.ENODEV
	}
	l, err := link.AttachTCX(link.TCXOptions{
		Interface: ifindex, Program: prog, Attach: ebpf.AttachTCXIngress, Anchor: link.Head(),
	})
	switch {
	case errors.Is(err, ebpf.ErrNotSupported):
		return nil, fmt.Errorf("tcx: %w: %w", ErrNotSupported, err)
	case err != nil:
		return nil, fmt.Errorf("tcx: %w", err)
	}
	return l, nil
}

// clearTCX takes away what is meant, one by one.
func clearTCX(ifindex int, w wanted) error {
	for more := true; more; {
		err := changeTCX(ifindex, func(list []entry, revision uint64) error {
			i := slices.IndexFunc(list, func(e entry) bool { return w.has(e.Attached) })
			if more = i >= 0; !more {
				return nil
			}
			return detachTCX(ifindex, list, i, revision)
		})
		switch {
		case errors.Is(err, unix.ENODEV) || errors.Is(err, ErrNotSupported):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// detachTCX takes the i-th program away. It is named by its place, which the
// revision vouches for: that takes neither a descriptor of it nor the right to
// get one.
func detachTCX(ifindex int, list []entry, i int, revision uint64) error {
	if list[i].link != 0 {
		return detachLink(list[i].link)
	}
	a := detachment{
		ifindex: uint32(ifindex), attachType: uint32(ebpf.AttachTCXIngress),
		flags: unix.BPF_F_BEFORE, revision: revision, // before everything: the first
	}
	if i > 0 {
		a.flags, a.relative = unix.BPF_F_AFTER|unix.BPF_F_ID, uint32(list[i-1].ID)
	}
	if err := a.do(); err != nil {
		return fmt.Errorf("tcx: detach: %w", err)
	}
	return nil
}

// detachLink takes away the program of a link, which another process may still
// have a descriptor of.
func detachLink(id link.ID) error {
	l, err := link.NewFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return unix.ESTALE
	}
	if err != nil {
		return fmt.Errorf("tcx: %w", err)
	}
	defer func() { _ = l.Close() }()
	if err := l.Detach(); err != nil {
		return fmt.Errorf("tcx: %w", err)
	}
	return nil
}
