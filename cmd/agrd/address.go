package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/netutil"

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

// maxHTTP is how many connections are served at a time. More wait.
const maxHTTP = 64

// serveHTTP serves until the context ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	err := s.Serve(netutil.LimitListener(l, maxHTTP))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
