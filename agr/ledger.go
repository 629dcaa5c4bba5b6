package agr

import (
	"slices"
	"sync"

	"ifagr/agr/state"
)

// ledger is the state file and the one place that writes it. Every method is
// durable when it returns nil; on an error the ledger is as it was.
type ledger struct {
	mu   sync.Mutex
	path string
	file state.File
}

// put replaces the record of an agr interface, or appends it.
func (l *ledger) put(rec state.Agr) error {
	return l.change(func(f *state.File) {
		i := slices.IndexFunc(f.Agrs, func(a state.Agr) bool { return a.Name == rec.Name })
		if i < 0 {
			f.Agrs = append(f.Agrs, rec)
			return
		}
		f.Agrs[i] = rec
	})
}

// drop forgets an agr interface.
func (l *ledger) drop(name string) error {
	return l.change(func(f *state.File) {
		f.Agrs = slices.DeleteFunc(f.Agrs, func(a state.Agr) bool { return a.Name == name })
	})
}

func (l *ledger) change(edit func(*state.File)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.file
	next.Agrs = slices.Clone(l.file.Agrs)
	edit(&next)
	if err := l.save(next); err != nil {
		return err
	}
	l.file = next
	return nil
}

// save writes the file, or removes it when there is nothing to remember.
func (l *ledger) save(f state.File) error {
	if len(f.Agrs) == 0 {
		return state.Remove(l.path)
	}
	return state.Save(l.path, f)
}

// owner names the agr interface whose port has that index, "" if none has.
func (l *ledger) owner(index int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Owner(index, "")
}

// agrs is a copy of the records.
func (l *ledger) agrs() []state.Agr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.file.Agrs)
}
