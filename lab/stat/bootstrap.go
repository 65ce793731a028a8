package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Bootstrapped is what resampling says of a statistic.
type Bootstrapped struct {
	Estimate   float64  // the statistic of the values themselves
	Percentile Interval // between quantiles of the resampled statistic
	// BCa is the same, corrected for bias and acceleration; it is the percentile
	// interval where every resampled value is on one side of the estimate, so
	// that the bias is infinite.
	BCa Interval
}

// Bootstrap gives intervals of any statistic of values drawn independently, such
// as one of each run, by drawing as many of them again with replacement: the
// percentile interval, and the bias-corrected and accelerated one (Efron 1987,
// "Better bootstrap confidence intervals"). It is for statistics of which no
// exact law is known. For a median [MedianInterval] is better, and is what
// comparisons show: with the few runs that they have, a bootstrap's interval
// holds the median less often than it says, as `portlab calibrate` shows. It
// returns [ErrNoObservations] for fewer than two values or no draws, and
// [ErrNaN] where the statistic is none.
func Bootstrap(x []float64, statistic func([]float64) float64, confidence float64, draws int, seed uint64) (Bootstrapped, error) {
	if len(x) < 2 || draws < 1 {
		return Bootstrapped{}, ErrNoObservations
	}
	b := Bootstrapped{Estimate: statistic(x)}
	resampled, rng := make([]float64, draws), newRand(seed)
	drawn := make([]float64, len(x))
	for i := range resampled {
		for j := range drawn {
			drawn[j] = x[rng.IntN(len(x))]
		}
		resampled[i] = statistic(drawn)
	}
	if math.IsNaN(b.Estimate) || slices.ContainsFunc(resampled, math.IsNaN) {
		return Bootstrapped{}, ErrNaN
	}
	slices.Sort(resampled)
	tail := (1 - confidence) / 2
	b.Percentile = Interval{quantile(resampled, tail), quantile(resampled, 1-tail)}
	b.BCa = b.Percentile
	bias, acceleration := biasOf(resampled, b.Estimate), accelerationOf(x, statistic)
	if math.IsInf(bias, 0) {
		return b, nil
	}
	at := func(p float64) float64 {
		z := bias + distuv.UnitNormal.Quantile(p)
		return quantile(resampled, distuv.UnitNormal.CDF(bias+z/(1-acceleration*z)))
	}
	b.BCa = Interval{at(tail), at(1 - tail)}
	return b, nil
}

// biasOf is the normal quantile of the share of resampled values below the
// estimate, half of those that equal it included.
func biasOf(sorted []float64, estimate float64) float64 {
	below, _ := slices.BinarySearch(sorted, estimate)
	upTo := below
	for upTo < len(sorted) && sorted[upTo] == estimate {
		upTo++
	}
	return distuv.UnitNormal.Quantile(float64(below+upTo) / float64(2*len(sorted)))
}

// accelerationOf is from the jackknife: how the statistic's spread changes with
// its value. Where leaving out a value never changes it, it is 0.
func accelerationOf(x []float64, statistic func([]float64) float64) float64 {
	without, left, mean := make([]float64, len(x)), make([]float64, len(x)-1), 0.0
	for i := range x {
		copy(left, x[:i])
		copy(left[i:], x[i+1:])
		without[i] = statistic(left)
		mean += without[i] / float64(len(x))
	}
	var square, cube float64
	for _, w := range without {
		square += (mean - w) * (mean - w)
		cube += (mean - w) * (mean - w) * (mean - w)
	}
	if square == 0 {
		return 0
	}
	return cube / (6 * math.Pow(square, 1.5))
}

// quantile interpolates between the two nearest of sorted values (Hyndman & Fan
// 1996, "Sample quantiles in statistical packages", type 7).
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}
