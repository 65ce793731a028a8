package stat

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Decision is what a [ShareSequence] says at one moment.
type Decision int

// The decisions.
const (
	Undecided Decision = iota // go on
	Balanced                  // every interval lies within the tolerance
	Skewed                    // an interval lies outside the tolerance as a whole
)

// ShareSequence are confidence sequences for the shares of a multinomial:
// intervals that hold all shares at once, at every moment of a sequence of
// draws together, with the confidence. So one may look after each draw and
// stop whenever one likes, for instance as soon as a [Decision] is reached: if
// the true shares are within the tolerance, "skewed" is said with a probability
// of at most 1 - confidence, however often one looks, and if one is not,
// "balanced" is. A test of fixed size has no such promise: looked at again and
// again, it rejects every true law in the end.
//
// Each share gets a likelihood ratio against it, of a beta mixture, which is a
// martingale if the share is the true one. By Ville's inequality it ever
// reaches 1/alpha with a probability of at most alpha (Robbins 1970,
// "Statistical methods related to the law of the iterated logarithm"; Howard,
// Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic
// confidence sequences"). The error is divided among the shares; with two
// there is but one to estimate. Draws need not be independent: it is enough
// that each has the true shares as its probabilities, given all before it. Turns
// in order are more even than that, and are held by the intervals too.
//
// It holds no counts: a look is a function of the counts so far, and costs one
// step for each category.
type ShareSequence struct {
	law       Multinomial
	tolerance float64
	strength  float64   // of the mixture, in draws
	limit     float64   // logarithm of the ratio that excludes a share
	prior     []float64 // logarithm of the beta function of each share's mixture
}

// NewShareSequence is for the shares of m within a tolerance, a fraction of
// each. The intervals hold with the confidence, whatever the tolerance; they
// are narrowest about where they come to fit into it.
func NewShareSequence(m Multinomial, tolerance, confidence float64) (ShareSequence, error) {
	if !(tolerance > 0) || !(confidence > 0 && confidence < 1) {
		return ShareSequence{}, errors.New("a tolerance must be above 0, and a confidence between 0 and 1")
	}
	limit := -math.Log(1 - simultaneous(m.Categories(), confidence))
	// Howard et al., 3.5: the mixture that is narrowest after so many draws.
	draws := float64(m.NeededWithin(tolerance, confidence, 0.8))
	s := ShareSequence{law: m, tolerance: tolerance, limit: limit,
		strength: draws / (2*limit + math.Log1p(2*limit))}
	for _, e := range m.shares {
		s.prior = append(s.prior, mathext.Lbeta(s.strength*e, s.strength*(1-e)))
	}
	return s, nil
}

// Decide says where the counts so far leave it. Counts must be one for each
// category, else it is undecided for good.
func (s ShareSequence) Decide(counts []int) Decision {
	n, err := s.law.total(counts)
	if err != nil {
		return Undecided
	}
	decision := Balanced
	for i, e := range s.law.shares {
		low, high := e*(1-s.tolerance), e*(1+s.tolerance)
		r := s.of(i, counts[i], n)
		seen, noLow, noHigh := r.seen(), r.excludes(low), r.excludes(high)
		switch {
		case seen < low && noLow, seen > high && noHigh:
			return Skewed
		case seen < low, seen > high, !noLow, !noHigh:
			decision = Undecided
		}
	}
	return decision
}

// Intervals hold all shares. There are none where counts do not fit the law.
func (s ShareSequence) Intervals(counts []int) []Interval {
	n, err := s.law.total(counts)
	if err != nil {
		return nil
	}
	all := make([]Interval, len(counts))
	for i, c := range counts {
		r := s.of(i, c, n)
		all[i] = Interval{r.end(0), r.end(1)}
	}
	return all
}

// P is a p-value of the expected shares that holds at whatever moment it is
// looked at: the probability that it ever is at most alpha is at most alpha,
// if they are the true ones (Johari, Koomen, Pekelis & Walsh 2022, "Always
// valid inference"). It is 1 where counts do not fit the law.
func (s ShareSequence) P(counts []int) float64 {
	n, err := s.law.total(counts)
	if err != nil {
		return 1
	}
	ratio := math.Inf(-1)
	for i, e := range s.law.shares {
		ratio = max(ratio, s.of(i, counts[i], n).against(e))
	}
	divided := 1.0
	if k := s.law.Categories(); k > 2 {
		divided = float64(k)
	}
	return min(divided*math.Exp(-ratio), 1)
}

// Settles is about how many draws from shares it takes to a decision: so many
// that counts in just these proportions decide. ok is false where fewer than
// most do not.
func (s ShareSequence) Settles(shares []float64, most int) (n int, ok bool) {
	if len(shares) != s.law.Categories() {
		return 0, false
	}
	decided := func(n int) bool {
		counts := make([]int, len(shares))
		for i, share := range shares {
			counts[i] = int(math.Round(share * float64(n)))
		}
		return s.Decide(counts) != Undecided
	}
	low, high := 0, 1
	for ; !decided(high); low, high = high, 2*high {
		if high > most {
			return 0, false
		}
	}
	for high-low > 1 {
		if middle := (low + high) / 2; decided(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, high <= most
}

// ratio is the likelihood ratio of the mixture against any share, after hits
// and misses.
type ratio struct {
	hits, misses float64
	mixture      float64 // logarithm of its likelihood
	limit        float64
}

func (s ShareSequence) of(i, hits, n int) ratio {
	r := ratio{hits: float64(hits), misses: float64(n - hits), limit: s.limit}
	e := s.law.shares[i]
	r.mixture = mathext.Lbeta(s.strength*e+r.hits, s.strength*(1-e)+r.misses) - s.prior[i]
	return r
}

func (r ratio) seen() float64 { return r.hits / (r.hits + r.misses) }

// against is the logarithm of the ratio against the share p, between 0 and 1.
func (r ratio) against(p float64) float64 {
	return r.mixture - r.hits*math.Log(p) - r.misses*math.Log1p(-p)
}

// excludes also what is no share, or could not be one of a law.
func (r ratio) excludes(p float64) bool {
	return p <= 0 || p >= 1 || r.against(p) >= r.limit
}

// end is where the interval ends, on the way from what was seen to 0 or 1. The
// ratio only grows on that way.
func (r ratio) end(outside float64) float64 {
	inside := r.seen()
	if inside == outside {
		return outside
	}
	for range 60 {
		middle := (inside + outside) / 2
		if r.excludes(middle) {
			outside = middle
		} else {
			inside = middle
		}
	}
	return outside
}
