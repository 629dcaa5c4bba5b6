package hook

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Kind is a kind of hook.
type Kind string

// The kinds, in the order in which a frame meets them.
const (
	TCX    Kind = "tcx"    // BPF_TCX_INGRESS
	Clsact Kind = "clsact" // a direct-action cls_bpf filter, tc-bpf(8)
)

// ErrNotSupported says that the kernel has no hook of the kind that was asked
// for, or that the place before all others in it cannot be had.
var ErrNotSupported = errors.New("not supported here")

// Options say how to attach. The zero value is right for most.
type Options struct {
	// Kind is the kind of hook; empty: TCX, and where there is none, Clsact.
	Kind Kind
	// Replace lists programs that are replaced as if they had the name of the
	// one that is attached.
	Replace []ebpf.ProgramID
}

// Attached is a program at a hook.
type Attached struct {
	Kind Kind
	ID   ebpf.ProgramID
	// Name is the program's, at most 15 octets; at a TCX hook it is empty where
	// it may not be read.
	Name string
	// Maps are the maps that the program uses; nil where they may not be read.
	Maps []ebpf.MapID
}

// Attach puts a program at the ingress of an interface, where it stays until
// Detach or the end of the interface, in place of any other of its name. To
// attach one that is there already is no error.
//
// Errors wrap ErrNotSupported where there is no hook, os.ErrPermission where
// CAP_NET_ADMIN is missing, and unix.ENODEV for an interface that does not exist.
// With an error, a Kind that is not empty says that the program is attached there
// nevertheless, and what it replaces may still be there as well.
func Attach(ifindex int, prog *ebpf.Program, o Options) (Kind, error) {
	w, err := successor(prog, o.Replace)
	if err != nil {
		return "", fmt.Errorf("attach: %w", err)
	}
	kind, err := attach(ifindex, prog, w, o.Kind)
	if err != nil {
		return "", fmt.Errorf("attach %s to interface %d: %w", w.name, ifindex, err)
	}
	if err := w.clear(ifindex); err != nil {
		return kind, fmt.Errorf("attach %s to interface %d: %w", w.name, ifindex, err)
	}
	return kind, nil
}

// attach tries the kinds that are wanted, in order.
func attach(ifindex int, prog *ebpf.Program, w wanted, kind Kind) (Kind, error) {
	switch kind {
	case TCX:
		return TCX, attachTCX(ifindex, prog, w)
	case Clsact:
		return Clsact, attachClsact(ifindex, prog, w)
	case "":
		err := attachTCX(ifindex, prog, w)
		if !errors.Is(err, ErrNotSupported) {
			return TCX, err
		}
		if second := attachClsact(ifindex, prog, w); second != nil {
			return "", errors.Join(err, second)
		}
		return Clsact, nil
	}
	return "", fmt.Errorf("%q: %w", kind, ErrNotSupported)
}

// Hold puts a program at the ingress of an interface as Attach does. At a TCX
// hook it stays as long as the process lives, at a Clsact hook for ever; until
// Close in both cases. Its errors are those of Attach, after which it is not
// attached.
func Hold(ifindex int, prog *ebpf.Program, kind Kind) (io.Closer, error) {
	w, err := successor(prog, nil)
	if err != nil {
		return nil, fmt.Errorf("hold: %w", err)
	}
	var held io.Closer
	switch kind {
	case TCX:
		held, err = holdTCX(ifindex, prog)
	case Clsact:
		held, err = holdClsact(ifindex, prog, w)
	default:
		err = fmt.Errorf("%q: %w", kind, ErrNotSupported)
	}
	if err == nil {
		if err = w.clear(ifindex); err != nil {
			err = errors.Join(err, held.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("hold %s at interface %d: %w", w.name, ifindex, err)
	}
	return held, nil
}

// Detach takes every program of a name, or with one of the given ids, away from
// the hooks of an interface. It is no error if there is none, or no interface.
// Where names may not be read, a program at a TCX hook is known by its id only.
func Detach(ifindex int, name string, ids ...ebpf.ProgramID) error {
	if err := (wanted{name: name, ids: ids}).clear(ifindex); err != nil {
		return fmt.Errorf("detach %s from interface %d: %w", name, ifindex, err)
	}
	return nil
}

// List tells what is at the hooks of an interface, in the order in which frames
// meet it. A filter of a clsact qdisc that is no eBPF program is not listed. A
// kind of hook that the kernel lacks holds nothing, nor does an interface that does
// not exist.
func List(ifindex int) ([]Attached, error) {
	var list []Attached
	entries, _, err := queryTCX(ifindex)
	for _, e := range entries {
		list = append(list, e.Attached)
	}
	filters, second := listClsact(ifindex)
	if errors.Is(err, ErrNotSupported) {
		err = nil
	}
	for _, err := range []error{err, second} {
		if ignore(err, unix.ENODEV) != nil {
			return nil, fmt.Errorf("list the programs of interface %d: %w", ifindex, err)
		}
	}
	return append(list, filters...), nil
}

// IDs tells which programs are at the hooks of an interface where the kernel does not
// tell their names to everybody, which are the TCX ones. It asks the kernel for nothing
// else, and opens no program, so it costs much less than List. A kernel without that
// kind has none there, nor has an interface that does not exist.
func IDs(ifindex int) (there []ebpf.ProgramID, err error) {
	list, _, err := readTCX(ifindex)
	if errors.Is(err, ErrNotSupported) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the programs of interface %d: %w", ifindex, err)
	}
	for _, e := range list {
		there = append(there, e.ID)
	}
	return there, nil
}

// wanted tells which programs are meant: those of a name and those of some ids,
// but for one.
type wanted struct {
	name string
	ids  []ebpf.ProgramID
	but  ebpf.ProgramID // 0: none
}

// successor is what a program replaces.
func successor(prog *ebpf.Program, ids []ebpf.ProgramID) (wanted, error) {
	info, err := prog.Info()
	if err != nil {
		return wanted{}, err
	}
	own, ok := info.ID()
	if !ok {
		return wanted{}, fmt.Errorf("%s has no id: %w", info.Name, ErrNotSupported)
	}
	return wanted{name: info.Name, ids: ids, but: own}, nil
}

// has says whether a program is meant.
func (w wanted) has(a Attached) bool {
	named := w.name != "" && a.Name == w.name
	return a.ID != w.but && (named || slices.Contains(w.ids, a.ID))
}

// clear takes what is meant away from both kinds of hook.
func (w wanted) clear(ifindex int) error {
	return errors.Join(clearTCX(ifindex, w), clearClsact(ifindex, w))
}

// describe fills in what may be read about a program.
func describe(a *Attached) {
	prog, err := ebpf.NewProgramFromID(a.ID)
	if err != nil {
		return // not permitted, or gone
	}
	defer func() { _ = prog.Close() }()
	if info, err := prog.Info(); err == nil {
		a.Name = info.Name
		a.Maps, _ = info.MapIDs()
	}
}
