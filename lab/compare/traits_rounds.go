package compare

import (
	"fmt"
	"math"

	"github.com/portlab/portlab/lab/stat"
)

// BalanceTolerance is how far a share may be from the expected one, relative to
// it, for an arm to count as balanced: that of the claim on shares.
const BalanceTolerance = 0.2

// ofRounds are the traits that the rounds show.
func (c *Comparison) ofRounds(a Arm, x Contender) []Trait {
	var all []Trait
	if t, ok := c.balance(a.Name, x); ok {
		all = append(all, t)
	}
	if len(c.Baselines) > 0 {
		first := c.Baselines[0]
		if e, ok := c.summarized(a.Name, LatencyP50).Ratios[first]; ok && a.Name != first {
			all = append(all, c.quantity(a.Name, TraitLatency, e.Median, fmt.Sprintf("%.2f times", e.Median),
				fmt.Sprintf("Median latency over that of %s, the median of %d rounds%s.", first, e.N, within(e))))
		}
	}
	if e := c.summarized(a.Name, Throughput).Value; e.N > 0 {
		all = append(all, c.quantity(a.Name, TraitThroughput, e.Median, fmt.Sprintf("%.0f/s", e.Median),
			fmt.Sprintf("Requests per second, the median of %d runs.", e.N)))
	}
	if e := c.summarized(a.Name, CPU).Value; e.N > 0 {
		all = append(all, c.quantity(a.Name, TraitCPU, e.Median, spell(e.Median),
			fmt.Sprintf("Processor time for each request, the median of %d runs.", e.N)))
	}
	return all
}

// quantity is a trait that the rounds show; it links to the first run.
func (c *Comparison) quantity(arm, name string, x float64, value, detail string) Trait {
	return Trait{Arm: arm, Name: name, Number: &x, Value: value, Detail: detail, Folder: c.firstFolder(arm)}
}

// spell writes nanoseconds with three significant digits.
func spell(ns float64) string {
	const rounded = 999.5 // from here on, three digits round up to the next unit
	switch {
	case ns < rounded*1e3:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	case ns < rounded*1e6:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
	return fmt.Sprintf("%.3g s", ns/1e9)
}

func within(e Estimate) string {
	if e.Low == nil || e.High == nil {
		return ""
	}
	return fmt.Sprintf(", interval %.2f to %.2f", *e.Low, *e.High)
}

func (c *Comparison) summarized(arm, metric string) Summary {
	for _, s := range c.Summaries {
		if s.Arm == arm && s.Metric == metric {
			return s
		}
	}
	return Summary{}
}

func (c *Comparison) firstFolder(arm string) string {
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			if run.Arm == arm && run.Folder != "" {
				return run.Folder
			}
		}
	}
	return ""
}

// balance sums up the connections of all runs and holds their shares against
// the expected ones. It is yes where every interval lies within
// [BalanceTolerance], no where one lies wholly beyond, and else cannot be told.
func (c *Comparison) balance(arm string, x Contender) (Trait, bool) {
	counts, total := c.connections(arm, x.Replicas)
	if total == 0 {
		return Trait{}, false
	}
	farthest, shown := 0.0, 0.0
	for i, share := range stat.SimultaneousShares(counts, traitConfidence) {
		expected := expectedShare(x, i)
		low, high := share.Low/expected-1, share.High/expected-1
		farthest = max(farthest, math.Abs(low), math.Abs(high))
		shown = max(shown, low, -high)
	}
	t := c.quantity(arm, TraitBalance, farthest, "within "+wholePercent(farthest), fmt.Sprintf(
		"%v of %d connections in all rounds: every share is within %s of the expected one, relative to it, with 95%% confidence.",
		counts, total, wholePercent(farthest)))
	switch {
	case farthest <= BalanceTolerance:
		t.Answer = Yes
	case shown > BalanceTolerance:
		t.Answer, t.Value = No, "skewed by "+wholePercent(shown)
		t.Detail = fmt.Sprintf("%v of %d connections in all rounds: some share is %s or more off the expected one, relative to it, with 95%% confidence.",
			counts, total, wholePercent(shown))
	default:
		t.Answer = Unknown
	}
	return t, true
}

func wholePercent(x float64) string { return fmt.Sprintf("%.0f%%", math.Ceil(100*x-1e-9)) }

// connections are those of each replica in all runs.
func (c *Comparison) connections(arm string, replicas int) (counts []int, total int) {
	counts = make([]int, replicas)
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			if run.Arm != arm || len(run.Connections) != replicas {
				continue
			}
			for i, n := range run.Connections {
				counts[i], total = counts[i]+n, total+n
			}
		}
	}
	return counts, total
}

func expectedShare(x Contender, i int) float64 {
	if len(x.Weights) == 0 {
		return 1 / float64(x.Replicas)
	}
	sum := 0.0
	for _, w := range x.Weights {
		sum += w
	}
	return x.Weights[i] / sum
}
