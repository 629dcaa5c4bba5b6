package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestLogQueueKeepsOrder(t *testing.T) {
	var b bytes.Buffer
	q, h := newLogQueue(slog.NewTextHandler(&b, nil))
	log := slog.New(h).With("agr", "agr0")
	log.Info("one")
	log.WithGroup("g").Warn("two", "x", 1)
	q.close()
	log.Info("late") // nobody writes it, and nothing breaks
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "msg=one agr=agr0") || !strings.Contains(lines[1], "msg=two agr=agr0 g.x=1") {
		t.Errorf("log:\n%s", b.String())
	}
}

// A reader that stops does not stop the daemon; when it goes on it is told what
// it has missed.
func TestLogQueueNeverWaits(t *testing.T) {
	r, w := io.Pipe()
	q, h := newLogQueue(slog.NewTextHandler(w, nil))
	log := slog.New(h)
	const extra = 10
	for range logBacklog + extra {
		log.Info("x")
	}
	var out strings.Builder
	read := make(chan struct{})
	go func() { io.Copy(&out, r); close(read) }()
	q.close()
	w.Close()
	<-read
	if !strings.Contains(out.String(), "log records were dropped") {
		t.Errorf("nothing is said of dropped records: %d octets", out.Len())
	}
}
