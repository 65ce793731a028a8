package stat

import (
	"errors"
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/stat"
)

// ErrNoObservations is returned where there is nothing to test.
var ErrNoObservations = errors.New("no observations")

// Multinomial is the law of independent draws among two or more categories,
// each with a fixed share.
type Multinomial struct {
	shares     []float64
	cumulative []float64 // of shares, up to and including each
	start      []int     // for the i-th of k slices of [0, 1): the category in which it begins
}

// NewMultinomial returns an error unless there are at least two shares, each
// above 0, which sum to one.
func NewMultinomial(shares []float64) (Multinomial, error) {
	if len(shares) < 2 {
		return Multinomial{}, fmt.Errorf("a multinomial law needs at least two categories, not %d", len(shares))
	}
	var sum float64
	for _, s := range shares {
		if !(s > 0 && s < 1) {
			return Multinomial{}, fmt.Errorf("an expected share must be between 0 and 1, not %v", s)
		}
		sum += s
	}
	if math.Abs(sum-1) > 1e-9 {
		return Multinomial{}, fmt.Errorf("the expected shares must sum to 1, not to %v", sum)
	}
	m := Multinomial{shares: slices.Clone(shares)}
	m.prepare()
	return m, nil
}

// prepare fills what pick needs.
func (m *Multinomial) prepare() {
	var sum float64
	for _, s := range m.shares {
		sum += s
		m.cumulative = append(m.cumulative, sum)
	}
	k := len(m.shares)
	category := 0
	for i := range k {
		for category < k-1 && m.cumulative[category] <= float64(i)/float64(k) {
			category++
		}
		m.start = append(m.start, category)
	}
}

// Categories is the number of categories.
func (m Multinomial) Categories() int { return len(m.shares) }

// DF is the number of degrees of freedom of Pearson's statistic.
func (m Multinomial) DF() int { return len(m.shares) - 1 }

// smallest is the least expected count among n draws.
func (m Multinomial) smallest(n int) float64 { return float64(n) * slices.Min(m.shares) }

// pearson is Pearson's statistic of counts with sum n.
func (m Multinomial) pearson(counts []int, n int) float64 {
	observed, expected := make([]float64, len(counts)), make([]float64, len(counts))
	for i, c := range counts {
		observed[i], expected[i] = float64(c), float64(n)*m.shares[i]
	}
	return gonum.ChiSquare(observed, expected)
}

// total checks that counts are one for each category and sums them up.
func (m Multinomial) total(counts []int) (int, error) {
	if len(counts) != len(m.shares) {
		return 0, fmt.Errorf("%d counts for %d categories", len(counts), len(m.shares))
	}
	n := 0
	for _, c := range counts {
		if c < 0 {
			return 0, fmt.Errorf("a count cannot be %d", c)
		}
		n += c
	}
	if n == 0 {
		return 0, ErrNoObservations
	}
	return n, nil
}
