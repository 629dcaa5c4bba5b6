package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"ifagr/agr"
	"ifagr/agr/metrics"
	"ifagr/bench/lab"
)

// metricsSocket is where a daemon's metrics are, in the directory of its state.
const metricsSocket = "metrics.sock"

// scrapeEvery is more often than Prometheus would.
const scrapeEvery = 5 * time.Second

// serveMetrics serves a Manager's metrics until ctx ends.
func serveMetrics(ctx context.Context, m *agr.Manager, dir string) error {
	h, err := metrics.Handler(metrics.Config{
		Source: m, Version: "bench", Go: runtime.Version(), Now: time.Now,
		Daemon: func() metrics.Daemon { return metrics.Daemon(m.Health()) },
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, metricsSocket))
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// scrapes is what reading a daemon's metrics came to.
type scrapes struct {
	took   lab.Series // seconds
	octets int64      // of the last
	failed int
}

// scrape reads the metrics of a daemon again and again until ctx ends.
func scrape(ctx context.Context, dir string) (s scrapes) {
	client := &http.Client{Transport: &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, metricsSocket))
		},
	}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(scrapeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return s
		case <-tick.C:
		}
		start := time.Now()
		n, err := fetch(client)
		if err != nil {
			s.failed++
			continue
		}
		s.took, s.octets = append(s.took, time.Since(start).Seconds()), n
	}
}

func fetch(client *http.Client) (int64, error) {
	r, err := client.Get("http://localhost/metrics")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	n, err := io.Copy(io.Discard, r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status)
	}
	return n, err
}

// watchScraped measures as watch does, while both daemons' metrics are read.
func (r *Result) watchScraped(b *lab.Bed, ends [2]*end, d time.Duration) scrapes {
	ctx, cancel := context.WithCancel(b.Context())
	found := make(chan scrapes, len(ends))
	for _, e := range ends {
		go func() { found <- scrape(ctx, e.dir) }()
	}
	r.watch(b, ends, d)
	cancel()
	all := <-found
	other := <-found
	all.took, all.failed = append(all.took, other.took...), all.failed+other.failed
	return all
}

// describe is a line about a run whose metrics were read.
func (s scrapes) describe(r Result) string {
	if len(s.took) == 0 {
		return fmt.Sprintf("%6d  metrics were never read, %d times in vain", r.Number, s.failed)
	}
	return fmt.Sprintf("%6d  metrics read each 5 s: %d times, %d in vain, %.1f MB in %.0f ms (the longest %.0f ms), %.1f %% of a core; "+
		"memory %.1f MB, at most %.1f MB; LACPDUs: 99 %% late %.1f ms, worst %.1f ms; others %.0f %%",
		r.Number, len(s.took), s.failed, float64(s.octets)/1e6, 1000*s.took.Median(), 1000*s.took.Quantile(1), 100*r.CPU,
		float64(r.RSS)/(1<<20), float64(r.Peak)/(1<<20), 1000*r.Late99.Seconds(), 1000*r.Worst.Seconds(), 100*r.Others)
}
