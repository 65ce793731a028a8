package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/portlab/portlab/lab"
)

// Sweeper takes away what runs of this [lab.Home] left.
type Sweeper struct {
	Find    []lab.Finder
	Sysctls lab.Sysctls // where journals are set back
}

// Dead lists what dead runs left, in the order in which it must go, and
// changes nothing. It returns what it found even where it could not look
// everywhere.
func (s Sweeper) Dead(ctx context.Context) ([]lab.Trace, error) {
	dead := map[lab.RunID]bool{}
	found, errs := s.traces(ctx, func(id lab.RunID) bool {
		if _, asked := dead[id]; !asked {
			dead[id] = !Alive(id)
		}
		return dead[id]
	})
	if len(found) == 0 {
		return nil, errors.Join(errs...)
	}
	// A run that took its things away and ended after they were listed, and
	// before it was asked for, looks the same. What is there now of runs that
	// were dead before has been left: no run comes back to life.
	left, again := s.traces(ctx, func(id lab.RunID) bool { return dead[id] })
	for i, err := range again {
		errs[i] = cmp.Or(err, errs[i]) // what is wrong twice is said once
	}
	return left, errors.Join(errs...)
}

// Sweep takes away what dead runs left, and returns what it took away. It
// takes away what it can, and joins what goes wrong.
func (s Sweeper) Sweep(ctx context.Context) ([]lab.Trace, error) {
	found, err := s.Dead(ctx)
	removed, e := remove(ctx, found)
	return removed, errors.Join(err, e)
}

// SweepRun is Sweep for one run, dead or alive.
func (s Sweeper) SweepRun(ctx context.Context, run lab.RunID) ([]lab.Trace, error) {
	found, errs := s.traces(ctx, func(id lab.RunID) bool { return id == run })
	removed, err := remove(ctx, found)
	return removed, errors.Join(append(errs, err)...)
}

// traces are those of the wanted runs, sorted by when they must go, and the
// errors of the finders: one for each, nil where it could look everywhere.
func (s Sweeper) traces(ctx context.Context, wanted func(lab.RunID) bool) ([]lab.Trace, []error) {
	find := slices.Clone(s.Find)
	if s.Sysctls != nil {
		find = append(find, func(context.Context) ([]lab.Trace, error) { return journals(s.Sysctls) })
	}
	found := make([][]lab.Trace, len(find))
	errs := make([]error, len(find))
	var wg sync.WaitGroup
	for i, f := range find {
		wg.Go(func() { found[i], errs[i] = f(ctx) })
	}
	wg.Wait()
	all := slices.DeleteFunc(slices.Concat(found...), func(t lab.Trace) bool { return !wanted(t.Run) })
	kinds := lab.TraceKinds()
	slices.SortStableFunc(all, func(a, b lab.Trace) int {
		return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
	})
	return all, errs
}

// remove takes traces away kind by kind: what uses a thing before the thing.
// Those of one kind go at the same time.
func remove(ctx context.Context, sorted []lab.Trace) ([]lab.Trace, error) {
	const atOnce = 4
	var removed []lab.Trace
	var errs []error
	for kind := range slices.Values(lab.TraceKinds()) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		turn := make(chan struct{}, atOnce)
		for _, t := range sorted {
			if t.Kind != kind {
				continue
			}
			turn <- struct{}{}
			wg.Go(func() {
				defer func() { <-turn }()
				err := t.Remove(ctx)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, fmt.Errorf("remove the %s %s of run %s: %w", t.Kind, t.Name, t.Run, err))
					return
				}
				removed = append(removed, t)
			})
		}
		wg.Wait()
	}
	return removed, errors.Join(errs...)
}
