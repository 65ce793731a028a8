package calibrate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// Nominals are the significances at which every test is held against its promise.
func Nominals() []float64 { return []float64{0.10, 0.05, 0.01} }

// study is one test on runs of one kind.
type study struct {
	test, of string
	n        int // observations of each run
	promise  Promise
	why      string
	costly   bool                                        // each run draws at random many times: a fifth of the runs must do
	nominals []float64                                   // if they are not [Nominals]
	exact    func(alpha float64) (rate float64, ok bool) // of false alarms; may be nil
	p        func(rng *rand.Rand) float64                // of one run; above 1 where the test says nothing
}

// alarms carries a study out and counts at each nominal rate.
func (s study) alarms(runs int, seed uint64) []Alarms {
	if s.costly {
		runs /= 5
	}
	p, rng := make([]float64, runs), s.rand(seed)
	for i := range p {
		p[i] = s.p(rng)
	}
	nominals := s.nominals
	if nominals == nil {
		nominals = Nominals()
	}
	var all []Alarms
	for _, nominal := range nominals {
		a := Alarms{Test: s.test, Of: s.of, N: s.n, Promise: s.promise, Why: s.why, Nominal: nominal}
		if s.exact != nil {
			if rate, ok := s.exact(nominal); ok {
				a.Exact = &rate
			}
		}
		a.count(p)
		all = append(all, a)
	}
	return all
}

// rand is the study's own, so that what one draws does not depend on which
// others there are.
func (s study) rand(seed uint64) *rand.Rand { return named(seed, fmt.Sprint(s.test, s.of, s.n)) }

func named(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// none is the p-value of a run of which a test says nothing: no alarm at any
// significance.
const none = 2

// pOf is the p-value that a claim finds for a run of a balancer.
func pOf(c lab.Claim, b Balancer, n int) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 {
		if v := c.Judge(b.Evidence(rng, n)); v.PValue != nil {
			return *v.PValue
		}
		return none
	}
}

// shares is the claim about shares with the tolerance that runs have.
func shares() lab.Claim { return claim.Shares{TolerancePercent: claim.DefaultTolerancePercent} }

// each calls do for 0 to n-1 on all processors and returns when all are done.
func each(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
