package load

import (
	"fmt"
	"testing"
)

// BenchmarkRaw is BenchmarkSimple with the raw driver, and with connections
// that are kept.
func BenchmarkRaw(b *testing.B) {
	for _, perConnection := range []int{1, 0} {
		for _, concurrency := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("per-connection=%d/concurrency=%d", perConnection, concurrency), func(b *testing.B) {
				p := plan(b.N, concurrency)
				p.PerConnection = perConnection
				benchmark(b, Raw{Threads: 1}, p)
			})
		}
	}
}
