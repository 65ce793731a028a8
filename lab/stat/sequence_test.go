package stat

import (
	"math"
	"testing"
)

func sequence(t *testing.T, shares []float64, tolerance float64) ShareSequence {
	t.Helper()
	s, err := NewShareSequence(law(t, shares), tolerance, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch draws from shares and calls look after every draw, until it says so.
func watch(m Multinomial, draws int, uniform func() float64, look func(counts []int) (stop bool)) {
	counts := make([]int, m.Categories())
	for range draws {
		counts[m.pick(uniform())]++
		if look(counts) {
			return
		}
	}
}

// Looking after every single draw, the sequence rejects the true shares in at
// most 5% of runs; the chi-square test at 5% does in far more.
func TestSequenceKeepsItsErrorRateWhereAChiSquareDoesNot(t *testing.T) {
	const runs, draws = 1000, 1500
	for _, shares := range [][]float64{equal(2), equal(5), {0.7, 0.2, 0.1}} {
		m, s := law(t, shares), sequence(t, shares, 0.2)
		limit := critical(float64(m.DF()), 0.05)
		rng, rejected, repeated := newRand(9), 0, 0
		for range runs {
			always, chi, n := false, false, 0
			watch(m, draws, rng.Float64, func(counts []int) bool {
				n++
				always = always || s.P(counts) <= 0.05
				chi = chi || m.smallest(n) >= MinExpected && m.pearsonOf(counts, n) > limit
				return always && chi
			})
			if always {
				rejected++
			}
			if chi {
				repeated++
			}
		}
		if in := ClopperPearson(rejected, runs, 0.99); in.Low > 0.05 {
			t.Errorf("%v: rejected in %v of runs", shares, in)
		}
		if in := ClopperPearson(repeated, runs, 0.99); in.Low < 0.15 {
			t.Errorf("%v: the repeated chi-square rejected in only %v of runs", shares, in)
		}
	}
}

// At the very edge of the tolerance, each decision may be wrong in 5% of runs.
func TestSequenceDecidesRightly(t *testing.T) {
	const runs, most, tolerance = 400, 4000, 0.2
	for _, c := range []struct {
		name   string
		shares []float64
		wrong  Decision
	}{
		{"even", equal(4), Skewed},
		{"just within", moved(equal(4), 0, 0.25*(1+tolerance)-1e-6), Skewed},
		{"just outside", moved(equal(4), 0, 0.25*(1+tolerance)+1e-6), Balanced},
		{"skewed", moved(equal(4), 0, 0.4), Balanced},
	} {
		s, rng, wrong, right := sequence(t, equal(4), tolerance), newRand(10), 0, 0
		for range runs {
			watch(law(t, c.shares), most, rng.Float64, func(counts []int) bool {
				switch s.Decide(counts) {
				case Undecided:
					return false
				case c.wrong:
					wrong++
				default:
					right++
				}
				return true
			})
		}
		if in := ClopperPearson(wrong, runs, 0.99); in.Low > 0.05 {
			t.Errorf("%s: decided wrongly in %v of runs", c.name, in)
		}
		if (c.name == "even" || c.name == "skewed") && right < runs*9/10 {
			t.Errorf("%s: only %d of %d runs came to the right decision in %d draws", c.name, right, runs, most)
		}
	}
}

// A decision is what the intervals say.
func TestSequenceDecisionsFollowTheIntervals(t *testing.T) {
	const tolerance = 0.2
	m, s, rng := law(t, []float64{0.5, 0.3, 0.2}), sequence(t, []float64{0.5, 0.3, 0.2}, tolerance), newRand(11)
	seen := map[Decision]int{}
	for _, truth := range [][]float64{{0.5, 0.3, 0.2}, {0.8, 0.1, 0.1}} {
		counts := make([]int, 3)
		for n := 1; n < 1e6; n *= 2 {
			law(t, truth).draw(counts, n, rng)
			within, outside := true, false
			for i, in := range s.Intervals(counts) {
				low, high := m.shares[i]*(1-tolerance), m.shares[i]*(1+tolerance)
				within = within && in.Low >= low && in.High <= high
				outside = outside || in.High < low || in.Low > high
			}
			want := Undecided
			if outside {
				want = Skewed
			} else if within {
				want = Balanced
			}
			got := s.Decide(counts)
			seen[got]++
			if got != want {
				t.Errorf("%v: decision %v, intervals %v", counts, got, s.Intervals(counts))
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("decisions %v, want all three", seen)
	}
}

// The mixture's probability of one hit and one miss, and of a row of hits, can
// be had by hand: with a uniform mixture 1/6 and 1/(n+1).
func TestSequenceRatioByHand(t *testing.T) {
	s := ShareSequence{law: law(t, equal(2)), strength: 2, prior: []float64{0, 0}}
	near(t, "one of two", s.of(0, 1, 2).against(0.5), math.Log(1.0/6/0.25), 1e-12)
	near(t, "nine of nine", s.of(0, 9, 9).against(0.7), -math.Log(10)-9*math.Log(0.7), 1e-12)
	near(t, "none of nine", s.of(0, 0, 9).against(0.3), -math.Log(10)-9*math.Log(0.7), 1e-12)
}

func TestSequenceSettles(t *testing.T) {
	s := sequence(t, equal(2), 0.2)
	even, ok := s.Settles(equal(2), 1e6)
	skewed, found := s.Settles([]float64{0.9, 0.1}, 1e6)
	if !ok || !found || s.Decide([]int{(even + 1) / 2, (even + 1) / 2}) != Balanced || skewed >= even {
		t.Errorf("even settles after %d (%v), 90%% after %d (%v)", even, ok, skewed, found)
	}
	if n, ok := s.Settles([]float64{0.6, 0.4}, 1e6); ok {
		t.Errorf("what is on the edge settled after %d", n)
	}
	if _, ok := s.Settles(equal(3), 10); ok {
		t.Error("three shares settled two")
	}
}

func TestSequenceRefuses(t *testing.T) {
	m := law(t, equal(2))
	for _, c := range [][2]float64{{0, 0.95}, {0.2, 0}, {0.2, 1}, {math.NaN(), 0.95}} {
		if _, err := NewShareSequence(m, c[0], c[1]); err == nil {
			t.Errorf("tolerance and confidence %v were taken", c)
		}
	}
	s := sequence(t, equal(2), 0.2)
	for _, counts := range [][]int{nil, {0, 0}, {1, 2, 3}, {-1, 4}} {
		if s.Decide(counts) != Undecided || s.P(counts) != 1 || s.Intervals(counts) != nil {
			t.Errorf("something was said of %v", counts)
		}
	}
}
