// Package claim holds the claims that a run can be held against: each a
// statement fixed before the run, and a way to judge it.
//
// A claim is held, refuted or inconclusive. Held means shown to the stated
// confidence, not merely "not refuted": where the data are too few for either,
// the verdict is inconclusive and says, where that is known, how many would
// do. What the numbers assume and the run does not give is said in warnings.
package claim

import (
	"math"

	"github.com/portlab/portlab/lab"
)

const (
	// Alpha is the significance at which a claim is refuted: at most so many
	// runs of a system that fulfils the claim are refuted by chance.
	Alpha = 0.01
	// Confidence is that of the intervals, and of what "held" rests on.
	Confidence = 0.95
	// Power is the probability with which a stated number of observations
	// settles a claim, and with which a stated skew is found.
	Power = 0.8
)

// Defaults are the claims that every run is held against.
func Defaults() []lab.Claim {
	return []lab.Claim{
		Shares{TolerancePercent: DefaultTolerancePercent}, NoLoss{}, EveryInstance{}, Order{}, LatencyIndependent{},
	}
}

// newVerdict is inconclusive until something is shown.
func newVerdict(c lab.Claim, n int) lab.Verdict {
	return lab.Verdict{Claim: c.Name(), Outcome: lab.Inconclusive, N: n, Warnings: []string{}}
}

// number points to x, or to nothing where x cannot be written as JSON.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
