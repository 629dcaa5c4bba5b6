package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
)

// newLogHandler makes the daemon's log. Where there is no syslog, what was meant for
// it goes to the kernel's log, and where that cannot be written nowhere.
func newLogHandler(kind string, debug bool, stderr io.Writer) (slog.Handler, error) {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		opts.Level = slog.LevelDebug
	}
	switch kind {
	case "text":
		return slog.NewTextHandler(stderr, opts), nil
	case "json":
		return slog.NewJSONHandler(stderr, opts), nil
	case "syslog":
		w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "agrd")
		if err == nil {
			return &syslogHandler{w: w, opts: opts}, nil
		}
		kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
		if err != nil {
			return slog.DiscardHandler, nil
		}
		return slog.NewTextHandler(kmsgWriter{kmsg}, opts), nil
	}
	return nil, fmt.Errorf("-log %s: not text, json or syslog", kind)
}

// kmsgWriter writes each record to the kernel's log, as a daemon's.
type kmsgWriter struct{ w io.Writer }

// kmsgPriority is LOG_DAEMON|LOG_INFO of syslog(3).
const kmsgPriority = "<30>agrd: "

func (k kmsgWriter) Write(b []byte) (int, error) {
	if _, err := k.w.Write(append([]byte(kmsgPriority), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// syslogHandler writes records with their level as syslog's severity; syslog has
// its own time.
type syslogHandler struct {
	w     *syslog.Writer
	opts  *slog.HandlerOptions
	attrs []slog.Attr
	group string
}

func (h *syslogHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.opts.Level.Level()
}

func (h *syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &next
}

func (h *syslogHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group = name
	return &next
}

func (h *syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	var b bytes.Buffer
	text := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: h.opts.Level, ReplaceAttr: dropTimeAndLevel})
	handler := text.WithAttrs(h.attrs)
	if h.group != "" {
		handler = handler.WithGroup(h.group)
	}
	if err := handler.Handle(ctx, r); err != nil {
		return err
	}
	switch {
	case r.Level >= slog.LevelError:
		return h.w.Err(b.String())
	case r.Level >= slog.LevelWarn:
		return h.w.Warning(b.String())
	case r.Level >= slog.LevelInfo:
		return h.w.Info(b.String())
	default:
		return h.w.Debug(b.String())
	}
}

func dropTimeAndLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}
