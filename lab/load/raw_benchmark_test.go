package load

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// BenchmarkRaw is BenchmarkSimple with the raw driver, and with connections
// that are kept.
func BenchmarkRaw(b *testing.B) {
	for _, perConnection := range []int{1, 0} {
		for _, concurrency := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("per-connection=%d/concurrency=%d", perConnection, concurrency), func(b *testing.B) {
				p := plan(b.N, concurrency)
				p.PerConnection = perConnection
				benchmarkRaw(b, p, goServer(b, "foo"))
			})
		}
	}
}

func benchmarkRaw(b *testing.B, p lab.Plan, to netip.AddrPort) {
	latency := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	_, err := Raw{Threads: 1}.Drive(b.Context(), Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) {
		if !s.OK() {
			b.Errorf("%s: %s", s.Fault, s.Detail)
		}
		latency = append(latency, s.Latency())
	})
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(latency)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(latency[len(latency)/2]), "p50-ns")
}
