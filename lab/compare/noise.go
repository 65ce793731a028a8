package compare

import (
	"fmt"
	"slices"

	gonum "gonum.org/v1/gonum/stat"

	"github.com/portlab/portlab/lab/stat"
)

// What makes a machine a noisy one.
const (
	// DriftAlpha is the significance at which the baseline is said to drift.
	DriftAlpha = 0.01
	// MostStolen is the share of the processors' time that a hypervisor may take
	// in any run.
	MostStolen = 0.02
	// MostOther is the share of the processors' time, in the median over runs,
	// that other programs may take.
	MostOther = 0.1
	// MostSpread is what the baseline's interquartile range may be of its median.
	MostSpread = 0.15
)

// noise is what the rounds say about the machine. The first baseline speaks for
// it, or without one the first arm.
func (c *Comparison) noise() Noise {
	n := Noise{Findings: []string{}}
	if arms := append(slices.Clone(c.Baselines), c.measured()...); len(arms) > 0 {
		c.drift(&n, arms[0])
	}
	var other []float64
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			n.StolenShare = max(n.StolenShare, run.Disturbance.StolenShare)
			other = append(other, run.Disturbance.OtherShare)
		}
	}
	if len(other) > 0 {
		n.OtherShare = stat.Median(other)
	}
	if n.StolenShare > MostStolen {
		n.find("The hypervisor took up to %.0f%% of the processors' time during a run: this is a shared machine, and others on it were busy.", 100*n.StolenShare)
	}
	if n.OtherShare > MostOther {
		n.find("Other programs kept the processors %.0f%% busy between the runs: end them, or trust ratios more than values.", 100*n.OtherShare)
	}
	n.Quiet = len(n.Findings) == 0
	return n
}

func (n *Noise) find(format string, args ...any) {
	n.Findings = append(n.Findings, fmt.Sprintf(format, args...))
}

// drift looks at how the median latency of an arm changes over the rounds, and
// how far it spreads.
func (c *Comparison) drift(n *Noise, arm string) {
	var rounds, values []float64
	for _, r := range c.Rounds {
		if run := r.of(arm); run != nil {
			if v, ok := run.Values[LatencyP50]; ok {
				rounds, values = append(rounds, float64(r.Number)), append(values, v)
			}
		}
	}
	if t, err := stat.KendallTau(rounds, values); err == nil && len(values) > 2 {
		n.Drift, n.DriftP = &t.Tau, &t.P
		if t.P <= DriftAlpha {
			direction := "rose"
			if t.Tau < 0 {
				direction = "fell"
			}
			n.find("The median latency of %s %s from round to round (Kendall's tau %.2f, p = %.2g): the machine changed meanwhile. Ratios within a round are hurt less than values.",
				arm, direction, t.Tau, t.P)
		}
	}
	if len(values) < 4 {
		return
	}
	sorted := slices.Sorted(slices.Values(values))
	q1, q3 := gonum.Quantile(0.25, gonum.LinInterp, sorted, nil), gonum.Quantile(0.75, gonum.LinInterp, sorted, nil)
	n.Spread = (q3 - q1) / stat.Median(values)
	if n.Spread > MostSpread {
		n.find("The median latency of %s spreads by %.0f%% from run to run (interquartile range over median): small differences cannot be told here.", arm, 100*n.Spread)
	}
}
