package compare

import (
	"math"
	"slices"

	"github.com/portlab/portlab/lab/stat"
)

// Fold computes all that follows from the rounds: the metrics that occur, the
// summaries, the pairs, the noise, the warnings, and with traits the advice. It
// can be called again on a comparison that was read from JSON.
func (c *Comparison) Fold() {
	c.Baselines = []string{}
	for _, a := range c.Arms {
		if a.Baseline && a.Absent == "" {
			c.Baselines = append(c.Baselines, a.Name)
		}
	}
	c.Metrics = occurring(c.Rounds)
	c.Summaries, c.Pairs = []Summary{}, []Pair{}
	for _, m := range c.Metrics {
		for _, a := range c.measured() {
			c.Summaries = append(c.Summaries, c.summary(a, m.Name))
		}
		c.Pairs = append(c.Pairs, c.pairs(m)...)
	}
	c.Noise = c.noise()
	c.Warnings = c.warnings()
	c.Advice = Advise(c)
}

// measured are the names of the arms with a run that did not fail, in order.
func (c *Comparison) measured() []string {
	var all []string
	for _, a := range c.Arms {
		if slices.ContainsFunc(c.Rounds, func(r Round) bool { return r.of(a.Name) != nil }) {
			all = append(all, a.Name)
		}
	}
	return all
}

// of is an arm's run of a round; nil if there is none, or it failed.
func (r Round) of(arm string) *Run {
	for i := range r.Runs {
		if r.Runs[i].Arm == arm && r.Runs[i].Failed == "" {
			return &r.Runs[i]
		}
	}
	return nil
}

// values are an arm's values of a metric, by round.
func (c *Comparison) values(arm, metric string) []float64 {
	var all []float64
	for _, r := range c.Rounds {
		if run := r.of(arm); run != nil {
			if v, ok := run.Values[metric]; ok {
				all = append(all, v)
			}
		}
	}
	return all
}

// ratios are those of an arm to another, within each round that has both. A
// value of nothing cannot be divided by.
func (c *Comparison) ratios(arm, to, metric string) []float64 {
	var all []float64
	for _, r := range c.Rounds {
		above, below := r.of(arm), r.of(to)
		if above == nil || below == nil {
			continue
		}
		v, ok := above.Values[metric]
		w, also := below.Values[metric]
		if ok && also && w > 0 {
			all = append(all, v/w)
		}
	}
	return all
}

// estimate is the median of values that occurred, at the comparison's confidence.
func (c *Comparison) estimate(values []float64) Estimate {
	e := Estimate{N: len(values)}
	if len(values) == 0 {
		return e
	}
	e.Median = stat.Median(values)
	if in, actual, ok := stat.MedianInterval(values, 1-c.Stop.LookAlpha); ok {
		e.Low, e.High, e.Confidence = &in.Low, &in.High, actual
	}
	return e
}

func (c *Comparison) summary(arm, metric string) Summary {
	s := Summary{Arm: arm, Metric: metric, Value: c.estimate(c.values(arm, metric)), Ratios: map[string]Estimate{}}
	for _, b := range c.Baselines {
		if ratios := c.ratios(arm, b, metric); b != arm && len(ratios) > 0 {
			s.Ratios[b] = c.estimate(ratios)
		}
	}
	return s
}

// pairs holds each two arms against each other in a metric, with Holm's
// adjustment over all of them.
func (c *Comparison) pairs(m Metric) []Pair {
	var all []Pair
	var p []float64
	arms := c.measured()
	for i, first := range arms {
		for _, second := range arms[i+1:] {
			pair := Pair{First: first, Second: second, Metric: m.Name, Order: CannotTell}
			pair.Ratio = c.estimate(c.ratios(second, first, m.Name))
			p = append(p, math.NaN())
			// An error is that one has no values: then there is no p.
			if t, err := stat.MannWhitney(c.values(second, m.Name), c.values(first, m.Name)); err == nil {
				p[len(p)-1] = t.P
				pair.PValue, pair.Effect = &t.P, &t.A
			}
			all = append(all, pair)
		}
	}
	adjusted := stat.Holm(p)
	tests := 0
	for _, v := range p {
		if !math.IsNaN(v) {
			tests++
		}
	}
	for i := range all {
		if all[i].PValue != nil {
			all[i].Adjusted = &adjusted[i]
			all[i].settle(m.Higher, c.Stop.LookAlpha, tests, c.Stop.Done)
		}
	}
	return all
}

// settle says which is better, or how many rounds would tell.
func (p *Pair) settle(higher bool, alpha float64, tests, rounds int) {
	if *p.Adjusted <= alpha && *p.Effect != 0.5 {
		p.Order = FirstBetter
		if (*p.Effect > 0.5) == higher {
			p.Order = SecondBetter
		}
		return
	}
	// With what Holm leaves to the smallest p-value: enough wherever it ranks.
	if n, ok := stat.NeededRounds(*p.Effect, alpha/float64(tests), Power); ok && n <= MaxRounds {
		p.NeedRound = max(n, rounds+1)
	}
}
