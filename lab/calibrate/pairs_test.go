package calibrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// simulatedTrial is a run of a fair balancer with the claims of pairs.
func simulatedTrial(seed uint64) func(context.Context) (*lab.Result, lab.Samples, error) {
	rng := rand.New(rand.NewPCG(seed, 5))
	return func(context.Context) (*lab.Result, lab.Samples, error) {
		e := Even(2).Evidence(rng, 100)
		v := values(rng, 2, 0)
		res := &lab.Result{Run: lab.NewRunID(), Fleet: e.Replicas, Plan: e.Plan, Requests: 100, Elapsed: time.Duration(v[0] * float64(time.Second)), Latency: e.Measurement.Latency}
		res.Latency.P50 = time.Duration(v[1] * float64(time.Millisecond))
		for _, c := range Claims() {
			v := c.Judge(e)
			v.Claim = c.Name()
			res.Verdicts = append(res.Verdicts, v)
		}
		return res, e.Samples, nil
	}
}

func TestPairsOfOneStrategyRaiseFewAlarms(t *testing.T) {
	told := 0
	p, err := RunPairs(t.Context(), "simulated", 200, 1, simulatedTrial(1), func(done, of int) { told = done; _ = of })
	if err != nil || told != 400 || len(p.Runs) != 400 {
		t.Fatalf("%v; told %d, %d runs", err, told, len(p.Runs))
	}
	first := 0 // of a pair that are A
	for i := 0; i < len(p.Runs); i += 2 {
		if a, b := p.Runs[i], p.Runs[i+1]; a.Pair != b.Pair || a.Second == b.Second {
			t.Fatalf("no pair: %+v, %+v", a, b)
		} else if b.Second {
			first++
		}
	}
	if first < 60 || first > 140 {
		t.Errorf("A came first in %d of 200 pairs", first)
	}
	tests := map[string]bool{}
	for _, a := range p.Alarms {
		tests[a.Test] = true
		if a.Finding == TooMany {
			t.Errorf("%+v", a)
		}
	}
	// Four tests have a p-value, and three metrics are compared.
	if len(tests) != 7 || len(p.Alarms) != 7*len(Nominals()) {
		t.Errorf("tests %v, %d rows", tests, len(p.Alarms))
	}
}

// Arms that do differ, p-values that are too small and losses are seen.
func TestPairsShowWhatIsWrong(t *testing.T) {
	p, err := RunPairs(t.Context(), "simulated", 60, 1, simulatedTrial(2), func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Runs {
		p.Runs[i].PValues[shares().Name()] = 0.001
		if p.Runs[i].Second {
			p.Runs[i].Values["latency_p50"] *= 3
		}
	}
	p.Runs[7].Failed = 2
	for i := range 10 {
		p.Runs[i].PValues[Dealt], p.Runs[i].PValues[claim.LatencyIndependent{}.Name()], p.Runs[i].Slowest = 1e-9, 1e-9, "bar"
	}
	p.Count()
	found := map[string]bool{}
	for _, a := range Broken(p.Alarms) {
		found[a.Test] = true
	}
	if p.Lost != 1 || len(found) != 3 || !found[shares().Name()] || !found["Mann-Whitney, latency_p50"] || !found[Dealt] {
		t.Errorf("%d lossy runs, found %v", p.Lost, found)
	}
	// Real differences of replicas are no false alarms, but are counted.
	if p.Slower["bar"] < 10 {
		t.Errorf("slower were %v", p.Slower)
	}
}

func TestPairsEndWithWhatFails(t *testing.T) {
	broken := errors.New("the engine died")
	_, err := RunPairs(t.Context(), "simulated", 10, 1, func(context.Context) (*lab.Result, lab.Samples, error) { return nil, nil, broken }, func(int, int) {})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = RunPairs(ctx, "simulated", 10, 1, simulatedTrial(3), func(int, int) { cancel(broken) })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestSimulateRefuses(t *testing.T) {
	for _, runs := range []int{0, MinRuns - 1, MaxRuns + 1} {
		if _, err := Simulate(t.Context(), Config{Runs: runs}); err == nil {
			t.Errorf("%d runs were simulated", runs)
		}
	}
	broken := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := Simulate(ctx, Config{Runs: MinRuns}); !errors.Is(err, broken) {
		t.Error(err)
	}
}
