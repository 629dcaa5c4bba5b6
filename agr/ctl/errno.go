package ctl

import "errors"

// Errno is a NetBSD error: the symbol is what travels, the string is what
// NetBSD's strerror(3) says.
type Errno uint8

// The errors that a request can end in. The zero value is success and is never
// an error.
const (
	OK Errno = iota
	EPERM
	ENOENT
	ENXIO
	E2BIG
	ENOMEM
	EACCES
	EBUSY
	EEXIST
	EINVAL
	ENOTTY
	ERANGE
	EOPNOTSUPP
	EPROTONOSUPPORT
	EAFNOSUPPORT
	EADDRNOTAVAIL
	ENOBUFS
	ENETDOWN
	ENAMETOOLONG
	ETIMEDOUT
	ENODEV
	EIO
	EMFILE
	ENOSPC
	EMSGSIZE
	EAGAIN
	EDQUOT
	EFBIG
)

var errnos = [...]struct{ symbol, text string }{
	OK:              {"OK", "Undefined error: 0"},
	EPERM:           {"EPERM", "Operation not permitted"},
	ENOENT:          {"ENOENT", "No such file or directory"},
	ENXIO:           {"ENXIO", "Device not configured"},
	E2BIG:           {"E2BIG", "Argument list too long"},
	ENOMEM:          {"ENOMEM", "Cannot allocate memory"},
	EACCES:          {"EACCES", "Permission denied"},
	EBUSY:           {"EBUSY", "Device busy"},
	EEXIST:          {"EEXIST", "File exists"},
	EINVAL:          {"EINVAL", "Invalid argument"},
	ENOTTY:          {"ENOTTY", "Inappropriate ioctl for device"},
	ERANGE:          {"ERANGE", "Result too large or too small"},
	EOPNOTSUPP:      {"EOPNOTSUPP", "Operation not supported"},
	EPROTONOSUPPORT: {"EPROTONOSUPPORT", "Protocol not supported"},
	EAFNOSUPPORT:    {"EAFNOSUPPORT", "Address family not supported by protocol family"},
	EADDRNOTAVAIL:   {"EADDRNOTAVAIL", "Can't assign requested address"},
	ENOBUFS:         {"ENOBUFS", "No buffer space available"},
	ENETDOWN:        {"ENETDOWN", "Network is down"},
	ENAMETOOLONG:    {"ENAMETOOLONG", "File name too long"},
	ETIMEDOUT:       {"ETIMEDOUT", "Operation timed out"},
	ENODEV:          {"ENODEV", "Operation not supported by device"},
	EIO:             {"EIO", "Input/output error"},
	EMFILE:          {"EMFILE", "Too many open files"},
	ENOSPC:          {"ENOSPC", "No space left on device"},
	EMSGSIZE:        {"EMSGSIZE", "Message too long"},
	EAGAIN:          {"EAGAIN", "Resource temporarily unavailable"},
	EDQUOT:          {"EDQUOT", "Disc quota exceeded"},
	EFBIG:           {"EFBIG", "File too large"},
}

// Error is NetBSD's strerror(3) text.
func (e Errno) Error() string {
	if int(e) < len(errnos) {
		return errnos[e].text
	}
	return "Unknown error"
}

// Symbol is the name of the error in NetBSD's <sys/errno.h>.
func (e Errno) Symbol() string {
	if int(e) < len(errnos) {
		return errnos[e].symbol
	}
	return "EUNKNOWN"
}

// ErrnoBySymbol finds the error with that name.
func ErrnoBySymbol(s string) (Errno, bool) {
	for i, e := range errnos {
		if e.symbol == s {
			return Errno(i), true
		}
	}
	return OK, false
}

// ErrnoOf finds the Errno in err's chain; an error without one is EIO.
func ErrnoOf(err error) Errno {
	if err == nil {
		return OK
	}
	var e Errno
	if errors.As(err, &e) {
		return e
	}
	return EIO
}
