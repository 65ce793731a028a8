package report

import (
	"slices"

	"github.com/portlab/portlab/lab/compare"
)

// digest is a comparison whose parts are found by name.
type digest struct {
	*compare.Comparison
	summaries map[[2]string]compare.Summary // by arm and metric
	pairs     map[[3]string]compare.Pair    // by both arms, as they are held, and metric
	links     []string                      // folders that the Markdown links to, numbered from 1
}

func digestOf(c *compare.Comparison) *digest {
	d := &digest{Comparison: c, summaries: map[[2]string]compare.Summary{}, pairs: map[[3]string]compare.Pair{}}
	for _, s := range c.Summaries {
		if s.Value.N > 0 { // else no run has a value of it, such as the fairness of one replica
			d.summaries[[2]string{s.Arm, s.Metric}] = s
		}
	}
	for _, p := range c.Pairs {
		d.pairs[[3]string{p.First, p.Second, p.Metric}] = p
	}
	return d
}

// present are the names of the arms that took part.
func (d *digest) present() []string {
	var names []string
	for _, a := range d.Arms {
		if a.Absent == "" {
			names = append(names, a.Name)
		}
	}
	return names
}

// absent are the arms that could not take part.
func (d *digest) absent() []compare.Arm {
	return slices.DeleteFunc(slices.Clone(d.Arms), func(a compare.Arm) bool { return a.Absent == "" })
}

// baseline is the first one that took part; empty if none did.
func (d *digest) baseline() string {
	present := d.present()
	for _, b := range d.Baselines {
		if slices.Contains(present, b) {
			return b
		}
	}
	return ""
}

// ratio is that of an arm to a baseline. There is none for the baseline itself,
// nor where its value is zero.
func (d *digest) ratio(arm, metric, baseline string) (compare.Estimate, bool) {
	e, ok := d.summaries[[2]string{arm, metric}].Ratios[baseline]
	return e, ok && arm != baseline && e.N > 0
}

// versus is the pair of two arms, with a first.
func (d *digest) versus(a, b, metric string) (compare.Pair, bool) {
	if p, ok := d.pairs[[3]string{a, b, metric}]; ok {
		return p, true
	}
	p, ok := d.pairs[[3]string{b, a, metric}]
	switch p.Order {
	case compare.FirstBetter:
		p.Order = compare.SecondBetter
	case compare.SecondBetter:
		p.Order = compare.FirstBetter
	}
	return p, ok
}

// alike says whether two arms were held against each other and cannot be told apart.
func (d *digest) alike(a, b, metric string) bool {
	p, ok := d.versus(a, b, metric)
	return ok && p.Order == compare.CannotTell
}

// metric is the one of that name.
func (d *digest) metric(name string) (compare.Metric, bool) {
	i := slices.IndexFunc(d.Metrics, func(m compare.Metric) bool { return m.Name == name })
	if i < 0 {
		return compare.Metric{}, false
	}
	return d.Metrics[i], true
}

// comparable are the metrics of which some arm has a ratio to the first baseline.
func (d *digest) comparable() []compare.Metric {
	b := d.baseline()
	return slices.DeleteFunc(slices.Clone(d.Metrics), func(m compare.Metric) bool {
		return !slices.ContainsFunc(d.present(), func(arm string) bool { _, ok := d.ratio(arm, m.Name, b); return ok })
	})
}

// ranked are the arms that have a value of a metric, the best median first.
func (d *digest) ranked(m compare.Metric) []string {
	has := slices.DeleteFunc(d.present(), func(arm string) bool {
		_, ok := d.summaries[[2]string{arm, m.Name}]
		return !ok
	})
	slices.SortStableFunc(has, func(a, b string) int {
		return m.Compare(d.summaries[[2]string{a, m.Name}].Value.Median, d.summaries[[2]string{b, m.Name}].Value.Median)
	})
	return has
}

// contestants are those of arms that are no baselines: a baseline is no choice.
func (d *digest) contestants(arms []string) []string {
	return slices.DeleteFunc(slices.Clone(arms), func(arm string) bool { return slices.Contains(d.Baselines, arm) })
}

// failedRuns are the runs without values.
func (d *digest) failedRuns() (runs []compare.Run, rounds []int) {
	for _, r := range d.Rounds {
		for _, run := range r.Runs {
			if run.Failed != "" {
				runs, rounds = append(runs, run), append(rounds, r.Number)
			}
		}
	}
	return runs, rounds
}

// inGroups parts a list into groups of at most n.
func inGroups[T any](all []T, n int) [][]T { return slices.Collect(slices.Chunk(all, n)) }
