package claim

import (
	"fmt"
	"math"
	"slices"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// minCascade is the fewest replicas of which a cascade can be told: among three
// almost any counts fit one.
const minCascade = 4

// byPosition: where equal shares are ruled out, the place of a replica in the
// list explains its count. Either each takes the same part of what those before
// it left and the last one gets the rest, as rules do whose probability is the
// same in all of them: that is not refuted at Alpha. Or the counts only fall, or
// only rise, from the first to the last, among so many replicas that chance
// orders them so in fewer than Alpha of runs.
func byPosition(o observed) (lab.Behaviour, bool) {
	if !o.lawful || !o.equal || o.fit.P >= Alpha || len(o.counts) < minCascade {
		return lab.Behaviour{}, false
	}
	forward, backward := slices.Clone(o.counts), slices.Clone(o.counts)
	slices.Reverse(backward)
	for _, c := range []struct {
		counts      []int
		end, begins string
	}{{forward, "last", "before"}, {backward, "first", "after"}} {
		if q, ok := cascade(c.counts, o.seed); ok {
			rest := float64(c.counts[len(c.counts)-1]) / float64(o.n)
			return lab.Behaviour{Name: lab.LooksPositional, Sentence: fmt.Sprintf(
				"each replica takes about %s of what those %s it left, and the %s gets the rest, %s",
				percent(q), c.begins, c.end, percent(rest))}, true
		}
	}
	logOrders, _ := math.Lgamma(float64(len(o.counts) + 1))
	trend := 2*math.Exp(-logOrders) < Alpha
	switch {
	case trend && falls(backward):
		return o.along("rise"), true
	case trend && falls(forward):
		return o.along("fall"), true
	}
	return lab.Behaviour{}, false
}

func (o observed) along(how string) lab.Behaviour {
	last := len(o.counts) - 1
	return lab.Behaviour{Name: lab.LooksPositional, Sentence: fmt.Sprintf(
		"the counts only %s, from %s for the first replica to %s for the last",
		how, thousands(o.counts[0]), thousands(o.counts[last]))}
}

// cascade says whether counts fit a cascade, and which part of the rest each
// takes. Given the rest, a count is binomial, so that the parts are compared
// like those of independent samples. Where all but the one at the end are equal,
// it is that one which is odd, and no cascade is seen.
func cascade(counts []int, seed uint64) (part float64, fits bool) {
	rest, took, offered := 0, 0, 0
	for _, c := range counts {
		rest += c
	}
	var table [][]int
	for _, c := range counts[:len(counts)-1] {
		table = append(table, []int{c, rest - c})
		took, offered = took+c, offered+rest
		rest -= c
	}
	if took == 0 || rest == 0 || !unequal(counts[:len(counts)-1], seed) {
		return 0, false
	}
	t, err := stat.IndependenceTest(table, Confidence, seed)
	return float64(took) / float64(offered), err == nil && t.P >= Alpha
}

// unequal says whether equal shares are ruled out.
func unequal(counts []int, seed uint64) bool {
	law, err := stat.NewMultinomial(slices.Repeat([]float64{1 / float64(len(counts))}, len(counts)))
	if err != nil {
		return false
	}
	fit, err := law.Fit(counts, seed)
	return err == nil && fit.P < Alpha
}

// falls says whether counts only fall, ties apart.
func falls(counts []int) bool {
	return slices.IsSortedFunc(counts, func(a, b int) int { return b - a })
}
