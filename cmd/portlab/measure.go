package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/report"
)

// measure runs a trial with all that keeps the host safe around it, and gives
// out its result.
func (a *app) measure(ctx context.Context, t *lab.Trial, out *output, f *runFlags) error {
	begun := time.Now()
	show := a.newDisplay(f.quiet, *f.color)
	if w, ok := t.Strategy.(lab.Warner); ok {
		show.note("warning: " + w.Warning())
	}
	stop := context.AfterFunc(ctx, func() { show.note("interrupted: taking everything back") })
	defer stop()
	t.Watch = show.event
	recorder, err := out.recorder()
	if err != nil {
		return err
	}
	defer recorder.Close()
	t.Recorder = recorder
	if !a.world.inside {
		a.sweepBefore(ctx, show)
	}
	sweep, given := time.Since(begun), false
	give := func(res *lab.Result, samples lab.Samples) error {
		show.end(true)
		given = true
		res.Timings.Sweep, res.Timings.Total = sweep, time.Since(begun)
		noteVersion(&res.Environment)
		return a.give(res, samples, out, f.resultFlags)
	}
	if f.keep {
		t.Hold = func(ctx context.Context, fleet lab.Fleet, res *lab.Result, samples lab.Samples) error {
			if err := give(res, samples); err != nil {
				return err
			}
			if t.Fleet.FrontAddress.IsValid() && !f.quiet {
				fmt.Fprintf(a.stderr, "from another machine, meanwhile: %s\n", callFrom(t, res.Front))
			}
			return a.hold(ctx, fleet, res.Run, f.quiet)
		}
	}
	res, samples, err := a.carryOut(ctx, t)
	show.end(err == nil)
	if err == nil && !given {
		err = give(res, samples)
	}
	if err != nil {
		return err
	}
	return verdict(res)
}

// carryOut runs a trial under a guard that sweeps it if it dies. In a world
// there is none, and nothing is written down: when this process ends, however
// it ends, the kernel takes the world away with all that was changed in it.
func (a *app) carryOut(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
	if a.world.inside {
		t.Journal = forgetful{}
		return lab.Run(ctx, t)
	}
	g, err := guard.Start(ctx, t.Fleet.Run, guardWord)
	if err != nil {
		return nil, nil, fmt.Errorf("start the guard that cleans up if the run dies: %w", err)
	}
	t.Journal = g
	res, samples, err := lab.Run(ctx, t)
	if _, unclean := errors.AsType[*lab.UncleanError](err); unclean {
		err = errors.Join(err, g.HandOver(context.WithoutCancel(ctx)))
	} else {
		err = errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}
	return res, samples, err
}

// sweepBefore takes away what dead runs left. Where this user may not look, a
// run of this user has left nothing.
func (a *app) sweepBefore(ctx context.Context, show display) {
	swept, err := a.sweeper.Sweep(ctx)
	for _, x := range swept {
		show.note(fmt.Sprintf("took away what the dead run %s had left: %s %s", x.Run, x.Kind, x.Name))
	}
	for _, e := range leaves(err) {
		if e != nil && ctx.Err() == nil && !errors.Is(e, lab.ErrUnsupported) {
			show.note("could not take away all that dead runs left: " + e.Error())
		}
	}
}

// give writes a result's report and prints it, in this order: a closed pipe
// costs no report.
func (a *app) give(res *lab.Result, samples lab.Samples, out *output, f *resultFlags) error {
	where, err := out.write(res, samples, a.getenv)
	if err == nil {
		err = f.jobSummary.add(a.getenv, func(w io.Writer) error { return report.Summary(w, res) })
	}
	if err != nil {
		return errors.Join(err, a.print(res, *f.format, *f.color))
	}
	if err := a.print(res, *f.format, *f.color); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	if where != "" && !f.quiet {
		fmt.Fprintln(a.stderr, "report: "+where)
	}
	return nil
}

// verdict is the error for a result of which a claim asked for is refuted.
func verdict(res *lab.Result) error {
	var refuted []string
	for _, v := range res.Verdicts {
		if v.Asked && v.Outcome == lab.Refuted {
			refuted = append(refuted, v.Claim)
		}
	}
	if len(refuted) == 0 {
		return nil
	}
	return &refutedError{claims: refuted}
}
