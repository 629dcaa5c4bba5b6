package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// logBacklog is how many records wait for a slow reader of the log.
	logBacklog = 4096
	// logFlush is how long an ending daemon waits for one.
	logFlush = time.Second
)

// logQueue keeps whoever reads the log from stopping the daemon: records wait in
// a bounded queue, and those that find it full are counted and dropped.
type logQueue struct {
	records chan queued
	done    chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	closed  bool
	dropped int
}

// queued is a record and the handler that it is for.
type queued struct {
	to     slog.Handler
	record slog.Record
}

// newLogQueue makes a queue and the handler that fills it.
func newLogQueue(to slog.Handler) (*logQueue, slog.Handler) {
	q := &logQueue{records: make(chan queued, logBacklog), done: make(chan struct{})}
	go q.write()
	return q, queueHandler{q, to}
}

func (q *logQueue) write() {
	defer close(q.done)
	for r := range q.records {
		if n := q.takeDropped(); n > 0 {
			warning := slog.NewRecord(time.Now(), slog.LevelWarn, "log records were dropped", 0)
			warning.Add("count", n)
			r.to.Handle(context.Background(), warning)
		}
		r.to.Handle(context.Background(), r.record)
	}
}

func (q *logQueue) takeDropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

func (q *logQueue) put(r queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	select {
	case q.records <- r:
	default:
		q.dropped++
	}
}

// close writes what waits, unless that takes too long.
func (q *logQueue) close() {
	q.mu.Lock()
	q.closed = true
	close(q.records)
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(logFlush):
	}
}

// flush waits until what was put before has been written, unless that takes too
// long.
func (q *logQueue) flush() {
	written := make(chan struct{})
	q.put(queued{to: flushed{written: written}})
	select {
	case <-written:
	case <-time.After(logFlush):
	}
}

// flushed is a handler that says that its turn has come.
type flushed struct {
	slog.Handler
	written chan struct{}
}

// Handle implements slog.Handler.
func (f flushed) Handle(context.Context, slog.Record) error {
	close(f.written)
	return nil
}

// queueHandler is a slog.Handler that puts records into a queue.
type queueHandler struct {
	q  *logQueue
	to slog.Handler
}

func (h queueHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.to.Enabled(ctx, l) }

func (h queueHandler) Handle(_ context.Context, r slog.Record) error {
	h.q.put(queued{h.to, r.Clone()})
	return nil
}

func (h queueHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return queueHandler{h.q, h.to.WithAttrs(attrs)}
}

func (h queueHandler) WithGroup(name string) slog.Handler {
	return queueHandler{h.q, h.to.WithGroup(name)}
}
