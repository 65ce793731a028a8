package servers_test

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads /metrics as Prometheus would.
func scrape(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	_, body := dial(t, address).get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("the exposition cannot be parsed: %v", err)
	}
	return families
}

// single is the one metric of a family that has this label, or any if empty.
func single(t *testing.T, families map[string]*dto.MetricFamily, name, label, value string) *dto.Metric {
	t.Helper()
	for _, m := range families[name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == value {
				return m
			}
		}
	}
	t.Fatalf("no metric %s{%s=%q}", name, label, value)
	return nil
}

func TestMetricsCount(t *testing.T) {
	r := start(t, config("foo"))
	for range 2 {
		c := dial(t, r.address())
		for range 3 {
			c.get("/")
		}
		c.get("/?body=x")
	}
	got := scrape(t, r.address()) // by a third connection
	for what, pair := range map[string][2]float64{
		"connections": {single(t, got, "portlab_connections_accepted_total", "replica", "foo").GetCounter().GetValue(), 3},
		"answers 200": {single(t, got, "portlab_requests_total", "code", "200").GetCounter().GetValue(), 6},
		"answers 400": {single(t, got, "portlab_requests_total", "code", "400").GetCounter().GetValue(), 2},
		"in flight":   {single(t, got, "portlab_requests_in_flight", "replica", "foo").GetGauge().GetValue(), 1}, // the scrape
		"served": {
			float64(single(t, got, "portlab_service_seconds", "replica", "foo").GetHistogram().GetSampleCount()), 8},
		"build info": {single(t, got, "go_build_info", "replica", "foo").GetGauge().GetValue(), 1},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestClientThatLeavesIsCounted(t *testing.T) {
	r := start(t, config("foo"))
	c := dial(t, r.address())
	if _, err := c.Write([]byte("GET /?delay=1m HTTP/1.1\r\nHost: portlab.test\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	await(t, "the request to begin", func() bool {
		m := single(t, scrape(t, r.address()), "portlab_requests_in_flight", "replica", "foo")
		return m.GetGauge().GetValue() == 2 // and the scrape
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "status 499", func() bool {
		for _, m := range scrape(t, r.address())["portlab_requests_total"].GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == "499" {
					return true
				}
			}
		}
		return false
	})
}
