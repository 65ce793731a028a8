package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/calibrate"
	"github.com/portlab/portlab/lab/load"
)

// calibrateFlags are those of calibrate.
type calibrateFlags struct {
	runs   int
	seed   uint64
	format *string
	quiet  bool

	pairs      int // 0: none, all is simulated
	strategies []string
	runtime    string
	replicas   int
	requests   int
	out        string
}

// ofPairs are the flags that say what --real does.
var ofPairs = []string{"strategy", "runtime", "replicas", "requests", "out"}

func (a *app) calibrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "calibrate",
		Short: "hold the program's own tests against balancers of known law",
		Long: `calibrate shows how often each test raises a false alarm, next to how often it
says it does, how often it finds what is wrong, next to theory, and what the
claims say of balancers of every kind. It simulates the balancers, and judges
them with what judges real runs.

With --real N it makes N pairs of runs of one and the same strategy instead: what
tells the two of a pair apart is a false alarm.

Intervals are exact binomial ones at 95%. Of many rows some lie above what was
promised by chance; "too many alarms" is said by Holm's procedure over all rows,
which says so wrongly in 1% of calibrations.

Exit status: 0 every test keeps its promise; 1 one raises too many alarms; 2 bad
usage; 3 cannot run here; 4 broken on the way.`,
		Example: `  portlab calibrate
  portlab calibrate --runs 10000 --seed 7 --format json
  portlab calibrate --real 200 --runtime netns --strategy dnat,reuseport --out pairs.csv`,
		Args: exactly(),
	}
	f := &calibrateFlags{}
	c.Flags().IntVar(&f.runs, "runs", calibrate.DefaultRuns, "how many runs are simulated for each row")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "of all that is drawn at random; 0: another one each time")
	c.Flags().IntVar(&f.pairs, "real", 0, "make so many `PAIRS` of real runs for each strategy, and simulate nothing")
	c.Flags().StringSliceVar(&f.strategies, "strategy", []string{"dnat"}, "the strategies of --real, `STRATEGY,...`")
	c.Flags().Lookup("strategy").DefValue = "dnat" // else help shows [dnat]
	c.Flags().StringVar(&f.runtime, "runtime", anyRuntime, "what makes host and replicas, with --real: "+alternatives(a.runtimeWords()))
	c.Flags().IntVar(&f.replicas, "replicas", 2, "how many replicas, with --real")
	c.Flags().IntVar(&f.requests, "requests", defaultRequests, "how many requests each run has, with --real")
	c.Flags().StringVar(&f.out, "out", "", "new `FILE` for all p-values and figures of --real, as CSV")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	f.format = formatFlag(c)
	complete(c, "runtime", a.runtimeWords()...)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.doCalibrate(c, f) }
	return c
}

// check finds what is wrong with the flags themselves.
func (f *calibrateFlags) check(c *cobra.Command) error {
	if err := oneOf("format", *f.format, formatText, formatJSON); err != nil {
		return err
	}
	for _, name := range ofPairs {
		if f.pairs == 0 && c.Flags().Changed(name) {
			return lab.Usagef("--%s is of real runs: give --real too", name)
		}
	}
	switch {
	case c.Flags().Changed("real") && (f.pairs < calibrate.GroupPairs || f.pairs > calibrate.MaxRuns):
		return lab.Usagef("--real wants from %d to %d pairs, not %d", calibrate.GroupPairs, calibrate.MaxRuns, f.pairs)
	case f.pairs > 0 && c.Flags().Changed("runs"):
		return lab.Usagef("--runs is of simulated runs, and --real simulates none: leave one out")
	case f.pairs > 0 && len(f.strategies) == 0:
		return lab.Usagef("--strategy wants a strategy, such as dnat")
	}
	return calibrate.Config{Runs: f.runs}.Check()
}

// doCalibrate checks all that was asked for before anything is touched.
func (a *app) doCalibrate(c *cobra.Command, f *calibrateFlags) error {
	if err := f.check(c); err != nil {
		return err
	}
	if f.seed == 0 {
		f.seed = randomSeed()
	}
	if f.pairs == 0 {
		return a.simulate(c.Context(), f)
	}
	trials, err := a.alike(f)
	if err != nil {
		return err
	}
	if _, err := f.driver(c.Context(), trials[0].Plan); err != nil {
		return err
	}
	passed, err := a.chooseAlike(c.Context(), trials, f.runtime)
	if err != nil {
		return err
	}
	if err := newFile(f.out); err != nil {
		return err
	}
	if !f.quiet {
		a.tellRuntime(trials[0], passed)
	}
	if a.outside(trials[0].Runtime) {
		return a.handOver(c.Context(), trials[0], passed)
	}
	return a.realPairs(c.Context(), trials, f)
}

func (f *calibrateFlags) driver(ctx context.Context, p lab.Plan, env ...string) (lab.Driver, error) {
	return (&planFlags{client: load.Auto}).driver(ctx, p, env...)
}

// simulate holds every test against simulated balancers.
func (a *app) simulate(ctx context.Context, f *calibrateFlags) error {
	cfg := calibrate.Config{Runs: f.runs, Seed: f.seed}
	if !f.quiet {
		cfg.Watch = a.tenths("simulated %d of %d kinds of run\n")
	}
	r, err := calibrate.Simulate(ctx, cfg)
	if err != nil {
		return err
	}
	if *f.format == formatJSON {
		err = printJSON(a.stdout, simulated{SchemaVersion: schemaVersion, Report: r})
	} else {
		err = writeCalibration(a.stdout, r)
	}
	if err != nil {
		return fmt.Errorf("print the calibration: %w", err)
	}
	return brokenPromises(calibrate.Broken(r.Alarms), r.Broken())
}

// simulated is what calibrate prints as JSON.
type simulated struct {
	SchemaVersion int `json:"schema_version"`
	*calibrate.Report
}

// tenths tells on the standard error where something is, each time another
// tenth of it is done.
func (a *app) tenths(format string) func(done, of int) {
	return func(done, of int) {
		if 10*done/of > 10*(done-1)/of {
			fmt.Fprintf(a.stderr, format, done, of)
		}
	}
}

// brokenPromises is the error for tests that raise too many alarms, and for so
// many rows in all.
func brokenPromises(rows []calibrate.Alarms, all int) error {
	if all == 0 {
		return nil
	}
	named := []string{}
	for _, r := range rows {
		named = append(named, fmt.Sprintf("%s, %s: %s where %s is promised", r.Test, r.Of, percent(r.Rate), percent(r.Nominal)))
	}
	if others := all - len(rows); others > 0 {
		named = append(named, strconv.Itoa(others)+" of the verdicts are wrong too often")
	}
	return &refutedError{claims: named}
}

func percent(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*x, 'f', 1, 64), ".0") + "%"
}
