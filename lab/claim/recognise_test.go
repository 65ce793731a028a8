package claim_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// byLaw is n draws with these shares.
func byLaw(seed uint64, n int, shares ...float64) []int {
	rng := rand.New(rand.NewPCG(seed, 5))
	s := make([]int, n)
	for i := range s {
		u := rng.Float64()
		for s[i] < len(shares)-1 && u >= shares[s[i]] {
			u -= shares[s[i]]
			s[i]++
		}
	}
	return s
}

func evenly(k int) []float64 { return slices.Repeat([]float64{1 / float64(k)}, k) }

// twice offers every address and port a second time; keep says whether it gets
// the same instance again.
func twice(samples []lab.Sample, keep func(i int) bool) []lab.Sample {
	all := slices.Clone(samples)
	for i, s := range samples {
		if s.Request, s.Connection = len(all), len(all); !keep(i) {
			s.Instance = samples[(i+1)%len(samples)].Instance
		}
		all = append(all, s)
	}
	return all
}

func TestRecognise(t *testing.T) {
	fromEach := func(clients int, samples []lab.Sample) []lab.Sample {
		for i := range samples {
			samples[i].Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 19, 0, byte(2 + i%clients)}), uint16(1024+i))
		}
		return samples
	}
	workers := func(n, k int) []int { // four workers in turn, which take connections at random
		rng := rand.New(rand.NewPCG(7, 8))
		next := []int{0, 1 % k, 2 % k, 3 % k}
		s := make([]int, n)
		for i := range s {
			w := rng.IntN(len(next))
			s[i], next[w] = next[w], (next[w]+1)%k
		}
		return s
	}
	for name, c := range map[string]struct {
		fleet   []lab.Replica
		samples []lab.Sample
		want    lab.Pattern
	}{
		"nothing":                      {equal(2), nil, lab.LooksOpen},
		"two connections":              {equal(2), answers([]int{0, 1}), lab.LooksOpen},
		"one instance of few":          {equal(2), answers(blocks(3)), lab.LooksOpen},
		"one instance, one address":    {equal(2), answers(blocks(300)), lab.LooksSingleOrSticky},
		"one instance, many addresses": {equal(2), fromEach(20, answers(blocks(300))), lab.LooksSingle},
		"one replica":                  {equal(1), answers(blocks(300)), lab.LooksSingle},
		"sticky":                       {equal(2), visits(10, 30, func(client int) int { return client * 7 % 10 / 5 }), lab.LooksSticky},
		"in turn":                      {equal(3), answers(turns(300, 3)), lab.LooksRoundRobin},
		"weighted turns":               {replicas(3, 1), answers(slices.Repeat([]int{0, 0, 1, 0}, 75)), lab.LooksRoundRobin},
		"blocks":                       {equal(2), answers(blocks(150, 150)), lab.LooksInRuns},
		"four workers":                 {equal(8), answers(workers(4000, 8)), lab.LooksTooEven},
		"random":                       {equal(2), answers(byLaw(1, 300, evenly(2)...)), lab.LooksRandomOrHash},
		"random among many":            {equal(10), answers(byLaw(2, 3000, evenly(10)...)), lab.LooksRandomOrHash},
		"the article's first counts":   {equal(2), answers(shuffled(1, 158, 142)), lab.LooksRandomOrHash},
		"the article's second counts":  {equal(2), answers(shuffled(1, 143, 157)), lab.LooksRandomOrHash},
		"weighted random":              {replicas(3, 1), answers(byLaw(3, 2000, 0.75, 0.25)), lab.LooksRandomOrHash},
		"a hash":                       {equal(2), twice(answers(byLaw(4, 300, evenly(2)...)), func(int) bool { return true }), lab.LooksHash},
		"not a hash":                   {equal(2), twice(answers(byLaw(4, 300, evenly(2)...)), func(i int) bool { return i != 9 }), lab.LooksRandom},
		"too few tuples again":         {equal(2), append(answers(byLaw(5, 300, evenly(2)...)), renumbered(300, answers(byLaw(5, 3, evenly(2)...)))...), lab.LooksRandomOrHash},
		"kubernetes 37932":             {equal(7), answers(shuffled(1, 60, 10, 7, 3, 6, 4, 10)), lab.LooksUneven},
		"the cascade":                  {equal(10), answers(shuffled(1, 396, 367, 337, 284, 263, 230, 208, 187, 183, 1545)), lab.LooksPositional},
		"the cascade from the end":     {equal(10), answers(shuffled(1, 1545, 183, 187, 208, 230, 263, 284, 337, 367, 396)), lab.LooksPositional},
		"ever fewer":                   {equal(8), answers(shuffled(1, 800, 700, 600, 500, 400, 300, 200, 100)), lab.LooksPositional},
		"one gets more":                {equal(10), answers(shuffled(1, 100, 100, 101, 99, 250, 100, 98, 102, 100, 100)), lab.LooksUneven},
		"weights not kept":             {replicas(3, 1), answers(byLaw(6, 300, 0.5, 0.5)), lab.LooksUneven},
	} {
		t.Run(name, func(t *testing.T) {
			got := claim.Recognise(evidence(lab.UnknownNull, c.fleet, c.samples))
			if got.Name != c.want || !slices.Contains(lab.Patterns(), got.Name) {
				t.Errorf("%s, want %s: %s", got.Name, c.want, got.Sentence)
			}
			if got.Sentence == "" {
				t.Error("it does not say what it was told by")
			}
		})
	}
}

// renumbered makes samples the ones from first on.
func renumbered(first int, samples []lab.Sample) []lab.Sample {
	for i := range samples {
		samples[i].Request, samples[i].Connection = first+i, first+i
	}
	return samples
}

// Counts without an order tell less, and never more than there is.
func TestRecogniseByCountsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		counts []int
		want   lab.Pattern
	}{
		"few": {[]int{2, 2}, lab.LooksOpen}, "article": {[]int{158, 142}, lab.LooksRandomOrHash}, "even": {[]int{5000, 5000, 5000}, lab.LooksTooEven},
		"cascade": {[]int{396, 367, 337, 284, 263, 230, 208, 187, 183, 1545}, lab.LooksPositional}, "one": {[]int{300, 0}, lab.LooksSingleOrSticky},
	} {
		t.Run(name, func(t *testing.T) {
			if got := claim.Recognise(counted(lab.UnknownNull, equal(len(c.counts)), c.counts)); got.Name != c.want {
				t.Errorf("%s, want %s: %s", got.Name, c.want, got.Sentence)
			}
		})
	}
}

// counted is the evidence of counts alone.
func counted(null lab.Null, fleet []lab.Replica, counts []int) lab.Evidence {
	e := evidence(null, fleet, answers(blocks(counts...)))
	e.Samples = lab.SampleList{}
	return e
}

// Chance is taken for something else no more often than the levels of the rules
// add up to.
func TestRecogniseRandomAsSuch(t *testing.T) {
	const runs = 400
	other := map[lab.Pattern]int{}
	wrong := 0
	for i := range runs {
		b := claim.Recognise(evidence(lab.Random, equal(6), answers(byLaw(uint64(100+i), 600, evenly(6)...))))
		if b.Name != lab.LooksRandomOrHash && b.Name != lab.LooksOpen {
			other[b.Name]++
			wrong++
		}
	}
	// Uneven and too even at 1% each: 8 are to be expected, and more than 22 in
	// fewer than one of a hundred thousand repetitions.
	if wrong > 22 {
		t.Errorf("%d of %d random runs were named otherwise: %v", wrong, runs, other)
	}
}
