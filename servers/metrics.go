package servers

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what one server counts of itself. Names and units follow
// https://prometheus.io/docs/practices/naming/. Every request counts, those
// to /healthz and /metrics too.
type metrics struct {
	connections prometheus.Counter
	requests    *prometheus.CounterVec
	inFlight    prometheus.Gauge
	service     prometheus.Histogram
	// handler shows them. It is made by the first scrape: of a thousand idle
	// replicas few are ever scraped, and each would hold 80 kB for it.
	handler func() http.Handler
}

// newMetrics makes the metrics of a replica.
func newMetrics(instance string) *metrics {
	m := &metrics{
		connections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "portlab_connections_accepted_total",
			Help: "TCP connections that the replica has accepted, and clients of UDP that it has met.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portlab_requests_total",
			Help: "Requests answered, by HTTP status; 200 and 400 for lines, messages and datagrams too; 499: the client went away before the answer.",
		}, []string{"code"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portlab_requests_in_flight",
			Help: "Requests under way.",
		}),
		service: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "portlab_service_seconds",
			Help:    "The replica's own time for an answer, up to the answer's header.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 14), // 1 us to 67 s: beyond MaxDelay
		}),
	}
	m.handler = sync.OnceValue(func() http.Handler { return m.exposition(instance) })
	return m
}

// exposition shows the metrics, and those of the process. It uses a registry
// of its own, so that several servers can live in one process. The label is
// "replica", since "instance" is what Prometheus itself calls the address that
// it scrapes.
func (m *metrics) exposition(instance string) http.Handler {
	registry := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(prometheus.Labels{"replica": instance}, registry).MustRegister(
		m.connections, m.requests, m.inFlight, m.service,
		collectors.NewBuildInfoCollector(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

func (m *metrics) answered(status int, service time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	m.service.Observe(service.Seconds())
}
