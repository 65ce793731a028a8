package stat

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// reference is testdata/reference.json, which reference.py beside it writes
// with scipy and statsmodels.
type reference struct {
	Fit []struct {
		Name         string
		Counts       []int
		Shares       []float64
		Statistic, P float64
	}
	Exact []struct {
		Name         string
		Counts       []int
		Shares       []float64
		Upper, Lower float64
	}
	Intervals []struct {
		Counts     []int
		Confidence float64
		Intervals  [][2]float64
	}
	ClopperPearson []proportion `json:"clopper_pearson"`
	Wilson         []proportion
	Noncentral     []struct{ X, DF, Lambda, Survival float64 }
	Order          []struct {
		Name                    string
		Sequence                []int
		Repeats                 int
		Expected, SD, Few, Many float64
	}
	Table []struct {
		Name                            string
		Counts                          [][]int
		DF                              int
		Statistic, P, Cramer, Corrected float64
	}
}

type proportion struct {
	Hits, N   int
	Low, High float64
}

func readReference(t *testing.T) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// near fails unless got is want up to a relative error, or an absolute one of
// the same size near 0.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(math.Abs(want), 1e-3)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func law(t *testing.T, shares []float64) Multinomial {
	t.Helper()
	m, err := NewMultinomial(shares)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(k int) []float64 {
	s := make([]float64, k)
	for i := range s {
		s[i] = 1 / float64(k)
	}
	return s
}

func TestFitAgreesWithScipy(t *testing.T) {
	for _, c := range readReference(t).Fit {
		f, err := law(t, c.Shares).Fit(c.Counts, 1)
		if err != nil {
			t.Fatal(err)
		}
		if f.Test != PearsonTest || len(f.Warnings) > 0 {
			t.Errorf("%s: test %q, warnings %q", c.Name, f.Test, f.Warnings)
		}
		near(t, c.Name+": statistic", f.Statistic, c.Statistic, 1e-9)
		near(t, c.Name+": p", f.P, c.P, 1e-9)
		near(t, c.Name+": w", f.W, math.Sqrt(c.Statistic/float64(f.N)), 1e-9)
	}
}

func TestExactProbabilities(t *testing.T) {
	for _, c := range readReference(t).Exact {
		m := law(t, c.Shares)
		even, err := m.TooEven(c.Counts, 1)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+": as even", even, c.Lower, 1e-9)
		f, err := m.Fit(c.Counts, 1)
		if err != nil {
			t.Fatal(err)
		}
		if f.Test == PearsonTest {
			continue // enough observations for the chi-square law
		}
		if f.Test != ExactTest || len(f.Warnings) != 1 {
			t.Errorf("%s: test %q, warnings %q", c.Name, f.Test, f.Warnings)
		}
		near(t, c.Name+": p", f.P, c.Upper, 1e-9)
	}
}

func TestIntervalsAgreeWithStatsmodels(t *testing.T) {
	r := readReference(t)
	for _, c := range r.Intervals {
		for i, got := range SimultaneousShares(c.Counts, c.Confidence) {
			near(t, "low", got.Low, c.Intervals[i][0], 1e-9)
			near(t, "high", got.High, c.Intervals[i][1], 1e-9)
		}
	}
	for _, c := range r.ClopperPearson {
		got := ClopperPearson(c.Hits, c.N, 0.95)
		near(t, "Clopper-Pearson low", got.Low, c.Low, 1e-9)
		near(t, "Clopper-Pearson high", got.High, c.High, 1e-9)
	}
}

func TestWilsonAgreesWithStatsmodels(t *testing.T) {
	for _, c := range readReference(t).Wilson {
		got := Wilson(c.Hits, c.N, 0.95)
		near(t, "low", got.Low, c.Low, 1e-9)
		near(t, "high", got.High, c.High, 1e-9)
	}
}

func TestNoncentralAgreesWithScipy(t *testing.T) {
	for _, c := range readReference(t).Noncentral {
		near(t, "survival", noncentralSurvival(c.X, c.DF, c.Lambda), c.Survival, 1e-7)
		near(t, "noncentrality", noncentrality(c.X, c.DF, c.Survival), c.Lambda, 1e-5)
	}
}

// The law over all orders, against the closed form of its first two moments
// and against permutations, whose standard error is at most 0.0036.
func TestOrderAgreesWithAllOrders(t *testing.T) {
	for _, c := range readReference(t).Order {
		o, err := RunsTest(c.Sequence, 1)
		if err != nil {
			t.Fatal(err)
		}
		if o.Repeats != c.Repeats || o.Runs != len(c.Sequence)-c.Repeats {
			t.Errorf("%s: %d repeats, %d runs, want %d repeats", c.Name, o.Repeats, o.Runs, c.Repeats)
		}
		near(t, c.Name+": expected", o.Expected, c.Expected, 1e-9)
		near(t, c.Name+": SD", o.SD, c.SD, 1e-9)
		for what, p := range map[string][2]float64{"few": {o.PFew, c.Few}, "many": {o.PMany, c.Many}} {
			if math.Abs(p[0]-p[1]) > 0.015 {
				t.Errorf("%s: p of as %s repeats = %v, want about %v", c.Name, what, p[0], p[1])
			}
		}
	}
}

func TestTableAgreesWithScipy(t *testing.T) {
	for _, c := range readReference(t).Table {
		got, err := IndependenceTest(c.Counts, 0.95, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got.DF != c.DF || len(got.Warnings) > 0 {
			t.Errorf("%s: df %d, want %d; warnings %q", c.Name, got.DF, c.DF, got.Warnings)
		}
		near(t, c.Name+": statistic", got.Statistic, c.Statistic, 1e-9)
		near(t, c.Name+": p", got.P, c.P, 1e-9)
		near(t, c.Name+": V", got.V, c.Corrected, 1e-9)
		if got.Bounds.High < got.V || got.Bounds.Low > c.Cramer {
			t.Errorf("%s: bounds %v do not hold V = %v", c.Name, got.Bounds, got.V)
		}
	}
}
