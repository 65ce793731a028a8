package lab_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
)

// A front is called from a second vantage while it stands, and nothing else is
// done twice.
func TestAgainMeasuresWhatStands(t *testing.T) {
	r := newRig()
	var again *lab.Result
	r.Hold = func(ctx context.Context, f lab.Fleet, _ *lab.Result, _ lab.Samples) (err error) {
		second := *r.Trial
		second.Vantage, second.Plan = lab.Localhost, plan(4, 1)
		again, err = second.Again(ctx, f)
		return err
	}
	first, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(whole, "load")
	r.did(t, slices.Insert(slices.Clone(whole), at, "load")...)
	if again.Vantage != lab.Localhost || again.Requests != 4 || first.Vantage != lab.External || first.Requests != 8 {
		t.Errorf("%d requests from %s, then %d from %s", first.Requests, first.Vantage, again.Requests, again.Vantage)
	}
	if to := r.driver.targets[0]; to.Addr() != blueprint.Front.Loopback {
		t.Errorf("a client on the host's loopback called %s", to)
	}
	if len(again.Verdicts) != 2 || again.Verdicts[0].Outcome != lab.Held || again.Front != first.Front {
		t.Errorf("the front %v is judged %+v", again.Front, again.Verdicts)
	}
}

// What is not possible from there is said, and all is taken back.
func TestAgainRefusesWhatTheStrategyRulesOut(t *testing.T) {
	r := newRig()
	r.strategy.needs.NotFrom = map[lab.Vantage]string{lab.Peer: "it is a fake"}
	r.Hold = func(ctx context.Context, f lab.Fleet, _ *lab.Result, _ lab.Samples) error {
		second := *r.Trial
		second.Vantage = lab.Peer
		_, err := second.Again(ctx, f)
		return err
	}
	_, _, err := r.run(t)
	if _, unsupported := errors.AsType[*lab.UnsupportedError](err); !unsupported {
		t.Errorf("%v, want it to be unsupported", err)
	}
	r.did(t, whole...)
}
