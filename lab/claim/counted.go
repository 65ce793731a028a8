package claim

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// Counted is how often each instance answered, counted by somebody else: all
// that is known, where there are no samples.
type Counted struct {
	Counts []int
	// Names of the instances; none: they are called 1, 2 and so on.
	Names []string
	// Weights by which they are meant to share; none: equally. Shares are weights
	// that sum to one.
	Weights []float64
	// Null is how they are meant to share; empty: at random.
	Null lab.Null
	// Workers that keep their own turn under round robin; 0: one.
	Workers int
	// PerConnection is how many requests there were on each connection, or at
	// most; 0 or 1: the counts are of connections.
	PerConnection int
	Seed          uint64 // of p-values that are found by random draws
}

// Evidence is what the counts say. It returns a [lab.UsageError] for counts
// that nothing can be said about.
//
// Requests on one connection all go to the same instance: they are clusters
// whose members are all alike, so that their design effect is their size, or,
// where sizes differ, at most the largest (Rao & Scott 1981, "The analysis of
// categorical data from complex sample surveys"). So counts of requests are
// divided by it, and what is made of them errs on the side of "cannot tell".
func (c Counted) Evidence() (lab.Evidence, error) {
	if err := c.check(); err != nil {
		return lab.Evidence{}, err
	}
	counts := c.Counts
	if c.PerConnection > 1 {
		counts = divided(counts, c.PerConnection)
	}
	e := lab.Evidence{Samples: lab.SampleList{}, Null: c.Null, Workers: max(c.Workers, 1), Plan: lab.DefaultPlan()}
	if e.Null == "" {
		e.Null = lab.Random
	}
	if e.Plan.Seed = c.Seed; c.Seed == 0 {
		e.Plan.Seed = 1
	}
	for i := range counts {
		r := lab.Replica{Instance: strconv.Itoa(i + 1), Weight: 1}
		if len(c.Names) > 0 {
			r.Instance = c.Names[i]
		}
		if len(c.Weights) > 0 {
			r.Weight = c.Weights[i]
		}
		e.Replicas = append(e.Replicas, r)
	}
	e.Measurement = lab.Measure(e.Samples, e.Replicas)
	for i, n := range counts {
		e.Measurement.Instances[i].Connections = n
		e.Measurement.Instances[i].Requests = c.Counts[i]
		e.Measurement.Connections += n
		e.Measurement.Requests += c.Counts[i]
	}
	return e, nil
}

// maxCounted is how many instances may be counted.
const maxCounted = 10_000

func (c Counted) check() error {
	if len(c.Counts) < 2 || len(c.Counts) > maxCounted {
		return lab.Usagef("it takes the counts of 2 to %d instances, not of %d: of one that never answered the count is 0", maxCounted, len(c.Counts))
	}
	total := 0
	for _, n := range c.Counts {
		if n < 0 || n > lab.MaxRequests {
			return lab.Usagef("a count must be from 0 to %d, not %d", lab.MaxRequests, n)
		}
		total += n
	}
	if total == 0 {
		return lab.Usagef("all counts are 0: nothing was counted, so that there is nothing to judge")
	}
	if total > lab.MaxRequests {
		return lab.Usagef("the counts must sum to at most %d, not to %d", lab.MaxRequests, total)
	}
	if len(c.Names) > 0 && len(c.Names) != len(c.Counts) {
		return lab.Usagef("%d names for %d counts: give one for each", len(c.Names), len(c.Counts))
	}
	for i, name := range c.Names {
		if name == "" || slices.Contains(c.Names[:i], name) {
			return lab.Usagef("instances need names that differ: %q is none, or there twice", name)
		}
	}
	if len(c.Weights) > 0 && len(c.Weights) != len(c.Counts) {
		return lab.Usagef("%d weights for %d counts: give one for each", len(c.Weights), len(c.Counts))
	}
	for _, w := range c.Weights {
		if !lab.ValidWeight(w) {
			return lab.Usagef("a weight or share must be a positive number, not %v", w)
		}
	}
	if c.PerConnection < 0 || c.Workers < 0 {
		return lab.Usagef("requests on each connection and workers cannot be fewer than none")
	}
	return nil
}

// divided are counts divided by a number, so rounded that their sum is the
// nearest to that of the counts divided: the largest remainders are rounded up.
func divided(counts []int, by int) []int {
	total, left := 0, 0
	all, order := make([]int, len(counts)), make([]int, len(counts))
	for i, c := range counts {
		all[i], order[i] = c/by, i
		total += c
		left -= c / by
	}
	left += int(math.Round(float64(total) / float64(by)))
	slices.SortStableFunc(order, func(a, b int) int { return counts[b]%by - counts[a]%by })
	for _, i := range order[:max(left, 0)] {
		all[i]++
	}
	return all
}

// Judge holds the counts against a claim of shares. Its error is that of
// [Counted.Evidence].
func (c Counted) Judge(s Shares) (lab.Verdict, error) {
	e, err := c.Evidence()
	if err != nil {
		return lab.Verdict{}, err
	}
	v := s.Judge(e)
	if c.PerConnection > 1 {
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"the counts are of requests, up to %d of which shared a connection and so an instance: they count as %s",
			c.PerConnection, count(e.Measurement.Connections, "connection")))
	}
	return v, nil
}

// leastP is the least p-value that is written as it is: below it, the law is an
// approximation that means nothing any more.
const leastP = 1e-15

// Figures are the lines that stand behind a verdict on shares, for people: what
// was seen of each instance with its interval, the p-value always, the rate of
// false alarms, and how many connections would settle it or would have shown a
// fair balancer to be one.
func Figures(v lab.Verdict, s Shares) []string {
	var all []string
	width, expected := len("instance"), []float64(nil)
	for _, in := range v.Shares {
		width, expected = max(width, len(in.Instance)), append(expected, in.Expected)
	}
	for i, in := range v.Shares {
		if i == 0 {
			all = append(all, fmt.Sprintf("%-*s  %7s  %7s  95%% interval", width, "instance", "share", "meant"))
		}
		all = append(all, fmt.Sprintf("%-*s  %7s  %7s  %s to %s", width, in.Instance, percent(in.Share), percent(in.Expected), percent(in.Low), percent(in.High)))
	}
	p := "p: none"
	if v.PValue != nil {
		p = fmt.Sprintf("p = %.3g", *v.PValue)
		if *v.PValue < leastP {
			p = fmt.Sprintf("p < %.0g", leastP)
		}
	}
	if v.Test != "" {
		p += " (" + v.Test + ")"
	}
	all = append(all, fmt.Sprintf("n = %s, %s, tolerance %s%% of each expected share", thousands(v.N), p,
		strconv.FormatFloat(s.TolerancePercent, 'f', -1, 64)))
	if v.Alpha == 0 { // no law decided
		return all
	}
	all = append(all, fmt.Sprintf("false alarms: a balancer of the expected shares is refuted in at most %s of runs", percent(v.Alpha)))
	if law, err := stat.NewMultinomial(expected); err == nil {
		all = append(all, fmt.Sprintf("such a one is shown to be balanced by %s connections (80%% power)",
			about(law.NeededWithin(s.TolerancePercent/100, Confidence, Power))))
	}
	return all
}
