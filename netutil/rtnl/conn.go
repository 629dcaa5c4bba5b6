package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// bufferSize is more than the 32 KiB that the kernel puts into one datagram
	// of a dump; a smaller buffer would make it send smaller ones.
	bufferSize = 64 << 10
	// dumpTries is how often a dump is repeated when something changed under
	// it. An interface could be missing from an inconsistent one.
	dumpTries = 10
)

// Conn is an rtnetlink socket of one network namespace. Its methods may be
// called at the same time; requests go out one by one.
type Conn struct {
	mu sync.Mutex // held from a request to the end of its reply
	nl *netlink.Conn
}

// Open connects to the network namespace of the calling thread.
func Open() (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{MessageBufferSize: bufferSize})
	if err != nil {
		return nil, wrap("open", "", err)
	}
	// Both options are improvements only: filters that the kernel does not
	// apply are applied here, explanations it does not give are missing.
	_ = nl.SetOption(netlink.GetStrictCheck, true)
	_ = nl.SetOption(netlink.ExtendedAcknowledge, true)
	return &Conn{nl: nl}, nil
}

// NewConn is a connection that speaks through nl, which it then owns: for tests
// that answer as a kernel would, or would not.
func NewConn(nl *netlink.Conn) *Conn { return &Conn{nl: nl} }

// Close ends the connection.
func (c *Conn) Close() error { return c.nl.Close() }

// NetnsCookie is the cookie of the connection's network namespace
// (SO_NETNS_COOKIE, socket(7)). Unlike an inode number it is never used again
// before the next boot.
func (c *Conn) NetnsCookie() (uint64, error) {
	raw, err := c.nl.SyscallConn()
	if err != nil {
		return 0, wrap("network namespace", "", err)
	}
	var cookie uint64
	var optErr error
	err = raw.Control(func(fd uintptr) {
		cookie, optErr = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	return cookie, wrap("network namespace", "", errors.Join(err, optErr))
}

// request is a message for the kernel: the type, and the fixed header with the
// attributes behind it.
type request struct {
	typ   uint16
	flags netlink.HeaderFlags
	data  []byte
}

// change sends a request and waits for its acknowledgement.
func (c *Conn) change(typ uint16, flags netlink.HeaderFlags, data []byte) error {
	_, err := c.get(request{typ, flags | netlink.Acknowledge, data}, func([]byte) error { return nil })
	return err
}

// dump is get for a whole table, repeated while the kernel says that the table
// changed in the meantime. Before each try it calls reset.
func (c *Conn) dump(r request, reset func(), each func([]byte) error) error {
	r.flags |= netlink.Dump
	for range dumpTries {
		reset()
		consistent, err := c.get(r, each)
		if err != nil || consistent {
			return err
		}
	}
	return unix.EAGAIN
}

// get sends a request and hands the payload of each message of the reply to
// each. It reads the reply to its end whatever each returns, so that nothing of
// it is left for the next request.
func (c *Conn) get(r request, each func([]byte) error) (consistent bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sequence, err := c.send(r)
	if err != nil {
		return false, err
	}
	got, err := c.receive(sequence, each)
	return got.consistent, err
}

// getAny is get for a request that the kernel may answer with nothing at all: it
// asks for an acknowledgement, which comes in a datagram of its own behind whatever
// else comes.
func (c *Conn) getAny(r request, each func([]byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.flags |= netlink.Acknowledge
	sequence, err := c.send(r)
	if err != nil {
		return err
	}
	var first error
	for {
		got, err := c.receive(sequence, each)
		if first == nil {
			first = err
		}
		if got.acknowledged || err != nil && !got.complete {
			return first
		}
	}
}

// send sends a request and tells its sequence number.
func (c *Conn) send(r request) (sequence uint32, err error) {
	sent, err := c.nl.Send(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(r.typ), Flags: netlink.Request | r.flags},
		Data:   r.data,
	})
	return sent.Header.Sequence, err
}

// received says what was in a reply, or a part of one.
type received struct {
	consistent   bool // nothing changed while it was put together
	acknowledged bool // with it the reply ends
	complete     bool // read to its end: an error is that of each
}

// receive reads one datagram, or a dump to its end.
func (c *Conn) receive(sequence uint32, each func([]byte) error) (got received, err error) {
	got.consistent = true
	var first error
	for m, err := range c.nl.ReceiveIter() {
		switch {
		case err != nil:
			return received{}, err
		case m.Header.Sequence != sequence:
			continue // the rest of a reply that was given up
		case m.Header.Flags&netlink.DumpInterrupted != 0:
			got.consistent = false
		}
		if m.Header.Type == netlink.Error {
			got.acknowledged = true // a refusal came as err
			continue
		}
		if first == nil {
			first = each(m.Data)
		}
	}
	got.complete = true
	return got, first
}

// fail is wrap for an interface known by its index. Its name is asked for only
// now, when there is something to complain about.
func (c *Conn) fail(op string, index int, err error) error {
	if err == nil {
		return nil
	}
	name := indexName(index)
	if l, lerr := c.LinkByIndex(index); lerr == nil {
		name = l.Name
	}
	return wrap(op, name, err)
}

// attributes appends what fill encodes to a fixed header.
func attributes(header []byte, fill func(*netlink.AttributeEncoder) error) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	if err := fill(ae); err != nil {
		return nil, err
	}
	b, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return append(header, b...), nil
}

// ifinfomsg is the fixed header of link messages (rtnetlink(7)).
func ifinfomsg(index int, flags, mask uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg, 128)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], mask)
	return b
}

// indexName stands for the name of an interface that is known by index only.
func indexName(index int) string { return "#" + strconv.Itoa(index) }
