package ctl

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// spare is a descriptor that a server keeps to be able to refuse a connection
// when the process has no other left.
type spare struct{ f *os.File }

func newSpare() *spare {
	s := &spare{}
	s.renew()
	return s
}

// renew opens it again, if it can be had.
func (s *spare) renew() {
	if s.f == nil {
		if f, err := os.Open(os.DevNull); err == nil {
			s.f = f
		}
	}
}

// release gives the descriptor away, and reports whether there was one.
func (s *spare) release() bool {
	if s.f == nil {
		return false
	}
	s.f.Close()
	s.f = nil
	return true
}

// noDescriptor reports whether accept failed for lack of a descriptor, which
// leaves the connection waiting.
func noDescriptor(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// refuseWaiting answers a connection that waits for a descriptor, so that its
// client learns why nothing happens.
func (s *Server) refuseWaiting(l *net.UnixListener, last *spare) {
	defer last.renew()
	if !last.release() {
		return
	}
	l.SetDeadline(time.Now().Add(refuseTimeout))
	defer l.SetDeadline(time.Time{})
	if conn, err := l.AcceptUnix(); err == nil {
		s.refuse(conn, EMFILE, "agrd has no file descriptor left")
	}
}
