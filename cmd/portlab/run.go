package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/report"
)

// runFlags are those of run beside the fleet's.
type runFlags struct {
	*fleetFlags
	plan     lab.Plan
	claims   []string
	assert   bool
	out      string
	noReport bool
	format   *string
	color    *string
	quiet    bool
	dryRun   bool
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{plan: defaultPlan()}
	c := &cobra.Command{
		Use:   "run STRATEGY",
		Short: "put replicas behind one port, drive load, test and report",
		Long: `run starts replicas, puts them behind one port by a strategy, drives load
through it, tests the distribution and the latency, takes everything back, and
writes a report. The result goes to the standard output, all else to the
standard error.

Claims, for --claim:
` + claimHelp(),
		Example: `  portlab run dnat --replicas 2 --requests 300
  portlab run dnat --weights 3,1 --vantage host
  portlab run reuseport --claim "share within 10%" --claim "no loss" --format json`,
		Args:              exactly("STRATEGY"),
		ValidArgsFunction: completeStrategy,
	}
	f.fleetFlags = a.addFleetFlags(c)
	f.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error { return a.doRun(c, args[0], f) }
	return c
}

func (f *runFlags) addTo(c *cobra.Command) {
	c.Flags().IntVar(&f.plan.Requests, "requests", f.plan.Requests, "how many requests, each on a connection of its own")
	c.Flags().IntVar(&f.plan.Concurrency, "concurrency", f.plan.Concurrency, "how many requests at a time")
	c.Flags().DurationVar(&f.plan.Timeout, "timeout", f.plan.Timeout, "how long a request may take")
	c.Flags().StringVar(&f.plan.Path, "path", f.plan.Path, "path of the requests, such as /?delay=5ms")
	c.Flags().Uint64Var(&f.plan.Seed, "seed", 0, "of all that is random in the load; 0: another one each time")
	c.Flags().StringArrayVar(&f.claims, "claim", nil, "a claim to hold the measurement against; may be repeated; refuted, the exit status is 1")
	c.Flags().BoolVar(&f.assert, "assert", false, "exit with status 1 if any claim is refuted, those made by default too")
	c.Flags().StringVar(&f.out, "out", "", "empty or new folder for the report, none for no report (default portlab-results/TIME-STRATEGY)")
	c.Flags().BoolVar(&f.noReport, "no-report", false, "write no report: the same as --out none")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be done, as explain does, and change nothing")
	f.format, f.color = formatFlag(c), colorFlag(c)
	var claims []string
	for _, form := range claim.Forms() {
		claims = append(claims, form.Text+"\t"+form.Meaning)
	}
	complete(c, "claim", claims...)
}

func claimHelp() string {
	var b strings.Builder
	for _, form := range claim.Forms() {
		fmt.Fprintf(&b, "  %-24s%s\n", form.Text, form.Meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// doRun checks all that was asked for before anything is touched.
func (a *app) doRun(c *cobra.Command, strategy string, f *runFlags) error {
	ctx := c.Context()
	if err := f.check(); err != nil {
		return err
	}
	claims, asked, err := f.judges()
	if err != nil {
		return err
	}
	if f.plan.Seed == 0 {
		f.plan.Seed = randomSeed()
	}
	if err := f.plan.Validate(); err != nil {
		return err
	}
	t, err := a.trial(ctx, strategy, f.fleetFlags)
	if err != nil {
		return err
	}
	t.Plan, t.Claims, t.Asked, t.Driver = f.plan, claims, asked, load.Simple{}
	t.Command = again(c, strategy, f.plan.Seed)
	if f.dryRun {
		return a.explain(ctx, t, *f.format)
	}
	out, err := planOutput(f.out, f.noReport, strategy, time.Now())
	if err != nil {
		return err
	}
	return a.measure(ctx, t, out, f)
}

func (f *runFlags) check() error {
	if err := oneOf("format", *f.format, formatText, formatJSON); err != nil {
		return err
	}
	if f.noReport && f.out != "" && f.out != noOutput {
		return lab.Usagef("--no-report and --out %s contradict each other: leave one out", f.out)
	}
	return oneOf("color", *f.color, colorAuto, colorAlways, colorNever)
}

// judges are the claims that were asked for, then those that are always made,
// and how many of them decide the exit status.
func (f *runFlags) judges() (claims []lab.Claim, asked int, err error) {
	named := map[string]bool{}
	for _, text := range f.claims {
		c, err := claim.Parse(text)
		if err != nil {
			return nil, 0, err
		}
		if !named[c.Name()] {
			claims, named[c.Name()] = append(claims, c), true
		}
	}
	asked = len(claims)
	for _, c := range claim.Defaults() {
		if !named[c.Name()] {
			claims = append(claims, c)
		}
	}
	if f.assert {
		asked = len(claims)
	}
	return claims, asked, nil
}

// measure runs a trial with all that keeps the host safe around it, and gives
// out its result.
func (a *app) measure(ctx context.Context, t *lab.Trial, out *output, f *runFlags) error {
	show := a.newDisplay(f.quiet, *f.color)
	if w, ok := t.Strategy.(lab.Warner); ok {
		show.note("warning: " + w.Warning())
	}
	if f.runtime == anyRuntime {
		show.note("runtime: " + t.Runtime.Name())
	}
	stop := context.AfterFunc(ctx, func() { show.note("interrupted: taking everything back") })
	t.Watch = show.event
	res, samples, err := a.guarded(ctx, t, show)
	stop()
	show.end(err == nil)
	if err != nil {
		return err
	}
	if err := a.give(res, samples, out, f); err != nil {
		return err
	}
	return verdict(res)
}

// guarded sweeps the runs that died, and runs a trial under a guard that
// sweeps this one if it dies.
func (a *app) guarded(ctx context.Context, t *lab.Trial, show display) (*lab.Result, []lab.Sample, error) {
	begun := time.Now()
	a.sweepBefore(ctx, show)
	sweep := time.Since(begun)
	g, err := guard.Start(ctx, t.Fleet.Run, guardWord)
	if err != nil {
		return nil, nil, fmt.Errorf("start the guard that cleans up if the run dies: %w", err)
	}
	t.Journal = g
	res, samples, err := lab.Run(ctx, t)
	// A guard that is not dismissed sweeps when this process has ended.
	if unclean := (*lab.UncleanError)(nil); !errors.As(err, &unclean) {
		err = errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}
	if res != nil {
		res.Timings.Sweep = sweep
		res.Timings.Total = time.Since(begun)
		noteVersion(&res.Environment)
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

// give prints a result and writes its report.
func (a *app) give(res *lab.Result, samples []lab.Sample, out *output, f *runFlags) error {
	if err := a.print(res, *f.format, *f.color); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	where, err := out.write(res, samples, a.getenv)
	if err != nil {
		return err
	}
	if where != "" && !f.quiet {
		fmt.Fprintln(a.stderr, "report: "+where)
	}
	return nil
}

// print writes a result to the standard output.
func (a *app) print(res *lab.Result, format, color string) error {
	if format == formatJSON {
		return report.JSON(a.stdout, res)
	}
	return report.Text(a.stdout, res, a.colored(a.stdout, color))
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

func randomSeed() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read does not fail on Linux
	}
	// At most 32 bits: short enough to be typed again. Never 0, which asks for a random one.
	return uint64(binary.NativeEndian.Uint32(b[:])) + 1
}
