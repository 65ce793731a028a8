package claim_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// visits makes one answered connection of each of the client addresses in turn,
// rounds times, with the instance that pick says.
func visits(clients, rounds int, pick func(client int) int) []lab.Sample {
	sequence := make([]int, clients*rounds)
	for i := range sequence {
		sequence[i] = pick(i % clients)
	}
	all := answers(sequence)
	for i := range all {
		client := netip.AddrFrom4([4]byte{198, 19, 0, byte(2 + i%clients)})
		all[i].Local = netip.AddrPortFrom(client, uint16(1024+i))
		all[i].ReplicaSaw = all[i].Local
	}
	return all
}

func TestStickyByClient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	byParity := func(client int) int { return client % 2 }
	for name, c := range map[string]struct {
		samples []lab.Sample
		want    lab.Outcome
		needs   bool
	}{
		"each its own":               {visits(10, 10, byParity), lab.Held, false},
		"one strays":                 {append(visits(10, 10, byParity), visits(1, 1, func(int) int { return 1 })...), lab.Refuted, false},
		"at random":                  {visits(10, 10, func(int) int { return rng.IntN(2) }), lab.Refuted, false},
		"one address, one instance":  {visits(1, 100, byParity), lab.Inconclusive, false},
		"one address, two instances": {visits(1, 100, func(int) int { return rng.IntN(2) }), lab.Refuted, false},
		"one instance for all":       {visits(10, 10, func(int) int { return 0 }), lab.Inconclusive, false},
		"each address once":          {visits(10, 1, byParity), lab.Inconclusive, true},
		"too few":                    {visits(3, 2, byParity), lab.Inconclusive, true},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.samples {
				c.samples[i].Request, c.samples[i].Connection = i, i
			}
			v := judge(t, claim.StickyByClient{}, evidence(lab.Hash, equal(2), c.samples))
			if v.Outcome != c.want || (v.NeedN > 0) != c.needs || v.NeedN > 0 && v.NeedN <= v.N {
				t.Errorf("%s, %d needed of %d: %s", v.Outcome, v.NeedN, v.N, v.Sentence)
			}
		})
	}
}

// Random choice passes for sticky no more often than the level says.
func TestStickyByClientIsNotHeldByChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const runs = 2000
	held := 0
	for range runs {
		v := claim.StickyByClient{}.Judge(evidence(lab.Random, equal(2), visits(4, 3, func(int) int { return rng.IntN(2) })))
		if v.Outcome == lab.Held {
			held++
		}
	}
	// The true rate is at most 2 (1/4)^4 = 0.8%; 40 is beyond what 1% gives in a
	// million repetitions.
	if held > 40 {
		t.Errorf("held in %d of %d random runs", held, runs)
	}
}
