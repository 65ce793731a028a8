package stat

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// minVariance is the least variance of the number of repeats for which it is
// taken to be normal.
const minVariance = 10

// maxWork bounds the work of a permutation test, in shuffled elements: about a
// second.
const maxWork = 200_000_000

// ErrOneCategory is returned where all observations are of one category.
var ErrOneCategory = errors.New("all observations are of one category")

// Order is the answer of a test of the order of observations.
type Order struct {
	Test     string
	N        int     // observations
	Pairs    int     // of neighbours: N - 1
	Repeats  int     // pairs of one category: the repeats at lag one
	Runs     int     // N - Repeats
	Expected float64 // repeats, over all orders of the same observations
	SD       float64 // standard deviation of the repeats, in repeats
	Z        float64 // (Repeats - Expected) / SD
	P        float64 // two-sided
	PFew     float64 // probability of as few repeats: small when turns are taken
	PMany    float64 // probability of as many repeats: small when something sticks
	Warnings []string
}

// Category is the number of a category. Of a great many observations, 32 bits
// for each are enough.
type Category interface{ ~int | ~int32 }

// RunsTest tests whether the order of observations is random, whatever their
// shares: the Wald-Wolfowitz runs test, generalised to k categories (Mood
// 1940, "The distribution theory of runs"), told by its repeats. Categories
// are numbered from 0. The law of the repeats over all orders is taken to be
// normal where its variance allows that, and found by random permutations
// where it does not. It returns [ErrNoObservations] for fewer than two
// observations and [ErrOneCategory] where nothing can vary.
func RunsTest[C Category](sequence []C, seed uint64) (Order, error) {
	if len(sequence) < 2 {
		return Order{}, ErrNoObservations
	}
	o := Order{Test: "runs test", N: len(sequence), Pairs: len(sequence) - 1, Repeats: repeats(sequence)}
	o.Runs = o.N - o.Repeats
	var s2, s3 float64
	counts := tally(sequence)
	for _, c := range counts {
		s2 += float64(c) * float64(c)
		s3 += float64(c) * float64(c) * float64(c)
	}
	if len(counts) < 2 {
		return Order{}, ErrOneCategory
	}
	n := float64(o.N)
	o.Expected = (s2 - n) / n
	variance := (s2*(s2+n*(n+1)) - 2*n*s3 - n*n*n) / (n * n * (n - 1))
	o.SD = math.Sqrt(max(variance, 0))
	if o.SD > 0 {
		o.Z = (float64(o.Repeats) - o.Expected) / o.SD
	}
	if variance >= minVariance {
		o.normal()
		return o, nil
	}
	permute(&o, sequence, seed)
	return o, nil
}

// normal fills in the p-values with a correction for continuity.
func (o *Order) normal() {
	at := func(x float64) float64 { return distuv.UnitNormal.CDF((x - o.Expected) / o.SD) }
	o.PFew = at(float64(o.Repeats) + 0.5)
	o.PMany = 1 - at(float64(o.Repeats)-0.5)
	o.P = min(2*min(o.PFew, o.PMany), 1)
}

// permute fills in the p-values from random permutations.
func permute[C Category](o *Order, sequence []C, seed uint64) {
	draws := min(Draws, maxWork/o.N)
	if draws < Draws {
		o.Warnings = append(o.Warnings, "the observations are many and one category is rare: fewer permutations than usual were drawn")
	}
	o.Test = "runs test, permutations"
	rng := newRand(seed)
	shuffled := append([]C{}, sequence...)
	few, many := 0, 0
	for range draws {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		r := repeats(shuffled)
		if r <= o.Repeats {
			few++
		}
		if r >= o.Repeats {
			many++
		}
	}
	o.PFew, o.PMany = monteCarlo(few, draws), monteCarlo(many, draws)
	o.P = min(2*min(o.PFew, o.PMany), 1)
}

func repeats[C Category](sequence []C) int {
	r := 0
	for i := 1; i < len(sequence); i++ {
		if sequence[i] == sequence[i-1] {
			r++
		}
	}
	return r
}

func tally[C Category](sequence []C) map[C]int {
	counts := map[C]int{}
	for _, c := range sequence {
		counts[c]++
	}
	return counts
}
