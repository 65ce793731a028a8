package load

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// BenchmarkSimple offers load to a server in the same process, so that its
// figures are good for ratios only.
func BenchmarkSimple(b *testing.B) {
	for _, concurrency := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			benchmark(b, Simple{}, plan(b.N, concurrency))
		})
	}
}

// benchmark offers a load and says how fast it went.
func benchmark(b *testing.B, d lab.Driver, p lab.Plan) {
	to := []netip.AddrPort{goServer(b, "foo")}
	latency := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	_, err := d.Drive(b.Context(), Local{}, p, to, func(s lab.Sample) {
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
