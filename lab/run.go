package lab

import (
	"context"
	"errors"
	"time"
)

// Run takes a trial from nothing to a result and back to nothing. Whatever
// happens, the steps are reverted, unless the host goes as a whole
// ([Disposable]), and the fleet is closed. The samples are in the order in which
// they were due.
func Run(ctx context.Context, t *Trial) (res *Result, samples Samples, err error) {
	begun := time.Now()
	samples = SampleList{}
	if err := t.Check(ctx); err != nil {
		return nil, samples, err
	}
	res = t.newResult(begun)
	defer func() { res.Timings.Total = time.Since(begun) }()

	t.tell(Event{Phase: Opening})
	fleet, err := t.Runtime.Open(ctx, t.Spec())
	lap(&res.Timings.Open, begun)
	if err != nil {
		return t.refusal(res, err)
	}
	defer func() {
		at := time.Now()
		if e := Unclean(fleet.Close(ctx)); e != nil {
			err = errors.Join(err, e)
		}
		lap(&res.Timings.Close, at)
	}()
	b := fleet.Blueprint()
	res.Front, res.Fleet, res.Family = b.Front, b.Replicas, b.Facts.Family

	steps, err := t.Strategy.Steps(b.Facts, b.Front, b.Replicas)
	if err != nil {
		return res, samples, err
	}
	e := Explanation{Blueprint: b, Steps: steps, Impairments: t.Impairments}
	res.Shell, res.Undo = e.Commands(), e.Back()

	at := time.Now()
	t.tell(Event{Phase: Exposing})
	exposure, err := Expose(ctx, fleet.Host(), t.Journal, steps)
	lap(&res.Timings.Expose, at)
	if err != nil {
		return t.refusal(res, err)
	}
	defer func() {
		at := time.Now()
		t.tell(Event{Phase: Cleaning})
		if _, whole := fleet.(Disposable); whole {
			return
		}
		if e := Unclean(exposure.Revert(ctx)); e != nil {
			err = errors.Join(err, e)
		}
		lap(&res.Timings.Revert, at)
	}()

	samples, accepted, err := t.measure(ctx, Standing{t.Strategy, fleet, exposure}, res)
	if err != nil {
		return res, samples, err
	}
	if err := t.conclude(res, samples, accepted); err != nil {
		return res, samples, err
	}
	if t.Hold != nil {
		res.Timings.Total = time.Since(begun)
		err = t.Hold(ctx, fleet, res, samples)
	}
	return res, samples, err
}

func (t *Trial) newResult(begun time.Time) *Result {
	about, needs := t.Strategy.About(), t.Strategy.Needs()
	res := &Result{
		SchemaVersion: SchemaVersion, Run: t.Fleet.Run, Started: begun.UTC().Truncate(time.Millisecond),
		Command: t.Command, Strategy: t.Strategy.Name(), Settings: SettingsOf(t.Strategy), Summary: about.Summary,
		Runtime: t.Runtime.Name(), Vantage: t.Vantage, Null: needs.Null,
		Replicas: t.Fleet.Replicas, Image: t.Fleet.Image, Plan: t.Plan, Impairments: t.Impairments,
		Faults: map[Fault]int{}, ClientAddress: AddressUnknown,
		Path: about.Path, Caveats: t.Caveats(), Sources: about.Sources,
	}
	if name := FullName(t.Strategy); name != res.Strategy {
		res.Name = name
	}
	if t.Fleet.Link.OnParent() {
		res.Link = t.Fleet.Link
	}
	if c, ok := t.Strategy.(Concurrent); ok {
		res.Workers = c.Workers()
	}
	return res
}

func lap(d *time.Duration, since time.Time) { *d = time.Since(since) }
