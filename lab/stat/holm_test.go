package stat

import (
	"math"
	"testing"
)

func TestHolmLeavesOutWhatWasNotTested(t *testing.T) {
	nan := math.NaN()
	got := Holm([]float64{nan, 0.02, nan, 0.01, 0.9})
	for i, want := range []float64{nan, 0.04, nan, 0.03, 0.9} {
		if math.IsNaN(want) != math.IsNaN(got[i]) || !math.IsNaN(want) && math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("adjusted %v", got)
			break
		}
	}
	if len(Holm(nil)) != 0 {
		t.Error("something came of nothing")
	}
}

// Among true hypotheses, one in twenty families is to have a rejection, however
// the p-values hang together: here they do not.
func TestHolmKeepsItsErrorRate(t *testing.T) {
	const families, tests = 20_000, 10
	rng, wrong := newRand(4), 0
	p := make([]float64, tests)
	for range families {
		for i := range p {
			p[i] = rng.Float64()
		}
		for _, a := range Holm(p) {
			if a <= 0.05 {
				wrong++
				break
			}
		}
	}
	// Independent tests: exactly 1 - (1 - 0.005)^10.
	want := 1 - math.Pow(1-0.05/tests, tests)
	if in := ClopperPearson(wrong, families, 0.999); in.Low > want || in.High < want {
		t.Errorf("a rejection in %d of %d families, want %v", wrong, families, want)
	}
}
