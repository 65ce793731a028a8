package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// NeededRounds is how many values each of two samples must have for
// [MannWhitney] at alpha to tell them apart with the given power, where a is
// the probability that a value of one is above a value of the other
// ([RankSum].A): (z(1-alpha/2) + z(power))^2 / (6 (a - 1/2)^2) after Noether
// (1987, "Sample size determination for some common nonparametric tests"), and
// never fewer than it takes for the exact p-value to be below alpha at all.
// With Holm over m pairs, alpha is a m-th. ok is false where a is 1/2, which
// no number of rounds tells from nothing.
func NeededRounds(a, alpha, power float64) (rounds int, ok bool) {
	d := a - 0.5
	if d == 0 || math.IsNaN(d) {
		return 0, false
	}
	z := distuv.UnitNormal.Quantile(1-alpha/2) + distuv.UnitNormal.Quantile(power)
	return max(ceil(z*z/(6*d*d)), leastRounds(alpha)), true
}

// leastRounds is the least size of two samples at which values that do not
// overlap give an exact p-value of at most alpha.
func leastRounds(alpha float64) int {
	n := 1
	for math.Ln2-logBinomial(2*n, n) > math.Log(alpha) {
		n++
	}
	return n
}
