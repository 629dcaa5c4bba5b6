// Package state is what survives the daemon: which agr interfaces there are,
// their ports, and for each port what it was before it became one (the undo
// log). The record of a change is on disk before the change is made, so a
// killed daemon's successor can put everything back (design D11).
//
//	change wanted -> File with its undo -> Save -> change
//
// A file is believed only in the boot and in the network namespace that it was
// written in. One that cannot be read is set aside, never trusted and never
// silently lost.
package state
