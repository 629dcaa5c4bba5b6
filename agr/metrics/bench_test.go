package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ifagr/agr/ctl"
)

// sink is a scraper that only counts.
type sink struct {
	header http.Header
	octets int64
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(b []byte) (int, error) {
	s.octets += int64(len(b))
	return io.Discard.Write(b)
}

// A thousand aggregates of two ports, without what it takes to ask them.
func BenchmarkScrape(b *testing.B) {
	f := &fake{agrs: make(map[string]*ctl.Status)}
	for i := range 1000 {
		f.agrs[fmt.Sprint("agr", i)] = example()
	}
	cfg := config(f)
	now := noon
	cfg.Now = func() time.Time { now = now.Add(fresh); return now }
	h, err := Handler(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var s sink
	for b.Loop() {
		s = sink{header: make(http.Header)}
		h.ServeHTTP(&s, httptest.NewRequest("GET", "/metrics", nil))
	}
	b.ReportMetric(float64(s.octets)/1e6, "MB/scrape")
}
