package agr

import "errors"

// undo is how to take back what was done, in reverse order.
type undo []func() error

func (u *undo) add(f func() error) { *u = append(*u, f) }

// run takes everything back, going on past failures.
func (u undo) run() error {
	var errs []error
	for i := len(u) - 1; i >= 0; i-- {
		errs = append(errs, u[i]())
	}
	return errors.Join(errs...)
}
