package agr

import (
	"errors"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
)

// systemError is an error of Linux that answers to NetBSD's name for it.
type systemError struct{ err error }

func (e *systemError) Error() string { return e.err.Error() }

// Unwrap gives the cause and NetBSD's error.
func (e *systemError) Unwrap() []error { return []error{e.err, netbsdErrno(e.err)} }

// netbsdErrno translates. What has no counterpart is EIO.
func netbsdErrno(err error) ctl.Errno {
	var un *UnsupportedError
	if errors.As(err, &un) {
		return ctl.EOPNOTSUPP
	}
	var e unix.Errno
	if !errors.As(err, &e) {
		return ctl.EIO
	}
	if name := unix.ErrnoName(e); name != "" {
		if n, ok := ctl.ErrnoBySymbol(name); ok && e != unix.ENODEV {
			return n
		}
	}
	switch e {
	case unix.ENODEV:
		return ctl.ENXIO
	case unix.EOPNOTSUPP: // which Linux calls ENOTSUP
		return ctl.EOPNOTSUPP
	case unix.EROFS:
		return ctl.EACCES
	}
	return ctl.EIO
}
