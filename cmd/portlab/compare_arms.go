package main

import (
	"context"
	"slices"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/strategies"
)

// noBaseline is the word of --baseline for none.
const noBaseline = "none"

// The baselines of a comparison, unless others are named. The first is the one
// that says what a strategy costs: to wake N replicas takes time by itself, so
// that one replica is no yardstick for N.
const (
	floorStrategy  = "client-side"
	directStrategy = "direct"
)

// arm is one strategy of a comparison on its way there.
type arm struct {
	trial    *lab.Trial
	baseline bool
	named    bool // by the user: that it cannot run is an error
	absent   string
}

// arms are those that a command line asks for, baselines first.
func (a *app) arms(args []string, f *compareFlags) ([]*arm, error) {
	baselines, asked := f.baselines, true
	switch {
	case len(baselines) == 0:
		baselines, asked = []string{floorStrategy, directStrategy}, false
	case baselines[0] == noBaseline:
		baselines = nil
	}
	var all []*arm
	for _, name := range baselines {
		x, err := a.arm(name, f, true)
		if err != nil {
			return nil, err
		}
		x.named = asked
		all = append(all, x)
	}
	for _, name := range args {
		x, err := a.arm(name, f, false)
		if err != nil {
			return nil, err
		}
		if i := find(all, x); i >= 0 && all[i].baseline && !all[i].named {
			all[i].named = true // it takes part already
			continue
		}
		x.named = true
		all = append(all, x)
	}
	if f.all {
		for _, s := range strategies.All() {
			x, err := a.arm(s.Name(), f, false)
			if err != nil {
				return nil, err
			}
			if find(all, x) < 0 {
				all = append(all, x)
			}
		}
	}
	return all, nil
}

// find is the place of an arm of the same strategy and settings; -1 if there
// is none.
func find(all []*arm, x *arm) int {
	return slices.IndexFunc(all, func(y *arm) bool {
		return lab.FullName(y.trial.Strategy) == lab.FullName(x.trial.Strategy)
	})
}

// arm is a strategy as these flags ask for it; a baseline is not weighted. What
// it cannot do it says when it is probed.
func (a *app) arm(name string, f *compareFlags, baseline bool) (*arm, error) {
	fleet := *f.fleetFlags
	if baseline {
		fleet.weights = nil
	}
	if name == directStrategy {
		fleet.replicas, fleet.weights = 1, nil
	}
	t, err := a.trial(name, &fleet)
	if t == nil {
		return nil, err
	}
	return &arm{trial: t, baseline: baseline}, nil
}

// chooseFor gives all arms the runtime of that name or, for auto, the first that
// can carry out all that were named.
func (a *app) chooseFor(ctx context.Context, arms []*arm, name string) ([]ruledOut, error) {
	var passed noRuntimeError
	for _, r := range a.candidates(name) {
		var why error
		for _, x := range arms {
			x.trial.Runtime = r
			if why == nil && (x.named || x == arms[0]) && name == anyRuntime {
				why = a.able(ctx, x.trial)
			}
		}
		if why == nil {
			return passed, nil
		}
		if ctx.Err() != nil {
			return nil, why
		}
		passed = append(passed, ruledOut{r.Name(), why})
	}
	if len(passed) == 1 {
		return nil, passed[0].why
	}
	return nil, passed
}

// probeArms finds out which arms cannot take part. For one that somebody named
// that is an error.
func probeArms(ctx context.Context, arms []*arm, able func(context.Context, *lab.Trial) error) error {
	for _, x := range arms {
		err := x.trial.Valid()
		if err == nil {
			err = able(ctx, x.trial)
		}
		if err == nil {
			_, err = lab.Explain(ctx, x.trial)
		}
		if err != nil && (x.named || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			x.absent = briefly(err).Error()
		}
	}
	return nil
}

func trialsOf(arms []*arm) []*lab.Trial {
	all := make([]*lab.Trial, len(arms))
	for i, x := range arms {
		all[i] = x.trial
	}
	return all
}

func contenders(arms []*arm) []compare.Contender {
	var all []compare.Contender
	for _, x := range arms {
		all = append(all, compare.Contender{
			Strategy: x.trial.Strategy, Replicas: x.trial.Fleet.Replicas, Weights: x.trial.Fleet.Weights,
			Baseline: x.baseline, Named: x.named, Absent: x.absent,
		})
	}
	return all
}
