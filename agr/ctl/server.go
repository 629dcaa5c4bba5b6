package ctl

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// Bounds that keep one client from being everybody's problem. uid 0 has
// connections of its own, so that nobody can lock it out.
const (
	maxConns       = 128 // of uid 0
	maxOtherConns  = 128 // of all others together
	maxConnsOfUser = 32  // of each of the others
	idleTimeout    = 60 * time.Second
	writeTimeout   = 5 * time.Second
	refuseTimeout  = 100 * time.Millisecond // for what never waits, when all is well
)

// Handler answers requests. Its methods are called from many goroutines, and
// an error without an Errno in its chain is reported as EIO. Its text travels
// as the detail of the reply.
type Handler interface {
	Cloner
	Setter
	Getter
}

// Cloner makes and removes agr interfaces. Authorisation was checked before.
type Cloner interface {
	Create(name string) error
	Destroy(name string) error
}

// Setter changes an agr interface. Authorisation was checked before, after the
// existence of the interface (agr(4)'s order).
type Setter interface {
	// SetPort checks, in this order, that the port exists (ENOENT), that cmd is
	// AddPort or RemovePort (EINVAL), and then what the command needs.
	SetPort(name, port string, cmd Command) error
	SetFlags(name string, set, clear LinkFlags) error
	SetMTU(name string, mtu int32) error
	SetAddr(name string, a ether.Addr) error
	// SetOptions changes all of these options or none: EINVAL for a value out of
	// range or for options that contradict each other, ENOENT for no such port.
	SetOptions(name string, all []Setting) error
}

// Getter reads.
type Getter interface {
	List() []string
	// Exists is nil, or ENXIO when there is no such agr interface.
	Exists(name string) error
	Status(name string) (*Status, error)
	Owner(ifname string) string
	// Subscribe calls f for the present state, one Transition with MachineSnapshot
	// each, and then for each transition until the context ends or f fails. Who is
	// too slow gets one with MachineMissed, and the present state again.
	Subscribe(ctx context.Context, name string, f func(Transition) error) error
}

// Server serves a daemon's sockets, one or several: whoever is connected counts once
// for all of them.
type Server struct {
	Handler Handler
	Netns   uint64 // cookie of the namespace, in every reply
	// Group may write as well, besides uid 0; negative for none.
	Group int
	Log   *slog.Logger

	patience time.Duration // with a client that does not take its answer; 0 = writeTimeout
	users    census
}

// Listen makes the socket, world-writable because reading is for everybody. A
// socket that a dead daemon left is replaced; a living daemon there is EADDRINUSE.
func Listen(path string) (*net.UnixListener, error) { return listenUnix("unixpacket", path) }

// ListenStream is Listen for a stream socket beside the control socket, of what
// else everybody may read.
func ListenStream(path string) (*net.UnixListener, error) { return listenUnix("unix", path) }

func listenUnix(network, path string) (*net.UnixListener, error) {
	c, err := net.Dial(network, path)
	if err == nil {
		c.Close()
	}
	if err == nil || errors.Is(err, unix.EAGAIN) { // that one has more clients than it can take at once
		return nil, fmt.Errorf("ctl: listen %s: somebody else is there: %w", path, unix.EADDRINUSE)
	}
	if err := removeSocket(path); err != nil {
		return nil, fmt.Errorf("ctl: listen: %w", err)
	}
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("ctl: listen: %w", err)
	}
	if err := openToAll(path); err != nil {
		l.Close()
		return nil, fmt.Errorf("ctl: listen: %w", err)
	}
	return l, nil
}

// removeSocket removes what a dead daemon has left, and nothing but a socket.
func removeSocket(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	return os.Remove(path)
}

// Serve answers requests at one socket until the context ends, and waits for its
// connections to end. It may be called for several sockets at once.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	last := newSpare()
	defer last.release()
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if noDescriptor(err) {
				s.refuseWaiting(l, last)
			}
			if retry(ctx, err) {
				continue
			}
			return fmt.Errorf("ctl: accept: %w", err)
		}
		uid := uidOf(conn)
		if !s.users.enter(uid) {
			s.refuse(conn, EAGAIN, "too many control connections")
			continue
		}
		wg.Go(func() {
			defer s.users.leave(uid)
			s.serveConn(ctx, conn)
		})
	}
}

// retry waits a moment after a lack of descriptors or memory, and reports
// whether accept is worth another try.
func retry(ctx context.Context, err error) bool {
	if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) &&
		!errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.ENOMEM) && !errors.Is(err, unix.ECONNABORTED) {
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
	return true
}

// serveConn answers one connection's requests, one after the other. When the
// context ends it reads no more, but the request that it is at is answered: a
// destroy that ends the daemon must not look like a failure.
func (s *Server) serveConn(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	for {
		conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if ctx.Err() != nil {
			return
		}
		b, err := receiveAny(conn)
		if errors.Is(err, ErrMessage) {
			s.dismiss(conn, EMSGSIZE, err.Error())
			return
		}
		if err != nil {
			return
		}
		if err := s.serveMessage(ctx, conn, b); err != nil {
			s.Log.Debug("control connection", "err", err)
			return
		}
	}
}

// serveMessage answers one request. Its error is the connection's, not the
// request's.
func (s *Server) serveMessage(ctx context.Context, conn *net.UnixConn, b []byte) error {
	m, err := parseMessage(b)
	if len(b) >= requestHeader && m.version != Version {
		detail := fmt.Sprintf("agrd speaks version %d of the control protocol, the request is of version %d", Version, m.version)
		return s.answer(conn, EINVAL, []byte(detail))
	}
	if err != nil {
		return s.answer(conn, EINVAL, []byte(err.Error()))
	}
	if m.code == SIOCGETAGR {
		if req, err := parseAgrReq(m.payload); err == nil && req.version == AgrReqVersion && req.cmd == Watch {
			return s.watch(ctx, conn, m.name)
		}
	}
	payload, err := s.dispatch(caller(conn, s.Group), m)
	if err != nil {
		return s.answer(conn, ErrnoOf(err), []byte(err.Error()))
	}
	return s.answer(conn, OK, payload)
}

// answer sends a reply in as many messages as it takes.
func (s *Server) answer(conn *net.UnixConn, errno Errno, payload []byte) error {
	conn.SetWriteDeadline(time.Now().Add(cmp.Or(s.patience, writeTimeout)))
	return s.write(conn, errno, payload)
}

func (s *Server) write(conn *net.UnixConn, errno Errno, payload []byte) error {
	const room = MaxMessage - replyHeader
	for {
		part, flags := payload, uint16(0)
		if len(part) > room {
			part, flags = part[:room], replyMore
		}
		r := reply{version: Version, flags: flags, netns: s.Netns, errno: errno, payload: part}
		if _, err := conn.Write(r.append(nil)); err != nil {
			return fmt.Errorf("ctl: answer: %w", err)
		}
		if payload = payload[len(part):]; len(payload) == 0 {
			return nil
		}
	}
}

// dispatch carries a request out, with agr(4)'s order of checks: the interface,
// the privilege, the request.
func (s *Server) dispatch(privileged bool, m message) ([]byte, error) {
	switch m.code {
	case SIOCIFCREATE:
		if !privileged {
			return nil, EPERM
		}
		return nil, s.Handler.Create(m.name)
	case SIOCIFDESTROY:
		if !privileged {
			return nil, EPERM
		}
		return nil, s.Handler.Destroy(m.name)
	case SIOCIFGCLONERS:
		return appendNames(nil, []string{"agr"}), nil
	case SIOCGETAGR:
		return s.get(m)
	case SIOCGIFFLAGS:
		st, err := s.Handler.Status(m.name)
		if err != nil {
			return nil, err
		}
		return binary.LittleEndian.AppendUint16(nil, uint16(st.LinkFlags)), nil
	case SIOCSETAGR, SIOCSIFFLAGS, SIOCSIFMTU, SIOCSIFLLADDR:
		return nil, s.set(privileged, m)
	}
	return nil, fmt.Errorf("request %#x: %w", uint32(m.code), ENOTTY)
}

func (s *Server) set(privileged bool, m message) error {
	if err := s.Handler.Exists(m.name); err != nil {
		return err
	}
	if !privileged {
		return EPERM
	}
	switch m.code {
	case SIOCSETAGR:
		return s.setAgr(m)
	case SIOCSIFFLAGS:
		if len(m.payload) != 4 {
			return fmt.Errorf("flags of %d octets: %w", len(m.payload), EINVAL)
		}
		set := LinkFlags(binary.LittleEndian.Uint16(m.payload))
		return s.Handler.SetFlags(m.name, set, LinkFlags(binary.LittleEndian.Uint16(m.payload[2:])))
	case SIOCSIFMTU:
		if len(m.payload) != 4 {
			return fmt.Errorf("mtu of %d octets: %w", len(m.payload), EINVAL)
		}
		return s.Handler.SetMTU(m.name, int32(binary.LittleEndian.Uint32(m.payload)))
	default: // SIOCSIFLLADDR
		a, err := parseMAC(m.payload)
		if err != nil {
			return fmt.Errorf("%w: %w", err, EINVAL)
		}
		return s.Handler.SetAddr(m.name, a)
	}
}

// setAgr carries an agrreq out. A command from 100 up that is not known comes from
// a newer program, which is told so.
func (s *Server) setAgr(m message) error {
	req, err := parseAgrReq(m.payload)
	switch {
	case err != nil || req.version != AgrReqVersion:
		return fmt.Errorf("agrreq: %w", EINVAL)
	case req.cmd == SetOptions:
		all, err := parseSettings(req.buf)
		if err != nil {
			return fmt.Errorf("%w: %w", err, EINVAL)
		}
		return s.Handler.SetOptions(m.name, all)
	case req.cmd >= firstOwnCommand:
		return fmt.Errorf("agrreq command %d is not known to this agrd: %w", req.cmd, EINVAL)
	default:
		return s.Handler.SetPort(m.name, portName(req.buf), req.cmd)
	}
}

// portName reads the name in an agrreq: not necessarily NUL-terminated, at most
// 15 octets of it are used (agr(4)).
func portName(b []byte) string {
	for i, c := range b {
		if c == 0 || i == NameSize-1 {
			return string(b[:i])
		}
	}
	return string(b)
}

func (s *Server) get(m message) ([]byte, error) {
	req, err := parseAgrReq(m.payload)
	if err != nil || req.version != AgrReqVersion {
		return nil, fmt.Errorf("agrreq: %w", EINVAL)
	}
	switch req.cmd {
	case GetOwner:
		return appendName(nil, s.Handler.Owner(m.name)), nil
	case List:
		return appendNames(nil, s.Handler.List()), nil
	}
	st, err := s.Handler.Status(m.name)
	if err != nil {
		return nil, err
	}
	switch req.cmd {
	case PortList:
		return portList(st, req.buflen)
	case GetStatus:
		return json.Marshal(st)
	}
	return nil, fmt.Errorf("agrreq command %d is not known to this agrd: %w", req.cmd, EINVAL)
}

// portList answers SIOCGETAGR's port list: with no buffer the size that is
// needed, with one that is too small E2BIG.
func portList(st *Status, buflen uint64) ([]byte, error) {
	need := uint64(portListSize(len(st.Ports)))
	if buflen == 0 {
		return binary.LittleEndian.AppendUint64(nil, need), nil
	}
	if buflen < need {
		return nil, fmt.Errorf("port list of %d octets: %w", need, E2BIG)
	}
	ports := make([]PortInfo, len(st.Ports))
	for i, p := range st.Ports {
		ports[i] = PortInfo{Name: p.Name, Flags: p.Flags}
	}
	return appendPortList(binary.LittleEndian.AppendUint64(nil, need), ports), nil
}
