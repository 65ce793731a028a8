package compare

import (
	"fmt"
	"slices"

	"github.com/portlab/portlab/lab/stat"
)

// MostLost is the share of an arm's requests that may be lost before its
// latency, which is that of answered requests alone, is said to flatter it.
const MostLost = 0.01

// warnings say what casts doubt on the comparison beside the noise, one
// sentence each.
func (c *Comparison) warnings() []string {
	all := []string{}
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if c.Environment.Emulated {
		add("The processor was emulated in software (QEMU's TCG): times, rates and costs, and ratios of them, say nothing of real hardware. " +
			"No advice follows from them, and no claim about them is judged.")
	}
	if len(c.Rounds) > c.Stop.Done || c.Stop.Done < c.Stop.Planned && !slices.Contains(c.Stop.Looks, c.Stop.Done) {
		add("The comparison did not come to its end. %s What is here was measured before.", c.Stop.Reason)
	}
	for _, a := range c.Arms {
		if a.Absent != "" {
			add("%s did not take part: %s", a.Name, a.Absent)
		}
		if failed, why := c.failures(a.Name); failed > 0 {
			add("%s of %s failed, the first because: %s", counted(failed, "run"), a.Name, why)
		}
		if lost := c.values(a.Name, Loss); len(lost) > 0 && stat.Median(lost) > MostLost {
			add("%s lost %.2g%% of its requests: its latency is that of the others alone.", a.Name, 100*stat.Median(lost))
		}
	}
	if w := c.tooFew(); w != "" {
		all = append(all, w)
	}
	return slices.Concat(all, c.leftOut(), c.contradictions())
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// failures are an arm's failed runs, and why the first one did.
func (c *Comparison) failures(arm string) (n int, why string) {
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			if run.Arm != arm || run.Failed == "" {
				continue
			}
			if n++; n == 1 {
				why = run.Failed
			}
		}
	}
	return n, why
}

// tooFew says that there are too few rounds for any difference to show, were
// it ever so large.
func (c *Comparison) tooFew() string {
	arms, rounds := len(c.measured()), c.Stop.Done
	if arms < 2 || rounds == 0 {
		return ""
	}
	tests := float64(arms * (arms - 1) / 2)
	need := 1
	for ; ; need++ {
		if t, err := stat.MannWhitney(ascending(0, need), ascending(need, need)); err != nil || t.P*tests <= c.Stop.LookAlpha {
			break
		}
	}
	least := leastForInterval(c.Stop.LookAlpha)
	switch {
	case rounds < need:
		return fmt.Sprintf("%s cannot tell any of %d arms apart, however different: it takes %d or more (--rounds).", counted(rounds, "round"), arms, max(need, least))
	case rounds < least:
		return fmt.Sprintf("%s cannot give an interval: it takes %d or more (--rounds).", counted(rounds, "round"), least)
	}
	return ""
}

// ascending are n whole numbers from first on.
func ascending(first, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = float64(first + i)
	}
	return all
}

// leftOut says which quantiles have too few requests.
func (c *Comparison) leftOut() []string {
	if len(c.measured()) == 0 {
		return nil
	}
	var all []string
	for _, q := range []struct {
		name string
		need int
	}{{LatencyP90, 100}, {LatencyP99, 1000}, {LatencyP999, 10_000}} {
		if !slices.ContainsFunc(c.Metrics, func(m Metric) bool { return m.Name == q.name }) {
			all = append(all, fmt.Sprintf("%s is left out: it takes %d answered requests a run for %d of them to lie beyond it.",
				q.name, q.need, beyondQuantile))
		}
	}
	return all
}
