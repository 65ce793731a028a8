package stat

import (
	"errors"
	"math"
	"testing"
)

func TestKendallTauRefuses(t *testing.T) {
	if _, err := KendallTau([]float64{1, 2}, []float64{1}); err == nil {
		t.Error("two values were paired with one")
	}
	if _, err := KendallTau([]float64{1}, []float64{1}); !errors.Is(err, ErrNoObservations) {
		t.Error(err)
	}
	for _, y := range [][]float64{{math.NaN(), 1}, {1, math.NaN()}} {
		if _, err := KendallTau([]float64{1, 2}, y); !errors.Is(err, ErrNaN) {
			t.Error(err)
		}
	}
	if c, err := KendallTau([]float64{1, 2, 3}, []float64{7, 7, 7}); err != nil || c.Tau != 0 || c.P != 1 {
		t.Errorf("what does not vary drifts: %+v, %v", c, err)
	}
}

// A drift is found, and where there is none, 5% is 5%.
func TestKendallTauFalseAlarms(t *testing.T) {
	const runs, n = 4000, 12
	rng, alarms, want := newRand(6), 0, 0.0
	rounds, y := make([]float64, n), make([]float64, n)
	for i := range rounds {
		rounds[i] = float64(i)
	}
	for range runs {
		for i := range y {
			y[i] = rng.NormFloat64()
		}
		c, err := KendallTau(rounds, y)
		if err != nil || !c.Exact {
			t.Fatal(c, err)
		}
		if c.P <= 0.05 {
			alarms++
			want = max(want, c.P) // the level that the discrete test really has
		}
	}
	if in := ClopperPearson(alarms, runs, 0.999); in.Low > want || in.High < want {
		t.Errorf("%v false alarms, want %v", in, want)
	}
}
