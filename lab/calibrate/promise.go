package calibrate

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab/stat"
)

// Promise is what a test says of its false alarm rate.
type Promise string

// The promises.
const (
	About   Promise = "about"   // the nominal rate, as far as the law that it takes for granted is a good one
	AtMost  Promise = "at most" // never more than the nominal rate; usually less
	Nothing Promise = "nothing" // a wrong way to test, shown for contrast
	Unknown Promise = "unknown" // whether there is anything to find is not known
)

// Finding is what the measured rate says of the promise.
type Finding string

// The findings.
const (
	AsStated     Finding = "as stated"
	Conservative Finding = "conservative"     // fewer alarms than the nominal rate
	TooMany      Finding = "too many alarms"  // more than promised
	NoTest       Finding = "not a valid test" // and it does not say that it is one
	MayBeReal    Finding = "may be real"      // what was found may be there
)

// Doubt is the probability with which [Judge] calls at least one promise broken
// where all are kept.
const Doubt = 0.01

// Alarms is how often a test raised an alarm where nothing was wrong.
type Alarms struct {
	Test    string  `json:"test"`
	Of      string  `json:"of"` // what it was held against
	N       int     `json:"n"`  // observations of each run
	Promise Promise `json:"promise"`
	Why     string  `json:"why"` // it promises that
	Nominal float64 `json:"nominal"`
	Runs    int     `json:"runs"`
	Alarms  int     `json:"alarms"`
	Rate    float64 `json:"rate"`
	Low     float64 `json:"low"` // of the exact 95% interval of the rate (Clopper and Pearson)
	High    float64 `json:"high"`
	// Exact is the rate that follows from the law of the counts, gone through
	// outcome by outcome; null where there are too many.
	Exact *float64 `json:"exact"`
	// P is the probability of so many alarms or more at the promised rate.
	P       float64 `json:"p_value"`
	Finding Finding `json:"finding"`
}

// count fills in what follows from the number of alarms.
func (a *Alarms) count(p []float64) {
	for _, v := range p {
		if v <= a.Nominal {
			a.Alarms++
		}
	}
	a.Runs = len(p)
	a.Rate = float64(a.Alarms) / float64(a.Runs)
	in := stat.ClopperPearson(a.Alarms, a.Runs, 0.95)
	a.Low, a.High = in.Low, in.High
	a.P = 1
	if a.Alarms > 0 {
		a.P = distuv.Binomial{N: float64(a.Runs), P: a.promised()}.Survival(float64(a.Alarms) - 1)
	}
}

func (a *Alarms) promises() bool { return a.Promise == About || a.Promise == AtMost }

// promised is the most that is granted: what the counts' own law gives, where
// that is known to be more than the nominal rate.
func (a *Alarms) promised() float64 {
	if a.Exact != nil {
		return max(a.Nominal, *a.Exact)
	}
	return a.Nominal
}

// Judge gives each row its finding. Of many rows whose promises are kept, some
// lie outside of their interval by chance: one in forty above it. So "too many" is said
// by Holm's procedure over all rows together, at [Doubt].
func Judge(rows []Alarms) {
	p := make([]float64, len(rows))
	for i, a := range rows {
		p[i] = a.P
		if !a.promises() {
			p[i] = math.NaN()
		}
	}
	for i, adjusted := range stat.Holm(p) {
		switch a := &rows[i]; {
		case a.Promise == Nothing:
			a.Finding = NoTest
		case a.Promise == Unknown:
			a.Finding = MayBeReal
		case adjusted < Doubt:
			a.Finding = TooMany
		case a.High < a.Nominal:
			a.Finding = Conservative
		default:
			a.Finding = AsStated
		}
	}
}

// Above counts the rows that promise something and lie above it by their own
// interval, and of how many. Chance alone puts one in forty there.
func Above(rows []Alarms) (above, of int) {
	for _, a := range rows {
		if !a.promises() {
			continue
		}
		of++
		if a.Low > a.promised() {
			above++
		}
	}
	return above, of
}

// Broken are the rows whose promise is broken, the worst first.
func Broken(rows []Alarms) []Alarms {
	var all []Alarms
	for _, a := range rows {
		if a.Finding == TooMany {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b Alarms) int { return cmp.Compare(a.P, b.P) })
	return all
}
