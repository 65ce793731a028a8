package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

const (
	pearsonWhy  = "the statistic follows the chi-square law where there are enough connections"
	discreteWhy = "of a discrete statistic no more than the nominal rate lies in the tail, and usually less"
	orderWhy    = "the repeats are normal where they are many; twice the smaller tail, with a correction for continuity"
)

// falseAlarms are the studies of runs in which nothing is wrong.
func falseAlarms() []study {
	return slices.Concat(shareStudies(), orderStudies(), []study{
		{test: "latency by instance", of: Even(2).Name, n: 300, promise: About, why: pearsonWhy,
			p: pOf(claim.LatencyIndependent{}, Even(2), 300)},
		{test: "latency by instance", of: Even(6).Name, n: 300, promise: About, why: pearsonWhy,
			p: pOf(claim.LatencyIndependent{}, Even(6), 300)},
		{test: "latency by instance", of: Even(3).Name + ", few", n: 20, promise: AtMost, why: discreteWhy, costly: true,
			p: pOf(claim.LatencyIndependent{}, Even(3), 20)},
		{test: "nobody starved", of: Even(10).Name, n: 30, promise: AtMost, why: "a sum of probabilities bounds that of any",
			p: pOf(claim.EveryInstance{}, Even(10), 30)},
	}, sequenceStudies(), rankStudies(), comparisonStudies(), intervalStudies())
}

func shareStudies() []study {
	var all []study
	weighted := Random("random, weights 3 to 1", []float64{0.75, 0.25}, []float64{0.75, 0.25})
	for _, c := range []struct {
		b Balancer
		n int
	}{{Even(2), 300}, {Even(10), 300}, {weighted, 300}, {Even(2), 3000}} {
		all = append(all, study{test: "shares", of: c.b.Name, n: c.n, promise: About, why: pearsonWhy,
			exact: size(c.b, c.n), p: pOf(shares(), c.b, c.n)})
	}
	for _, b := range []Balancer{Hash(4, 3), KeptAlive(4, 10)} {
		all = append(all, study{test: "shares", of: b.Name, n: 100, promise: About, why: pearsonWhy, p: pOf(shares(), b, 100)})
	}
	return append(all,
		study{test: "shares", of: Even(5).Name + ", few", n: 12, promise: AtMost, why: discreteWhy, p: pOf(shares(), Even(5), 12)},
		study{test: "shares", of: Even(10).Name + ", few", n: 20, promise: AtMost, why: discreteWhy, costly: true, p: pOf(shares(), Even(10), 20)},
		study{test: "chi-square of requests", of: KeptAlive(4, 10).Name, n: 1000, promise: Nothing,
			why: "requests on one connection go to one instance", p: ofRequests(KeptAlive(4, 10), 100)},
	)
}

func orderStudies() []study {
	var all []study
	for _, c := range []struct {
		b Balancer
		n int
	}{{Even(2), 300}, {Even(10), 300}, {Random("random, 80/20 and not equal", equal(2), []float64{0.8, 0.2}), 300}} {
		all = append(all, study{test: "order", of: c.b.Name, n: c.n, promise: AtMost, why: orderWhy, p: pOf(claim.Order{}, c.b, c.n)})
	}
	return append(all, study{test: "order", of: Even(3).Name + ", few", n: 15, promise: AtMost, why: discreteWhy, costly: true,
		p: pOf(claim.Order{}, Even(3), 15)})
}

// size is how often Pearson's test really rejects two fair shares: the sum of
// the probabilities of the outcomes that it rejects.
func size(b Balancer, n int) func(alpha float64) (float64, bool) {
	return func(alpha float64) (float64, bool) {
		m, err := stat.NewMultinomial(b.Expected)
		if err != nil || len(b.Expected) != 2 {
			return 0, false
		}
		var sum float64
		for k := range n + 1 {
			if f, err := m.Fit([]int{k, n - k}, 1); err == nil && f.P <= alpha {
				sum += math.Exp(logBinomial(n, k, b.Expected[0]))
			}
		}
		return sum, true
	}
}

// logBinomial is the logarithm of the probability of k hits among n.
func logBinomial(n, k int, p float64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
}

// ofRequests is what a chi-square test finds that counts requests as if each
// were a connection.
func ofRequests(b Balancer, n int) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 {
		m, err := stat.NewMultinomial(b.Expected)
		if err != nil {
			return none
		}
		e := b.Evidence(rng, n)
		counts := make([]int, len(e.Measurement.Instances))
		for i, in := range e.Measurement.Instances {
			counts[i] = in.Requests
		}
		f, err := m.Fit(counts, 1)
		if err != nil {
			return none
		}
		return f.P
	}
}
