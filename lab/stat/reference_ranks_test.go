package stat

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// rankReference is the part of testdata/reference.json that is about values
// and not counts.
type rankReference struct {
	MannWhitney []struct {
		Name    string
		X, Y    []float64
		Exact   bool
		U, P, A float64
	} `json:"mann_whitney"`
	Holm    []struct{ P, Adjusted []float64 }
	Kendall []struct {
		Name   string
		X, Y   []float64
		Exact  bool
		Tau, P float64
	}
	MedianIntervals []struct {
		X                             []float64
		Confidence, Low, High, Actual float64
		OK                            bool
		Symmetric                     *[2]float64
	} `json:"median_intervals"`
	Bootstrap []struct {
		Name            string
		X               []float64
		Statistic       string
		Percentile, BCa [2]float64
	}
}

func readRanks(t *testing.T) rankReference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r rankReference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMannWhitneyAgreesWithScipy(t *testing.T) {
	for _, c := range readRanks(t).MannWhitney {
		r, err := MannWhitney(c.X, c.Y)
		if err != nil || r.Exact != c.Exact {
			t.Errorf("%s: %+v, %v, want exact %v", c.Name, r, err, c.Exact)
		}
		near(t, c.Name+": U", r.U, c.U, 1e-9)
		near(t, c.Name+": p", r.P, c.P, 1e-9)
		near(t, c.Name+": A", r.A, c.A, 1e-9)
	}
}

func TestHolmAgreesWithStatsmodels(t *testing.T) {
	for _, c := range readRanks(t).Holm {
		for i, got := range Holm(c.P) {
			near(t, "adjusted", got, c.Adjusted[i], 1e-9)
		}
	}
}

func TestKendallTauAgreesWithScipy(t *testing.T) {
	for _, c := range readRanks(t).Kendall {
		r, err := KendallTau(c.X, c.Y)
		if err != nil || r.Exact != c.Exact {
			t.Errorf("%s: %+v, %v, want exact %v", c.Name, r, err, c.Exact)
		}
		near(t, c.Name+": tau", r.Tau, c.Tau, 1e-9)
		near(t, c.Name+": p", r.P, c.P, 1e-9)
	}
}

// The interval is the shortest one that has the confidence, the lower of two,
// and lies within scipy's, whose ends are as far from either end.
func TestMedianIntervalAgreesWithScipy(t *testing.T) {
	for _, c := range readRanks(t).MedianIntervals {
		in, actual, ok := MedianInterval(c.X, c.Confidence)
		if ok != c.OK {
			t.Errorf("%d values at %v: ok %v", len(c.X), c.Confidence, ok)
			continue
		}
		near(t, "low", in.Low, c.Low, 0)
		near(t, "high", in.High, c.High, 0)
		near(t, "confidence", actual, c.Actual, 1e-9)
		if ok && c.Symmetric != nil && (in.Low < c.Symmetric[0] || in.High > c.Symmetric[1]) {
			t.Errorf("%d values at %v: %v is not within %v", len(c.X), c.Confidence, in, *c.Symmetric)
		}
	}
}

// Both resample, scipy 400,000 times: an end has a standard error of about 2%
// of the interval's quarter, which is one standard error of a mean.
func TestBootstrapAgreesWithScipy(t *testing.T) {
	statistics := map[string]func([]float64) float64{"median": Median, "mean": mean}
	for _, c := range readRanks(t).Bootstrap {
		b, err := Bootstrap(c.X, statistics[c.Statistic], 0.95, Draws, 1)
		if err != nil {
			t.Fatal(err)
		}
		allowed := 0.1 * (c.Percentile[1] - c.Percentile[0]) / 4
		for what, ends := range map[string][2]float64{
			"percentile low": {b.Percentile.Low, c.Percentile[0]}, "percentile high": {b.Percentile.High, c.Percentile[1]},
			"BCa low": {b.BCa.Low, c.BCa[0]}, "BCa high": {b.BCa.High, c.BCa[1]},
		} {
			if !(math.Abs(ends[0]-ends[1]) <= allowed) {
				t.Errorf("%s: %s %v, want %v", c.Name, what, ends[0], ends[1])
			}
		}
	}
}

func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func TestBootstrapRefuses(t *testing.T) {
	if _, err := Bootstrap([]float64{1}, Median, 0.95, 100, 1); err == nil {
		t.Error("one value was resampled")
	}
	if _, err := Bootstrap([]float64{1, math.NaN()}, mean, 0.95, 100, 1); err == nil {
		t.Error("a statistic that is none has an interval")
	}
	b, err := Bootstrap([]float64{4, 4, 4}, mean, 0.95, 100, 1)
	if err != nil || b.BCa != (Interval{4, 4}) || b.Percentile != b.BCa {
		t.Errorf("what does not vary: %+v, %v", b, err)
	}
}
