package compare

import (
	"fmt"
	"slices"
	"strings"
)

// stopOf is the rule by which a comparison ends, fixed before the first run.
// The significance is split evenly over the looks at the data (Bonferroni), so
// that over all of them together the probability of a false alarm is at most
// [Alpha], wherever it ends.
func stopOf(cfg *Config) Stop {
	looks := append(append([]int{}, cfg.Looks...), cfg.Rounds)
	return Stop{Planned: cfg.Rounds, Looks: looks, Alpha: Alpha, LookAlpha: Alpha / float64(len(looks))}
}

// mayStop says whether a comparison may end after a round, and notes why: at a
// look fixed beforehand, with every pair of the deciding metrics told apart, or
// as good as equal.
func (c *Comparison) mayStop(round int) bool {
	if round == c.Stop.Planned || !slices.Contains(c.Stop.Looks, round) {
		return false
	}
	c.Fold()
	deciding := c.deciding()
	for _, p := range c.Pairs {
		if slices.Contains(deciding, p.Metric) && p.Order == CannotTell && !p.Ratio.nearOne() {
			return false
		}
	}
	c.Stop.Reason = fmt.Sprintf("After round %d, a look fixed beforehand, every two arms were told apart or shown to be within %.0f%% of each other in %s.",
		round, 100*(Precision-1), strings.Join(deciding, " and "))
	return true
}

// deciding are the metrics that the end depends on. In an open loop the
// throughput is given.
func (c *Comparison) deciding() []string {
	if c.Plan.Open() {
		return []string{LatencyP50}
	}
	return []string{Throughput, LatencyP50}
}

// nearOne says whether a ratio was shown to be as good as one.
func (e Estimate) nearOne() bool {
	return e.Low != nil && e.High != nil && *e.Low >= 1/Precision && *e.High <= Precision
}
