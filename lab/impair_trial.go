package lab

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// change is the impairment as something that is done in the course of a trial.
func (t TimedImpairment) change() Change {
	what := "the path between client and host is impaired, each way: " + t.Impairment.String()
	if t.Impairment == (Impairment{}) {
		what = "the path between client and host is impaired no more"
	}
	return Change{What: what, At: t.At, Make: func(ctx context.Context, s Standing) error { return s.Impair(ctx, t.Impairment) }}
}

// course are all changes of the trial, in the order of their times.
func (t *Trial) course() []Change {
	var all []Change
	for _, i := range t.Impairments {
		all = append(all, i.change())
	}
	all = append(all, t.Changes...)
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(max(a.At, 0), max(b.At, 0)) })
	return all
}

// checkImpairments finds what is wrong with them whatever the load is.
func (t *Trial) checkImpairments() error {
	for k, i := range t.Impairments {
		if err := i.Impairment.Validate(); err != nil {
			return err
		}
		if i.At < 0 || k > 0 && i.At <= t.Impairments[k-1].At {
			return Usagef("an impairment is followed by a later one: %s cannot come after %s", i, t.Impairments[max(k-1, 0)])
		}
	}
	switch {
	case len(t.Impairments) == 0:
	case t.Vantage != External:
		return Usagef("the path that can be impaired is the one between the external client and the host, which a client at vantage %s does not take: "+
			"leave the impairment out, or choose --vantage external", t.Vantage)
	case t.Fleet.Client.IsValid():
		return Usagef("the path to a client on another machine cannot be impaired, since it is not the run's own: " +
			"leave the impairment out, or impair it there with tc(8)")
	}
	return nil
}

// CheckCourse returns a [UsageError] for an impairment at a time that the load
// may never reach.
func (t *Trial) CheckCourse() error {
	for _, i := range t.Impairments {
		lasts, known := t.Plan.Lasts()
		if i.At == 0 || known && lasts > i.At && !t.Plan.UntilSettled {
			continue
		}
		why := "it is not known how long the load lasts"
		if known {
			why = fmt.Sprintf("the load may end after %s", lasts)
		}
		return Usagef("the path is to be impaired %s into the load, and %s: give a longer --duration, and neither --requests nor --until", i.At, why)
	}
	return nil
}

// Lasts is for how long requests are due, warm-up included, where the plan
// itself says so: not where it ends with the last of so many requests, made as
// fast as they are answered.
func (p Plan) Lasts() (time.Duration, bool) {
	switch {
	case p.Requests == 0:
		return p.WarmUp + p.Duration, true
	case !p.Open():
		return 0, false
	}
	all := time.Duration(float64(p.Requests) / p.Rate * float64(time.Second))
	if p.Duration > 0 {
		all = min(all, p.Duration)
	}
	return p.WarmUp + all, true
}

// canImpair returns an [UnsupportedError] where the trial's path cannot be
// impaired here.
func (t *Trial) canImpair(ctx context.Context, h Host) error {
	if len(t.Impairments) == 0 {
		return nil
	}
	i, ok := h.(ImpairingHost)
	if !ok {
		return &UnsupportedError{What: "impairing the path", Reason: "the " + t.Runtime.Name() + " runtime cannot", Remedy: "choose another one with --runtime"}
	}
	return i.CheckImpair(ctx)
}
