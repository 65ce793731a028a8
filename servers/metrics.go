package servers

import (
	"net/http"
	"strconv"
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
	handler     http.Handler // shows them
}

// newMetrics uses a registry of its own, so that several servers can live in
// one process. The label is "replica", since "instance" is what Prometheus
// itself calls the address that it scrapes.
func newMetrics(instance string) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		connections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "portlab_connections_accepted_total",
			Help: "TCP connections that the replica has accepted.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portlab_requests_total",
			Help: "Requests answered, by HTTP status; 499: the client went away before the answer.",
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
	prometheus.WrapRegistererWith(prometheus.Labels{"replica": instance}, registry).MustRegister(
		m.connections, m.requests, m.inFlight, m.service,
		collectors.NewBuildInfoCollector(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *metrics) answered(status int, service time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	m.service.Observe(service.Seconds())
}
