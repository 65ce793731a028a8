package stat

import (
	"math"
	"testing"
)

// The figures of 300 requests at two replicas that the project's notes state.
func TestLeastDetectableSkew(t *testing.T) {
	m := law(t, equal(2))
	share, ok := m.Detectable(0, 300, 0.05, 0.8)
	if !ok || math.Round(100*share) != 58 {
		t.Errorf("300 of two show a share of %v, want 0.58", share)
	}
	n, err := m.Needed([]float64{0.51, 0.49}, 0.05, 0.8)
	if err != nil || n != 19623 {
		t.Errorf("51/49 takes %d, want 19623 (error %v)", n, err)
	}
	if share, ok := m.Detectable(0, 3, 0.05, 0.8); ok || share != 1 {
		t.Errorf("three of two show a share of %v", share)
	}
	if _, ok := m.Detectable(0, 0, 0.05, 0.8); ok {
		t.Error("nothing shows something")
	}
}

// What is detectable at n has the stated power there, and needs n.
func TestDetectablePowerAndNeedAgree(t *testing.T) {
	for _, shares := range [][]float64{equal(2), equal(10), {0.5, 0.3, 0.2}, {0.9, 0.1}} {
		m := law(t, shares)
		for _, n := range []int{100, 300, 5000} {
			share, ok := m.Detectable(len(shares)-1, n, 0.05, 0.8)
			if !ok {
				t.Errorf("%v: nothing detectable at %d", shares, n)
				continue
			}
			alternative := moved(shares, len(shares)-1, share)
			p, err := m.Power(alternative, n, 0.05)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "power", p, 0.8, 1e-6)
			if need, err := m.Needed(alternative, 0.05, 0.8); err != nil || need < n || need > n+1 {
				t.Errorf("%v: needs %d, want %d (error %v)", shares, need, n, err)
			}
		}
	}
}

// moved gives one category a share and scales the others down.
func moved(shares []float64, i int, share float64) []float64 {
	all := make([]float64, len(shares))
	for j, s := range shares {
		all[j] = s * (1 - share) / (1 - shares[i])
	}
	all[i] = share
	return all
}

// Power in theory against power in simulation, and 5% must be 5%.
func TestPowerBySimulation(t *testing.T) {
	const runs = 4000
	null := law(t, equal(10))
	for _, share := range []float64{0.1, 0.14, 0.17} {
		alternative := moved(equal(10), 0, share)
		truth := law(t, alternative)
		rng, rejected := newRand(5), 0
		counts := make([]int, 10)
		for range runs {
			truth.draw(counts, 300, rng)
			if f, err := null.Fit(counts, 1); err != nil {
				t.Fatal(err)
			} else if f.P < 0.05 {
				rejected++
			}
		}
		theory, err := null.Power(alternative, 300, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		// The noncentral law is itself an approximation: five points are granted.
		seen := ClopperPearson(rejected, runs, 0.999)
		if theory < seen.Low-0.05 || theory > seen.High+0.05 {
			t.Errorf("share %v: power %v in theory, %v simulated", share, theory, seen)
		}
	}
}

// A balancer of exactly these shares must fit the band as often as promised.
func TestNeededWithin(t *testing.T) {
	const runs, tolerance = 2000, 0.2
	for _, k := range []int{2, 10} {
		m := law(t, equal(k))
		n := m.NeededWithin(tolerance, 0.95, 0.8)
		rng, fits := newRand(2), 0
		counts := make([]int, k)
		for range runs {
			m.draw(counts, n, rng)
			inside := true
			for _, i := range SimultaneousShares(counts, 0.95) {
				e := 1 / float64(k)
				inside = inside && i.Low >= e*(1-tolerance) && i.High <= e*(1+tolerance)
			}
			if inside {
				fits++
			}
		}
		if got := float64(fits) / runs; got < 0.75 || got > 0.9 {
			t.Errorf("%d categories: %d draws fit in %v of cases, want about 0.8", k, n, got)
		}
	}
}

func TestPowerRefuses(t *testing.T) {
	m := law(t, equal(3))
	if _, err := m.Power(equal(2), 10, 0.05); err == nil {
		t.Error("Power took two shares for three")
	}
	if _, err := m.Needed(equal(2), 0.05, 0.8); err == nil {
		t.Error("Needed took two shares for three")
	}
	if _, err := m.Needed(equal(3), 0.05, 0.8); err == nil {
		t.Error("Needed told a law from itself")
	}
}
