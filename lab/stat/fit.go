package stat

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinExpected is the least expected count for which Pearson's statistic is
// taken to follow the chi-square law (Cochran 1954, "Some methods for
// strengthening the common chi-square tests").
const MinExpected = 5

// The names of the tests of goodness of fit.
const (
	PearsonTest    = "Pearson chi-square"
	ExactTest      = "exact multinomial"
	MonteCarloTest = "Pearson chi-square, Monte Carlo"
)

// Fit is the answer of a test of goodness of fit.
type Fit struct {
	Test      string  // which of the tests it was
	Statistic float64 // Pearson's
	DF        int     // degrees of freedom
	P         float64 // probability of a statistic at least as large
	W         float64 // Cohen's w, the square root of statistic / n: 0.1 small, 0.3 medium, 0.5 large
	N         int     // observations
	Warnings  []string
}

// Fit tests whether counts are draws from m. It is Pearson's test where every
// expected count is at least [MinExpected]. Under that the probability is that
// of Pearson's statistic over all possible outcomes where these are few, else
// over random draws. It returns an error if counts do not fit the categories,
// and [ErrNoObservations] if all are zero.
func (m Multinomial) Fit(counts []int, seed uint64) (Fit, error) {
	n, err := m.total(counts)
	if err != nil {
		return Fit{}, err
	}
	f := Fit{Test: PearsonTest, Statistic: m.pearson(counts, n), DF: m.DF(), N: n}
	f.W = math.Sqrt(f.Statistic / float64(n))
	least := m.smallest(n)
	if least >= MinExpected {
		f.P = distuv.ChiSquared{K: float64(f.DF)}.Survival(f.Statistic)
		return f, nil
	}
	// Equal statistics come out unequal in the last digits.
	limit := f.Statistic - 1e-9*(1+f.Statistic)
	p, exact := m.probability(n, seed, func(x float64) bool { return x >= limit })
	f.P, f.Test = p, MonteCarloTest
	if exact {
		f.Test = ExactTest
	}
	f.Warnings = append(f.Warnings, fmt.Sprintf(
		"the smallest expected count is %.1f, too small for the chi-square law: the p-value is that of the test %q", least, f.Test))
	return f, nil
}

// TooEven is the probability that draws from m give counts at least as even as
// these, that is a Pearson statistic of at most theirs. Turns taken in order
// make it small; chance makes it small once in a while: 150 and 150 of 300 in
// 4.6% of cases. It is computed over outcomes or draws at any n, since the
// chi-square law gives a perfect balance the probability 0. Errors are those
// of [Multinomial.Fit].
func (m Multinomial) TooEven(counts []int, seed uint64) (float64, error) {
	n, err := m.total(counts)
	if err != nil {
		return 0, err
	}
	x := m.pearson(counts, n)
	limit := x + 1e-9*(1+x)
	p, _ := m.probability(n, seed, func(x float64) bool { return x <= limit })
	return p, nil
}
