package agr

import (
	"log/slog"
	"slices"
	"sync"

	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

// ledger is the state file and the one place that writes it.
type ledger struct {
	mu    sync.Mutex
	path  string
	file  state.File
	dirty bool // the file on disk is older than this one
	log   *slog.Logger
}

// put replaces the record of an agr interface, or appends it, before something
// is done. It is on disk when put returns nil; after an error nothing has changed.
func (l *ledger) put(rec state.Agr) error { return l.change(replace(rec)) }

// note does the same after something was done, which cannot be undone by an
// error: what could not be saved is saved with the next change, or by flush.
func (l *ledger) note(rec state.Agr) {
	l.stage(rec)
	l.flush()
}

// stage replaces a record, or appends it, and leaves it to sync, flush or the next
// change to write it down: many records then cost one file.
func (l *ledger) stage(rec state.Agr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Agrs = slices.Clone(l.file.Agrs)
	replace(rec)(&l.file)
	l.dirty = true
}

// flush saves what was staged, or could not be saved before.
func (l *ledger) flush() {
	if err := l.sync(); err != nil {
		l.log.Error("state not saved; it is tried again", "err", err)
	}
}

// sync is flush for who has to know: everything staged is on disk when it returns nil.
func (l *ledger) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return nil
	}
	if err := l.save(l.file); err != nil {
		return err
	}
	l.dirty = false
	return nil
}

// replace is the edit that replaces one record, or appends it.
func replace(rec state.Agr) func(*state.File) {
	return func(f *state.File) {
		i := slices.IndexFunc(f.Agrs, func(a state.Agr) bool { return a.Name == rec.Name })
		if i < 0 {
			f.Agrs = append(f.Agrs, rec)
			return
		}
		f.Agrs[i] = rec
	}
}

// has reports whether there is a record of an agr interface.
func (l *ledger) has(name string) bool {
	return slices.ContainsFunc(l.agrs(), func(a state.Agr) bool { return a.Name == name })
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
	l.file, l.dirty = next, false
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

// numbers are the LACP port numbers that ports of a system have.
func (l *ledger) numbers(system ether.Addr) map[uint16]bool {
	taken := make(map[uint16]bool)
	for _, rec := range l.agrs() {
		for _, p := range rec.Ports {
			if rec.System == system {
				taken[p.Number] = true
			}
		}
	}
	return taken
}

// agrs is a copy of the records.
func (l *ledger) agrs() []state.Agr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.file.Agrs)
}
