package claim

import (
	"math"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// need is how many connections would settle the claim; 0 where that is more
// than a run may have. First, so many that a balancer of exactly the expected
// shares is found balanced with [Power]. If there were as many already, so
// many that the intervals of these very shares lie within the tolerance, or
// one of them outside, to one part in a hundred.
func (s spread) need() int {
	if n := s.law.NeededWithin(s.tolerance, Confidence, Power); n > s.n {
		if n > lab.MaxRequests {
			return 0
		}
		return n
	}
	for n := 1.01 * float64(s.n); n <= lab.MaxRequests; n *= 1.01 {
		if s.settledAt(n) {
			return int(math.Ceil(n))
		}
	}
	return 0
}

// settledAt says whether n connections of these shares would settle the claim.
func (s spread) settledAt(n float64) bool {
	counts := make([]int, len(s.counts))
	for i := range counts {
		counts[i] = int(math.Round(n * s.share(i)))
	}
	intervals := stat.SimultaneousShares(counts, Confidence)
	for i, in := range intervals {
		if s.outside(i, in) {
			return true
		}
	}
	return s.fits(intervals)
}
