package stat

import (
	"math"
	"slices"
)

// Median is the middle value, or the mean of the middle two; NaN without any.
func Median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	half := len(s) / 2
	if len(s)%2 == 1 {
		return s[half]
	}
	return (s[half-1] + s[half]) / 2
}

// MedianInterval is a confidence interval of the median of the law that x is
// drawn from, whatever that law is: two of the values in order, chosen by the
// binomial law of how many lie below the median (Thompson 1936, "On confidence
// ranges for the median and other expectation distributions"; David & Nagaraja
// 2003, "Order Statistics", 7.1). actual is the confidence that it really has,
// at least the one asked for. ok is false where x is too small for any, which
// at 95% is below 6 values.
//
// It widens from the middle by one value at a time, to the lower side first, as
// golang.org/x/perf/benchmath does, and gives benchstat's interval at 95% up to
// 30 values but for 24, where rounding makes benchstat take the upper of two
// equally good ones. Beyond 30 benchstat takes the binomial law to be normal,
// which may be one value off; this one stays exact.
func MedianInterval(x []float64, confidence float64) (in Interval, actual float64, ok bool) {
	low, high, actual := medianOrders(len(x), confidence)
	if low < 1 || high > len(x) || slices.ContainsFunc(x, math.IsNaN) {
		return Interval{}, 0, false
	}
	s := slices.Sorted(slices.Values(x))
	return Interval{s[low-1], s[high-1]}, actual, true
}

// medianOrders says which of n values in order, from 1, bound the median. A
// bound of 0 or n+1 is infinite.
func medianOrders(n int, confidence float64) (low, high int, actual float64) {
	// By symmetry of the law, so that equal probabilities are equal floats.
	at := func(k int) float64 {
		if k < 0 || k > n {
			return 0
		}
		return math.Exp(logBinomial(n, min(k, n-k)) - float64(n)*math.Ln2)
	}
	low = (n+2)/2 - 1 // the mode, or the lower of two
	high = low + 1
	actual = at(low)
	for actual < confidence && (low > 0 || high <= n) {
		if left, right := at(low-1), at(high); left >= right {
			low--
			actual += left
		} else {
			high++
			actual += right
		}
	}
	return low, high, min(actual, 1)
}
