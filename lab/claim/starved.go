package claim

import (
	"fmt"
	"math"
	"slices"

	"github.com/portlab/portlab/lab"
)

// EveryInstance claims that no instance is left without a connection. It is
// refuted where one is and chance would do that in fewer than [Alpha] of runs.
type EveryInstance struct{}

// Name implements [lab.Claim].
func (EveryInstance) Name() string { return "every instance answers" }

// Judge implements [lab.Claim]. The effect is the share of silent instances;
// the p-value an upper bound of the probability that as many stay silent by chance.
func (c EveryInstance) Judge(e lab.Evidence) lab.Verdict {
	f := fleetOf(e.Measurement)
	if e.Null == lab.HashAddress && !e.Measurement.Outside {
		f.recount(e.Null, e.Samples) // more connections of one address would reach nobody else
	}
	v := newVerdict(c, f.n)
	v.Alpha = Alpha
	var silent []string
	for i, k := range f.counts {
		if k == 0 {
			silent = append(silent, f.names[i])
		}
	}
	if f.n == 0 || len(f.names) == 0 {
		v.Sentence = "cannot tell: no connection was answered by a known instance"
		return v
	}
	v.Test, v.EffectName = "probability of silence, union bound", "share of silent instances"
	v.Effect = number(float64(len(silent)) / float64(len(f.names)))
	if len(silent) == 0 {
		v.Outcome = lab.Held
		v.Sentence = fmt.Sprintf("nobody starved: each of %s answered at least one of %s",
			count(len(f.names), "instance"), count(f.n, "connection"))
		return v
	}
	if !f.weighed {
		v.Sentence = "cannot tell: the replicas' weights give no expected shares"
		return v
	}
	p := silence(f.expected, len(silent), f.n)
	v.PValue = number(p)
	if e.Null != lab.Random && !hashes(e.Null) {
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"the probability is that under random choice; the strategy spreads connections %s", nullWords(e.Null)))
	}
	if p < Alpha {
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("starved: %s got none of %s (by chance %s)", list(silent), count(f.n, "connection"), pWords(p))
		return v
	}
	v.NeedN = speakers(f.expected, 1)
	v.Sentence = fmt.Sprintf("cannot tell: %s got none of %s, which may be chance (%s); %s connections would tell",
		list(silent), count(f.n, "connection"), pWords(p), about(v.NeedN))
	return v
}

// silence bounds the probability that, under random choice, at least so many
// instances get none of n connections: by the sum over single instances and,
// for several, also by that of the likeliest set to answer alone, times the
// number of such sets.
func silence(expected []float64, silent, n int) float64 {
	var p float64
	for _, e := range expected {
		p += math.Exp(float64(n) * math.Log1p(-e))
	}
	if silent > 1 {
		sorted := slices.Sorted(slices.Values(expected))
		var answering float64
		for _, e := range sorted[silent:] {
			answering += e
		}
		p = min(p, math.Exp(logChoose(len(expected), silent)+float64(n)*math.Log(min(answering, 1))))
	}
	return min(p, 1)
}

func logChoose(n, k int) float64 {
	lg := func(x int) float64 { y, _ := math.Lgamma(float64(x + 1)); return y }
	return lg(n) - lg(k) - lg(n-k)
}

// speakers is how many connections make so many silent instances significant.
func speakers(expected []float64, silent int) int {
	high := 1
	for silence(expected, silent, high) >= Alpha && high < lab.MaxRequests {
		high *= 2
	}
	low := high / 2
	for high-low > 1 {
		if middle := (low + high) / 2; silence(expected, silent, middle) < Alpha {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
