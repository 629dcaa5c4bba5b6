package pkt

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// Groups holds an interface's memberships of group addresses, and its
// promiscuous mode, for an aggregate above it. All of them end with Close, and
// with the process: an interface never keeps one that nobody wants any more.
// Its methods may be called from several goroutines, and asking for what is
// there already is not an error.
type Groups struct {
	mu      sync.Mutex
	conn    *socket.Conn
	ifindex int
	held    map[request]bool
}

// request is one thing that is asked of an interface (PACKET_MR_*).
type request struct {
	typ  uint16
	addr ether.Addr
}

// OpenGroups begins with no membership.
func OpenGroups(ifindex int) (*Groups, error) {
	c, err := newSocket()
	if err != nil {
		return nil, fmt.Errorf("pkt groups %d: %w", ifindex, err)
	}
	return &Groups{conn: c, ifindex: ifindex, held: map[request]bool{}}, nil
}

// Add makes the interface receive frames to a group address, or to another
// individual one besides its own.
func (g *Groups) Add(a ether.Addr) error { return g.set(asking(a), true) }

// Drop undoes Add. It is not an error if the interface has gone.
func (g *Groups) Drop(a ether.Addr) error { return g.set(asking(a), false) }

// asking is the request to receive frames to an address.
func asking(a ether.Addr) request {
	if a.IsGroup() {
		return request{unix.PACKET_MR_MULTICAST, a}
	}
	return request{unix.PACKET_MR_UNICAST, a}
}

// SetAllMulti makes the interface receive frames to every group address.
func (g *Groups) SetAllMulti(on bool) error {
	return g.set(request{typ: unix.PACKET_MR_ALLMULTI}, on)
}

// SetPromisc makes the interface receive every frame.
func (g *Groups) SetPromisc(on bool) error {
	return g.set(request{typ: unix.PACKET_MR_PROMISC}, on)
}

// Close ends everything that was asked for.
func (g *Groups) Close() error { return g.conn.Close() }

func (g *Groups) set(r request, on bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[r] == on {
		return nil
	}
	opt := unix.PACKET_ADD_MEMBERSHIP
	if !on {
		opt = unix.PACKET_DROP_MEMBERSHIP
	}
	err := membership(g.conn, opt, g.ifindex, r.typ, r.addr)
	if !on && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)) {
		err = nil // the interface has gone, and its memberships with it
	}
	if err != nil {
		return fmt.Errorf("pkt groups %d: %w", g.ifindex, err)
	}
	if on {
		g.held[r] = true
	} else {
		delete(g.held, r)
	}
	return nil
}
