package claim

import (
	"errors"
	"fmt"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// TolerableV is the Cramer's V up to which latency may depend on the instance:
// "medium" after Cohen, "Statistical Power Analysis for the Behavioral
// Sciences" (1988).
const TolerableV = 0.3

// LatencyIndependent claims that latency depends on the instance that answers
// by no more than [TolerableV]. Latencies are put into four classes by the
// quartiles of them all, and the table of instance by class is tested for
// independence. The claim is held if all of the effect's interval is tolerable,
// refuted if none of it is, at [Alpha], and open in between. The test assumes
// that requests do not influence each other.
//
// It speaks of the replicas of one run. Two processes differ, by the processor
// and the memory that they happen to get, so that of many runs of one strategy
// half show some dependence, now on this instance and now on that one: what is
// a strategy's takes several runs to see (lab/compare). On an emulated machine it
// is not judged.
type LatencyIndependent struct{}

// Emulated is why a claim on times, rates or costs is [lab.Unsupported] where the
// processor was emulated.
const Emulated = "not judged: the processor was emulated in software, so that times, rates and costs are the emulator's; " +
	"measure on real hardware, or in a machine with KVM"

// Name implements [lab.Claim].
func (LatencyIndependent) Name() string { return "latency is independent of the instance" }

// Judge implements [lab.Claim]. The effect is Cramer's V.
func (c LatencyIndependent) Judge(e lab.Evidence) lab.Verdict {
	table, n := latencyTable(e.Samples)
	v := newVerdict(c, n)
	if e.Emulated {
		v.Outcome, v.Sentence = lab.Unsupported, "dependence of the latency on the instance: "+Emulated
		return v
	}
	v.Alpha = Alpha
	if e.Plan.Concurrency > 1 {
		v.Warnings = append(v.Warnings,
			"requests under way together share queues, so they are not independent and the p-value may be too small; concurrency 1 avoids it")
	}
	t, err := stat.IndependenceTest(table, Confidence, e.Plan.Seed)
	if errors.Is(err, stat.ErrNothingToCompare) {
		v.Alpha, v.Sentence = 0, "cannot tell: "+whyNothing(len(table), n)
		return v
	}
	if err != nil { // a table that is well-formed by construction
		v.Outcome, v.Sentence = lab.Broken, "the test failed: "+err.Error()
		return v
	}
	v.Test, v.Statistic, v.PValue = t.Test, number(t.Statistic), number(t.P)
	v.Effect, v.EffectName = number(t.V), "Cramer's V"
	v.Interval, v.Confidence = &[2]float64{t.Bounds.Low, t.Bounds.High}, Confidence
	v.Warnings = append(v.Warnings, t.Warnings...)
	switch {
	case t.Bounds.Low > TolerableV && surely(table, e.Plan.Seed):
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("latency depends on the instance (%s, Cramer's V %.2g): the replicas of this run differ", pWords(t.P), t.V)
		v.Warnings = append(v.Warnings, "where the system put their processes may be all of the difference: portlab compare tells over several runs")
	case t.Bounds.High <= TolerableV:
		v.Outcome = lab.Held
		v.Sentence = fmt.Sprintf("latency does not depend on the instance beyond a Cramer's V of %.2g with 95%% confidence", t.Bounds.High)
	default:
		v.Sentence = fmt.Sprintf("cannot tell: Cramer's V may be anything from %.2g to %.2g with 95%% confidence, and %s are too few to rule out %.1f",
			t.Bounds.Low, t.Bounds.High, count(n, "request"), TolerableV)
		if need := stat.NeededIndependent(len(table), len(table[0]), TolerableV, Confidence, Power); need > n {
			v.NeedN = need
			v.Sentence += fmt.Sprintf("; %s would, where there is no dependence", about(need))
		}
	}
	return v
}

// surely says whether a dependence is beyond what is tolerable at [Alpha], where
// the interval that is shown says so at its own confidence.
func surely(table [][]int, seed uint64) bool {
	t, err := stat.IndependenceTest(table, 1-2*Alpha, seed)
	return err == nil && t.Bounds.Low > TolerableV
}

// latencyTable counts the answered requests by instance and latency class, in
// two passes: one for the quartiles, one for the table. A latency that equals a
// quartile belongs to the class below it, so equal latencies share a class, and
// a class may stay empty.
func latencyTable(samples lab.Samples) (table [][]int, n int) {
	var all lab.Distribution
	for s := range samples.All() {
		if s.OK() && s.Instance != "" {
			all.Record(s.Latency())
		}
	}
	bounds := [3]time.Duration{all.Quantile(0.25), all.Quantile(0.5), all.Quantile(0.75)}
	index := map[string]int{}
	for s := range samples.All() {
		if !s.OK() || s.Instance == "" {
			continue
		}
		row, ok := index[s.Instance]
		if !ok {
			row = len(index)
			index[s.Instance] = row
			table = append(table, make([]int, len(bounds)+1))
		}
		class := 0
		for _, b := range bounds {
			if s.Latency() > b {
				class++
			}
		}
		table[row][class]++
	}
	return table, all.Count()
}

func whyNothing(instances, n int) string {
	switch {
	case n == 0:
		return "no answer says who gave it"
	case instances < 2:
		return "only one instance answered, so there is nothing to compare"
	}
	return "all latencies fall into one class"
}
