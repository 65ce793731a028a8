package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/kernel"
)

// runFlags are those of run.
type runFlags struct {
	*fleetFlags
	*planFlags
	*resultFlags
	*machineFlags
	dryRun bool
	keep   bool
	until  string
}

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run STRATEGY",
		Short: "put replicas behind one port, drive load, test and report",
		Long: `run starts replicas, puts them behind one port by a strategy, drives load
through it, tests the distribution and the latency, takes everything back, and
writes a report. The result goes to the standard output, all else to the
standard error.

With --runtime netns host, client and replicas are network namespaces of a world
of the run's own: it needs neither root nor a Docker engine, and changes nothing
on this machine. With auto, docker comes first, where it can do what is asked
for.

Claims, for --claim:
` + claimHelp(),
		Example: `  portlab run dnat --replicas 2 --requests 300
  portlab run dnat --weights 3,1 --vantage host
  portlab run reuseport --claim "share within 10%" --claim "no loss" --format json
  portlab run dnat --until settled --claim "share within 5%"
  portlab run dnat --rate 500 --duration 10s --arrivals poisson --keep-alive
  portlab run dnat --impair delay=20ms,loss=1% --concurrency 50 --timeout 10s
  portlab run dnat --runtime netns --keep`,
		Args:              exactly("STRATEGY"),
		ValidArgsFunction: completeStrategy,
	}
	f := &runFlags{fleetFlags: a.addFleetFlags(c), planFlags: addPlanFlags(c), resultFlags: addResultFlags(c, "STRATEGY"), machineFlags: addMachineFlags(c)}
	c.Flags().StringVar(&f.plan.Path, "path", f.plan.Path, "path of the requests, such as /?delay=5ms")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be done, as explain does, and change nothing")
	c.Flags().BoolVar(&f.keep, "keep", false, "keep everything up after the result, to be looked at with portlab enter, until Ctrl-C")
	c.Flags().StringVar(&f.until, "until", "", "end the load early, `WHEN` the claims about shares are settled: settled; by a test that allows for looking at any time, after at most 100000 requests unless --requests or --duration says")
	complete(c, "until", untilSettled)
	c.RunE = func(c *cobra.Command, args []string) error { return a.doRun(c, args[0], f) }
	return c
}

// doRun checks all that was asked for before anything is touched.
func (a *app) doRun(c *cobra.Command, strategy string, f *runFlags) (err error) {
	ctx := c.Context()
	if err := errors.Join(f.resultFlags.check(), f.machineFlags.check(f.viaFlags)); err != nil {
		return err
	}
	claims, asked, err := f.judges(claim.Defaults())
	if err != nil {
		return err
	}
	t, err := a.trial(strategy, f.fleetFlags)
	if err != nil {
		return err
	}
	if err := f.prepareUntil(c); err != nil {
		return err
	}
	if t.Plan, err = f.resolve(c, t.Plan.Protocol); err != nil {
		return err
	}
	remote, err := a.reach(ctx, &f.viaFlags, f.planFlags, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Unclean(remote.Close())) }()
	marks, err := kernel.RunEnv(t.Fleet.Run)
	if err != nil {
		return err
	}
	if t.Driver, err = f.driver(ctx, lab.PlanFor(t.Strategy, t.Plan, lab.Front{}, t.Vantage), marks...); err != nil {
		return err
	}
	t.Prober = prober(t)
	out, err := f.output(strategy, f.dryRun)
	if err != nil {
		return err
	}
	t.Claims, t.Asked, t.Recognise = claims, asked, claim.Recognise
	if err := f.endWhenSettled(t); err != nil {
		return err
	}
	if err := t.CheckCourse(); err != nil {
		return err
	}
	if f.machineFlags.wanted(a) {
		return a.runInMachine(c, strategy, t, out, f)
	}
	passed, err := a.choose(ctx, t, f.runtime)
	if err != nil {
		return err
	}
	// What the strategy cannot describe is told before anything is made.
	if _, err := lab.Explain(ctx, t); err != nil {
		return err
	}
	t.Command = again(c, []string{strategy}, "--runtime", t.Runtime.Name(), "--seed", strconv.FormatUint(t.Plan.Seed, 10))
	if !f.quiet {
		a.tellRuntime(t, passed)
	}
	switch {
	case f.dryRun:
		return a.explain(ctx, t, *f.format)
	case a.outside(t.Runtime):
		return a.handOver(ctx, t, passed)
	}
	if err := a.install(ctx, remote, f.quiet); err != nil {
		return err
	}
	return a.measure(ctx, t, out, f)
}
