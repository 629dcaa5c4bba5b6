package rtnl

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrNotFound is matched by errors.Is for every error that means that the
// interface does not exist (the kernel's ENODEV).
var ErrNotFound = errors.New("no such interface")

// Error is a refusal of the kernel.
type Error struct {
	Op     string     // "set mtu"
	Name   string     // the interface, by name where it has one; empty for all
	Errno  unix.Errno // never 0
	Detail string     // the kernel's explanation, where it gave one
}

// Error is `rtnl OP NAME: ERRNO`, followed by the kernel's explanation.
func (e *Error) Error() string {
	s := "rtnl " + e.Op
	if e.Name != "" {
		s += " " + e.Name
	}
	s += ": " + e.Errno.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap is the error number.
func (e *Error) Unwrap() error { return e.Errno }

// Is makes ENODEV match ErrNotFound.
func (e *Error) Is(target error) bool {
	return target == ErrNotFound && e.Errno == unix.ENODEV
}

// wrap puts op and name before err: as an *Error when the kernel's error number
// is in it, which is every case but a closed Conn and a broken reply.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		if name != "" {
			op += " " + name
		}
		return fmt.Errorf("rtnl %s: %w", op, err)
	}
	e := &Error{Op: op, Name: name, Errno: errno}
	var oe *netlink.OpError
	if errors.As(err, &oe) {
		e.Detail = oe.Message
	}
	return e
}
