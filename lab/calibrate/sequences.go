package calibrate

import (
	"math/rand/v2"

	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

// looks is after how many connections a sequence of draws ends that is looked
// at after each of them.
const looks = 1000

// sequenceStudies look after every connection.
func sequenceStudies() []study {
	var all []study
	for _, b := range []Balancer{Even(2), Even(5)} {
		all = append(all,
			study{test: "shares, sequential", of: b.Name, n: looks, promise: AtMost,
				why: "a martingale's bound at all moments together (Ville)", p: least(b, alwaysValid(b))},
			study{test: "chi-square after each connection", of: b.Name, n: looks, promise: Nothing,
				why: "each look is one more chance of a false alarm", p: least(b, pearson(b))})
	}
	return all
}

// least is the least p-value of any moment.
func least(b Balancer, p func(counts []int) float64) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 {
		counts, least := make([]int, len(b.True)), 1.0
		for range looks {
			counts[pick(b.True, rng.Float64())]++
			least = min(least, p(counts))
		}
		return least
	}
}

func alwaysValid(b Balancer) func([]int) float64 {
	m, err := stat.NewMultinomial(b.Expected)
	if err != nil {
		return func([]int) float64 { return none }
	}
	s, err := stat.NewShareSequence(m, claim.DefaultTolerancePercent/100., claim.Confidence)
	if err != nil {
		return func([]int) float64 { return none }
	}
	return s.P
}

// pearson is Pearson's test from where it may be used on.
func pearson(b Balancer) func([]int) float64 {
	m, err := stat.NewMultinomial(b.Expected)
	return func(counts []int) float64 {
		n := 0
		for _, c := range counts {
			n += c
		}
		if err != nil || n < stat.MinExpected*len(counts) {
			return none
		}
		f, err := m.Fit(counts, 1)
		if err != nil {
			return none
		}
		return f.P
	}
}
