package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/portlab/portlab/lab"
)

// fake is a strategy whose runs follow a known law.
type fake struct{ name string }

func (f fake) Name() string     { return f.name }
func (f fake) About() lab.About { return lab.About{Summary: "a law of its own"} }
func (f fake) Needs() lab.Needs { return lab.Needs{Null: lab.Random} }
func (f fake) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) {
	return nil, nil
}

// law makes results: the median latency of a run is lognormal around a
// centre, times what disturbs its round.
type law struct {
	rng    *rand.Rand
	centre map[string]float64 // ns, by strategy; 1e6 for the others
	spread float64            // of the logarithm, from run to run
	round  func(n int) float64
	runs   int
	perRow int // runs in a round
	change func(r *lab.Result)
}

func newLaw(seed uint64) *law {
	return &law{rng: rand.New(rand.NewPCG(seed, 99)), centre: map[string]float64{}, spread: 0.05}
}

func (l *law) run(_ context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
	round := 0
	if l.perRow > 0 {
		round = l.runs / l.perRow // 0 while arms warm up
	}
	l.runs++
	p50 := l.centre[t.Strategy.Name()]
	if p50 == 0 {
		p50 = 1e6
	}
	p50 *= math.Exp(l.spread * l.rng.NormFloat64())
	if l.round != nil {
		p50 *= l.round(round)
	}
	n := t.Plan.Requests
	r := &lab.Result{
		Strategy: t.Strategy.Name(), Requests: n, Connections: n, Elapsed: time.Duration(p50 * float64(n)),
		Latency: lab.Quantiles{
			Count: n, P50: time.Duration(p50), P90: time.Duration(2 * p50), P99: time.Duration(4 * p50), P999: time.Duration(9 * p50),
		},
		Faults: map[lab.Fault]int{}, Environment: lab.Environment{Kernel: "6", CPUs: 2},
		Cost: &lab.Cost{Client: time.Duration(n) * 1000, Replicas: time.Duration(n) * 2000, Rest: time.Duration(n) * 500, Machine: time.Duration(n) * 3500},
	}
	for i := range t.Fleet.Replicas {
		r.Instances = append(r.Instances, lab.InstanceResult{
			Name: lab.InstanceName(i), Connections: n / t.Fleet.Replicas, Expected: 1 / float64(t.Fleet.Replicas),
		})
	}
	if l.change != nil {
		l.change(r)
	}
	e := lab.Evidence{Measurement: lab.Measurement{Requests: n}, Samples: lab.SampleList{}, Emulated: r.Environment.Emulated}
	for i, c := range t.Claims {
		v := c.Judge(e)
		v.Claim, v.Asked = c.Name(), i < t.Asked
		r.Verdicts = append(r.Verdicts, v)
	}
	return r, lab.SampleList{}, nil
}

// config compares strategies of these names with the baselines direct, at one
// replica, and client-side.
func config(l *law, names ...string) Config {
	plan := lab.DefaultPlan()
	plan.Requests = 1000
	cfg := Config{
		ID: "aaaaaa", Seed: 1, Rounds: DefaultRounds, Run: l.run,
		Trial: lab.Trial{Vantage: lab.External, Plan: plan, Fleet: lab.FleetSpec{Replicas: 4}},
		Contenders: []Contender{
			{Strategy: fake{"client-side"}, Replicas: 4, Baseline: true},
			{Strategy: fake{"direct"}, Replicas: 1, Baseline: true},
		},
	}
	for _, n := range names {
		cfg.Contenders = append(cfg.Contenders, Contender{Strategy: fake{n}, Replicas: 4, Named: true})
	}
	l.perRow = len(cfg.Contenders)
	return cfg
}
