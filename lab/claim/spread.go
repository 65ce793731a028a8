package claim

import (
	"fmt"
	"math"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// spread is how connections fell among replicas, with all that decides on it.
type spread struct {
	fleet
	evidence  lab.Evidence
	law       stat.Multinomial
	fit       stat.Fit
	intervals []stat.Interval
	tolerance float64 // a fraction of the expected share
	alpha     float64 // at which the multinomial law refutes
}

// fill puts the figures into the verdict that every null shows.
func (s spread) fill(v *lab.Verdict) {
	v.Test, v.Statistic, v.PValue = s.fit.Test, number(s.fit.Statistic), number(s.fit.P)
	v.Effect, v.EffectName = number(s.fit.W), "Cohen's w"
	v.Warnings = append(v.Warnings, s.fit.Warnings...)
	v.Confidence = Confidence
	for i, in := range s.intervals {
		v.Shares = append(v.Shares, lab.ShareInterval{
			Instance: s.names[i], Expected: s.expected[i], Share: s.share(i), Low: in.Low, High: in.High,
		})
	}
	worst := s.intervals[s.furthest()]
	v.Interval = &[2]float64{worst.Low, worst.High}
}

// decide sets outcome, sentence and the number needed, by the strategy's null.
func (s spread) decide(v *lab.Verdict) {
	switch s.evidence.Null {
	case lab.Random, lab.Hash, lab.HashAddress:
		s.byChance(v)
		s.warnTooEven(v)
	case lab.RoundRobin:
		s.byTurn(v)
	default:
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"the strategy spreads connections %s, for which there is no exact law%s: the p-value is that of random choice and does not decide",
			nullWords(s.evidence.Null), whyNoLaw[s.evidence.Null]))
		s.byIntervals(v)
	}
}

// whyNoLaw says of a null why nothing is tested against it. Least connections
// has queueing models, but they fit no lab: the counts that it keeps level are
// those of connections under way, so that the totals depend on how long each
// takes. In a closed loop of one worker nothing is under way, and the rule for
// ties alone decides; of many, whoever answers a little faster gets more: with 8
// workers one of two equal replicas got 59% of 300 connections. So no deviation
// is tested, and the intervals are those of random choice.
var whyNoLaw = map[lab.Null]string{
	lab.LeastConnections: " (it evens out what is under way, and totals follow from how fast each replica is)",
	lab.AcceptRace:       " (whoever is awake takes several in a row)",
}

// lawful says whether there is a law of counts under a null.
func lawful(n lab.Null) bool {
	return n == lab.Random || hashes(n) || n == lab.RoundRobin
}

// byChance decides by the multinomial law.
func (s spread) byChance(v *lab.Verdict) {
	v.Alpha = s.alpha
	switch {
	case s.within():
		s.held(v)
	case s.fit.P < s.alpha:
		v.Outcome, v.Sentence = lab.Refuted, s.skewed(pWords(s.fit.P))
	default:
		s.open(v)
	}
}

// byIntervals decides where there is no law to test.
func (s spread) byIntervals(v *lab.Verdict) {
	if s.within() {
		s.held(v)
		return
	}
	for i, in := range s.intervals {
		if s.outside(i, in) {
			v.Outcome = lab.Refuted
			v.Sentence = fmt.Sprintf("skewed: %s got %s (%s to %s with 95%% confidence) where %s is its share",
				s.names[i], percent(s.share(i)), percent(in.Low), percent(in.High), percent(s.expected[i]))
			return
		}
	}
	s.open(v)
}

// warnTooEven tells where a random strategy looks like one that takes turns.
func (s spread) warnTooEven(v *lab.Verdict) {
	if s.fit.P < 0.97 {
		return // not nearly too even: spare the computation
	}
	if p, err := s.law.TooEven(s.counts, s.evidence.Plan.Seed); err == nil && p < Alpha {
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"more even than chance would have it (%s): it looks as if turns were taken", pWords(p)))
	}
}

func (s spread) share(i int) float64 { return float64(s.counts[i]) / float64(s.n) }

// band is what the tolerance allows for share i.
func (s spread) band(i int) (low, high float64) {
	return s.expected[i] * (1 - s.tolerance), s.expected[i] * (1 + s.tolerance)
}

// within says whether every interval lies within the tolerance.
func (s spread) within() bool { return s.fits(s.intervals) }

// outside says whether the interval of share i lies outside the tolerance as a whole.
func (s spread) outside(i int, in stat.Interval) bool {
	low, high := s.band(i)
	return in.High < low || in.Low > high
}

func (s spread) fits(intervals []stat.Interval) bool {
	for i, in := range intervals {
		if low, high := s.band(i); in.Low < low || in.High > high {
			return false
		}
	}
	return true
}

// furthest is the instance whose count is the most standard deviations away
// from its expected value.
func (s spread) furthest() int {
	worst, most := 0, -1.0
	for i, e := range s.expected {
		if z := math.Abs(s.share(i)-e) / math.Sqrt(e*(1-e)); z > most+1e-9 { // of equals, the first
			worst, most = i, z
		}
	}
	return worst
}
