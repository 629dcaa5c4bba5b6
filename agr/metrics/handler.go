package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// inFlight is how many scrapes may be under way. More are answered 503.
const inFlight = 2

// Handler answers GET /metrics with everything: what a Collector collects, and
// the process's memory, descriptors, processor time and goroutines.
func Handler(cfg Config) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	all := []prometheus.Collector{
		New(cfg),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, c := range all {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: inFlight,
	}))
	return mux, nil
}
