package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/report"
)

// comparing is a comparison under way.
type comparing struct {
	app     *app
	command *cobra.Command
	flags   *compareFlags
	out     *output
	show    rounds

	made     string // the highest folder that was made for the report
	recorder io.Closer
	noted    map[string]bool // what runs had to say
}

// run carries out one run of a comparison. Its samples can be read until the
// next one begins.
func (r *comparing) run(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
	r.closeRecorder()
	marks, err := kernel.RunEnv(t.Fleet.Run)
	if err != nil {
		return nil, nil, err
	}
	if t.Driver, err = r.flags.driver(ctx, lab.PlanFor(t.Strategy, t.Plan, lab.Front{}, t.Vantage), marks...); err != nil {
		return nil, nil, err
	}
	t.Prober = prober(t)
	if len(t.Command) == 0 { // a run for a trait is repeated by the whole comparison
		t.Command = r.single(t)
	}
	t.Watch = func(e lab.Event) {
		if e.Note != "" && !r.noted[e.Note] { // runs of one arm have the same to say
			r.noted[e.Note] = true
			r.show.note(e.Note)
		}
	}
	recorder, err := r.out.recorder()
	if err != nil {
		return nil, nil, err
	}
	r.recorder, t.Recorder = recorder, recorder
	res, all, err := r.app.carryOut(ctx, t)
	if res != nil {
		noteVersion(&res.Environment)
	}
	return res, all, err
}

func (r *comparing) closeRecorder() {
	if r.recorder != nil {
		_ = r.recorder.Close() // the file is nameless, and what it held was kept or is not wanted
		r.recorder = nil
	}
}

// ofComparison are the flags of compare that run has not, or that one run of it
// has otherwise.
var ofComparison = []string{"all", "traits", "baseline", "rounds", "looks", "replicas", "weights", "requests", "claim", "assert"}

// single is the command line that repeats one run.
func (r *comparing) single(t *lab.Trial) []string {
	words := []string{"portlab", "run", lab.FullName(t.Strategy), "--replicas", strconv.Itoa(t.Fleet.Replicas)}
	weights := r.command.Flags().Lookup("weights")
	if len(t.Fleet.Weights) > 0 {
		words = append(words, spelled(weights)...)
	}
	words = append(words, "--requests", strconv.Itoa(t.Plan.Requests))
	r.command.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(ofComparison, f.Name) && !slices.Contains(notRepeated, f.Name) {
			words = append(words, spelled(f)...)
		}
	})
	for _, c := range t.Claims[:t.Asked] {
		words = append(words, "--claim", c.Name())
	}
	return append(words, "--runtime", t.Runtime.Name(), "--seed", strconv.FormatUint(t.Plan.Seed, 10))
}

// keep writes a run's own report below that of the comparison.
func (r *comparing) keep(folder string, res *lab.Result, all lab.Samples) error {
	if r.made == "" {
		r.made = firstMissing(r.out.dir)
	}
	return report.Write(filepath.Join(r.out.dir, folder), res, all)
}

// How long the machine is left alone between two runs, for what the kernel takes
// away behind one, and how long it is then listened to.
const (
	settleTime = 50 * time.Millisecond
	listenTime = 150 * time.Millisecond
)

// idle is how busy the machine is when nothing of a comparison runs.
func idle(ctx context.Context) (busy, average float64, err error) {
	time.Sleep(settleTime)
	if busy, err = kernel.BusyShare(ctx, listenTime); err != nil {
		return 0, 0, err
	}
	average, err = kernel.LoadAverage()
	return busy, average, err
}

// give writes a comparison's report and prints it, in this order: a closed pipe
// costs no report.
func (r *comparing) give(c *compare.Comparison) error {
	a, where := r.app, ""
	if r.out != nil {
		if r.made == "" {
			r.made = firstMissing(r.out.dir)
		}
		if err := report.WriteComparison(r.out.dir, c); err != nil {
			return errors.Join(fmt.Errorf("write the report to %s: %w", r.out.dir, err), a.printComparison(c, *r.flags.format, *r.flags.color))
		}
		if err := r.out.link(); err != nil {
			return err
		}
		if err := giveBack(a.getenv, r.made, r.out.latest); err != nil {
			return fmt.Errorf("give the report to the user behind sudo: %w", err)
		}
		where = filepath.Join(r.out.dir, "report.md")
	}
	if err := r.flags.jobSummary.add(a.getenv, func(w io.Writer) error { return report.ComparisonMarkdown(w, c) }); err != nil {
		return err
	}
	if err := r.flags.jobSummary.add(a.getenv, func(w io.Writer) error { return report.ComparisonMarkdown(w, c) }); err != nil {
		return err
	}
	if err := a.printComparison(c, *r.flags.format, *r.flags.color); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	if where != "" && !r.flags.quiet {
		fmt.Fprintln(a.stderr, "report: "+where)
	}
	return nil
}
