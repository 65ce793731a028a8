package stat

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// ExactKendall is the number of pairs up to which [KendallTau] is exact, where
// there are no ties.
const ExactKendall = 50

// Correlation is the answer of a test of rank correlation.
type Correlation struct {
	Tau   float64 // Kendall's tau-b, from -1 (one falls as the other rises) to 1
	P     float64 // two-sided
	N     int     // pairs of values
	Exact bool    // P is from all orders, not from the normal law
}

// KendallTau tests whether x and y are correlated in their ranks: with x the
// number of a round, whether y drifts (Kendall 1938, "A new measure of rank
// correlation"; tau-b and the variance with ties from Kendall & Gibbons 1990,
// "Rank Correlation Methods", chapters 3 and 5). It is exact up to
// [ExactKendall] pairs without ties, else normal with the correction for ties.
// Where x or y does not vary, tau is 0 and p is 1. It returns an error for
// lengths that differ, [ErrNoObservations] for fewer than two pairs and
// [ErrNaN] for a value without a rank.
func KendallTau(x, y []float64) (Correlation, error) {
	switch n := len(x); {
	case n != len(y):
		return Correlation{}, fmt.Errorf("%d values for %d", n, len(y))
	case n < 2:
		return Correlation{}, ErrNoObservations
	}
	if slices.ContainsFunc(x, math.IsNaN) || slices.ContainsFunc(y, math.IsNaN) {
		return Correlation{}, ErrNaN
	}
	c, score := Correlation{N: len(x), P: 1}, concordance(x, y)
	tx, ty := tiesOf(x), tiesOf(y)
	pairs := float64(c.N*(c.N-1)) / 2
	if tx.pairs == pairs || ty.pairs == pairs {
		return c, nil
	}
	c.Tau = score / math.Sqrt((pairs-tx.pairs)*(pairs-ty.pairs))
	if c.Exact = tx.pairs == 0 && ty.pairs == 0 && c.N <= ExactKendall; c.Exact {
		c.P = exactKendall(c.N, score)
		return c, nil
	}
	n := float64(c.N)
	variance := (n*(n-1)*(2*n+5)-tx.v-ty.v)/18 + 2*tx.pairs*ty.pairs/(n*(n-1))
	if c.N > 2 {
		variance += tx.triples * ty.triples / (9 * n * (n - 1) * (n - 2))
	}
	c.P = min(2*distuv.UnitNormal.Survival(math.Abs(score)/math.Sqrt(variance)), 1)
	return c, nil
}

// concordance is the pairs that rise or fall together less those that do not.
func concordance(x, y []float64) float64 {
	score := 0
	for i := range x {
		for j := range i {
			score += cmp.Compare(x[i], x[j]) * cmp.Compare(y[i], y[j])
		}
	}
	return float64(score)
}

// tieSums are the sums over groups of t equal values that Kendall's variance needs.
type tieSums struct{ pairs, triples, v float64 }

func tiesOf(x []float64) tieSums {
	groups := map[float64]int{}
	for _, v := range x {
		groups[v]++
	}
	var s tieSums
	for _, g := range groups {
		t := float64(g)
		s.pairs += t * (t - 1) / 2
		s.triples += t * (t - 1) * (t - 2)
		s.v += t * (t - 1) * (2*t + 5)
	}
	return s
}

// exactKendall is the two-sided p-value of a score over all orders of n values:
// the law of the number of inversions (Knuth 1998, "The Art of Computer
// Programming" 3, 5.1.1).
func exactKendall(n int, score float64) float64 {
	pairs := n * (n - 1) / 2
	law := make([]float64, pairs+1)
	law[0] = 1
	for size := 2; size <= n; size++ {
		// The size-th value makes 0 to size-1 inversions, each as likely.
		next, sum := make([]float64, pairs+1), 0.0
		for i := range next {
			sum += law[i]
			if i >= size {
				sum -= law[i-size]
			}
			next[i] = max(sum, 0) / float64(size)
		}
		law = next
	}
	inversions := int((float64(pairs) - math.Abs(score)) / 2) // the rarer side
	var tail float64
	for _, p := range law[:inversions+1] {
		tail += p
	}
	return min(2*tail, 1)
}
