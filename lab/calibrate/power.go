package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

// PowerAlpha is the significance at which power is shown.
const PowerAlpha = 0.05

// Power is how often a test found what was there.
type Power struct {
	Test  string   `json:"test"`
	Of    string   `json:"of"`
	N     int      `json:"n"` // observations of each run
	Alpha float64  `json:"alpha"`
	Runs  int      `json:"runs"`
	Found int      `json:"found"`
	Rate  float64  `json:"rate"`
	Low   float64  `json:"low"` // of the exact 95% interval of the rate
	High  float64  `json:"high"`
	Ideal *float64 `json:"theory"` // what theory says; null where there is none
	By    string   `json:"theory_name"`
}

// search is a test on runs in which there is something to find.
type search struct {
	study
	ideal func() (power float64, err error) // may be nil
	by    string
}

func (s search) power(runs int, seed uint64) Power {
	if s.costly {
		runs /= 5
	}
	rng := s.rand(seed)
	r := Power{Test: s.test, Of: s.of, N: s.n, Alpha: PowerAlpha, Runs: runs, By: s.by}
	for range runs {
		if s.p(rng) <= PowerAlpha {
			r.Found++
		}
	}
	r.Rate = float64(r.Found) / float64(runs)
	in := stat.ClopperPearson(r.Found, runs, 0.95)
	r.Low, r.High = in.Low, in.High
	if s.ideal != nil {
		if power, err := s.ideal(); err == nil {
			r.Ideal = &power
		}
	}
	return r
}

// searches are the studies of runs in which something is wrong, in the order of
// growing size.
func searches() []search {
	var all []search
	for _, c := range []struct {
		b  Balancer
		ns []int
	}{
		{Split(0.55), []int{100, 300, 1000}}, {Split(0.58), []int{100, 300, 1000}}, {Split(0.65), []int{50, 100}},
		{oneOfTen(0.14), []int{300, 1000}}, {oneOfTen(0.17), []int{100, 300}},
		{Cascade(), []int{50, 100}}, {Kubernetes(), []int{35, 50}},
	} {
		for _, n := range c.ns {
			all = append(all, search{study{test: "shares", of: c.b.Name, n: n, p: pOf(shares(), c.b, n)}, noncentral(c.b, n), "noncentral chi-square"})
		}
	}
	for _, n := range []int{100, 300, 1000} {
		b := Repeating(2, 0.1)
		all = append(all, search{study{test: "order", of: b.Name, n: n, p: pOf(claim.Order{}, b, n)}, repeating(2, 0.1, n), "normal law of the repeats"})
	}
	turns := SoldAsRandom(Turns(2, 1))
	for _, n := range []int{8, 20} {
		all = append(all, search{study: study{test: "order", of: turns.Name, n: n, costly: true, p: pOf(claim.Order{}, turns, n)}})
	}
	for _, n := range []int{100, 300} {
		b := Slower(2, 1.2)
		all = append(all, search{study: study{test: "latency by instance", of: b.Name, n: n, p: pOf(claim.LatencyIndependent{}, b, n)}})
	}
	for _, shift := range []float64{1, 2} {
		for _, rounds := range []int{6, 10, 20} {
			all = append(all, search{study{test: "Mann-Whitney", of: fmt.Sprintf("runs %g standard deviations apart", shift), n: rounds,
				p: func(rng *rand.Rand) float64 { return rankP(values(rng, rounds, shift), values(rng, rounds, 0)) }},
				noether(shift, rounds), "Noether"})
		}
	}
	return all
}

// oneOfTen is a random balancer of ten replicas of which one has a share, and
// the others the rest in equal parts.
func oneOfTen(share float64) Balancer {
	truth := make([]float64, 10)
	for i := range truth {
		truth[i] = (1 - share) / 9
	}
	truth[0] = share
	return Random(fmt.Sprintf("random, one of ten at %.3g%%", 100*share), equal(10), truth)
}

// noncentral is the power of Pearson's test.
func noncentral(b Balancer, n int) func() (float64, error) {
	return func() (float64, error) {
		m, err := stat.NewMultinomial(b.Expected)
		if err != nil {
			return 0, err
		}
		return m.Power(b.True, n, PowerAlpha)
	}
}

// repeating is the power of the runs test where a share of the connections of k
// equal replicas repeats the one before: both laws of the repeats taken to be
// normal.
func repeating(k int, share float64, n int) func() (float64, error) {
	return func() (float64, error) {
		pairs, chance := float64(n-1), 1/float64(k)
		rate := share + (1-share)*chance
		sd := func(p float64) float64 { return math.Sqrt(pairs * p * (1 - p)) }
		limit := distuv.UnitNormal.Quantile(1-PowerAlpha/2)*sd(chance) + 0.5
		at := func(x float64) float64 { return distuv.UnitNormal.CDF(x / sd(rate)) }
		away := pairs * (rate - chance)
		return at(away-limit) + at(-away-limit), nil
	}
}

// noether is the power that a Mann-Whitney test of normal values has (Noether
// 1987), read backwards from its number of rounds.
func noether(shift float64, rounds int) func() (float64, error) {
	return func() (float64, error) {
		a := distuv.UnitNormal.CDF(shift / math.Sqrt2)
		z := math.Sqrt(6*float64(rounds))*(a-0.5) - distuv.UnitNormal.Quantile(1-PowerAlpha/2)
		return distuv.UnitNormal.CDF(z), nil
	}
}
