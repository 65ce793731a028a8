package claim

import (
	"fmt"
	"math"
	"slices"

	"github.com/portlab/portlab/lab"
)

// slack is how far the count of each replica may be from its expected value if
// one worker takes turns, over any stretch of them. Equal turns come once in a
// cycle, so that a count is off by less than one. By weight, a replica has w of
// the W turns of a cycle, and at worst all w in a row: then it is off by
// w (1 - w/W). That holds for every order within the cycle, the smooth one of
// nginx and the descending one of IPVS wrr alike.
func (f fleet) slack() []float64 {
	all := make([]float64, len(f.expected))
	turns := turnsOf(f.weights)
	for i, e := range f.expected {
		all[i] = turns[i] * (1 - e)
	}
	return all
}

// turnsOf is how many turns each weight has in the shortest cycle that is true
// to weights of up to three decimals; others have it in proportion to the least.
func turnsOf(weights []float64) []float64 {
	const scale = 1000
	divisor := 0
	for _, w := range weights {
		scaled := math.Round(w * scale)
		if math.Abs(scaled-w*scale) > 1e-6*scaled || scaled < 1 || scaled > math.MaxInt32 {
			return inProportion(weights)
		}
		divisor = gcd(divisor, int(scaled))
	}
	all := make([]float64, len(weights))
	for i, w := range weights {
		all[i] = math.Round(w*scale) / float64(divisor)
	}
	return all
}

func inProportion(weights []float64) []float64 {
	least := slices.Min(weights)
	all := make([]float64, len(weights))
	for i, w := range weights {
		all[i] = w / least
	}
	return all
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// outOfTurn says what is wrong with the counts if so many workers each took
// turns; nothing if they may have.
func (s spread) outOfTurn(workers int, slack []float64) string {
	if s.equal {
		if apart := slices.Max(s.counts) - slices.Min(s.counts); apart > workers {
			return fmt.Sprintf("the counts are %s apart, where %s would keep them within %d", thousands(apart), s.workerWords(), workers)
		}
		return ""
	}
	for i, c := range s.counts {
		off, most := math.Abs(float64(c)-float64(s.n)*s.expected[i]), float64(workers)*slack[i]
		if off > most+1e-6 {
			return fmt.Sprintf("the count of %s is %.3g from its part, where %s would keep it within %.3g", s.names[i], off, s.workerWords(), most)
		}
	}
	return ""
}

// byTurn decides for round robin. In turn, the shares are certain up to the
// slack of each worker; out of turn, chance is the next best law.
func (s spread) byTurn(v *lab.Verdict) {
	workers, slack := max(s.evidence.Workers, 1), s.slack()
	if why := s.outOfTurn(workers, slack); why != "" {
		v.Warnings = append(v.Warnings, fmt.Sprintf("not strictly in turn: %s; they are judged as random choice", why))
		s.byChance(v)
		return
	}
	even, err := s.law.TooEven(s.counts, s.evidence.Plan.Seed)
	if err == nil {
		v.Warnings = append(v.Warnings, fmt.Sprintf(
			"turns are more even than chance, which would be as even with probability %.2g: the p-value is that of random choice and does not decide", even))
	}
	if need := s.turnsNeeded(workers, slack); need > s.n {
		v.NeedN = need
		v.Sentence = fmt.Sprintf("cannot tell: the counts fit %s, but %s cannot show shares within %s; %s would",
			s.workerWords(), count(s.n, "connection"), percent(s.tolerance), about(v.NeedN))
		return
	}
	v.Outcome = lab.Held
	v.Sentence = fmt.Sprintf("balanced, and in turn: counts from %s to %s, as %s would keep them",
		thousands(slices.Min(s.counts)), thousands(slices.Max(s.counts)), s.workerWords())
}

// turnsNeeded is how many connections it takes until counts that are off by as
// much as turns allow, on both sides, still show shares within the tolerance.
func (s spread) turnsNeeded(workers int, slack []float64) int {
	var most float64
	for i, e := range s.expected {
		most = max(most, 2*float64(workers)*slack[i]/(s.tolerance*e))
	}
	return int(min(math.Ceil(most), lab.MaxRequests))
}
