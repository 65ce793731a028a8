package claim_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

var shares = claim.Shares{TolerancePercent: claim.DefaultTolerancePercent}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name     string
		null     lab.Null
		fleet    []lab.Replica
		sequence []int
		want     lab.Outcome
		sentence string // part of it
		warning  string // part of one
	}{
		{"the article's sandbox", lab.Random, equal(2), shuffled(1, 158, 142), lab.Held, "58/42", ""},
		{"the article's DNAT", lab.Random, equal(2), shuffled(1, 143, 157), lab.Held, "within 8 points of equal", ""},
		{"the article's cascade", lab.Random, equal(10), shuffled(1, 396, 367, 337, 284, 263, 230, 208, 187, 183, 1545),
			lab.Refuted, "fred got 38.6% where 10% is its share (p < 0.0001)", ""},
		{"kubernetes 37932", lab.Random, equal(7), shuffled(1, 60, 10, 7, 3, 6, 4, 10), lab.Refuted, "foo got 60%", ""},
		{"six to one of two", lab.Random, equal(2), blocks(6), lab.Inconclusive, "cannot tell", "too small"},
		{"fair but few", lab.Random, equal(10), shuffled(1, 30, 31, 29, 33, 27, 30, 30, 28, 32, 30), lab.Inconclusive, "connections would tell", ""},
		{"weights", lab.Random, replicas(3, 1), shuffled(1, 2260, 740), lab.Held, "what its weight says", ""},
		{"weights ignored", lab.Random, replicas(3, 1), shuffled(1, 150, 150), lab.Refuted, "foo got 50% where 75% is its share", ""},
		{"near but not exactly", lab.Random, equal(2), shuffled(1, 16200, 13800), lab.Held, "not exactly", ""},
		{"a suspicious balance", lab.Random, equal(3), turns(3000, 3), lab.Held, "balanced", "more even than chance"},
		{"turns", lab.RoundRobin, equal(2), turns(300, 2), lab.Held, "in turn", "more even than chance"},
		{"few turns", lab.RoundRobin, equal(2), turns(3, 2), lab.Inconclusive, "cannot show", "does not decide"},
		{"turns by weight", lab.RoundRobin, replicas(2, 1), shuffled(1, 200, 100), lab.Held, "in turn", ""},
		{"out of turn, fair", lab.RoundRobin, equal(2), shuffled(1, 158, 142), lab.Held, "balanced", "not strictly in turn"},
		{"out of turn, skewed", lab.RoundRobin, equal(2), shuffled(1, 220, 80), lab.Refuted, "skewed", "not strictly in turn"},
		{"race, fair", lab.AcceptRace, equal(2), shuffled(1, 150, 150), lab.Held, "balanced", "no exact law"},
		{"race, skewed", lab.AcceptRace, equal(2), shuffled(1, 260, 40), lab.Refuted, "foo got 86.7% (82.4% to 90.1%", "no exact law"},
		{"race, unclear", lab.LeastConnections, equal(2), shuffled(1, 178, 122), lab.Inconclusive, "cannot tell", "no exact law"},
		{"single", lab.Single, equal(2), blocks(0, 9), lab.Held, "bar answered all", ""},
		{"not single", lab.Single, equal(2), blocks(1, 9), lab.Refuted, "foo and bar", ""},
		{"one replica", lab.Random, equal(1), blocks(9), lab.Held, "foo answered all", ""},
		{"stranger", lab.Random, equal(2), blocks(50, 50, 1), lab.Refuted, "baz, which is none of the replicas, answered 1 of 101", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, shares, evidence(c.null, c.fleet, answers(c.sequence)))
			if v.Outcome != c.want || !strings.Contains(v.Sentence, c.sentence) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Outcome, v.Sentence, c.want, c.sentence)
			}
			if c.warning != "" && !warned(v, c.warning) {
				t.Errorf("warnings %q, want one with %q", v.Warnings, c.warning)
			}
			if v.Outcome == lab.Inconclusive && v.NeedN <= v.N {
				t.Errorf("needs %d, had %d: %s", v.NeedN, v.N, v.Sentence)
			}
		})
	}
}

// Ports used again send a hash the same way: four times the same hundred
// connections are no better evidence than the hundred.
func TestRepeatedTuplesCountOnce(t *testing.T) {
	once := answers(shuffled(1, 60, 40))
	var often []lab.Sample
	for i := range 400 {
		s := once[i%100]
		s.Request, s.Connection = i, i
		often = append(often, s)
	}
	v := judge(t, shares, evidence(lab.Hash, equal(2), often))
	want := judge(t, shares, evidence(lab.Hash, equal(2), once))
	if v.N != 100 || *v.PValue != *want.PValue || v.Outcome != want.Outcome || !warned(v, "300 connections") {
		t.Errorf("%+v, want %+v", v, want)
	}
	if random := judge(t, shares, evidence(lab.Random, equal(2), often)); random.N != 400 {
		t.Errorf("random choice counted %d of 400", random.N)
	}
}

// The same port of another client, or to another target, is another pair.
func TestOtherClientsAndTargetsAreNoRepetition(t *testing.T) {
	all := answers(shuffled(1, 60, 40))
	for i, s := range all[:50] {
		s.Request, s.Connection = 100+2*i, 100+2*i
		s.Target = netip.AddrPortFrom(s.Target.Addr(), s.Target.Port()+1)
		all = append(all, s)
		s = all[i]
		s.Request, s.Connection = 101+2*i, 101+2*i
		s.Local = netip.AddrPortFrom(s.Local.Addr().Next(), s.Local.Port())
		all = append(all, s)
	}
	if v := judge(t, shares, evidence(lab.Hash, equal(2), all)); v.N != 200 || warned(v, "used before") {
		t.Errorf("%d connections of 200, warnings %q", v.N, v.Warnings)
	}
}

func TestSharesCountConnectionsNotRequests(t *testing.T) {
	all := answers(append(blocks(10, 10), make([]int, 80)...))
	for i := 20; i < len(all); i++ {
		all[i].Connection = 0 // kept alive
	}
	if v := judge(t, shares, evidence(lab.Random, equal(2), all)); v.N != 20 || *v.PValue != 1 {
		t.Errorf("%d connections, p = %v", v.N, *v.PValue)
	}
}

func TestCountsFromOutsideAreSaid(t *testing.T) {
	e := evidence(lab.Random, equal(2), nil)
	e.Measurement.CountFromOutside(map[string]uint64{"foo": 158, "bar": 142})
	if v := judge(t, shares, e); v.Outcome != lab.Held || !warned(v, "from outside") {
		t.Errorf("%+v", v)
	}
}

// Of fair balancers at most alpha may be refuted; of unfair ones most must be.
// The bounds are exact binomial ones of 99.9%.
func TestCalibration(t *testing.T) {
	const runs = 2000
	for _, c := range []struct {
		name   string
		shares []float64
		n      int
		fair   bool
	}{
		{"two, fair", []float64{.5, .5}, 300, true},
		{"ten, fair", []float64{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}, 300, true},
		{"ten, fair, few", []float64{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}, 60, true},
		{"two, 65/35", []float64{.65, .35}, 300, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(4, 2))
			refuted, held := 0, 0
			for range runs {
				e := evidence(lab.Random, equal(len(c.shares)), nil)
				for range c.n {
					e.Measurement.Instances[pick(rng, c.shares)].Connections++
				}
				switch shares.Judge(e).Outcome {
				case lab.Refuted:
					refuted++
				case lab.Held:
					held++
				}
			}
			seen := stat.ClopperPearson(refuted, runs, 0.999)
			t.Logf("refuted %d, held %d of %d", refuted, held, runs)
			if c.fair && seen.Low > claim.Alpha {
				t.Errorf("%d of %d fair runs refuted: %v", refuted, runs, seen)
			}
			if wrong := stat.ClopperPearson(held, runs, 0.999); !c.fair && (seen.Low < 0.95 || wrong.Low > 1-claim.Confidence) {
				t.Errorf("%d of %d unfair runs refuted, %d held", refuted, runs, held)
			}
		})
	}
}

func pick(rng *rand.Rand, shares []float64) int {
	u := rng.Float64()
	for i, s := range shares {
		if u -= s; u < 0 {
			return i
		}
	}
	return len(shares) - 1
}
