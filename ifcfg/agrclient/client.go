package agrclient

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// dialTimeout bounds the connection to a daemon that does not accept.
const dialTimeout = 5 * time.Second

// Client is agrd as ifcfg sees it, over the control socket. The zero value is
// ready: it connects when it is first needed, to the daemon of the network
// namespace of the calling thread. It is for one goroutine.
type Client struct {
	client  *ctl.Client
	started bool // by Resume
}

var _ ifcfg.Aggr = (*Client)(nil)

// connect connects to the daemon, once.
func (a *Client) connect() (*ctl.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c, err := ctl.Dial(ctx)
	if err != nil {
		return nil, err
	}
	a.client = c
	return c, nil
}

const (
	// returnTime is how long a daemon may take that is being replaced while this
	// client uses it.
	returnTime = time.Second
	// returnPoll is how long is waited between two looks for it.
	returnPoll = 10 * time.Millisecond
)

// call makes one request. A daemon that is not there, or goes away meanwhile, is
// ENXIO. One that was there is looked for again, if it surely has not carried the
// request out.
func (a *Client) call(f func(*ctl.Client) error) error {
	was := a.client != nil
	c, err := a.connect()
	if err == nil {
		was = true
		err = f(c)
	}
	for deadline := time.Now().Add(returnTime); was && isUnread(err) && time.Now().Before(deadline); {
		a.drop()
		time.Sleep(returnPoll)
		if c, err = a.connect(); err == nil {
			err = f(c)
		}
	}
	if ctl.IsGone(err) {
		a.drop()
		return &ctl.RequestError{Errno: ctl.ENXIO, Detail: "agrd does not answer: " + err.Error()}
	}
	return err
}

// isUnread reports whether no daemon has read the request: it closed the connection
// before, or nobody listens now.
func isUnread(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) ||
		errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT)
}

// Close ends the connection, if there is one. The next request makes another.
func (a *Client) Close() { a.drop() }

func (a *Client) drop() {
	if a.client != nil {
		a.client.Close()
		a.client = nil
	}
}

// createTries is how often a create meets a daemon that is just ending before
// it gives up.
const createTries = 3

// Create makes an agr interface, and starts the daemon when there is none.
func (a *Client) Create(name string) error {
	var err error
	for range createTries {
		if _, dialErr := a.connect(); dialErr != nil {
			if err := startDaemon(a.connect); err != nil {
				return err
			}
		}
		err = a.call(func(c *ctl.Client) error { return c.Create(name) })
		if !errors.Is(err, ctl.EAGAIN) && !errors.Is(err, ctl.ENXIO) {
			return err
		}
		a.drop()
	}
	return err
}

// Destroy removes an agr interface.
func (a *Client) Destroy(name string) error {
	return a.call(func(c *ctl.Client) error { return c.Destroy(name) })
}

// SetPort adds or removes a port.
func (a *Client) SetPort(name, port string, add bool) error {
	cmd := ctl.RemovePort
	if add {
		cmd = ctl.AddPort
	}
	return a.call(func(c *ctl.Client) error { return c.SetPort(name, port, cmd) })
}

// SetFlags sets and clears some of link0 to link2.
func (a *Client) SetFlags(name string, set, clear ctl.LinkFlags) error {
	return a.call(func(c *ctl.Client) error { return c.SetFlags(name, set, clear) })
}

// SetMTU sets the MTU of an agr interface and of its ports.
func (a *Client) SetMTU(name string, mtu int) error {
	if mtu != int(int32(mtu)) {
		return ctl.EINVAL
	}
	return a.call(func(c *ctl.Client) error { return c.SetMTU(name, int32(mtu)) })
}

// SetAddr makes addr the active address of an agr interface.
func (a *Client) SetAddr(name string, addr ether.Addr) error {
	return a.call(func(c *ctl.Client) error { return c.SetAddr(name, addr) })
}

// SetOptions changes options of an agr interface, all of them or none.
func (a *Client) SetOptions(name string, all []ctl.Setting) error {
	return a.call(func(c *ctl.Client) error { return c.SetOptions(name, all) })
}

// Ports lists the ports of an agr interface.
func (a *Client) Ports(name string) (ports []ctl.PortInfo, err error) {
	err = a.call(func(c *ctl.Client) error { ports, err = c.Ports(name); return err })
	return ports, err
}

// Flags reads link0 to link2.
func (a *Client) Flags(name string) (flags ctl.LinkFlags, err error) {
	err = a.call(func(c *ctl.Client) error { flags, err = c.Flags(name); return err })
	return flags, err
}

// Status reads everything about an agr interface.
func (a *Client) Status(name string) (st *ctl.Status, err error) {
	err = a.call(func(c *ctl.Client) error { st, err = c.Status(name); return err })
	return st, err
}

// Owner names the agr interface that ifname is a port of. Where the daemon is
// gone, what it has left in its state file counts (design D3).
func (a *Client) Owner(ifname string) (owner string, err error) {
	err = a.call(func(c *ctl.Client) error { owner, err = c.Owner(ifname); return err })
	if errors.Is(err, ctl.ENXIO) {
		return ownerOnFile(ifname), nil
	}
	return owner, err
}

// ownerOnFile reads the owner of a port from the state file of this namespace.
// What cannot be read or believed says nothing.
func ownerOnFile(ifname string) string {
	f, _, err := stateFile()
	if err != nil {
		return ""
	}
	return f.Owner(0, ifname)
}

// stateFile is what a daemon of this namespace has left, and where.
func stateFile() (f state.File, path string, err error) {
	cookie, err := ctl.NetnsCookie()
	if err != nil {
		return f, "", err
	}
	boot, err := state.BootID()
	if err != nil {
		return f, "", err
	}
	path = state.Path(ctl.RunDirectory(), cookie)
	f, err = state.Load(path, boot, cookie)
	return f, path, err
}
