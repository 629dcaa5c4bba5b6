package kernel

import (
	"fmt"

	"ifagr/netutil/hook"
)

// OtherVersion makes the maps of the program at an inner end those of another
// version.
func OtherVersion(inner int) error {
	there, err := hook.List(inner)
	if err != nil || len(there) != 1 {
		return fmt.Errorf("%v: %w", there, err)
	}
	t, err := adoptTables(there[0].Maps)
	if err != nil {
		return err
	}
	t.config.version.Add(1)
	return t.close()
}

// Settled reports whether no conversation waits for frames that were handed over.
func (d *Device) Settled() bool {
	d.holder.mu.Lock()
	defer d.holder.mu.Unlock()
	return !d.holder.isOpen()
}
