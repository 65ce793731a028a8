package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/compare"
)

// defaultCompareRequests is enough for a 99th percentile of each run.
const defaultCompareRequests = 2000

// compareFlags are those of compare.
type compareFlags struct {
	*fleetFlags
	*planFlags
	*resultFlags
	*machineFlags
	all       bool
	baselines []string
	rounds    int
	looks     []int
	traits    bool
}

func (a *app) compareCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare STRATEGY...",
		Short: "hold strategies against each other, in interleaved rounds",
		Long: `compare runs each strategy once in each of several rounds, with a fresh set of
replicas every time, and says which is better in what, by how much, and where
that cannot be told. Ratios are taken within a round, to baselines that run in
it too, so that a machine that gets slower or faster meanwhile hurts both alike.

The baselines are client-side, whose clients pick one of the N replicas
themselves, and direct, one replica called at its own address. A strategy named
twice is compared with itself, which shows what this machine's noise does.

Options of a strategy stand behind its name: nginx:method=random.

Claims, for --claim, are held against each run and summed up over the rounds, or
held against the ratios:
` + claimHelp(),
		Example: `  portlab compare dnat reuseport nginx
  portlab compare dnat nginx nginx:method=random --replicas 4 --concurrency 16
  portlab compare dnat --claim "p99 at most 2 times client-side" --claim "no loss"
  portlab compare --all --runtime netns --out comparison
  portlab compare dnat proxy dnat --rounds 20`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeStrategies,
	}
	f := &compareFlags{fleetFlags: a.addFleetFlags(c), planFlags: addPlanFlags(c), resultFlags: addResultFlags(c, "compare"), machineFlags: addMachineFlags(c)}
	f.plan.Requests = defaultCompareRequests
	c.Flags().Lookup("requests").DefValue = strconv.Itoa(defaultCompareRequests)
	c.Flags().StringVar(&f.plan.Path, "path", f.plan.Path, "path of the requests, such as /?delay=5ms")
	c.Flags().BoolVar(&f.all, "all", false, "compare every strategy that can run here")
	c.Flags().StringArrayVar(&f.baselines, "baseline", nil, "a `STRATEGY` to divide by, the first one to look at; may be repeated; none for no baseline (default client-side, direct)")
	c.Flags().IntVar(&f.rounds, "rounds", compare.DefaultRounds, "how many rounds, at most")
	c.Flags().IntSliceVar(&f.looks, "looks", nil, "the rounds, `N,N`, after which the comparison may end early if all is settled; each look costs some power (default none)")
	c.Flags().Lookup("looks").DefValue = "" // else help shows []
	c.Flags().BoolVar(&f.traits, "traits", false, "find out after the rounds what each can do, by short runs, and which to use when (default with --all)")
	c.Flags().VisitAll(func(x *pflag.Flag) {
		x.Hidden = x.Hidden || slices.Contains(ofOneStrategy, x.Name)
	})
	c.RunE = func(c *cobra.Command, args []string) error { return a.doCompare(c, args, f) }
	return c
}

// ofOneStrategy are the flags of a fleet that set options of its strategy.
var ofOneStrategy = []string{lab.Method, "set"}

// completeStrategies completes each argument.
func completeStrategies(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeStrategy(c, nil, typed)
}

// doCompare checks all that was asked for before anything is touched.
func (a *app) doCompare(c *cobra.Command, args []string, f *compareFlags) (err error) {
	ctx := c.Context()
	if err := f.check(c, args); err != nil {
		return err
	}
	arms, err := a.arms(args, f)
	if err != nil {
		return err
	}
	base := arms[0].trial
	if base.Plan, err = f.resolve(c, base.Plan.Protocol); err != nil {
		return err
	}
	if err := base.CheckCourse(); err != nil {
		return err
	}
	if base.Claims, base.Asked, err = f.judges(claim.Defaults()); err != nil {
		return err
	}
	base.Recognise = claim.Recognise
	remote, err := a.reach(ctx, &f.viaFlags, f.planFlags, trialsOf(arms)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Unclean(remote.Close())) }()
	if _, err := f.driver(ctx, base.Plan); err != nil {
		return err
	}
	for _, x := range arms[1:] {
		x.trial.Plan, x.trial.Claims, x.trial.Asked, x.trial.Recognise = base.Plan, base.Claims, base.Asked, base.Recognise
	}
	out, err := f.output("compare", false)
	if err != nil {
		return err
	}
	if f.machineFlags.wanted(a) {
		return a.compareInMachine(c, args, arms, out, f)
	}
	passed, err := a.chooseFor(ctx, arms, f.runtime)
	if err != nil {
		return err
	}
	if err := probeArms(ctx, arms, a.able); err != nil {
		return err
	}
	cfg, err := f.config(c, args, arms)
	if err != nil {
		return err
	}
	if !f.quiet {
		a.tellRuntime(base, passed)
	}
	if a.outside(base.Runtime) {
		return a.handOver(ctx, base, passed)
	}
	if err := a.install(ctx, remote, f.quiet); err != nil {
		return err
	}
	return a.compare(ctx, cfg, &comparing{app: a, command: c, flags: f, out: out, noted: map[string]bool{}})
}

// config is what compare carries out, checked.
func (f *compareFlags) config(c *cobra.Command, args []string, arms []*arm) (compare.Config, error) {
	base := arms[0].trial
	cfg := compare.Config{
		ID: lab.NewRunID(), Seed: base.Plan.Seed, Trial: *base, Rounds: f.rounds, Looks: f.looks, Contenders: contenders(arms),
		Command: again(c, args, "--runtime", base.Runtime.Name(), "--seed", strconv.FormatUint(base.Plan.Seed, 10)),
	}
	cfg.Trial.Fleet.Replicas = f.replicas
	return cfg, cfg.Check()
}

// check finds what is wrong with the flags themselves.
func (f *compareFlags) check(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && !f.all:
		return lab.Usagef("%s wants strategies to compare, or --all: %s", c.CommandPath(), c.UseLine())
	case slices.ContainsFunc(ofOneStrategy, c.Flags().Changed):
		return lab.Usagef("with several strategies, settings stand behind each one's name: nginx:method=random")
	case f.clientVia != "" && (f.traits || f.all && !c.Flags().Changed("traits")):
		return lab.Usagef("traits are found out from every vantage, and --client-via has the client at one: add --traits=false")
	case slices.Contains(f.baselines, noBaseline) && len(f.baselines) > 1:
		return lab.Usagef("--baseline none and another --baseline contradict each other: leave one out")
	}
	return errors.Join(f.resultFlags.check(), f.fleetFlags.check(), f.machineFlags.check(f.viaFlags))
}

// compare carries out a comparison and gives out what it came to, and what
// there is of it if it was cut off.
func (a *app) compare(ctx context.Context, cfg compare.Config, r *comparing) error {
	r.show = a.newRounds(r.flags.quiet, *r.flags.color)
	stop := context.AfterFunc(ctx, func() { r.show.note("interrupted: taking everything back") })
	defer stop()
	for _, x := range cfg.Contenders {
		if w, ok := x.Strategy.(lab.Warner); ok && x.Absent == "" {
			r.show.note("warning: " + w.Warning())
		}
	}
	if !a.world.inside {
		a.sweepBefore(ctx, r.show)
	}
	defer r.closeRecorder()
	cfg.Run, cfg.Idle = r.run, a.idle
	cfg.Watch = func(p compare.Progress) { r.show.progress(roundName(p), p) }
	if r.out != nil {
		cfg.Keep = r.keep
	}
	c, err := compare.Compare(ctx, cfg)
	if err == nil && (r.flags.traits || r.flags.all && !r.command.Flags().Changed("traits")) {
		cfg.Watch = func(p compare.Progress) { r.show.progress("traits", p) }
		err = compare.Survey(ctx, cfg, c)
	}
	r.show.end(err == nil)
	if c == nil || !slices.ContainsFunc(c.Rounds, func(x compare.Round) bool { return len(x.Runs) > 0 }) {
		return err
	}
	noteVersion(&c.Environment)
	if err := errors.Join(err, r.give(c)); err != nil {
		return err
	}
	return errors.Join(refutedIn(c), missingFrom(c, cfg))
}

// refutedIn is the error for a comparison in which a claim asked for is refuted.
func refutedIn(c *compare.Comparison) error {
	var refuted []string
	for _, v := range c.Verdicts {
		if v.Asked && v.Outcome == lab.Refuted {
			refuted = append(refuted, v.Arm+": "+v.Claim)
		}
	}
	if len(refuted) == 0 {
		return nil
	}
	return &refutedError{claims: refuted}
}

// missingFrom is the error for a comparison without an arm that somebody named.
func missingFrom(c *compare.Comparison, cfg compare.Config) error {
	var missing []string
	for i, arm := range c.Arms {
		if arm.Absent != "" && cfg.Contenders[i].Named {
			missing = append(missing, fmt.Sprintf("%s (%s)", arm.Name, arm.Absent))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &lab.UnsupportedError{
		What: "all of the comparison", Reason: "without " + strings.Join(missing, ", "), Remedy: "leave out what cannot run here",
	}
}
