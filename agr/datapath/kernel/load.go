package kernel

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// place is what a program is told before it is loaded: where it sits.
type place struct {
	ifindex int
	slot    uint16 // of the port, 0 for agr_out
}

// loadOut loads the program of the inner end.
func (t *tables) loadOut(at place) (*ebpf.Program, error) {
	var out struct {
		Prog *ebpf.Program `ebpf:"agr_out"`
	}
	err := t.load(&out, at)
	return out.Prog, err
}

// loadIn loads the program of a port.
func (t *tables) loadIn(at place) (*ebpf.Program, error) {
	var in struct {
		Prog *ebpf.Program `ebpf:"agr_in"`
	}
	err := t.load(&in, at)
	return in.Prog, err
}

// load loads what into asks for, on these maps.
func (t *tables) load(into any, at place) error {
	spec, err := loadAgr()
	if err != nil {
		return err
	}
	var vars agrVariableSpecs
	if err := spec.Assign(&vars); err != nil {
		return fmt.Errorf("constants: %w", err)
	}
	err = errors.Join(
		vars.OwnIfindex.Set(uint32(at.ifindex)),
		vars.OwnSlot.Set(uint32(at.slot)),
	)
	if err != nil {
		return fmt.Errorf("constants: %w", err)
	}
	err = spec.LoadAndAssign(into, &ebpf.CollectionOptions{MapReplacements: t.replacements()})
	if err != nil {
		return fmt.Errorf("load: %w", unsupported(err))
	}
	return nil
}

// idOf is the kernel's number of a program, 0 if it has none.
func idOf(p *ebpf.Program) ebpf.ProgramID {
	info, err := p.Info()
	if err != nil {
		return 0
	}
	id, _ := info.ID()
	return id
}

// unsupported adds ErrUnsupported to an error of making maps or of loading programs
// that means that this kernel, or what this process may do there, is not enough:
// os.ErrPermission then says that CAP_BPF is missing. Whatever else the kernel
// refuses, an interface or a setting of one, is an error like any other.
func unsupported(err error) error {
	var refused *ebpf.VerifierError
	for _, why := range []error{
		os.ErrPermission, ebpf.ErrNotSupported, unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL,
	} {
		if errors.Is(err, why) || errors.As(err, &refused) {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	return err
}
