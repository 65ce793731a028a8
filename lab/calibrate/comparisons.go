package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// comparisonStudies have the engine compare arms that are all of one strategy,
// with looks at the data on the way.
func comparisonStudies() []study {
	const why = "Holm over pairs, Bonferroni over looks"
	of := func(name string, looks ...int) study {
		return study{test: "comparison", of: name, n: 12, promise: AtMost, why: why,
			p: func(rng *rand.Rand) float64 { return compareAlike(rng, 4, 12, looks) }}
	}
	return []study{
		of("A/A of four arms"),
		of("A/A of four arms, looks after 6 and 9", 6, 9),
	}
}

// compareAlike is the least adjusted p-value of any pair, in one metric, where
// the comparison ended, times what the engine divides its alpha by for its looks: so
// it is at most alpha wherever the engine tells two arms apart at alpha.
func compareAlike(rng *rand.Rand, arms, rounds int, looks []int) float64 {
	cfg := compare.Config{
		ID: lab.NewRunID(), Seed: rng.Uint64(), Rounds: rounds, Looks: looks,
		Trial: lab.Trial{Vantage: lab.External, Plan: lab.DefaultPlan()},
		Run: func(_ context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
			return alike(rng, t), lab.SampleList{}, nil
		},
	}
	cfg.Trial.Plan.Requests = 300
	for range arms {
		cfg.Contenders = append(cfg.Contenders, compare.Contender{Strategy: nothing{}, Replicas: 2})
	}
	c, err := compare.Compare(context.Background(), cfg)
	if err != nil {
		return none
	}
	least := math.Inf(1)
	for _, p := range c.Pairs {
		if p.Metric == compare.LatencyP50 && p.Adjusted != nil {
			least = min(least, *p.Adjusted*c.Stop.Alpha/c.Stop.LookAlpha)
		}
	}
	return least
}

// alike is the result of a run whose latency and rate depend on nothing.
func alike(rng *rand.Rand, t *lab.Trial) *lab.Result {
	v := values(rng, 2, 0)
	p50 := time.Duration(v[0] * float64(200*time.Microsecond))
	return &lab.Result{
		Run: t.Fleet.Run, Strategy: t.Strategy.Name(), Requests: t.Plan.Requests,
		Elapsed: time.Duration(v[1] * float64(time.Second)),
		Latency: lab.Quantiles{Count: t.Plan.Requests, P50: p50, P90: 2 * p50},
	}
}

// nothing is a strategy that exists only in simulations.
type nothing struct{}

func (nothing) Name() string                                                  { return "simulated" }
func (nothing) About() lab.About                                              { return lab.About{Summary: "exists only in simulations"} }
func (nothing) Needs() lab.Needs                                              { return lab.Needs{Null: lab.Random} }
func (nothing) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }
