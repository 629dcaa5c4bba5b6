package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// errAsked ends a connection that watches, and asks for something else.
var errAsked = errors.New("this connection carries transitions, and no request is answered on it; make another one")

// watch turns the connection into a stream of transitions, for as long as the
// client is there: one that reads slowly, or not for a while, is told what it has
// missed, and not cut off. One that asks for more is told that, and is.
func (s *Server) watch(ctx context.Context, conn *net.UnixConn, name string) error {
	conn.SetDeadline(time.Time{}) // before anything can set another one
	hangUp := func() { conn.SetWriteDeadline(time.Unix(0, 1)) }
	stop := context.AfterFunc(ctx, hangUp)
	defer stop()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(chan bool)
	go func() {
		n, err := await(conn)
		hangUp()
		cancel()
		asked <- n > 0 && err == nil
	}()
	err := s.Handler.Subscribe(watching, name, func(t Transition) error {
		b, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("ctl: transition: %w", err)
		}
		return s.write(conn, OK, b)
	})
	conn.SetReadDeadline(time.Unix(0, 1)) // nobody waits for it any more
	more := <-asked
	if errno := ErrnoOf(err); err != nil && errno != EIO {
		return s.answer(conn, errno, []byte(err.Error()))
	}
	if more && ctx.Err() == nil {
		s.dismiss(conn, EINVAL, errAsked.Error())
		return errAsked
	}
	return err
}
