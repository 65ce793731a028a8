package stat

import (
	"errors"
	"math"
	"testing"
)

func TestNewMultinomialRefuses(t *testing.T) {
	for _, shares := range [][]float64{
		nil, {1}, {0.5, 0.4}, {1, 0}, {0.5, 0.5, 0}, {-0.5, 1.5}, {math.NaN(), 0.5}, {math.Inf(1), 0.5},
	} {
		if _, err := NewMultinomial(shares); err == nil {
			t.Errorf("%v was taken for shares", shares)
		}
	}
}

func TestFitRefuses(t *testing.T) {
	m := law(t, equal(2))
	for _, counts := range [][]int{nil, {1}, {1, 2, 3}, {-1, 5}} {
		if _, err := m.Fit(counts, 1); err == nil || errors.Is(err, ErrNoObservations) {
			t.Errorf("Fit(%v) returned %v", counts, err)
		}
		if _, err := m.TooEven(counts, 1); err == nil {
			t.Errorf("TooEven(%v) returned no error", counts)
		}
	}
	if _, err := m.Fit([]int{0, 0}, 1); !errors.Is(err, ErrNoObservations) {
		t.Errorf("Fit of nothing returned %v", err)
	}
}

// Monte Carlo and enumeration must agree where both can be had.
func TestMonteCarloAgreesWithEnumeration(t *testing.T) {
	shares := []float64{0.1, 0.2, 0.3, 0.15, 0.25}
	m := law(t, shares)
	for _, n := range []int{8, 25} {
		for _, x := range []float64{0.5, 2, 4, 9} {
			hit := func(y float64) bool { return y >= x }
			want := m.enumerate(n, hit)
			rng, hits := newRand(7), 0
			counts := make([]int, len(shares))
			for range Draws {
				m.draw(counts, n, rng)
				if hit(m.pearsonOf(counts, n)) {
					hits++
				}
			}
			// Four standard errors and a half: a false alarm in 150,000.
			if e := 4.5 * math.Sqrt(want*(1-want)/Draws); math.Abs(monteCarlo(hits, Draws)-want) > e {
				t.Errorf("n %d, statistic %v: Monte Carlo %v, exact %v", n, x, monteCarlo(hits, Draws), want)
			}
		}
	}
}

// Both ways of drawing, held against the law by its own test.
func TestDrawFollowsTheShares(t *testing.T) {
	for _, n := range []int{20, 1000} {
		m := law(t, []float64{0.02, 0.5, 0.28, 0.2})
		rng := newRand(3)
		sum, counts := make([]int, 4), make([]int, 4)
		for range 2000 {
			m.draw(counts, n, rng)
			total := 0
			for i, c := range counts {
				sum[i] += c
				total += c
			}
			if total != n {
				t.Fatalf("%d draws came to %d", n, total)
			}
		}
		if f, err := m.Fit(sum, 1); err != nil || f.P < 1e-4 {
			t.Errorf("n = %d: drawn %v: p = %v, error %v", n, sum, f.P, err)
		}
	}
}

func TestManyCategoriesFewObservations(t *testing.T) {
	counts := make([]int, 64)
	for i := range counts {
		counts[i] = 3 + i%3
	}
	f, err := law(t, equal(64)).Fit(counts, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.Test != MonteCarloTest || f.P < 0.5 || f.P > 1 || len(f.Warnings) != 1 {
		t.Errorf("%+v", f)
	}
	again, _ := law(t, equal(64)).Fit(counts, 1)
	if again.P != f.P {
		t.Errorf("the same seed gave %v and %v", f.P, again.P)
	}
	even, err := law(t, equal(64)).TooEven(counts, 1)
	if err != nil || even > 0.001 {
		t.Errorf("counts of 3 to 5 in 64 categories: probability of being as even %v, error %v", even, err)
	}
}

func FuzzFit(f *testing.F) {
	f.Add(uint16(150), uint16(150), uint16(0), uint8(1), uint8(1), uint8(1))
	f.Add(uint16(0), uint16(1), uint16(0), uint8(1), uint8(200), uint8(3))
	f.Fuzz(func(t *testing.T, a, b, c uint16, u, v, w uint8) {
		sum := float64(u) + float64(v) + float64(w)
		m, err := NewMultinomial([]float64{float64(u) / sum, float64(v) / sum, float64(w) / sum})
		if err != nil {
			return
		}
		counts := []int{int(a % 500), int(b % 500), int(c % 500)}
		fit, err := m.Fit(counts, 1)
		if err != nil {
			return
		}
		even, err := m.TooEven(counts, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []float64{fit.P, even} {
			if !(p >= 0 && p <= 1) {
				t.Fatalf("%v: p %v", counts, p)
			}
		}
		if !(fit.Statistic >= 0) || math.IsInf(fit.Statistic, 0) {
			t.Fatalf("%v: statistic %v", counts, fit.Statistic)
		}
	})
}
