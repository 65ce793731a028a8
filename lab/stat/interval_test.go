package stat

import (
	"fmt"
	"testing"
)

func TestIntervalEnds(t *testing.T) {
	if got := Wilson(0, 0, 0.95); got != (Interval{0, 1}) {
		t.Errorf("without trials %v", got)
	}
	if got := ClopperPearson(0, 0, 0.95); got != (Interval{0, 1}) {
		t.Errorf("without trials %v", got)
	}
	for _, n := range []int{1, 7, 300, 1_000_000} {
		for _, f := range []func(int, int, float64) Interval{Wilson, ClopperPearson} {
			none, all := f(0, n, 0.95), f(n, n, 0.95)
			if none.Low != 0 || !(none.High > 0 && none.High < 1) {
				t.Errorf("0 of %d: %v", n, none)
			}
			if all.High != 1 || !(all.Low > 0 && all.Low < 1) {
				t.Errorf("%d of %d: %v", n, n, all)
			}
		}
	}
}

func TestNoneOfIsTheRuleOfThree(t *testing.T) {
	near(t, "none of 300", NoneOf(300, 0.95), 3.0/300, 0.01)
	near(t, "none of 0", NoneOf(0, 0.95), 1, 0)
	// A one-sided bound at 95% is the upper end of a two-sided interval at 90%.
	near(t, "none of 20", NoneOf(20, 0.95), ClopperPearson(0, 20, 0.90).High, 1e-9)
}

// Intervals of 95% confidence must hold all shares in 95% of cases. Wilson's
// dip somewhat below at single values; a point is granted for that, and the
// simulation's own error is told by an exact interval of 99.9%.
func TestCoverage(t *testing.T) {
	const runs, granted = 4000, 0.01
	for _, c := range []struct {
		n      int
		shares []float64
	}{
		{300, equal(2)}, {300, []float64{0.75, 0.25}}, {300, equal(10)}, {60, equal(4)}, {1000, []float64{0.6, 0.2, 0.15, 0.05}},
	} {
		t.Run(fmt.Sprint(c.n, c.shares), func(t *testing.T) {
			m := law(t, c.shares)
			rng := newRand(11)
			counts := make([]int, len(c.shares))
			held := 0
			for range runs {
				m.draw(counts, c.n, rng)
				if holdAll(SimultaneousShares(counts, 0.95), c.shares) {
					held++
				}
			}
			if seen := ClopperPearson(held, runs, 0.999); seen.High < 0.95-granted {
				t.Errorf("coverage %v (%v), want 0.95", float64(held)/runs, seen)
			}
		})
	}
}

func holdAll(intervals []Interval, shares []float64) bool {
	for i, s := range shares {
		if s < intervals[i].Low || s > intervals[i].High {
			return false
		}
	}
	return true
}
