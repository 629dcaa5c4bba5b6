package agr

// What a killed daemon has left at interfaces that are no ports any more is looked for
// in one pass for all aggregates:
//
//	each device -> Priors -> one device: Sweep, every interface once -> Swept -> each device

// sweeper is a device whose programs outlive the daemon, and that can find those of
// predecessors.
type sweeper interface {
	// Priors are the kernel's numbers of the programs that predecessors of this device
	// may have left anywhere, and the indexes of the interfaces where it deals with them
	// itself.
	Priors() (programs []uint32, own []int)
	// Sweep takes programs with these numbers away from all interfaces but those that
	// keep lists by index; with gone, those of aggregates that have gone as well. It
	// tells which of the numbers are still somewhere.
	Sweep(keep map[int]bool, programs map[uint32]bool, gone bool) (still map[uint32]bool, err error)
	// Swept tells it which ones that are: it forgets the others.
	Swept(still map[uint32]bool)
}

// sweep looks for what killed daemons have left, when the ports of aggregates are back:
// what their predecessors wrote down, and the first time what anybody's have left.
func (m *Manager) sweep(begun []*aggregate) {
	keep, programs := m.portIndexes(), make(map[uint32]bool)
	var sweepers []*aggregate
	for _, a := range begun {
		d, ok := a.dev.(sweeper)
		if !ok {
			continue
		}
		a.do(func() error {
			prior, own := d.Priors()
			mark(programs, prior)
			mark(keep, own)
			return nil
		})
		sweepers = append(sweepers, a)
	}
	if len(sweepers) == 0 || m.swept && len(programs) == 0 {
		return
	}
	first := !m.swept
	m.swept = true
	var still map[uint32]bool
	err := sweepers[0].do(func() (err error) {
		still, err = sweepers[0].dev.(sweeper).Sweep(keep, programs, first)
		return err
	})
	if err != nil {
		m.log.Error("what a killed daemon left is not all removed", "err", err)
		return
	}
	for _, a := range sweepers {
		a.do(func() error { a.dev.(sweeper).Swept(still); return nil })
	}
}

// portIndexes are the interfaces that are ports, or are to be ports again.
func (m *Manager) portIndexes() map[int]bool {
	indexes := make(map[int]bool)
	for _, rec := range m.ledger.agrs() {
		for _, p := range rec.Ports {
			indexes[p.Index] = true
		}
	}
	return indexes
}

// mark adds to a set.
func mark[K comparable](set map[K]bool, more []K) {
	for _, k := range more {
		set[k] = true
	}
}
