package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ifagr/agr/ctl"
)

// Source is what is measured: the daemon's agr.Manager.
type Source interface {
	// List names the agr interfaces.
	List() []string
	// Glance describes one of them, or fails when the context ends.
	Glance(ctx context.Context, name string) (*ctl.Status, error)
}

// Daemon is how the daemon itself is.
type Daemon struct {
	Uptime    time.Duration
	Polls     uint64 // looks at the ports' carriers
	LatePolls uint64 // that came late
	PollDelay time.Duration
}

// Config says what a Collector shows.
type Config struct {
	Source  Source
	Daemon  func() Daemon
	Version string // of this program
	Go      string // that it was built with
	Now     func() time.Time
}

const (
	// patience is how long a scrape waits for an owner that is busy, and budget
	// how long for all of them.
	patience = time.Second
	budget   = 5 * time.Second
	// fresh is how long one look serves.
	fresh = time.Second
)

// Collector collects the metrics of a daemon. It may be used by many goroutines.
type Collector struct {
	cfg Config

	mu   sync.Mutex
	at   time.Time
	took time.Duration
	last []look
}

var _ prometheus.Collector = (*Collector)(nil)

// look is what one agr interface has answered; nil is nothing.
type look struct {
	name   string
	status *ctl.Status
}

// New makes a Collector.
func New(cfg Config) *Collector { return &Collector{cfg: cfg} }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range daemonFamilies {
		out <- f.desc
	}
	for _, f := range agrFamilies {
		out <- f.desc
	}
	for _, f := range portFamilies {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	looks, took := c.look()
	d := daemon{Daemon: c.cfg.Daemon(), version: c.cfg.Version, goVersion: c.cfg.Go, scrape: took}
	collect(out, daemonFamilies, &d, nil)
	for i := range looks {
		l := &looks[i]
		labels := pairs(agrLabels, []string{l.name})
		collect(out, agrFamilies[:1], l, labels)
		if l.status == nil {
			continue
		}
		collect(out, agrFamilies[1:], l, labels)
		for i := range l.status.Ports {
			p := &l.status.Ports[i]
			collect(out, portFamilies, p, pairs(portLabels, []string{l.name, p.Name}))
		}
	}
}

// look asks every aggregate, unless that was done a moment ago. One at a time:
// a scrape may take long, but it must not keep the processor from the owners.
func (c *Collector) look() ([]look, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := c.cfg.Now()
	if c.last != nil && start.Sub(c.at) < fresh {
		return c.last, c.took
	}
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	names := c.cfg.Source.List()
	slices.Sort(names) // the order of the output
	looks := make([]look, 0, len(names))
	for _, name := range names {
		looks = append(looks, look{name, c.glance(ctx, name)})
	}
	c.at = c.cfg.Now()
	c.took, c.last = c.at.Sub(start), looks
	return c.last, c.took
}

// glance is the status of an aggregate, or nil when it has none to give now.
func (c *Collector) glance(ctx context.Context, name string) *ctl.Status {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, err := c.cfg.Source.Glance(ctx, name)
	if err != nil {
		return nil
	}
	return st
}
