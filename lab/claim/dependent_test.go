package claim_test

import (
	"math/rand/v2"
	"testing"

	"github.com/portlab/portlab/lab"
)

// keepAlive has each answer's sample repeated as so many requests on one
// connection; another says which of them goes to the instance after.
func keepAlive(samples []lab.Sample, each int, another func(request int) bool) []lab.Sample {
	var all []lab.Sample
	for _, s := range samples {
		for range each {
			s.Request = len(all)
			if next := s; another(s.Request) {
				next.Instance = map[string]string{"foo": "bar", "bar": "foo"}[s.Instance]
				all = append(all, next)
				continue
			}
			all = append(all, s)
		}
	}
	return all
}

func TestRequestsOnOneConnectionAreNoDraws(t *testing.T) {
	never := func(int) bool { return false }
	kept := keepAlive(answers(shuffled(1, 60, 40)), 10, never)
	v := judge(t, shares, evidence(lab.Random, equal(2), kept))
	if v.Outcome != lab.Inconclusive || v.N != 100 || *v.PValue < 0.04 {
		t.Errorf("%s by %d: %s", v.Outcome, v.N, v.Sentence)
	}
	if !warned(v, "1,000 requests were made on 100 connections, and shared as foo 600 and bar 400") || !warned(v, "all went to the same instance") {
		t.Errorf("the requests are not shown beside: %q", v.Warnings)
	}
	v = judge(t, shares, evidence(lab.RoundRobin, equal(2), keepAlive(answers(turns(100, 2)), 10, func(i int) bool { return i%10 == 9 })))
	if !warned(v, "went to different instances") {
		t.Errorf("that requests are spread is not said: %q", v.Warnings)
	}
	if v := judge(t, shares, evidence(lab.Random, equal(2), answers(shuffled(1, 60, 40)))); warned(v, "requests") {
		t.Errorf("a word of requests, where each had a connection: %q", v.Warnings)
	}
}

// An accept race gives several connections in a row to whoever is awake. Its
// intervals must allow for that: taken for independent, they would call fair
// runs skewed.
func TestIntervalsAllowForRuns(t *testing.T) {
	const runs, n = 300, 600
	rng := rand.New(rand.NewPCG(21, 22))
	refuted := 0
	for range runs {
		sequence, at := make([]int, n), 0
		for i := range sequence {
			if rng.Float64() < 0.1 { // awake for ten connections on average
				at = rng.IntN(2)
			}
			sequence[i] = at
		}
		if shares.Judge(evidence(lab.AcceptRace, equal(2), answers(sequence))).Outcome == lab.Refuted {
			refuted++
		}
	}
	// At most 5% may be, since a share must even be beyond the tolerance: 15, and
	// more than 31 in fewer than one of ten thousand repetitions.
	if refuted > 31 {
		t.Errorf("%d of %d fair races were called skewed", refuted, runs)
	}
	if v := judge(t, shares, evidence(lab.AcceptRace, equal(2), answers(blocks(300, 300)))); v.Outcome == lab.Held || !warned(v, "on their own") {
		t.Errorf("%s %q: %s", v.Outcome, v.Warnings, v.Sentence)
	}
	if v := judge(t, shares, evidence(lab.LeastConnections, equal(2), answers(turns(600, 2)))); v.Outcome != lab.Held || !warned(v, "under way") {
		t.Errorf("%s %q: %s", v.Outcome, v.Warnings, v.Sentence)
	}
}
