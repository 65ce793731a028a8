package calibrate

import (
	"fmt"
	"math/rand/v2"

	"github.com/portlab/portlab/lab/stat"
)

// confidence is that of the intervals: that of all which the program shows.
const confidence = 0.95

// resamples is how often a bootstrap draws here.
const resamples = 1000

// intervalStudies have an alarm where an interval does not hold the truth.
func intervalStudies() []study {
	var all []study
	miss := func(test, of string, n int, promise Promise, why string, misses func(*rand.Rand) bool) {
		all = append(all, study{test: test, of: of, n: n, promise: promise, why: why, nominals: []float64{1 - confidence},
			p: func(rng *rand.Rand) float64 {
				if misses(rng) {
					return 0
				}
				return none
			}})
	}
	for _, n := range []int{6, 10, 30} {
		miss("interval of a median", fmt.Sprintf("log-normal, %d runs", n), n, AtMost, "two of the values in order, by the binomial law",
			func(rng *rand.Rand) bool {
				in, _, ok := stat.MedianInterval(values(rng, n, 0), confidence)
				return !ok || outside(in, 1)
			})
	}
	miss("bootstrap (BCa) of a median", "log-normal, 8 runs", 8, Nothing, "a median of few values takes few values when resampled",
		func(rng *rand.Rand) bool {
			b, err := stat.Bootstrap(values(rng, 8, 0), stat.Median, confidence, resamples, rng.Uint64())
			return err != nil || outside(b.BCa, 1)
		})
	for _, b := range []Balancer{Even(2), Even(10), Kubernetes()} {
		miss("intervals of all shares", b.Name, 300, About, "Goodman's: the binomial law is near the normal one", missesShare(b, 300))
	}
	miss("interval of a loss rate", "1% lost", 300, AtMost, "Clopper and Pearson's is exact",
		func(rng *rand.Rand) bool {
			lost := 0
			for range 300 {
				if rng.Float64() < 0.01 {
					lost++
				}
			}
			return outside(stat.ClopperPearson(lost, 300, confidence), 0.01)
		})
	return all
}

func outside(in stat.Interval, truth float64) bool { return truth < in.Low || truth > in.High }

// missesShare says whether any interval of a run misses the true share.
func missesShare(b Balancer, n int) func(*rand.Rand) bool {
	return func(rng *rand.Rand) bool {
		counts := make([]int, len(b.True))
		for range n {
			counts[pick(b.True, rng.Float64())]++
		}
		for i, in := range stat.SimultaneousShares(counts, confidence) {
			if outside(in, b.True[i]) {
				return true
			}
		}
		return false
	}
}
