package stat

import (
	"errors"
	"math"
	"testing"
)

func TestTableRefuses(t *testing.T) {
	for name, counts := range map[string][][]int{
		"none": nil, "one row": {{3, 4}}, "one instance answered": {{3, 4}, {0, 0}}, "one class": {{3, 0}, {4, 0}}, "zeros": {{0, 0}, {0, 0}},
	} {
		if _, err := IndependenceTest(counts, 0.95, 1); !errors.Is(err, ErrNothingToCompare) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, counts := range map[string][][]int{"ragged": {{1, 2}, {3}}, "negative": {{1, 2}, {-1, 3}}} {
		if _, err := IndependenceTest(counts, 0.95, 1); err == nil || errors.Is(err, ErrNothingToCompare) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Fisher's tea table (1935) has p = 34/70 in either direction; its chi-square
// statistic over all tables of these margins too.
func TestSmallTableIsPermuted(t *testing.T) {
	got, err := IndependenceTest([][]int{{3, 1}, {1, 3}}, 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.P-34.0/70) > 0.015 || len(got.Warnings) != 1 {
		t.Errorf("%+v, want p about %v and a warning", got, 34.0/70)
	}
}

func TestTableWithTwoObservations(t *testing.T) {
	got, err := IndependenceTest([][]int{{1, 0}, {0, 1}}, 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []float64{got.P, got.V, got.Statistic, got.Bounds.Low, got.Bounds.High} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatalf("%+v", got)
		}
	}
	if got.P < 0.9 {
		t.Errorf("two observations gave p = %v", got.P)
	}
}
