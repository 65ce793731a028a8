package calibrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

// GroupPairs is how many pairs are one comparison of runs with runs.
const GroupPairs = 10

// Pairs is what pairs of real runs of one and the same strategy came to.
type Pairs struct {
	Strategy string   `json:"strategy"`
	Runs     []Run    `json:"runs"` // in the order in which they ran
	Alarms   []Alarms `json:"false_alarms"`
	// Lost counts the runs that lost a request: the claim "no request fails" has
	// no error rate of its own.
	Lost int `json:"lossy_runs"`
	// Slower counts, of the runs in which latency depends on the instance at 5%,
	// those in which each instance had the longer median: whether it is always the same.
	Slower map[string]int `json:"slower"`
}

// Run is one run of a pair.
type Run struct {
	Pair     int       `json:"pair"`   // from 1
	Second   bool      `json:"second"` // it is the pair's A', whichever of the two ran first
	ID       lab.RunID `json:"run"`
	Requests int       `json:"requests"`
	Failed   int       `json:"failed"`
	// PValues are those of [Tests] that decide something, by name.
	PValues map[string]float64 `json:"p_values"`
	Slowest string             `json:"slowest"` // the instance with the longest median latency
	// Values are what runs are compared by: req/s and ns.
	Values map[string]float64 `json:"values"`
}

// Metrics are the names of a run's values.
func Metrics() []string { return []string{"throughput", "latency_p50", "latency_p90"} }

// Claims are those that pairs are judged by.
func Claims() []lab.Claim {
	return []lab.Claim{shares(), claim.Order{}, claim.LatencyIndependent{}, claim.NoLoss{}}
}

// Dealt is a control: real latencies, tested against instances that were dealt
// out at random. Two processes of one run may really differ in latency, whatever
// the strategy; what was dealt out cannot.
const Dealt = "latency is independent of an instance drawn at random"

// Tests are the names of the tests that have a p-value in each run.
func Tests() []string {
	return []string{shares().Name(), claim.Order{}.Name(), claim.LatencyIndependent{}.Name(), Dealt}
}

// RunPairs carries out pairs of runs, the two of each in an order drawn from the
// seed, and counts the false alarms of every test: those within a run, and
// those of one arm against the other, in groups of [GroupPairs] pairs. What is
// left of the last group is not compared. trial carries out one run from nothing to
// nothing, with [Claims] as its claims. watch is told after each run. When a
// trial fails or ctx ends, it returns that error.
func RunPairs(ctx context.Context, strategy string, pairs int, seed uint64,
	trial func(context.Context) (*lab.Result, lab.Samples, error), watch func(done, of int)) (*Pairs, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	r := &Pairs{Strategy: strategy}
	for pair := 1; pair <= pairs; pair++ {
		second := rng.IntN(2) == 1
		for range 2 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			res, samples, err := trial(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s, pair %d of %d: %w", strategy, pair, pairs, err)
			}
			run := runOf(res, pair, second)
			if v := dealt(rng, res, samples); v.PValue != nil {
				run.PValues[Dealt] = *v.PValue
			}
			r.Runs = append(r.Runs, run)
			second = !second
			watch(len(r.Runs), 2*pairs)
		}
	}
	r.Count()
	return r, nil
}

func runOf(res *lab.Result, pair int, second bool) Run {
	r := Run{Pair: pair, Second: second, ID: res.Run, Requests: res.Requests, PValues: map[string]float64{}, Values: map[string]float64{}}
	for _, n := range res.Faults {
		r.Failed += n
	}
	for _, v := range res.Verdicts {
		// Without an alpha the p-value decides nothing: the strategy promises
		// something else than the test's null.
		if v.PValue != nil && v.Alpha > 0 {
			r.PValues[v.Claim] = *v.PValue
		}
	}
	if res.Elapsed > 0 {
		r.Values["throughput"] = float64(res.Latency.Count) / res.Elapsed.Seconds()
	}
	r.Values["latency_p50"], r.Values["latency_p90"] = float64(res.Latency.P50), float64(res.Latency.P90)
	var longest time.Duration
	for _, in := range res.Instances {
		if in.Latency.P50 > longest {
			longest, r.Slowest = in.Latency.P50, in.Name
		}
	}
	return r
}

// dealt tests the latencies of a run against instances dealt out at random, in
// the shares of the replicas.
func dealt(rng *rand.Rand, res *lab.Result, samples lab.Samples) lab.Verdict {
	var list lab.SampleList
	shares := lab.Shares(res.Fleet)
	for s := range samples.All() {
		if s.OK() && s.Instance != "" && len(shares) > 0 {
			s.Instance = lab.InstanceName(pick(shares, rng.Float64()))
			list = append(list, s)
		}
	}
	return claim.LatencyIndependent{}.Judge(lab.Evidence{Samples: list, Plan: res.Plan, Null: lab.Random})
}

// Count fills in what follows from the runs.
func (r *Pairs) Count() {
	r.Alarms, r.Lost, r.Slower = nil, 0, map[string]int{}
	latency := claim.LatencyIndependent{}.Name()
	for _, run := range r.Runs {
		if run.Failed > 0 {
			r.Lost++
		}
		if p, ok := run.PValues[latency]; ok && p <= 0.05 {
			r.Slower[run.Slowest]++
		}
	}
	for _, name := range Tests() {
		row := Alarms{Test: name, Promise: About, Why: pearsonWhy}
		switch name {
		case claim.Order{}.Name():
			row.Promise, row.Why = AtMost, orderWhy
		case latency:
			row.Promise, row.Why = Unknown, "two processes of one run may really differ"
		}
		var p []float64
		for _, run := range r.Runs {
			if v, ok := run.PValues[name]; ok {
				p, row.N = append(p, v), run.Requests
			}
		}
		r.tally(row, p)
	}
	for _, m := range Metrics() {
		r.tally(Alarms{Test: "Mann-Whitney, " + m, N: GroupPairs, Promise: AtMost, Why: discreteWhy}, r.groups(m))
	}
	Judge(r.Alarms)
}

// tally counts p-values at each nominal rate, if there are any.
func (r *Pairs) tally(row Alarms, p []float64) {
	if len(p) == 0 {
		return
	}
	row.Of = "A/A, " + r.Strategy
	for _, row.Nominal = range Nominals() {
		row.Alarms = 0
		row.count(p)
		r.Alarms = append(r.Alarms, row)
	}
}

// groups are the p-values of one arm against the other, a group at a time.
func (r *Pairs) groups(metric string) []float64 {
	var p, first, second []float64
	for _, run := range r.Runs {
		v, ok := run.Values[metric]
		if !ok {
			continue
		}
		if run.Second {
			second = append(second, v)
		} else {
			first = append(first, v)
		}
		if len(first) == GroupPairs && len(second) == GroupPairs {
			if t, err := stat.MannWhitney(first, second); err == nil {
				p = append(p, t.P)
			}
			first, second = nil, nil
		}
	}
	return p
}
