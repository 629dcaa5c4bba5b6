package linux

import (
	"errors"

	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
)

// kernelError is a refusal of Linux with what NetBSD would have called it.
type kernelError struct {
	errno ifcfg.Errno
	cause error
}

func (e *kernelError) Error() string { return e.cause.Error() }

// Unwrap gives both.
func (e *kernelError) Unwrap() []error { return []error{e.errno, e.cause} }

// failed adds NetBSD's errno to an error of the kernel.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &kernelError{errno: errnoOf(err), cause: err}
}

// errnoOf translates by name, because the numbers differ. Where Linux misses
// the device, NetBSD finds it not configured.
func errnoOf(err error) ifcfg.Errno {
	e, ok := errors.AsType[unix.Errno](err)
	switch {
	case !ok:
		return ifcfg.ErrnoNamed("EIO")
	case e == unix.ENODEV:
		return ifcfg.ErrnoNamed("ENXIO")
	case e == unix.EOPNOTSUPP:
		return ifcfg.ErrnoNamed("EOPNOTSUPP")
	}
	return ifcfg.ErrnoNamed(unix.ErrnoName(e))
}

// is reports whether the kernel refused for one of these reasons.
func is(err error, reasons ...unix.Errno) bool {
	for _, r := range reasons {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}
