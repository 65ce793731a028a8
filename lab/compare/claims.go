package compare

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// ratioClaim is a claim about an arm's ratio to a baseline, with its names made
// those of the comparison.
type ratioClaim struct {
	claim.AtMost
	Metric   string
	Baseline string
}

// runClaims are the claims that each run is held against, and how many of them
// were asked for.
func (c *Config) runClaims() (claims []lab.Claim, asked int) {
	for i, x := range c.Trial.Claims {
		if _, ratio := x.(claim.AtMost); ratio {
			continue
		}
		claims = append(claims, x)
		if i < c.Trial.Asked {
			asked = len(claims)
		}
	}
	return claims, asked
}

// ratioClaims are those about ratios. What names no metric or no arm is a
// [lab.UsageError].
func (c *Config) ratioClaims() ([]ratioClaim, error) {
	var all []ratioClaim
	for _, x := range c.Trial.Claims {
		a, ratio := x.(claim.AtMost)
		if !ratio {
			continue
		}
		metric, err := FindMetric(a.Metric)
		if err != nil {
			return nil, err
		}
		baseline, err := c.findBaseline(a)
		if err != nil {
			return nil, err
		}
		all = append(all, ratioClaim{AtMost: a, Metric: metric.Name, Baseline: baseline})
	}
	return all, nil
}

// FindMetric gives the metric of that name or short form: p99 is latency_p99,
// nothing the median latency. Anything else is a [lab.UsageError].
func FindMetric(name string) (Metric, error) {
	if name == "" || name == "latency" {
		name = LatencyP50
	}
	var names []string
	for _, m := range AllMetrics() {
		if m.Name == name || m.Name == "latency_"+name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Metric{}, lab.Usagef("unknown metric %q: use one of %s", name, strings.Join(names, ", "))
}

// findBaseline is the arm that a claim divides by.
func (c *Config) findBaseline(a claim.AtMost) (string, error) {
	var names []string
	for _, arm := range c.arms() {
		if a.Baseline == arm.Name || a.Baseline == "" && arm.Baseline && arm.Absent == "" {
			return arm.Name, nil
		}
		names = append(names, arm.Name)
	}
	if a.Baseline == "" {
		return "", lab.Usagef("the claim %q needs a baseline, and this comparison has none: name one with --baseline", a.Name())
	}
	return "", lab.Usagef("the claim %q names %q, which is not compared: name one of %s", a.Name(), a.Baseline, strings.Join(names, ", "))
}

// verdicts holds the claims asked for against each arm that was measured; a
// baseline only where somebody named it.
func (c *Comparison) verdicts(cfg *Config) []Verdict {
	all := []Verdict{}
	ratios, err := cfg.ratioClaims()
	if err != nil {
		return all // [Config.Check] has said so
	}
	_, asked := cfg.runClaims()
	measured := c.measured()
	for i, a := range c.Arms {
		if !slices.Contains(measured, a.Name) || a.Baseline && !cfg.Contenders[i].Named {
			continue
		}
		for _, x := range ratios {
			if x.Baseline != a.Name {
				all = append(all, Verdict{a.Name, c.judgeRatio(a.Name, x)})
			}
		}
		for k := range asked {
			all = append(all, Verdict{a.Name, c.judgeRuns(a.Name, k)})
		}
	}
	return all
}

// judgeRatio holds a claim against the interval of an arm's ratio.
func (c *Comparison) judgeRatio(arm string, x ratioClaim) lab.Verdict {
	e := c.estimate(c.ratios(arm, x.Baseline, x.Metric))
	v := lab.Verdict{
		Claim: x.Name(), Outcome: lab.Inconclusive, Asked: true, Test: "interval of the median ratio within rounds",
		EffectName: fmt.Sprintf("%s over %s, %s", arm, x.Baseline, x.Metric), N: e.N, Warnings: []string{},
	}
	if c.Environment.Emulated && (Metric{Name: x.Metric}).HardwareBound() {
		v.Outcome, v.Sentence = lab.Unsupported, v.EffectName+": "+claim.Emulated
		return v
	}
	if e.N == 0 {
		v.Sentence = fmt.Sprintf("no round has a value of %s for both %s and %s", x.Metric, arm, x.Baseline)
		return v
	}
	v.Effect = &e.Median
	if e.Low == nil {
		v.NeedN = leastForInterval(c.Stop.LookAlpha)
		v.Sentence = fmt.Sprintf("%s has %.3g times the %s of %s, and %d rounds are too few for an interval: it takes %d",
			arm, e.Median, x.Metric, x.Baseline, e.N, v.NeedN)
		return v
	}
	v.Interval, v.Confidence, v.Alpha = &[2]float64{*e.Low, *e.High}, e.Confidence, c.Stop.LookAlpha
	v.Outcome = x.Settle(*e.Low, *e.High)
	v.Sentence = fmt.Sprintf("%s has %.3g times the %s of %s (%.3g to %.3g, %d rounds); the claim allows %.3g",
		arm, e.Median, x.Metric, x.Baseline, *e.Low, *e.High, e.N, x.Factor)
	return v
}

// leastForInterval is the least number of rounds with an interval of the median at
// this significance: the smallest and the largest of n values miss the median
// with a probability of 2^(1-n).
func leastForInterval(alpha float64) int {
	n := 1
	for p := 1.0; p > alpha; p /= 2 {
		n++
	}
	return n
}

// judgeRuns sums up what an arm's runs say of the k-th claim. Each run has its
// own false alarms, so that one refuted run in ten may be chance: the claim is
// refuted where more were than chance explains at the runs' own significance
// (binomial law), or where a run without a test shows it false, such as by a
// lost request. It is held where more runs show it than chance explains.
func (c *Comparison) judgeRuns(arm string, k int) lab.Verdict {
	var runs []lab.Verdict
	for _, r := range c.Rounds {
		if run := r.of(arm); run != nil && k < len(run.Verdicts) {
			runs = append(runs, run.Verdicts[k])
		}
	}
	v := lab.Verdict{Outcome: lab.Inconclusive, Asked: true, N: len(runs), Test: "binomial over runs", Warnings: []string{}}
	if len(runs) == 0 {
		v.Sentence = "no run was held against it"
		return v
	}
	v.Claim = runs[0].Claim
	count := map[lab.Outcome]int{}
	shown := false
	for _, r := range runs {
		count[r.Outcome]++
		shown = shown || r.Outcome == lab.Refuted && r.PValue == nil && r.Alpha == 0
	}
	if count[lab.Unsupported] == len(runs) {
		v.Outcome, v.Test, v.Sentence = lab.Unsupported, "", runs[0].Sentence
		return v
	}
	refuted, held := count[lab.Refuted], count[lab.Held]
	p := atLeast(refuted, len(runs), claim.Alpha)
	v.PValue, v.Alpha = &p, claim.Alpha
	switch {
	case shown || p <= claim.Alpha:
		v.Outcome = lab.Refuted
	case refuted == 0 && atLeast(held, len(runs), 1-claim.Confidence) <= 1-claim.Confidence:
		v.Outcome = lab.Held
	}
	v.Sentence = fmt.Sprintf("%s: held in %d of %d runs of %s, refuted in %d", v.Claim, held, len(runs), arm, refuted)
	return v
}

// atLeast is the probability of k or more of n, each with probability p.
func atLeast(k, n int, p float64) float64 {
	if k == 0 {
		return 1
	}
	return distuv.Binomial{N: float64(n), P: p}.Survival(float64(k - 1))
}
