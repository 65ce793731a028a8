package claim_test

import (
	"fmt"
	"testing"

	"github.com/portlab/portlab/lab"
)

// smooth is n picks of smooth weighted round robin, as nginx makes them.
func smooth(n int, weights ...int) []int {
	total := 0
	for _, w := range weights {
		total += w
	}
	current := make([]int, len(weights))
	picks := make([]int, n)
	for at := range picks {
		best := 0
		for i, w := range weights {
			if current[i] += w; current[i] > current[best] {
				best = i
			}
		}
		current[best] -= total
		picks[at] = best
	}
	return picks
}

// descending is n picks of weighted round robin as ip_vs_wrr(4) makes them: the
// heavy ones first.
func descending(n int, weights ...int) []int {
	var cycle []int
	most := 0
	for _, w := range weights {
		most = max(most, w)
	}
	for level := most; level > 0; level-- {
		for i, w := range weights {
			if w >= level {
				cycle = append(cycle, i)
			}
		}
	}
	picks := make([]int, n)
	for at := range picks {
		picks[at] = cycle[at%len(cycle)]
	}
	return picks
}

// Any stretch of turns, begun anywhere in the cycle, is in turn.
func TestTurnsByWeight(t *testing.T) {
	for _, weights := range [][]int{{3, 1}, {5, 1, 1}, {7, 3, 2, 1}, {1, 1, 1}} {
		fleet := make([]float64, len(weights))
		total := 0
		for i, w := range weights {
			fleet[i] = float64(w)
			total += w
		}
		for name, pick := range map[string]func(int, ...int) []int{"smooth": smooth, "descending": descending} {
			for from := range total {
				t.Run(fmt.Sprintf("%v/%s/from %d", weights, name, from), func(t *testing.T) {
					stretch := pick(from+600+from*7, weights...)[from:]
					v := judge(t, shares, evidence(lab.RoundRobin, replicas(fleet...), answers(stretch)))
					if v.Outcome != lab.Held || warned(v, "not strictly in turn") {
						t.Errorf("%s: %s %q", v.Outcome, v.Sentence, v.Warnings)
					}
				})
			}
		}
	}
}

func TestOutOfTurnByWeight(t *testing.T) {
	// Of 1,002 in turn, foo has 715.7 or at most 1.4 more or fewer, the others
	// 143.1 or at most 0.9.
	for counts, in := range map[[3]int]bool{{716, 143, 143}: true, {714, 144, 144}: false, {717, 143, 142}: false} {
		v := judge(t, shares, evidence(lab.RoundRobin, replicas(5, 1, 1), answers(shuffled(1, counts[:]...))))
		if warned(v, "not strictly in turn") == in {
			t.Errorf("%v: %q", counts, v.Warnings)
		}
	}
}

// Weights need not be whole numbers.
func TestTurnsByFractions(t *testing.T) {
	for _, c := range []struct {
		weights  []float64
		foo, bar int
	}{{[]float64{0.75, 0.25}, 300, 100}, {[]float64{1.5, 0.5}, 300, 100}, {[]float64{1.0 / 3, 2.0 / 3}, 133, 267}, {[]float64{1e-7, 3e-7}, 100, 300}} {
		v := judge(t, shares, evidence(lab.RoundRobin, replicas(c.weights...), answers(shuffled(1, c.foo, c.bar))))
		if v.Outcome != lab.Held || warned(v, "not strictly in turn") {
			t.Errorf("%v: %s %q", c.weights, v.Sentence, v.Warnings)
		}
	}
}
