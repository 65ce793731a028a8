package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// noncentralSurvival is the probability that a noncentral chi-square variable
// exceeds x: a mixture of central ones with df + 2j degrees of freedom, j
// being Poisson with mean lambda/2 (Johnson, Kotz & Balakrishnan 1995,
// "Continuous Univariate Distributions" 2, chapter 29).
func noncentralSurvival(x, df, lambda float64) float64 {
	if x <= 0 {
		return 1
	}
	mean := lambda / 2
	if mean == 0 {
		return distuv.ChiSquared{K: df}.Survival(x)
	}
	// Beyond ten standard deviations the weights are below any float's notice.
	spread := 10*math.Sqrt(mean) + 30
	first, last := math.Floor(max(mean-spread, 0)), math.Ceil(mean+spread)
	a, h := df/2+first, x/2
	survival := mathext.GammaIncRegComp(a, h)
	lgA, _ := math.Lgamma(a + 1)
	lgJ, _ := math.Lgamma(first + 1)
	logStep := a*math.Log(h) - h - lgA // Q(a+1, h) = Q(a, h) + h^a e^-h / Gamma(a+1)
	logWeight := first*math.Log(mean) - mean - lgJ
	var sum float64
	for j := first; j <= last; j++ {
		sum += math.Exp(logWeight) * survival
		survival += math.Exp(logStep)
		a++
		logStep += math.Log(h / a)
		logWeight += math.Log(mean / (j + 1))
	}
	return min(sum, 1)
}

// noncentrality is the lambda at which a noncentral chi-square variable
// exceeds x with the given probability; 0 if it does so already without any.
func noncentrality(x, df, probability float64) float64 {
	low, high := 0.0, 1.0
	for noncentralSurvival(x, df, high) < probability {
		low, high = high, 2*high
	}
	for range 60 {
		middle := (low + high) / 2
		if noncentralSurvival(x, df, middle) < probability {
			low = middle
		} else {
			high = middle
		}
	}
	if noncentralSurvival(x, df, 0) >= probability {
		return 0
	}
	return high
}

// critical is the value that a chi-square variable exceeds with probability alpha.
func critical(df, alpha float64) float64 {
	return distuv.ChiSquared{K: df}.Quantile(1 - alpha)
}
