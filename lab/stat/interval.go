package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a confidence interval, both ends included.
type Interval struct{ Low, High float64 }

// Wilson is Wilson's score interval of a probability after hits among n trials
// (Wilson 1927). Its coverage is near the confidence on average, and dips
// somewhat below it at single values. Without trials it is all of [0, 1].
func Wilson(hits, n int, confidence float64) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	z := distuv.UnitNormal.Quantile((1 + confidence) / 2)
	p, size, z2 := float64(hits)/float64(n), float64(n), z*z
	centre := (p + z2/(2*size)) / (1 + z2/size)
	half := z / (1 + z2/size) * math.Sqrt(p*(1-p)/size+z2/(4*size*size))
	i := Interval{max(centre-half, 0), min(centre+half, 1)}
	// At the ends rounding leaves a trace beside what is exactly 0 or 1.
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}

// SimultaneousShares are intervals that hold all shares of a multinomial at
// once, with the confidence: Goodman's (1965, "On simultaneous confidence
// intervals for multinomial proportions"), which are Wilson's with the error
// divided by the number of categories. With two categories the two intervals
// are one, since the shares sum to one, and nothing is divided.
func SimultaneousShares(counts []int, confidence float64) []Interval {
	n := 0
	for _, c := range counts {
		n += c
	}
	each := simultaneous(len(counts), confidence)
	all := make([]Interval, len(counts))
	for i, c := range counts {
		all[i] = Wilson(c, n, each)
	}
	return all
}

// simultaneous is the confidence of each of k intervals that hold at once.
func simultaneous(k int, confidence float64) float64 {
	if k <= 2 {
		return confidence
	}
	return 1 - (1-confidence)/float64(k)
}

// ClopperPearson is the exact interval of a probability after hits among n
// trials (Clopper & Pearson 1934): its coverage is never below the confidence.
// Without trials it is all of [0, 1].
func ClopperPearson(hits, n int, confidence float64) Interval {
	i := Interval{0, 1}
	tail := (1 - confidence) / 2
	if hits > 0 {
		i.Low = distuv.Beta{Alpha: float64(hits), Beta: float64(n - hits + 1)}.Quantile(tail)
	}
	if hits < n {
		i.High = distuv.Beta{Alpha: float64(hits + 1), Beta: float64(n - hits)}.Quantile(1 - tail)
	}
	return i
}

// NoneOf is the upper confidence bound of a probability when none of n trials
// hit: 1 - (1-confidence)^(1/n), about 3/n at 95% (the rule of three).
func NoneOf(n int, confidence float64) float64 {
	if n == 0 {
		return 1
	}
	return -math.Expm1(math.Log1p(-confidence) / float64(n))
}
