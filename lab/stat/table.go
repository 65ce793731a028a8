package stat

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// ErrNothingToCompare is returned for a table with fewer than two rows or two
// columns that hold anything.
var ErrNothingToCompare = errors.New("fewer than two groups or two classes hold anything")

// Table is the answer of a test of independence in a contingency table.
type Table struct {
	Test      string
	Statistic float64 // Pearson's
	DF        int     // degrees of freedom
	P         float64 // probability of a statistic at least as large
	N         int     // observations
	// V is Cramer's V, from 0 (independent) to 1, with the correction of its
	// bias (Bergsma 2013, "A bias-correction for Cramer's V and Tschuprow's T").
	V float64
	// Bounds hold V with the confidence asked for, by inversion of the
	// noncentral chi-square law (Smithson 2003, "Confidence Intervals", 4).
	Bounds   Interval
	Warnings []string
}

// IndependenceTest tests whether rows and columns of counts are independent. Rows and
// columns of nothing but zeros are left out. Where an expected count is under
// [MinExpected], the p-value is found by random permutations with the margins
// kept. It returns [ErrNothingToCompare] where too little is left, and an
// error for a negative count or rows of unequal length.
func IndependenceTest(counts [][]int, confidence float64, seed uint64) (Table, error) {
	g, err := newGrid(counts)
	if err != nil {
		return Table{}, err
	}
	r, c := len(g.rows), len(g.columns)
	if r < 2 || c < 2 {
		return Table{}, ErrNothingToCompare
	}
	t := Table{Test: "chi-square of independence", DF: (r - 1) * (c - 1), N: g.n, Statistic: g.pearson(g.cells)}
	t.P = distuv.ChiSquared{K: float64(t.DF)}.Survival(t.Statistic)
	if least := g.smallest(); least < MinExpected {
		t.permute(g, least, seed)
	}
	t.strength(min(r, c), r, c, confidence)
	return t, nil
}

// permute finds the p-value by permutations, unless these are too much work.
func (t *Table) permute(g *grid, least float64, seed uint64) {
	draws := min(Draws, maxWork/g.n)
	if draws < 1000 {
		t.Warnings = append(t.Warnings, fmt.Sprintf(
			"the smallest expected count is %.1f, where the chi-square law is rough, and the table is too large for permutations", least))
		return
	}
	t.Test = "chi-square of independence, permutations"
	t.P = g.permute(t.Statistic, draws, seed)
	t.Warnings = append(t.Warnings, fmt.Sprintf(
		"the smallest expected count is %.1f, too small for the chi-square law: the p-value is from %d permutations", least, draws))
}

// strength fills in Cramer's V and its bounds.
func (t *Table) strength(least, r, c int, confidence float64) {
	n := float64(t.N)
	shrink := func(k int) float64 { return float64(k) - float64(k-1)*float64(k-1)/(n-1) }
	phi2 := max(t.Statistic/n-float64(t.DF)/(n-1), 0)
	if d := min(shrink(r), shrink(c)) - 1; d > 0 {
		t.V = min(math.Sqrt(phi2/d), 1)
	}
	tail, df := (1-confidence)/2, float64(t.DF)
	v := func(survival float64) float64 {
		lambda := noncentrality(t.Statistic, df, survival)
		return min(math.Sqrt(lambda/(n*float64(least-1))), 1)
	}
	t.Bounds = Interval{v(tail), v(1 - tail)}
}
