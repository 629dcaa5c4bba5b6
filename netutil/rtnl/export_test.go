package rtnl

import (
	"context"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// LateWatch is Watch that reads nothing until start is called, with the least
// receive buffer that there is.
func LateWatch(ctx context.Context) (w *Watcher, start func(), err error) {
	s, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, "late", nil)
	if err != nil {
		return nil, nil, err
	}
	if err := subscribe(s, 1); err != nil {
		return nil, nil, err
	}
	w, c := newWatcher()
	return w, func() { go w.serve(ctx, s, c) }, nil
}
