package agr

import (
	"errors"
	"fmt"
	"strings"

	"ifagr/agr/state"
)

// Datapath is what moves an agr interface's frames (design D8). Of the values
// only Kernel and User are ever recorded, or handed to an Opener.
type Datapath string

// The datapaths, and the wish for the best that can be had.
const (
	Auto   Datapath = "auto"
	Kernel Datapath = "kernel" // eBPF programs; the daemon sees no frame
	User   Datapath = "user"   // the daemon
)

// ParseDatapath reads a datapath as a person writes it.
func ParseDatapath(s string) (Datapath, error) {
	switch d := Datapath(s); d {
	case Auto, Kernel, User:
		return d, nil
	}
	return "", fmt.Errorf("%q is not auto, kernel or user", s)
}

// Reasons for a datapath, as a person reads them. Another one is what an Opener
// said of the kernel datapath.
const (
	whyAsked = "asked for"
	whyBest  = "the best that this machine has"
)

// UnsupportedError is an Opener's refusal of a datapath that the machine does
// not have, or does not let this process use. Nothing was made.
type UnsupportedError struct {
	Why string // in a few words, for a person: "no tcx and no clsact"
	Err error  // what the system said, nil if that is all
}

func (e *UnsupportedError) Error() string { return "datapath kernel cannot be had here: " + e.Why }

// Unwrap gives the cause.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// choose makes a new agr interface with the datapath that was asked for, or
// with the best that can be had, which is found out by trying. The record says
// which before anything is made.
func (m *Manager) choose(rec state.Agr) error {
	if asked := m.cfg.Datapath; asked == Kernel || asked == User {
		rec.Datapath, rec.Why = string(asked), whyAsked
		return m.establish(rec)
	}
	rec.Datapath, rec.Why = string(Kernel), whyBest
	err := m.establish(rec)
	var un *UnsupportedError
	if !errors.As(err, &un) {
		return err
	}
	m.log.Info("datapath kernel cannot be had", "agr", rec.Name, "why", un.Why, "err", un.Err)
	rec.Datapath, rec.Why = string(User), un.Why
	return m.establish(rec)
}

// establish records an agr interface and makes it, or does neither.
func (m *Manager) establish(rec state.Agr) error {
	if err := m.ledger.put(rec); err != nil {
		return err
	}
	a, err := m.start(rec)
	if err != nil {
		return errors.Join(err, m.ledger.drop(rec.Name))
	}
	if !m.swept {
		m.sweep([]*aggregate{a})
	}
	return a.do(func() error {
		a.transition("", "agr", "", agrCreated, "datapath "+rec.Datapath+": "+rec.Why)
		return nil
	})
}

// recorded is the datapath of a record. One that was written before there was a
// choice means what the interface is.
func (m *Manager) recorded(rec state.Agr) Datapath {
	if rec.Datapath != "" {
		return Datapath(rec.Datapath)
	}
	if l, err := m.os.LinkByName(rec.Name); err == nil && l.Kind == "veth" {
		return Kernel
	}
	return User
}

// own reports an agr interface, or what the kernel datapath has made one of: the
// inner end of its pair, and the device that holds frames back.
func (m *Manager) own(name string) bool {
	for _, suffix := range []string{"", "p", "h"} {
		if whole, ok := strings.CutSuffix(name, suffix); ok && m.Exists(whole) == nil {
			return true
		}
	}
	return false
}
