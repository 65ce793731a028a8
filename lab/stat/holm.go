package stat

import (
	"cmp"
	"math"
	"slices"
)

// Holm adjusts the p-values of several tests, so that rejecting where the
// adjusted one is below alpha rejects any true hypothesis with a probability of
// at most alpha, however the tests depend on each other (Holm 1979, "A simple
// sequentially rejective multiple test procedure"). The k-th smallest of m is
// multiplied by m - k + 1, and no adjusted one is below that of a smaller one. A
// NaN is a test that was not made: it stays and is not counted.
func Holm(p []float64) []float64 {
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted, most := slices.Clone(p), 0.0
	for rank, i := range order {
		most = max(most, min(p[i]*float64(len(order)-rank), 1))
		adjusted[i] = most
	}
	return adjusted
}
