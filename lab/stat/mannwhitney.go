package stat

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// The sizes up to which [MannWhitney] is exact. They are those of
// golang.org/x/perf/benchmath, so benchstat gives the same p-values; only with
// ties in samples of different sizes, where the law of U is not symmetric and
// benchmath reads the wrong tail in half of the cases, they differ a little.
const (
	ExactWithoutTies = 50 // values in the larger sample
	ExactWithTies    = 25
)

// The names of the forms of the Mann-Whitney test.
const (
	MannWhitneyExact  = "Mann-Whitney, exact"
	MannWhitneyNormal = "Mann-Whitney, normal"
)

// ErrNaN is returned where a value is not a number, so that it has no rank.
var ErrNaN = errors.New("a value is not a number")

// RankSum is the answer of a Mann-Whitney test of samples x and y.
type RankSum struct {
	Test   string
	NX, NY int
	// U is the number of pairs in which the value of x is above that of y, with
	// one half for a tie.
	U float64
	P float64 // two-sided
	// Exact says that P is from the law of U over all ways to deal the values
	// out, ties included.
	Exact bool
	// A is the probability that a value of x is above one of y, ties counting
	// one half: Vargha and Delaney's measure of effect (2000, "A Critique and
	// Improvement of the CL Common Language Effect Size Statistics"). 0.5 is no
	// effect, 0 and 1 are samples that do not overlap. For y over x it is 1 - A.
	A float64
}

// MannWhitney tests whether x and y are from one law against either tending to
// larger values (Mann & Whitney 1947, "On a test of whether one of two random
// variables is stochastically larger than the other"). It is exact where no
// sample is larger than [ExactWithoutTies] or, with ties, [ExactWithTies];
// beyond that U is taken to be normal, with the corrections for ties and for
// continuity. The exact p-value is twice the smaller tail, at most 1. Values
// that are all equal give p = 1. It returns [ErrNoObservations] for an empty
// sample and [ErrNaN] for a value without a rank.
func MannWhitney(x, y []float64) (RankSum, error) {
	if len(x) == 0 || len(y) == 0 {
		return RankSum{}, ErrNoObservations
	}
	if slices.ContainsFunc(x, math.IsNaN) || slices.ContainsFunc(y, math.IsNaN) {
		return RankSum{}, ErrNaN
	}
	ranks := rank(x, y)
	nx, ny := len(x), len(y)
	r := RankSum{NX: nx, NY: ny, U: ranks.sum - float64(nx*(nx+1))/2}
	r.A = r.U / float64(nx*ny)
	larger := max(nx, ny)
	r.Exact = larger <= ExactWithTies || !ranks.tied() && larger <= ExactWithoutTies
	r.Test = MannWhitneyNormal
	if r.Exact {
		r.Test = MannWhitneyExact
		r.P = exactRankSum(r.U, nx, ny, ranks)
		return r, nil
	}
	r.P = normalRankSum(r.U, nx, ny, ranks.ties)
	return r, nil
}

// ranking is what two samples come to in one order.
type ranking struct {
	sum  float64 // of the ranks of x, from 1, equal values sharing the middle one
	ties []int   // how many values share each rank, in ascending order
}

func (r ranking) tied() bool { return slices.Max(r.ties) > 1 }

func rank(x, y []float64) ranking {
	type value struct {
		v   float64
		ofX bool
	}
	all := make([]value, 0, len(x)+len(y))
	for _, v := range x {
		all = append(all, value{v, true})
	}
	for _, v := range y {
		all = append(all, value{v, false})
	}
	slices.SortFunc(all, func(a, b value) int { return cmp.Compare(a.v, b.v) })
	var r ranking
	for first := 0; first < len(all); {
		last, ofX := first, 0
		for ; last < len(all) && all[last].v == all[first].v; last++ {
			if all[last].ofX {
				ofX++
			}
		}
		r.sum += float64(ofX) * float64(first+1+last) / 2
		r.ties = append(r.ties, last-first)
		first = last
	}
	return r
}

// normalRankSum is the two-sided p-value where U is taken to be normal
// (Hollander, Wolfe & Chicken 2014, "Nonparametric Statistical Methods", 4.1).
func normalRankSum(u float64, nx, ny int, ties []int) float64 {
	n, pairs := float64(nx+ny), float64(nx)*float64(ny)
	var t float64
	for _, k := range ties {
		t += float64(k) * (float64(k)*float64(k) - 1)
	}
	sd := math.Sqrt(pairs / 12 * (n + 1 - t/(n*(n-1))))
	if sd == 0 {
		return 1 // all values are equal
	}
	away := max(math.Abs(u-pairs/2)-0.5, 0)
	return min(2*distuv.UnitNormal.Survival(away/sd), 1)
}
