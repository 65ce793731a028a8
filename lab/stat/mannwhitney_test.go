package stat

import (
	"errors"
	"math"
	"testing"
)

// The law of U for every deal of a few values, ties among them, against the
// test's own law.
func TestExactRankSumIsTheShareOfDeals(t *testing.T) {
	for name, values := range map[string][]float64{
		"no ties":    {1, 2, 3, 4, 5, 6, 7, 8},
		"a few":      {1, 2, 2, 4, 5, 5, 5, 8},
		"at one end": {1, 1, 1, 1, 1, 6, 7, 8},
		"all":        {3, 3, 3, 3, 3, 3, 3, 3},
	} {
		for nx := 1; nx < len(values); nx++ {
			us := everyU(t, values, nx)
			for _, seen := range us {
				var below, above float64
				for _, u := range us {
					if u.U <= seen.U {
						below++
					}
					if u.U >= seen.U {
						above++
					}
				}
				near(t, name, seen.P, min(2*min(below, above)/float64(len(us)), 1), 1e-12)
			}
		}
	}
}

// everyU tests each way to deal values out with nx of them in the first sample.
func everyU(t *testing.T, values []float64, nx int) []RankSum {
	t.Helper()
	var all []RankSum
	for mask := range 1 << len(values) {
		var x, y []float64
		for i, v := range values {
			if mask&(1<<i) != 0 {
				x = append(x, v)
			} else {
				y = append(y, v)
			}
		}
		if len(x) != nx {
			continue
		}
		r, err := MannWhitney(x, y)
		if err != nil || !r.Exact {
			t.Fatalf("%v and %v: %+v, %v", x, y, r, err)
		}
		all = append(all, r)
	}
	return all
}

func TestMannWhitneySaysHowItWasFound(t *testing.T) {
	for _, c := range []struct {
		nx, ny int
		ties   bool
		exact  bool
	}{{50, 50, false, true}, {51, 2, false, false}, {25, 25, true, true}, {25, 26, true, false}} {
		x, y := make([]float64, c.nx), make([]float64, c.ny)
		for i := range x {
			x[i] = float64(2 * i)
		}
		for i := range y {
			y[i] = float64(2*i + 1)
		}
		if c.ties {
			y[0] = x[0]
		}
		r, err := MannWhitney(x, y)
		if err != nil || r.Exact != c.exact || r.Exact != (r.Test == MannWhitneyExact) {
			t.Errorf("%+v: %+v, %v", c, r, err)
		}
	}
}

func TestMannWhitneyEffectIsThatOfPairs(t *testing.T) {
	x, y := []float64{1, 5, 5, 9}, []float64{5, 2, 7}
	var above float64
	for _, a := range x {
		for _, b := range y {
			if a > b {
				above++
			} else if a == b {
				above += 0.5
			}
		}
	}
	r, err := MannWhitney(x, y)
	if err != nil || r.U != above || r.A != above/12 {
		t.Errorf("%+v, %v, want U = %v", r, err, above)
	}
	mirrored, err := MannWhitney(y, x)
	if err != nil || mirrored.A != 1-r.A || mirrored.P != r.P {
		t.Errorf("%+v, %v, want the mirror of %+v", mirrored, err, r)
	}
}

func TestMannWhitneyRefuses(t *testing.T) {
	if _, err := MannWhitney(nil, []float64{1}); !errors.Is(err, ErrNoObservations) {
		t.Error(err)
	}
	if _, err := MannWhitney([]float64{1}, []float64{math.NaN()}); !errors.Is(err, ErrNaN) {
		t.Error(err)
	}
}

// The formula's number of rounds has about the promised power: values are
// normal, moved by what gives the effect.
func TestNeededRoundsHaveTheirPower(t *testing.T) {
	const runs = 1500
	for _, shift := range []float64{0.8, 1.2} {
		a := 0.5 * math.Erfc(-shift/2) // P(X + shift > Y) of unit normals
		n, ok := NeededRounds(a, 0.05, 0.8)
		if !ok {
			t.Fatal("an effect needs no number of rounds")
		}
		rng, found := newRand(3), 0
		x, y := make([]float64, n), make([]float64, n)
		for range runs {
			for i := range n {
				x[i], y[i] = rng.NormFloat64()+shift, rng.NormFloat64()
			}
			if r, err := MannWhitney(x, y); err != nil {
				t.Fatal(err)
			} else if r.P <= 0.05 {
				found++
			}
		}
		if got := float64(found) / runs; got < 0.74 || got > 0.88 {
			t.Errorf("shift %v: %d rounds find it in %v of cases, want about 0.8", shift, n, got)
		}
	}
	if _, ok := NeededRounds(0.5, 0.05, 0.8); ok {
		t.Error("nothing was found with rounds enough")
	}
}

// No overlap at all still takes as many rounds as the exact test can tell by.
func TestNeededRoundsAreEnoughForTheExactTest(t *testing.T) {
	for _, alpha := range []float64{0.05, 0.01, 0.05 / 91} {
		n, _ := NeededRounds(1, alpha, 0.8)
		x, y := make([]float64, n), make([]float64, n)
		for i := range n {
			x[i], y[i] = float64(i), float64(n+i)
		}
		if r, err := MannWhitney(x, y); err != nil || r.P > alpha {
			t.Errorf("alpha %v: %d rounds without overlap give %+v, %v", alpha, n, r, err)
		}
	}
}
