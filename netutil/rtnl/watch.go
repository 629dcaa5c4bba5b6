package rtnl

import (
	"context"
	"errors"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// watchBuffer is the receive buffer of a Watcher in octets: some thousand
// notifications. Overrunning it costs a dump, not correctness.
const watchBuffer = 4 << 20

// Event says that something may have changed since the last one.
type Event struct {
	// Overrun says that notifications were lost. A consumer that dumps at each
	// event need not care.
	Overrun bool
}

// Watcher turns notifications about links and addresses into events. It never
// says what changed: the consumer dumps and compares (design D12).
type Watcher struct {
	// C holds at most one event, which stands for everything since the last
	// one was taken. It has one from the beginning, so that the first dump
	// comes after the subscription. It is closed when the Watcher has ended.
	C <-chan Event

	err error // written before C is closed
}

// Watch watches the network namespace of the calling thread until ctx ends.
func Watch(ctx context.Context) (*Watcher, error) {
	s, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, "rtnl-watch", nil)
	if err != nil {
		return nil, wrap("watch", "", err)
	}
	if err := subscribe(s, watchBuffer); err != nil {
		_ = s.Close()
		return nil, wrap("watch", "", err)
	}
	w, c := newWatcher()
	go w.serve(ctx, s, c)
	return w, nil
}

// newWatcher makes a Watcher with its first event, and the sending end of C.
func newWatcher() (*Watcher, chan Event) {
	c := make(chan Event, 1)
	c <- Event{}
	return &Watcher{C: c}, c
}

// serve owns s and c until ctx ends or s fails.
func (w *Watcher) serve(ctx context.Context, s *socket.Conn, c chan Event) {
	defer close(c)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	w.err = forward(s, c)
	if ctx.Err() != nil {
		w.err = ctx.Err()
	}
	_ = s.Close()
}

// Err is why the Watcher ended, normally the context's error. It may be called
// only after C was closed.
func (w *Watcher) Err() error { return w.err }

// subscribe joins the groups. Changes of the groups that an interface receives
// are told by newer kernels only (6.14); where they are not, a periodic dump
// finds them.
func subscribe(s *socket.Conn, buffer int) error {
	if err := s.Bind(&unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	if err := s.SetReadBuffer(buffer); err != nil {
		return err
	}
	for _, g := range []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR} {
		if err := s.SetsockoptInt(unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return err
		}
	}
	for _, g := range []int{unix.RTNLGRP_IPV4_MCADDR, unix.RTNLGRP_IPV6_MCADDR} {
		_ = s.SetsockoptInt(unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
	}
	return nil
}

// forward reads notifications until the socket is closed. Their content is of no
// interest: a read of one octet throws the rest of a datagram away. After an
// overrun the subscription is what it was, only notifications are missing.
func forward(s *socket.Conn, c chan Event) error {
	b := make([]byte, 1)
	for {
		_, err := s.Read(b)
		overrun := errors.Is(err, unix.ENOBUFS)
		if err != nil && !overrun {
			return wrap("watch", "", err)
		}
		post(c, Event{Overrun: overrun})
	}
}

// post leaves e in c, together with what is there already. There must be one
// poster only.
func post(c chan Event, e Event) {
	select {
	case c <- e:
		return
	default:
	}
	select {
	case old := <-c:
		e.Overrun = e.Overrun || old.Overrun
	default:
	}
	c <- e
}
