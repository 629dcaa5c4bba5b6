package ctl

import (
	"net"
	"time"
)

// refuse answers a connection that cannot be served before it has asked, and closes
// it. It waits for nobody, so that those who are refused cost no more than that,
// however many they are.
func (s *Server) refuse(conn *net.UnixConn, why Errno, detail string) {
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(refuseTimeout)) // there is room: nothing was sent yet
	if s.write(conn, why, []byte(detail)) == nil {
		drain(conn)
	}
}

// dismiss answers a connection that is to be closed.
func (s *Server) dismiss(conn *net.UnixConn, why Errno, detail string) {
	if s.answer(conn, why, []byte(detail)) == nil {
		drain(conn)
	}
}

// drain takes no more from a connection, and throws away what has come. A socket that
// is closed with something unread loses what the other end has not read yet. Who sends
// after that is told that nobody listens (EPIPE), and can still read.
func drain(conn *net.UnixConn) {
	if conn.CloseRead() != nil {
		return
	}
	conn.SetReadDeadline(time.Time{})
	var b [1]byte
	for {
		if n, _, _, _, err := conn.ReadMsgUnix(b[:], nil); n == 0 || err != nil {
			return
		}
	}
}
