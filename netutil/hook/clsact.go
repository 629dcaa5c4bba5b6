package hook

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

// firstPriority is the priority of our filters: no other filter can be asked
// before them but one that is added to the same priority later.
const firstPriority = 1

// Handles of our filters. They tell our filters from others', and say whether the
// qdisc that they are in was made for them or found: nothing else about a qdisc
// could. The lower 16 bits tell our filters of one interface apart.
const (
	qdiscMade  = 0x61670000 // "ag"
	qdiscFound = 0x61680000
	handleMask = 0xffff0000
)

// ours says whether a filter was added here.
func ours(f rtnl.Classifier) bool { return madeQdisc(f) || f.Handle&handleMask == qdiscFound }

// madeQdisc says whether a filter of ours is in a qdisc of ours.
func madeQdisc(f rtnl.Classifier) bool { return f.Handle&handleMask == qdiscMade }

// program is the filter as a program at a hook. A filter's name may always be
// read, and is the program's.
func program(f rtnl.Classifier) Attached {
	return Attached{Kind: Clsact, ID: ebpf.ProgramID(f.Program), Name: f.Name}
}

// withConn runs f with a connection to the calling thread's namespace.
func withConn(f func(*rtnl.Conn) error) error {
	c, err := rtnl.Open()
	if err != nil {
		return fmt.Errorf("clsact: %w", err)
	}
	defer func() { _ = c.Close() }()
	if err := f(c); err != nil {
		return fmt.Errorf("clsact: %w", err)
	}
	return nil
}

// attachClsact puts a program into the first filter of ours that it replaces,
// else into a new one.
func attachClsact(ifindex int, prog *ebpf.Program, w wanted) error {
	return withConn(func(c *rtnl.Conn) error {
		filters, err := c.Classifiers(ifindex, rtnl.Ingress)
		if err != nil {
			return err
		}
		has := func(f rtnl.Classifier) bool { return ours(f) && f.Program == uint32(w.but) }
		if slices.ContainsFunc(filters, has) {
			return nil
		}
		f := rtnl.BPFClassifier{Index: ifindex, Priority: firstPriority, Program: prog.FD(), Name: w.name}
		old := func(f rtnl.Classifier) bool { return ours(f) && w.has(program(f)) }
		if i := slices.IndexFunc(filters, old); i >= 0 {
			f.Handle = filters[i].Handle
			return c.ReplaceClassifier(f)
		}
		return addFilter(c, f, filters)
	})
}

// addFilter adds a filter, and a qdisc for it if there is none.
func addFilter(c *rtnl.Conn, f rtnl.BPFClassifier, filters []rtnl.Classifier) error {
	err := c.AddClsact(f.Index)
	made := err == nil
	if !made && !errors.Is(err, unix.EEXIST) {
		return unsupported(err)
	}
	f.Handle = freeHandle(filters, made)
	if err = c.AddClassifier(f); err == nil {
		return nil
	}
	if made {
		return errors.Join(unsupported(err), c.DelClsact(f.Index))
	}
	return unsupported(err)
}

// freeHandle is a handle for a new filter. A qdisc that was made for one of ours
// is as good as made for this one.
func freeHandle(filters []rtnl.Classifier, made bool) uint32 {
	h := uint32(qdiscFound)
	if made || slices.ContainsFunc(filters, madeQdisc) {
		h = qdiscMade
	}
	for h++; slices.ContainsFunc(filters, func(f rtnl.Classifier) bool { return f.Handle == h }); h++ {
		continue
	}
	return h
}

// unsupported tells ErrNotSupported from other errors: the kernel has no clsact
// or no cls_bpf (ENOENT, EOPNOTSUPP), or others use the first priority for
// something else, so that there is no place before them (EINVAL, ENOSPC).
func unsupported(err error) error {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.EOPNOTSUPP, unix.EINVAL, unix.ENOSPC} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w: %w", ErrNotSupported, err)
		}
	}
	return err
}

// held is a program in a filter, until Close.
type held struct {
	ifindex int
	w       wanted
}

// Close takes the program away.
func (h held) Close() error { return clearClsact(h.ifindex, h.w) }

func holdClsact(ifindex int, prog *ebpf.Program, w wanted) (io.Closer, error) {
	if err := attachClsact(ifindex, prog, w); err != nil {
		return nil, err
	}
	// By its id: a successor may have replaced it, and keeps its own.
	return held{ifindex, wanted{ids: []ebpf.ProgramID{w.but}}}, nil
}

// clearClsact takes what is meant away, and the qdisc if it was made for a filter
// of ours and there is no other filter in it.
func clearClsact(ifindex int, w wanted) error {
	if ifindex <= 0 {
		return nil
	}
	return withConn(func(c *rtnl.Conn) error {
		filters, err := c.Classifiers(ifindex, rtnl.Ingress)
		if err != nil {
			return ignore(err, unix.ENODEV)
		}
		made := false
		for _, f := range filters {
			if !ours(f) || !w.has(program(f)) {
				continue
			}
			err := c.DelClassifier(rtnl.BPFClassifier{Index: ifindex, Priority: f.Priority, Handle: f.Handle})
			if err := ignore(err, unix.ENODEV, unix.ENOENT, unix.EINVAL); err != nil {
				return err
			}
			made = made || madeQdisc(f)
		}
		if !made {
			return nil
		}
		return removeEmpty(c, ifindex)
	})
}

// removeEmpty removes the qdisc if no filter is left in it. One that is added by
// somebody else between the question and the removal goes with it.
func removeEmpty(c *rtnl.Conn, ifindex int) error {
	for _, d := range []rtnl.Direction{rtnl.Ingress, rtnl.Egress} {
		left, err := c.Classifiers(ifindex, d)
		if err != nil || len(left) > 0 {
			return ignore(err, unix.ENODEV)
		}
	}
	return ignore(c.DelClsact(ifindex), unix.ENODEV, unix.ENOENT, unix.EINVAL)
}

// ignore is nil for an error that says that the thing is gone already.
func ignore(err error, gone ...unix.Errno) error {
	for _, errno := range gone {
		if errors.Is(err, errno) {
			return nil
		}
	}
	return err
}

// listClsact lists the eBPF programs of all filters.
func listClsact(ifindex int) ([]Attached, error) {
	var list []Attached
	err := withConn(func(c *rtnl.Conn) error {
		filters, err := c.Classifiers(ifindex, rtnl.Ingress)
		for _, f := range filters {
			if f.Program != 0 {
				a := program(f)
				describe(&a)
				list = append(list, a)
			}
		}
		return err
	})
	return list, err
}
