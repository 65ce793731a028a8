package stat

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Draws is how many random draws a Monte Carlo test takes: at p = 0.01 the
// standard error of the p-value is 0.0007.
const Draws = 20_000

// maxOutcomes is up to how many possible outcomes all are gone through.
const maxOutcomes = 50_000

// probability is the probability that Pearson's statistic of n draws is a hit:
// exact where the possible outcomes are few, else by Monte Carlo.
func (m Multinomial) probability(n int, seed uint64, hit func(x float64) bool) (p float64, exact bool) {
	if outcomes(n, m.Categories()) <= maxOutcomes {
		return m.enumerate(n, hit), true
	}
	rng := newRand(seed)
	counts := make([]int, m.Categories())
	hits := 0
	for range Draws {
		m.draw(counts, n, rng)
		if hit(m.pearsonOf(counts, n)) {
			hits++
		}
	}
	return monteCarlo(hits, Draws), false
}

// monteCarlo is the p-value of a Monte Carlo test: what was observed counts as
// one of the draws, so it is never 0 and never too small (Davison & Hinkley
// 1997, "Bootstrap Methods and their Application", 4.2).
func monteCarlo(hits, draws int) float64 { return float64(hits+1) / float64(draws+1) }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x706f72746c6162)) }

// outcomes is in how many ways n draws can fall into k categories, or
// something beyond maxOutcomes.
func outcomes(n, k int) float64 {
	ways := 1.0
	for i := 1; i < k && ways <= maxOutcomes; i++ {
		ways *= float64(n+i) / float64(i)
	}
	return ways
}

// pearsonOf is pearson without its allocations, for the inner loops.
func (m Multinomial) pearsonOf(counts []int, n int) float64 {
	var x float64
	for i, c := range counts {
		e := float64(n) * m.shares[i]
		x += (float64(c) - e) * (float64(c) - e) / e
	}
	return x
}

// enumerate sums the probabilities of all outcomes that are hits.
func (m Multinomial) enumerate(n int, hit func(float64) bool) float64 {
	counts := make([]int, m.Categories())
	logFactorial, _ := math.Lgamma(float64(n + 1))
	var sum float64
	var fill func(i, left int, logp float64)
	fill = func(i, left int, logp float64) {
		if i == len(counts)-1 {
			counts[i] = left
			if hit(m.pearsonOf(counts, n)) {
				sum += math.Exp(logp + m.term(i, left))
			}
			return
		}
		for c := range left + 1 {
			counts[i] = c
			fill(i+1, left-c, logp+m.term(i, c))
		}
	}
	fill(0, n, logFactorial)
	return min(sum, 1)
}

// term is the logarithm of share^c / c!.
func (m Multinomial) term(i, c int) float64 {
	lg, _ := math.Lgamma(float64(c + 1))
	return float64(c)*math.Log(m.shares[i]) - lg
}

// draw fills counts with n draws: one by one where they are few for the number
// of categories, else each count from its conditional binomial law.
func (m Multinomial) draw(counts []int, n int, rng *rand.Rand) {
	clear(counts)
	if n <= 10*len(counts) {
		for range n {
			counts[m.pick(rng.Float64())]++
		}
		return
	}
	left, rest := n, 1.0
	for i, s := range m.shares {
		if i == len(counts)-1 || left == 0 {
			counts[i] = left
			return
		}
		counts[i] = int(distuv.Binomial{N: float64(left), P: min(s/rest, 1), Src: rng}.Rand())
		left -= counts[i]
		rest -= s
	}
}

// pick is the category into which u, uniform on [0, 1), falls.
func (m Multinomial) pick(u float64) int {
	i := m.start[int(u*float64(len(m.start)))]
	for i < len(m.shares)-1 && m.cumulative[i] <= u {
		i++
	}
	return i
}
