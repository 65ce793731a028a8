package claim

import (
	"fmt"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// DefaultTolerancePercent is how far a share may be from the expected one, in
// percent of the latter, where nothing else is asked for.
const DefaultTolerancePercent = 20

// Shares claims that every instance's share of the connections is within a
// tolerance of its expected share.
//
// It is held when all simultaneous intervals lie within the tolerance: so many
// connections were seen, and so evenly, that the true shares do too. If they
// do not, what refutes it depends on the strategy. Random choice and hashes
// are held against the multinomial law, at [Alpha]. Round robin is held
// against its own law: counts at most one apart for each worker; out of turn,
// it is judged as random choice. For other strategies there is no exact law,
// and the claim is refuted only by an interval that lies outside the tolerance
// as a whole. Where one instance is meant to get everything, exactly one must.
//
// Counts are of connections, since requests on one connection all go to the
// same instance.
type Shares struct {
	TolerancePercent float64 // of the expected share; above 0
	// Alpha is the significance at which shares are refuted; 0: [Alpha].
	Alpha float64
}

func (c Shares) alpha() float64 {
	if c.Alpha == 0 {
		return Alpha
	}
	return c.Alpha
}

// Name implements [lab.Claim].
func (c Shares) Name() string {
	return "every share within " + strconv.FormatFloat(c.TolerancePercent, 'f', -1, 64) + "% of its expected share"
}

// Judge implements [lab.Claim]. The effect is Cohen's w; the interval is that
// of the share furthest off, and the statistic and p-value are those of the
// multinomial law under every strategy, so that they can be compared.
func (c Shares) Judge(e lab.Evidence) lab.Verdict {
	f := fleetOf(e.Measurement)
	v := newVerdict(c, f.n)
	v.Warnings = append(v.Warnings, countWarnings(e.Measurement)...)
	if hashes(e.Null) && !e.Measurement.Outside {
		if repeated := f.recount(e.Null, e.Samples); repeated > 0 {
			v.N = f.n
			v.Warnings = append(v.Warnings, fmt.Sprintf(repeatedWords[e.Null], count(repeated, "connection")))
		}
	}
	switch {
	case f.strange > 0:
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("skewed: %s, which is none of the replicas, answered %s of %s: something else listens at the front",
			list(f.strangers), thousands(f.strange), count(f.n+f.strange, "connection"))
		return v
	case f.n == 0:
		v.Sentence = "cannot tell: no connection was answered by an instance that can be told"
		return v
	case e.Null == lab.Single || len(f.names) == 1:
		return judgeSingle(v, f)
	}
	law, err := stat.NewMultinomial(f.expected)
	if err != nil {
		v.Sentence = "cannot tell: the replicas' weights give no expected shares"
		return v
	}
	fit, err := law.Fit(f.counts, e.Plan.Seed)
	if err != nil { // counts that fit the fleet by construction, of which there are some
		v.Outcome, v.Sentence = lab.Broken, "the test failed: "+err.Error()
		return v
	}
	s := spread{fleet: f, evidence: e, law: law, fit: fit, tolerance: c.TolerancePercent / 100, alpha: c.alpha()}
	if e.Plan.UntilSettled && Sequential(e.Null) && !e.Measurement.Outside {
		s.sequentially(&v)
		return v
	}
	s.intervals = stat.SimultaneousShares(f.counts, Confidence)
	if why := sharing(e.Measurement, e.Samples); why != "" {
		v.Warnings = append(v.Warnings, why)
	}
	if !lawful(e.Null) {
		if n := effective(e, f.n); n < f.n {
			s.widen(n)
			v.Warnings = append(v.Warnings, fmt.Sprintf(
				"neighbours went to the same instance more often than chance has it: the intervals are those of %s on their own", count(n, "connection")))
		}
	}
	s.fill(&v)
	s.decide(&v)
	return v
}

// hashes says whether a strategy sends what it has seen before the same way.
func hashes(n lab.Null) bool { return n == lab.Hash || n == lab.HashAddress }

// repeatedWords say of a number of connections why they do not count.
var repeatedWords = map[lab.Null]string{
	lab.Hash:        "%s came from addresses and ports that had been used before: a hash sends them the same way, so each pair counts once",
	lab.HashAddress: "%s came from client addresses that had been used before: a hash of the address sends them the same way, so each address counts once; give more of them with --clients",
}

// judgeSingle holds the counts against "one instance gets everything".
func judgeSingle(v lab.Verdict, f fleet) lab.Verdict {
	var answered []string
	for i, k := range f.counts {
		if k > 0 {
			answered = append(answered, f.names[i])
		}
	}
	v.Test = "count of the instances that answered"
	v.Effect, v.EffectName = number(float64(len(answered))), "instances that answered"
	if len(answered) == 1 {
		v.Outcome = lab.Held
		v.Sentence = fmt.Sprintf("one instance, as meant: %s answered all of %s", answered[0], count(f.n, "connection"))
		return v
	}
	v.Outcome = lab.Refuted
	v.Sentence = fmt.Sprintf("not one instance, as meant, but %s: %s shared %s",
		thousands(len(answered)), list(answered), count(f.n, "connection"))
	return v
}

// countWarnings says what is doubtful about the counts themselves.
func countWarnings(m lab.Measurement) []string {
	var all []string
	if m.Outside {
		all = append(all, "connections were counted from outside, in the replicas' network namespaces: connections of others and those that failed later are among them")
	} else if m.Unnamed > 0 {
		all = append(all, fmt.Sprintf("%s did not say who gave them and are not counted", count(m.Unnamed, "answer")))
	}
	return all
}
