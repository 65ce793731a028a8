package stat

import (
	"math"
	"testing"
)

// The interval holds the median as often as it says, of laws as different as a
// normal and a very skewed one.
func TestMedianIntervalHoldsTheMedian(t *testing.T) {
	const samples = 4000
	for _, n := range []int{6, 10, 31} {
		rng, normal, skewed, actual := newRand(8), 0, 0, 0.0
		x, e := make([]float64, n), make([]float64, n)
		for range samples {
			for i := range n {
				x[i], e[i] = rng.NormFloat64(), math.Exp(3*rng.NormFloat64())
			}
			in, confidence, ok := MedianInterval(x, 0.95)
			if !ok {
				t.Fatalf("%d values give no interval", n)
			}
			actual = confidence
			if in.Low <= 0 && 0 <= in.High {
				normal++
			}
			if in, _, _ = MedianInterval(e, 0.95); in.Low <= 1 && 1 <= in.High {
				skewed++
			}
		}
		if actual < 0.95 {
			t.Errorf("%d values: the interval has %v", n, actual)
		}
		for law, hits := range map[string]int{"normal": normal, "skewed": skewed} {
			if seen := ClopperPearson(hits, samples, 0.999); seen.Low > actual || seen.High < actual {
				t.Errorf("%d values, %s: held %v, want %v", n, law, seen, actual)
			}
		}
	}
}

func TestMedianIntervalNeedsSixAt95(t *testing.T) {
	x := []float64{3, 1, 2, 5, 4}
	if _, _, ok := MedianInterval(x, 0.95); ok {
		t.Error("five values gave an interval at 95%")
	}
	if in, actual, ok := MedianInterval(append(x, 0), 0.95); !ok || in != (Interval{0, 5}) || math.Abs(actual-(1-2.0/64)) > 1e-12 {
		t.Errorf("six values gave %v, %v, %v", in, actual, ok)
	}
	if _, _, ok := MedianInterval([]float64{1, 2, 3, 4, 5, math.NaN()}, 0.95); ok {
		t.Error("a value without a rank gave an interval")
	}
	if !math.IsNaN(Median(nil)) || Median(x) != 3 || Median([]float64{4, 1}) != 2.5 {
		t.Error("the median is not the middle")
	}
}
