package report

import (
	"math"
	"slices"
	"sync"

	"github.com/portlab/portlab/lab/compare"
)

// summarise does what the engine does, in a simple way.
func summarise(c *compare.Comparison) {
	for _, m := range c.Metrics {
		for _, a := range c.Arms {
			if len(values(c, a.Name, m.Name)) == 0 {
				if a.Absent == "" { // as the engine has it: a summary of nothing
					c.Summaries = append(c.Summaries, compare.Summary{Arm: a.Name, Metric: m.Name, Ratios: map[string]compare.Estimate{}})
				}
				continue
			}
			s := compare.Summary{Arm: a.Name, Metric: m.Name, Value: estimate(values(c, a.Name, m.Name)), Ratios: map[string]compare.Estimate{}}
			for _, b := range c.Baselines {
				if r := ratios(c, b, a.Name, m.Name); b != a.Name && len(r) > 0 {
					s.Ratios[b] = estimate(r)
				}
			}
			c.Summaries = append(c.Summaries, s)
		}
		pairUp(c, m)
	}
}

func values(c *compare.Comparison, arm, metric string) []float64 {
	var all []float64
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			if v, ok := run.Values[metric]; ok && run.Arm == arm {
				all = append(all, v)
			}
		}
	}
	return all
}

func ratios(c *compare.Comparison, of, arm, metric string) []float64 {
	var all []float64
	for _, r := range c.Rounds {
		got := map[string]float64{}
		for _, run := range r.Runs {
			if v, ok := run.Values[metric]; ok {
				got[run.Arm] = v
			}
		}
		if x, ok := got[arm]; ok && got[of] > 0 {
			all = append(all, x/got[of])
		}
	}
	return all
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// estimate has, from six values on, the interval between the second and the
// last but one, or the first and the last.
func estimate(x []float64) compare.Estimate {
	e := compare.Estimate{Median: middle(x), N: len(x)}
	s := slices.Sorted(slices.Values(x))
	switch n := len(s); {
	case n >= 9:
		e.Low, e.High, e.Confidence = &s[1], &s[n-2], 0.961
	case n >= 6:
		e.Low, e.High, e.Confidence = &s[0], &s[n-1], 1-math.Pow(0.5, float64(n-1))
	}
	return e
}

func pairUp(c *compare.Comparison, m compare.Metric) {
	first := len(c.Pairs)
	for i, a := range c.Arms {
		for _, b := range c.Arms[i+1:] {
			x, y := values(c, a.Name, m.Name), values(c, b.Name, m.Name)
			if len(x) == 0 || len(y) == 0 {
				continue
			}
			p, effect := mannWhitney(x, y)
			pair := compare.Pair{First: a.Name, Second: b.Name, Metric: m.Name, PValue: p, Effect: &effect}
			if r := ratios(c, a.Name, b.Name, m.Name); len(r) > 0 {
				pair.Ratio = estimate(r)
			}
			c.Pairs = append(c.Pairs, pair)
		}
	}
	decide(c.Pairs[first:], m)
}

// decide adjusts by Holm and says which of each pair is better.
func decide(pairs []compare.Pair, m compare.Metric) {
	order := make([]int, 0, len(pairs))
	for i := range pairs {
		if pairs[i].Order = compare.CannotTell; pairs[i].PValue != nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(math.Copysign(1, *pairs[a].PValue-*pairs[b].PValue)) })
	highest := 0.0
	for rank, i := range order {
		p := &pairs[i]
		highest = max(highest, min(1, *p.PValue*float64(len(order)-rank)))
		p.Adjusted = new(highest)
		switch {
		case highest > 0.05:
			p.NeedRound = 24
		case (*p.Effect > 0.5) == m.Higher:
			p.Order = compare.SecondBetter
		default:
			p.Order = compare.FirstBetter
		}
	}
}

// mannWhitney counts all ways to part the values, so it is exact without ties;
// with ties there is no p.
func mannWhitney(x, y []float64) (p *float64, effect float64) {
	above, ties := 0.0, false
	for _, a := range x {
		for _, b := range y {
			switch {
			case b > a:
				above++
			case a == b:
				above, ties = above+0.5, true
			}
		}
	}
	effect = above / float64(len(x)*len(y))
	if ties {
		return nil, effect
	}
	counts := waysOfU(len(x), len(y))
	u, tail, total := int(min(above, float64(len(x)*len(y))-above)), 0.0, 0.0
	for i, n := range counts {
		total += n
		if i <= u {
			tail += n
		}
	}
	return new(min(1, 2*tail/total)), effect
}

// waysOfU counts the orders of n and m values for each value of U (Mann and
// Whitney, 1947, their recurrence).
func waysOfU(n, m int) []float64 {
	if n == 0 || m == 0 {
		return []float64{1}
	}
	known.Lock()
	cached := known.ways[[2]int{n, m}]
	known.Unlock()
	if cached != nil {
		return cached
	}
	counts := make([]float64, n*m+1)
	for u, w := range waysOfU(n-1, m) {
		counts[u+m] += w
	}
	for u, w := range waysOfU(n, m-1) {
		counts[u] += w
	}
	known.Lock()
	known.ways[[2]int{n, m}] = counts
	known.Unlock()
	return counts
}

// known are the counts that were computed already.
var known = struct {
	sync.Mutex
	ways map[[2]int][]float64
}{ways: map[[2]int][]float64{}}
