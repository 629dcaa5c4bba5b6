package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"ifagr/agr"
	"ifagr/agr/metrics"
)

// metricsRetry is how long a daemon whose metrics cannot be served waits before
// it tries again. It does not end for that: aggregation matters more.
const metricsRetry = 10 * time.Second

const (
	// metricsConns is how many connections are served at a time: each may hold the text
	// of a scrape that nobody takes, which is long with many interfaces.
	metricsConns = 16
	// scrapeTime is how long a scrape may take. It is made as a whole before any of it is
	// sent, so that who reads slowly keeps no other from being made.
	scrapeTime = 15 * time.Second
)

// serveMetrics serves a Manager's metrics until the context ends. opened is called
// when it has tried to listen: a daemon that is confined can make no Internet socket
// any more, and no file but beside its state.
func (d *daemon) serveMetrics(ctx context.Context, m *agr.Manager, opened func()) error {
	h, err := metrics.Handler(metrics.Config{
		Source: m, Version: version(), Go: runtime.Version(), Now: time.Now,
		Daemon: func() metrics.Daemon { return metrics.Daemon(m.Health()) },
	})
	if err != nil {
		return err
	}
	h = http.TimeoutHandler(h, scrapeTime, "the scrape took too long\n")
	var why error // it is not served, before the daemon was confined
	for {
		err := d.listenMetrics(ctx, h, opened)
		at := d.cfg.metrics.String()
		switch {
		case err == nil:
		case d.confined.Load() && inVain(err):
			d.log.Error("metrics not served: this daemon is confined and can try no more; mend that and start it again",
				"address", at, "err", cmp.Or(why, err))
			return nil
		default:
			why = err
			d.log.Error("metrics not served", "address", at, "err", err)
		}
		if sleep(ctx, metricsRetry) != nil {
			return nil
		}
	}
}

// inVain reports whether a daemon that is confined will never listen. It can ask nobody
// for the address of a name either.
func inVain(err error) bool {
	var unknown *net.DNSError
	return errors.Is(err, fs.ErrPermission) || errors.As(err, &unknown)
}

func (d *daemon) listenMetrics(ctx context.Context, h http.Handler, opened func()) error {
	l, err := d.cfg.metrics.listenEarly(ctx)
	opened()
	if err != nil {
		return err
	}
	d.log.Info("serving metrics", "address", d.cfg.metrics.String())
	return serveHTTP(ctx, l, h, usualLimits(metricsConns), d.log)
}

// version is that of the module, as the go command knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
