package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// httpLimits keep whoever connects, and then does nothing or too little, from being
// anybody else's problem.
type httpLimits struct {
	conns int           // that are served at a time; more wait
	read  time.Duration // for a request to arrive
	write time.Duration // for it to be answered, and the answer to be taken
	idle  time.Duration // between two of a connection
}

// usualLimits are those of a server of ours.
func usualLimits(conns int) httpLimits {
	return httpLimits{conns: conns, read: 5 * time.Second, write: 20 * time.Second, idle: time.Minute}
}

// serveHTTP serves until the context ends. A handler may give an answer more time.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, limits httpLimits, log *slog.Logger) error {
	s := &http.Server{
		Handler: bodiless(h), MaxHeaderBytes: 16 << 10,
		ReadTimeout: limits.read, WriteTimeout: limits.write, IdleTimeout: limits.idle,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	err := s.Serve(netutil.LimitListener(l, limits.conns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// bodiless refuses requests that bring something. Nothing is there to take it, and a
// server waits for what is announced.
func bodiless(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			http.Error(w, "a request brings nothing here", http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}
