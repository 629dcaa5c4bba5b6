package ctl

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// callTimeout bounds one request: an agrd that does not answer in this time is
// as good as gone.
const callTimeout = 30 * time.Second

// dialRetry is how often a socket is tried at which too many wait.
const dialRetry = 20 * time.Millisecond

// RequestError is an error that agrd answered with. It unwraps to its Errno.
type RequestError struct {
	Errno  Errno
	Detail string // a sentence for people, may be empty
}

func (e *RequestError) Error() string {
	if e.Detail == "" {
		return e.Errno.Error()
	}
	return e.Errno.Error() + " (" + e.Detail + ")"
}

// Unwrap returns the NetBSD error.
func (e *RequestError) Unwrap() error { return e.Errno }

// Client is a connection to agrd. It is for one goroutine.
type Client struct {
	conn  *net.UnixConn
	netns uint64 // replies must come from here; 0 = any
	buf   []byte
}

// Dial connects to the agrd of the calling thread's network namespace: to the
// socket that AGRD_SOCKET names, or to the namespace's own, or to the shared
// one. An error means that no daemon serves this namespace.
func Dial(ctx context.Context) (*Client, error) {
	if path := os.Getenv(SocketEnv); path != "" {
		return DialPath(ctx, path, 0)
	}
	cookie, err := NetnsCookie()
	if err != nil {
		return nil, err
	}
	c, err := DialPath(ctx, SocketPath(RunDir, cookie), cookie)
	if err == nil {
		return c, nil
	}
	shared, sharedErr := DialPath(ctx, SharedSocket, cookie)
	if sharedErr != nil {
		return nil, err
	}
	// A harmless request first: the reply tells whose daemon this is before it is
	// asked to change anything.
	if _, sharedErr := shared.List(); sharedErr != nil {
		shared.Close()
		return nil, err
	}
	return shared, nil
}

// DialPath connects to the socket at path. If netns is not 0, replies of a
// daemon in another network namespace are refused with ENXIO.
func DialPath(ctx context.Context, path string, netns uint64) (*Client, error) {
	conn, err := dialPatiently(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("ctl: connect: %w", err)
	}
	return &Client{conn: conn, netns: netns, buf: make([]byte, MaxMessage)}, nil
}

// dialPatiently waits where more clients than a socket can hold wait for its daemon:
// it is there.
func dialPatiently(ctx context.Context, path string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unixpacket", path)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(dialRetry):
		}
	}
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Create makes an agr interface (SIOCIFCREATE).
func (c *Client) Create(name string) error {
	_, err := c.call(SIOCIFCREATE, name, nil)
	return err
}

// Destroy removes an agr interface without ports (SIOCIFDESTROY).
func (c *Client) Destroy(name string) error {
	_, err := c.call(SIOCIFDESTROY, name, nil)
	return err
}

// Cloners lists the cloners that agrd serves (SIOCIFGCLONERS).
func (c *Client) Cloners() ([]string, error) { return c.names(SIOCIFGCLONERS, "", nil) }

// SetPort adds a port to an agr interface or removes one (SIOCSETAGR).
func (c *Client) SetPort(name, port string, cmd Command) error {
	req := agrReq{version: AgrReqVersion, cmd: cmd, buflen: uint64(len(port)), buf: []byte(port)}
	_, err := c.call(SIOCSETAGR, name, req.append(nil))
	return err
}

// SetOptions changes options of an agr interface, all of them or none (SIOCSETAGR).
func (c *Client) SetOptions(name string, all []Setting) error {
	for _, s := range all {
		if len(s.Port) >= NameSize {
			return fmt.Errorf("ctl: port name %q: longer than %d octets: %w", s.Port, NameSize-1, EINVAL)
		}
	}
	buf := appendSettings(nil, all)
	req := agrReq{version: AgrReqVersion, cmd: SetOptions, buflen: uint64(len(buf)), buf: buf}
	_, err := c.call(SIOCSETAGR, name, req.append(nil))
	return err
}

// Ports lists the ports of an agr interface in the order of their agrport
// (SIOCGETAGR).
func (c *Client) Ports(name string) ([]PortInfo, error) {
	req := agrReq{version: AgrReqVersion, cmd: PortList, buflen: MaxMessage}
	b, err := c.call(SIOCGETAGR, name, req.append(nil))
	if err != nil {
		return nil, err
	}
	if len(b) < 8 {
		return nil, fmt.Errorf("ctl: port list of %d octets: %w", len(b), ErrMessage)
	}
	return parsePortList(b[8:])
}

// Flags reads link0 to link2 (SIOCGIFFLAGS).
func (c *Client) Flags(name string) (LinkFlags, error) {
	b, err := c.call(SIOCGIFFLAGS, name, nil)
	if err != nil {
		return 0, err
	}
	if len(b) != 2 {
		return 0, fmt.Errorf("ctl: flags of %d octets: %w", len(b), ErrMessage)
	}
	return LinkFlags(binary.LittleEndian.Uint16(b)), nil
}

// SetFlags sets and clears some of link0 to link2 (SIOCSIFFLAGS).
func (c *Client) SetFlags(name string, set, clear LinkFlags) error {
	b := binary.LittleEndian.AppendUint16(nil, uint16(set))
	_, err := c.call(SIOCSIFFLAGS, name, binary.LittleEndian.AppendUint16(b, uint16(clear)))
	return err
}

// SetMTU sets the MTU of an agr interface and its ports (SIOCSIFMTU).
func (c *Client) SetMTU(name string, mtu int32) error {
	_, err := c.call(SIOCSIFMTU, name, binary.LittleEndian.AppendUint32(nil, uint32(mtu)))
	return err
}

// SetAddr sets the link-layer address of an agr interface (SIOCSIFLLADDR).
func (c *Client) SetAddr(name string, a ether.Addr) error {
	_, err := c.call(SIOCSIFLLADDR, name, a[:])
	return err
}

// Status reads everything about one agr interface.
func (c *Client) Status(name string) (*Status, error) {
	b, err := c.get(GetStatus, name)
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("ctl: status of %s: %w", name, err)
	}
	return &s, nil
}

// Owner names the agr interface that ifname is a port of, "" if it is none's.
func (c *Client) Owner(ifname string) (string, error) {
	b, err := c.get(GetOwner, ifname)
	if err != nil {
		return "", err
	}
	if len(b) != NameSize {
		return "", fmt.Errorf("ctl: owner of %d octets: %w", len(b), ErrMessage)
	}
	return parseName(b)
}

// List names all agr interfaces of the daemon.
func (c *Client) List() ([]string, error) {
	req := agrReq{version: AgrReqVersion, cmd: List}
	return c.names(SIOCGETAGR, "", req.append(nil))
}

// Watch calls f for the present state and then for each transition of an agr
// interface, or of all when name is empty, until f returns an error, ctx ends, or the
// daemon goes. An f that takes its time is told what it has missed.
func (c *Client) Watch(ctx context.Context, name string, f func(Transition) error) error {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	req := agrReq{version: AgrReqVersion, cmd: Watch}
	if err := c.send(SIOCGETAGR, name, req.append(nil)); err != nil {
		return err
	}
	for {
		r, err := c.read()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		var t Transition
		if err := json.Unmarshal(r.payload, &t); err != nil {
			return fmt.Errorf("ctl: transition: %w", err)
		}
		if err := f(t); err != nil {
			return err
		}
	}
}

func (c *Client) get(cmd Command, name string) ([]byte, error) {
	req := agrReq{version: AgrReqVersion, cmd: cmd, buflen: MaxMessage}
	return c.call(SIOCGETAGR, name, req.append(nil))
}

func (c *Client) names(code Request, name string, payload []byte) ([]string, error) {
	b, err := c.call(code, name, payload)
	if err != nil {
		return nil, err
	}
	return parseNames(b)
}

// call sends a request and collects its reply, from as many messages as it
// takes.
func (c *Client) call(code Request, name string, payload []byte) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, fmt.Errorf("ctl: %w", err)
	}
	defer c.conn.SetDeadline(time.Time{})
	if err := c.send(code, name, payload); err != nil {
		return nil, err
	}
	var whole []byte
	for {
		r, err := c.read()
		if err != nil {
			return nil, err
		}
		whole = append(whole, r.payload...)
		if r.flags&replyMore == 0 {
			return whole, nil
		}
	}
}

func (c *Client) send(code Request, name string, payload []byte) error {
	b, err := message{version: Version, code: code, name: name, payload: payload}.append(nil)
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(b); err != nil {
		return c.lastWord(fmt.Errorf("ctl: send: %w", err))
	}
	return nil
}

// lastWord is what a daemon said that has closed the connection before it was asked,
// which is why; else err.
func (c *Client) lastWord(err error) error {
	var said *RequestError
	if !errors.Is(err, unix.EPIPE) {
		return err
	}
	if _, why := c.read(); errors.As(why, &said) {
		return why
	}
	return err
}

// read reads one message of a reply.
func (c *Client) read() (reply, error) {
	b, err := receive(c.conn, c.buf)
	if err != nil {
		return reply{}, fmt.Errorf("ctl: receive: %w", err)
	}
	r, err := parseReply(b)
	switch {
	case err != nil:
		return reply{}, err
	case r.version != Version:
		return reply{}, &RequestError{EINVAL, fmt.Sprintf("agrd speaks version %d of the control protocol, this program version %d", r.version, Version)}
	case c.netns != 0 && r.netns != c.netns:
		return reply{}, &RequestError{ENXIO, "the daemon that answered serves another network namespace"}
	case r.errno != OK:
		return reply{}, &RequestError{r.errno, string(r.payload)}
	}
	return r, nil
}

// IsGone reports whether err means that there is no daemon (any more), rather
// than one that refused.
func IsGone(err error) bool {
	var re *RequestError
	return err != nil && !errors.As(err, &re) && !errors.Is(err, ErrMessage)
}
