package claim

import (
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// NoLoss claims that no request fails. One failure refutes it. Requests that
// failed because the client ran out of something are not blamed on the
// strategy: what became of them with a better client is not known, so without
// any other failure the claim is inconclusive.
type NoLoss struct{}

// Name implements [lab.Claim].
func (NoLoss) Name() string { return "no request fails" }

// Judge implements [lab.Claim]. The effect is the loss rate, the interval that
// of Clopper and Pearson, or from 0 to the one-sided bound where nothing failed.
func (c NoLoss) Judge(e lab.Evidence) lab.Verdict {
	m := e.Measurement
	own := m.Faults[lab.ClientLimit]
	n, failed := m.Requests-own, m.Failed()-own
	v := newVerdict(c, n)
	if n < 1 && own == 0 {
		v.Sentence = "cannot tell: no request was made that could have been lost"
		return v
	}
	const limited = "the client itself ran out of ports, descriptors or memory for"
	if own > 0 && failed == 0 {
		v.Sentence = fmt.Sprintf("cannot tell: %s %s of %s, which says nothing about the strategy; none of the others failed",
			limited, thousands(own), count(m.Requests, "request"))
		return v
	}
	if own > 0 {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s %s: they are not counted", limited, count(own, "request")))
	}
	v.Test, v.Confidence = "count of failures, exact binomial interval", Confidence
	v.Effect, v.EffectName = number(float64(failed)/float64(n)), "loss rate"
	if failed == 0 {
		bound := stat.NoneOf(n, Confidence)
		v.Outcome, v.Interval = lab.Held, &[2]float64{0, bound}
		v.Sentence = fmt.Sprintf("nothing lost: none of %s failed, so with 95%% confidence at most %s do",
			count(n, "request"), percent(bound))
		return v
	}
	i := stat.ClopperPearson(failed, n, Confidence)
	v.Outcome, v.Interval = lab.Refuted, &[2]float64{i.Low, i.High}
	v.Sentence = fmt.Sprintf("lost: %s of %s failed (%s): %s", thousands(failed), count(n, "request"),
		percent(float64(failed)/float64(n)), list(faultWords(m.Faults)))
	return v
}

// faultWords lists the classes of fault that are not the client's own.
func faultWords(faults map[lab.Fault]int) []string {
	var all []string
	for _, f := range lab.Faults() {
		if k := faults[f]; k > 0 && f != lab.ClientLimit {
			all = append(all, fmt.Sprintf("%s %s", thousands(k), f))
		}
	}
	return all
}
