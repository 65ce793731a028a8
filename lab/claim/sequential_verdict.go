package claim

import (
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// sequentialTest is the name of the test that allows for looking at any time.
const sequentialTest = "confidence sequences of shares"

// sequentially judges connections that were made until they settled the claim.
// It goes through them in the order in which they were due, as the monitor did
// that ended the load, and so ends at the same one. Those that came until the
// load had ended do not count.
func (s spread) sequentially(v *lab.Verdict) {
	t, err := newTally(s.names, s.expected, s.evidence.Null, s.tolerance)
	if err != nil { // shares that are a law by now, and a tolerance that was parsed
		v.Outcome, v.Sentence = lab.Broken, "the test failed: "+err.Error()
		return
	}
	for sample := range s.evidence.Samples.All() {
		if t.settled(&sample) {
			break
		}
	}
	if t.decision == stat.Undecided {
		t.look()
	}
	late := s.n - t.n
	s.counts, s.n = t.counts, t.n
	if s.n == 0 {
		v.N, v.Sentence = 0, "cannot tell: no connection was answered by an instance that can be told"
		return
	}
	s.intervals = t.balanced.Intervals(s.counts)
	if s.fit, err = s.law.Fit(s.counts, s.evidence.Plan.Seed); err != nil { // counts of this law
		v.Outcome, v.Sentence = lab.Broken, "the test failed: "+err.Error()
		return
	}
	s.fit.Warnings = nil // of a p-value that is not shown
	s.fill(v)
	p := t.balanced.P(s.counts)
	v.Test, v.Statistic, v.PValue, v.Alpha, v.N = sequentialTest, nil, number(p), Alpha, s.n
	if late > 0 {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s came after the claim was settled, and until the load had ended: they do not count here", count(late, "connection")))
	}
	s.conclude(v, t, p)
}

// conclude words the decision of a sequential test.
func (s spread) conclude(v *lab.Verdict, t *tally, p float64) {
	const always = "with 95% confidence however often one looks"
	i := s.furthest()
	in := s.intervals[i]
	switch t.decision {
	case stat.Balanced:
		var off float64
		for i, in := range s.intervals {
			off = max(off, s.expected[i]-in.Low, in.High-s.expected[i])
		}
		v.Outcome = lab.Held
		v.Sentence = fmt.Sprintf("balanced: every share within %s of %s, %s; settled after %s",
			points(off), s.meant(), always, count(s.n, "connection"))
	case stat.Skewed:
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("skewed: %s got %s (%s to %s) where %s is its share, %s (%s); settled after %s",
			s.names[i], percent(s.share(i)), percent(in.Low), percent(in.High), percent(s.expected[i]), always, pWords(p), count(s.n, "connection"))
	default:
		shares := make([]float64, len(s.counts))
		for i := range shares {
			shares[i] = s.share(i)
		}
		if n, ok := t.balanced.Settles(shares, lab.MaxRequests); ok {
			v.NeedN = n
		}
		v.Sentence = fmt.Sprintf("cannot tell: not settled by %s: %s got %s where %s is its share, and its true share may be anything from %s to %s, %s%s",
			count(s.n, "connection"), s.names[i], percent(s.share(i)), percent(s.expected[i]), percent(in.Low), percent(in.High), always, wouldTell(v.NeedN))
	}
}
