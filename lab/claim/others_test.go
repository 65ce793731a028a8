package claim_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

func check(t *testing.T, c lab.Claim, e lab.Evidence, want lab.Outcome, sentence string) lab.Verdict {
	t.Helper()
	v := judge(t, c, e)
	if v.Outcome != want || !strings.Contains(v.Sentence, sentence) {
		t.Errorf("%s: %s; want %s: ...%s...", v.Outcome, v.Sentence, want, sentence)
	}
	return v
}

func TestNoLoss(t *testing.T) {
	spoil := func(n int, f lab.Fault) lab.Evidence {
		all := answers(turns(300, 2))
		for i := range n {
			all[i].Fault, all[i].Instance = f, ""
		}
		return evidence(lab.Random, equal(2), all)
	}
	v := check(t, claim.NoLoss{}, spoil(0, ""), lab.Held, "none of 300 requests failed, so with 95% confidence at most 0.99% do")
	if v.N != 300 || *v.Effect != 0 {
		t.Errorf("%+v", v)
	}
	v = check(t, claim.NoLoss{}, spoil(3, lab.Reset), lab.Refuted, "3 of 300 requests failed (1%): 3 reset")
	if v.Interval[0] <= 0 || v.Interval[0] > 0.01 || v.Interval[1] < 0.01 {
		t.Errorf("interval %v", *v.Interval)
	}
	check(t, claim.NoLoss{}, spoil(7, lab.ClientLimit), lab.Inconclusive, "the client itself ran out of ports, descriptors or memory for 7 of 300 requests")
	check(t, claim.NoLoss{}, spoil(300, lab.ClientLimit), lab.Inconclusive, "for 300 of 300 requests")
	both := answers(turns(300, 2))
	for i := range 10 {
		both[i].Fault = lab.ClientLimit
	}
	both[20].Fault = lab.Reset
	v = check(t, claim.NoLoss{}, evidence(lab.Random, equal(2), both), lab.Refuted, "1 of 290 requests failed")
	if !warned(v, "10 requests") || strings.Contains(v.Sentence, string(lab.ClientLimit)) {
		t.Errorf("%q, warnings %q", v.Sentence, v.Warnings)
	}
}

func TestEveryInstance(t *testing.T) {
	c := claim.EveryInstance{}
	check(t, c, evidence(lab.Random, equal(2), answers(turns(9, 2))), lab.Held, "each of 2 instances")
	check(t, c, evidence(lab.Random, equal(2), answers(blocks(300))), lab.Refuted, "bar got none of 300")
	// Nine of ten silent after twenty connections: 9e-19 or so, not chance.
	check(t, c, evidence(lab.Random, equal(10), answers(blocks(20))), lab.Refuted, "and 4 more")
	v := check(t, c, evidence(lab.Random, equal(2), answers(blocks(6))), lab.Inconclusive, "may be chance (p = 0.031)")
	if v.NeedN != 8 { // 2 * 0.5^8 = 0.0078 is the first below 0.01
		t.Errorf("needs %d, want 8", v.NeedN)
	}
	check(t, c, evidence(lab.Random, replicas(99, 1), answers(blocks(100))), lab.Inconclusive, "bar got none")
	if v := judge(t, c, evidence(lab.AcceptRace, equal(2), answers(blocks(300)))); v.Outcome != lab.Refuted || !warned(v, "under random choice") {
		t.Errorf("%+v", v)
	}
}

func TestOrder(t *testing.T) {
	c := claim.Order{}
	random2, random10 := shuffled(3, 150, 150), shuffled(3, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30)
	for _, x := range []struct {
		name     string
		null     lab.Null
		fleet    []lab.Replica
		sequence []int
		want     lab.Outcome
		sentence string
	}{
		{"random", lab.Random, equal(2), random2, lab.Held, "looks random"},
		{"random among ten", lab.Hash, equal(10), random10, lab.Held, "looks random"},
		{"turns where chance was meant", lab.Random, equal(2), turns(300, 2), lab.Refuted, "looks like round robin"},
		{"turns of ten where chance was meant", lab.Hash, equal(10), turns(300, 10), lab.Refuted, "looks like round robin"},
		{"blocks where chance was meant", lab.Random, equal(2), blocks(150, 150), lab.Refuted, "sticks"},
		{"few", lab.Random, equal(2), []int{0, 1, 1, 0, 1}, lab.Inconclusive, "cannot tell"},
		{"one only where chance was meant", lab.Random, equal(2), blocks(300), lab.Refuted, "one instance only"},
		{"one only, few", lab.Random, equal(2), blocks(3), lab.Inconclusive, "may be chance"},
		{"turns", lab.RoundRobin, equal(2), turns(300, 2), lab.Held, "looks like round robin"},
		{"turns of three", lab.RoundRobin, equal(3), turns(300, 3), lab.Held, "looks like round robin"},
		{"turns by weight", lab.RoundRobin, replicas(3, 1), cycles(75, 0, 0, 1, 0), lab.Held, "looks like round robin"},
		{"turns with a slip in ten", lab.RoundRobin, equal(2), cycles(15, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0), lab.Held, "looks like round robin"},
		{"chance where turns were meant", lab.RoundRobin, equal(2), random2, lab.Refuted, "not in turn: looks random"},
		{"few turns", lab.RoundRobin, equal(2), turns(4, 2), lab.Inconclusive, "too few"},
		{"one only, as meant", lab.Single, equal(2), blocks(9), lab.Held, "as meant"},
		{"several where one was meant", lab.Single, equal(2), random2, lab.Refuted, "several instances"},
		{"no promise", lab.AcceptRace, equal(2), random2, lab.Unsupported, "looks random"},
		{"no promise, one only", lab.LeastConnections, equal(2), blocks(9), lab.Unsupported, "one instance only"},
	} {
		t.Run(x.name, func(t *testing.T) {
			check(t, c, evidence(x.null, x.fleet, answers(x.sequence)), x.want, x.sentence)
		})
	}
	e := evidence(lab.RoundRobin, equal(2), answers(random2))
	e.Workers = 4
	check(t, c, e, lab.Inconclusive, "several workers")
	e.Workers, e.Plan.Concurrency = 1, 8
	if v := check(t, c, e, lab.Inconclusive, "overtake"); !warned(v, "concurrency 1") {
		t.Errorf("warnings %q", v.Warnings)
	}
}

// cycles repeats a cycle n times.
func cycles(n int, cycle ...int) []int {
	var s []int
	for range n {
		s = append(s, cycle...)
	}
	return s
}

func TestLatencyIndependent(t *testing.T) {
	c := claim.LatencyIndependent{}
	slow := func(sequence []int, by time.Duration) lab.Evidence {
		all := answers(sequence)
		for i := range all {
			if sequence[i] == 0 {
				all[i].Done += by
			}
		}
		return evidence(lab.Random, equal(2), all)
	}
	random := shuffled(5, 150, 150)
	check(t, c, slow(random, 0), lab.Held, "does not depend")
	v := check(t, c, slow(random, time.Millisecond), lab.Refuted, "depends on the instance (p < 0.0001")
	if *v.Effect < 0.5 || v.Interval[0] > *v.Effect {
		t.Errorf("V = %v in %v", *v.Effect, *v.Interval)
	}
	// Of 10,000 requests of each, 700 more of foo's are slow: surely, but hardly.
	weak := answers(shuffled(5, 10000, 10000))
	for i, n := range map[string]int{"foo": 5350, "bar": 4650} {
		for j := range weak {
			if weak[j].Instance == i && n > 0 {
				weak[j].Done, n = weak[j].Due+time.Second+time.Duration(j), n-1
			}
		}
	}
	if v := check(t, c, evidence(lab.Random, equal(2), weak), lab.Held, "does not depend"); *v.PValue > claim.Alpha || *v.Effect > claim.TolerableV {
		t.Errorf("p = %v, V = %v", *v.PValue, *v.Effect)
	}
	check(t, c, slow(shuffled(5, 10, 10), 0), lab.Inconclusive, "too few to rule out 0.3")
	// Of 150 of each, 95 of foo's are in the slow half, as is often seen where one
	// process has the worse processor: significant, and no more than tolerable.
	some := answers(random)
	for i, n := range map[string]int{"foo": 95, "bar": 55} {
		for j := range some {
			if some[j].Instance == i && n > 0 {
				some[j].Done, n = some[j].Due+time.Second+time.Duration(j), n-1
			}
		}
	}
	if v := check(t, c, evidence(lab.Random, equal(2), some), lab.Inconclusive, "cannot tell"); *v.PValue > claim.Alpha {
		t.Errorf("p = %v", *v.PValue)
	}
	check(t, c, slow(blocks(300), 0), lab.Inconclusive, "only one instance answered")
	same := answers(random)
	for i := range same {
		same[i].Done = same[i].Due + time.Millisecond
	}
	check(t, c, evidence(lab.Random, equal(2), same), lab.Inconclusive, "one class")
	e := slow(random, 0)
	e.Plan.Concurrency = 16
	if v := judge(t, c, e); !warned(v, "not independent") {
		t.Errorf("warnings %q", v.Warnings)
	}
}

func TestAddressKept(t *testing.T) {
	c := claim.AddressKept{}
	all := answers(turns(10, 2))
	check(t, c, evidence(lab.Random, equal(2), all), lab.Held, "all of 10 answers")
	mapped := answers(turns(10, 2))
	for i := range mapped { // as a dual-stack listener tells it
		a := mapped[i].ReplicaSaw
		mapped[i].ReplicaSaw = netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
	}
	check(t, c, evidence(lab.Random, equal(2), mapped), lab.Held, "all of 10 answers")
	all[4].ReplicaSaw = netip.MustParseAddrPort("198.18.0.1:4000")
	check(t, c, evidence(lab.Random, equal(2), all), lab.Refuted, "lost in 1 of 10 answers: foo saw 198.18.0.1 instead of 198.19.0.2")
	for i := range all {
		all[i].ReplicaSaw = netip.AddrPort{}
	}
	check(t, c, evidence(lab.Random, equal(2), all), lab.Inconclusive, "no answer says")
}
