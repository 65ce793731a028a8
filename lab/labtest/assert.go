package labtest

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// TB is what the assertions need of a test. [testing.TB] has it, and so have
// the handles of other test frameworks.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Balance says what counts are held against. The zero value is equal or given
// shares at random, each within 20% of itself, refuted at a significance of 1%.
type Balance struct {
	// TolerancePercent is how far a share may be from the expected one, in
	// percent of the latter; 0: 20.
	TolerancePercent float64
	// Alpha is the rate of false alarms: the most runs in which a balancer that
	// does share as expected fails the test; 0: 0.01.
	Alpha float64
	// Names of the instances, for messages; none: their numbers from 1.
	Names []string
	// Null is how connections are meant to be shared; empty: at random. Turns
	// need [lab.RoundRobin], and Workers where several keep their own.
	Null    lab.Null
	Workers int
	// PerConnection is how many requests there were on each connection, at most,
	// where the counts are of requests. Those on one connection are no draws of
	// their own: taken for such, fair balancers fail in half of all runs at 10
	// requests a connection. 0 or 1: the counts are of connections.
	PerConnection int
	// Strict fails the test also where the counts are too few to tell. Otherwise
	// that is a warning in its log.
	Strict bool
}

// AssertBalanced fails t if the counts of connections, one for each instance
// and 0 for a silent one, show that a balancer does not share them equally, and
// returns whether it went on. The test is exact or Pearson's chi-square, by the
// size of the counts.
//
// A balancer that does share equally at random fails in at most [Balance.Alpha]
// of runs, 1% by default. Do not run a test again until it passes: of ten
// tries, one passes almost always. Counts that are too few to show anything do
// not fail it, unless [Balance.Strict] is set; the log says how many would do.
func AssertBalanced(t TB, counts []int, b Balance) bool {
	t.Helper()
	return b.assert(t, counts, nil)
}

// AssertShares is [AssertBalanced] for instances that are to get these shares,
// or weights, which need not sum to one.
func AssertShares(t TB, counts []int, shares []float64, b Balance) bool {
	t.Helper()
	if len(shares) == 0 {
		t.Fatalf("labtest: no shares to hold %v against: use AssertBalanced for equal ones", counts)
		return false
	}
	return b.assert(t, counts, shares)
}

// assert judges, and tells in any case what was seen and how sure that is.
func (b Balance) assert(t TB, counts []int, weights []float64) bool {
	t.Helper()
	s, err := b.claim()
	if err != nil {
		t.Fatalf("labtest: %v", err)
		return false
	}
	c := claim.Counted{
		Counts: counts, Names: b.Names, Weights: weights, Null: b.Null, Workers: b.Workers, PerConnection: b.PerConnection,
	}
	v, err := c.Judge(s)
	if err != nil {
		t.Fatalf("labtest: %v", err)
		return false
	}
	text := story(v, s, c)
	switch {
	case v.Outcome == lab.Held:
		t.Logf("%s", text)
		return true
	case v.Outcome == lab.Inconclusive && !b.Strict:
		t.Logf("warning: %s", text)
		return true
	}
	t.Errorf("%s", text)
	return false
}

func (b Balance) claim() (claim.Shares, error) {
	s := claim.Shares{TolerancePercent: b.TolerancePercent, Alpha: b.Alpha}
	if s.TolerancePercent == 0 {
		s.TolerancePercent = claim.DefaultTolerancePercent
	}
	if !(s.TolerancePercent > 0 && s.TolerancePercent <= 100) {
		return s, lab.Usagef("the tolerance must be above 0%% and at most 100%%, not %v%%", b.TolerancePercent)
	}
	if !(s.Alpha >= 0 && s.Alpha < 0.5) {
		return s, lab.Usagef("the rate of false alarms must be above 0 and below 0.5, not %v", b.Alpha)
	}
	return s, nil
}

// story is a verdict with its figures, what it looks like, and what is doubtful.
func story(v lab.Verdict, s claim.Shares, c claim.Counted) string {
	lines := append([]string{v.Sentence}, claim.Figures(v, s)...)
	if e, err := c.Evidence(); err == nil && v.Outcome != lab.Held {
		b := claim.Recognise(e)
		lines = append(lines, fmt.Sprintf("pattern: %s: %s", b.Name, b.Sentence))
	}
	for _, w := range v.Warnings {
		lines = append(lines, "note: "+w)
	}
	return strings.Join(lines, "\n    ")
}
