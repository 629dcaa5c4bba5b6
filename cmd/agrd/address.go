package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
)

// address is where something is served: a unix socket or a TCP address.
type address struct {
	network string // "unix" or "tcp"
	where   string
}

// parseAddress reads unix:/path or host:port.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return address{}, fmt.Errorf("%q: want unix: and an absolute path", s)
		}
		return address{"unix", path}, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q: want unix:/path, or an address and a port with a colon between", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return address{}, fmt.Errorf("%q: port %q: not a number up to 65535", s, port)
	}
	return address{"tcp", s}, nil
}

// loopback is nil for a unix socket and for an address that nobody but this
// machine can reach.
func (a address) loopback() error {
	if a.network == "unix" {
		return nil
	}
	host, _, err := net.SplitHostPort(a.where)
	if err != nil {
		return err
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is no loopback address: there is no password, so it must be localhost, 127.0.0.1, [::1] or unix:/path; "+
		"from elsewhere, ssh -L brings it near", a.where)
}

// String is the address as it is written on a command line.
func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.where
	}
	return a.where
}

func (a address) listen() (net.Listener, error) {
	if a.network == "unix" {
		return ctl.ListenStream(a.where)
	}
	return net.Listen("tcp", a.where)
}

// resolveTime is how long the name of a host may keep a daemon from serving.
const resolveTime = 5 * time.Second

// listenEarly is listen at an address that no interface need have yet (ip(7),
// IP_FREEBIND): that of an aggregate, before it is made.
func (a address) listenEarly(ctx context.Context) (net.Listener, error) {
	if a.network == "unix" {
		return a.listen()
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	lc := net.ListenConfig{Control: bindFreely}
	lc.SetMultipathTCP(false) // older kernels have no such option for it
	return lc.Listen(ctx, "tcp", a.where)
}

// bindFreely lets a socket be bound to any address. Where that cannot be had, bind tells.
func bindFreely(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		if network == "tcp6" {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
			return
		}
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1)
	})
}
