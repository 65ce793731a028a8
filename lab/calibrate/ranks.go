package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/portlab/portlab/lab/stat"
)

const holmWhy = "Bonferroni's bound, whatever hangs together"

// rankStudies hold groups of runs of one strategy against each other.
func rankStudies() []study {
	var all []study
	for _, rounds := range []int{6, 10, 30} {
		all = append(all, study{test: "Mann-Whitney", of: fmt.Sprintf("A/A, %d rounds", rounds), n: rounds, promise: AtMost, why: discreteWhy,
			p: func(rng *rand.Rand) float64 { return rankP(values(rng, rounds, 0), values(rng, rounds, 0)) }})
	}
	return append(all,
		study{test: "Mann-Whitney", of: "A/A, 60 rounds", n: 60, promise: About, why: "the law of U is normal from 50 values on",
			p: func(rng *rand.Rand) float64 { return rankP(values(rng, 60, 0), values(rng, 60, 0)) }},
		study{test: "Mann-Whitney, Holm", of: "A/A of six arms, any of 15 pairs", n: 10, promise: AtMost, why: holmWhy,
			p: func(rng *rand.Rand) float64 { return anyPair(rng, 6, 10, stat.Holm) }},
		study{test: "Mann-Whitney, not adjusted", of: "A/A of six arms, any of 15 pairs", n: 10, promise: Nothing,
			why: "each pair is one more chance of a false alarm",
			p:   func(rng *rand.Rand) float64 { return anyPair(rng, 6, 10, func(p []float64) []float64 { return p }) }},
		study{test: "drift (Kendall)", of: "A/A, 10 rounds", n: 10, promise: AtMost, why: discreteWhy, p: driftP},
	)
}

// values are those of runs: log-normal, as latencies and rates of whole runs
// roughly are, moved by a shift in standard deviations.
func values(rng *rand.Rand, n int, shift float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = math.Exp(0.1 * (rng.NormFloat64() + shift))
	}
	return all
}

func rankP(x, y []float64) float64 {
	r, err := stat.MannWhitney(x, y)
	if err != nil {
		return none
	}
	return r.P
}

// anyPair is the least p-value of all pairs of arms.
func anyPair(rng *rand.Rand, arms, rounds int, adjust func([]float64) []float64) float64 {
	all := make([][]float64, arms)
	for i := range all {
		all[i] = values(rng, rounds, 0)
	}
	var p []float64
	for i, x := range all {
		for _, y := range all[i+1:] {
			p = append(p, rankP(x, y))
		}
	}
	least := math.Inf(1)
	for _, v := range adjust(p) {
		least = min(least, v)
	}
	return least
}

func driftP(rng *rand.Rand) float64 {
	round := make([]float64, 10)
	for i := range round {
		round[i] = float64(i)
	}
	c, err := stat.KendallTau(round, values(rng, len(round), 0))
	if err != nil {
		return none
	}
	return c.P
}
