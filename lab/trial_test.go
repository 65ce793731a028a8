package lab_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// weighted is a strategy that can spread by weights.
type weighted struct{ *strategy }

func (weighted) Weighted() {}

func TestTrialThatMakesNoSenseTouchesNothing(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"no replicas":        func(r *rig) { r.Fleet.Replicas = 0 },
		"no requests":        func(r *rig) { r.Plan.Requests = 0 },
		"weights of nothing": func(r *rig) { r.Fleet.Weights = []float64{1, 2} },
		"too few weights":    func(r *rig) { r.Strategy, r.Fleet.Weights = weighted{r.strategy}, []float64{1} },
		"a weight of zero":   func(r *rig) { r.Strategy, r.Fleet.Weights = weighted{r.strategy}, []float64{1, 0} },
		"no number":          func(r *rig) { r.Strategy, r.Fleet.Weights = weighted{r.strategy}, []float64{1, math.NaN()} },
	} {
		r := newRig()
		change(r)
		res, _, err := r.run(t)
		if _, usage := errors.AsType[*lab.UsageError](err); !usage || res != nil {
			t.Errorf("%s: error %v, result %v; want a usage error and none", name, err, res)
		}
		r.did(t)
	}
	r := newRig()
	r.Strategy, r.Fleet.Weights = weighted{r.strategy}, []float64{1, 2.5}
	if err := r.Valid(); err != nil {
		t.Errorf("a strategy that can spread by weights: %v", err)
	}
}

func TestVantageThatTheStrategyRulesOutIsUnsupported(t *testing.T) {
	r := newRig()
	r.strategy.needs.NotFrom = map[lab.Vantage]string{lab.External: "no route leads there", lab.Peer: "nor there"}
	_, _, err := r.run(t)
	no, ok := errors.AsType[*lab.UnsupportedError](err)
	if !ok || no.Reason != "no route leads there" {
		t.Fatalf("got %v, want an unsupported error with the strategy's reason", err)
	}
	for _, v := range lab.Vantages() {
		_, out := r.strategy.needs.NotFrom[v]
		if strings.Contains(no.Remedy, string(v)) == out {
			t.Errorf("the remedy is %q, and %s is ruled out: %v", no.Remedy, v, out)
		}
	}
	r.did(t)
}

func TestProbesDecideWhetherATrialCanRun(t *testing.T) {
	probe := func(name string, says error) lab.Probe {
		return lab.Probe{Name: name, Check: func(context.Context, lab.Host, lab.Family) error { return says }}
	}
	missing := &lab.UnsupportedError{Reason: "it is not there"}

	r := newRig()
	r.strategy.needs.Probes = []lab.Probe{probe("here", nil), probe("unknown", errSaid), probe("missing", missing)}
	res, _, err := r.run(t)
	if !errors.Is(err, missing) || !errors.Is(err, lab.ErrUnsupported) || res != nil {
		t.Errorf("error %v, result %v; want that of the missing thing and none", err, res)
	}
	if !strings.Contains(missing.What, "missing") || !strings.Contains(missing.What, r.strategy.Name()) {
		t.Errorf("%q does not say who needs what", missing.What)
	}
	r.did(t, "host")

	r = newRig()
	r.strategy.needs.Probes = []lab.Probe{probe("unknown", errSaid)}
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("a probe that cannot tell stands in the way: %v", err)
	}
}

func TestExplanationIsWhatARunDoesAndChangesNothing(t *testing.T) {
	r := newRig()
	e, err := lab.Explain(t.Context(), r.Trial)
	if err != nil {
		t.Fatal(err)
	}
	r.did(t)
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.Commands(), res.Shell) || !slices.Equal(e.Back(), res.Undo) {
		t.Errorf("explained %q and back %q,\nran %q and back %q", e.Commands(), e.Back(), res.Shell, res.Undo)
	}
	for _, fails := range []string{"draft", "steps"} {
		r := newRig()
		r.fail[fails] = errSaid
		if _, err := lab.Explain(t.Context(), r.Trial); !errors.Is(err, errSaid) {
			t.Errorf("%s: got %v, want what the system said", fails, err)
		}
	}
}

func TestSeveralClientsThatTheStrategyRulesOutAreUnsupported(t *testing.T) {
	r := newRig()
	r.strategy.needs.OneClient = map[lab.Vantage]string{r.Vantage: "its clients are not bound"}
	if err := r.Valid(); err != nil {
		t.Errorf("one client: %v", err)
	}
	r.Plan.Clients = 2
	_, _, err := r.run(t)
	if no, ok := errors.AsType[*lab.UnsupportedError](err); !ok || no.Reason != "its clients are not bound" {
		t.Errorf("two clients: %v", err)
	}
	r.did(t)
}
