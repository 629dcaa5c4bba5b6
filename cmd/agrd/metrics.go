package main

import (
	"context"
	"log/slog"
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

// serveMetrics serves a Manager's metrics until the context ends. opened is called
// when it has tried to listen: a daemon that is confined can do so no more.
func serveMetrics(ctx context.Context, m *agr.Manager, at address, opened func(), log *slog.Logger) error {
	h, err := metrics.Handler(metrics.Config{
		Source: m, Version: version(), Go: runtime.Version(), Now: time.Now,
		Daemon: func() metrics.Daemon { return metrics.Daemon(m.Health()) },
	})
	if err != nil {
		return err
	}
	h = http.TimeoutHandler(h, 30*time.Second, "the scrape took too long\n")
	for {
		if err := listenMetrics(ctx, at, h, opened, log); err != nil {
			log.Error("metrics not served", "address", at.String(), "err", err)
		}
		if sleep(ctx, metricsRetry) != nil {
			return nil
		}
	}
}

func listenMetrics(ctx context.Context, at address, h http.Handler, opened func(), log *slog.Logger) error {
	l, err := at.listen()
	opened()
	if err != nil {
		return err
	}
	log.Info("serving metrics", "address", at.String())
	return serveHTTP(ctx, l, h, log)
}

// version is that of the module, as the go command knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
