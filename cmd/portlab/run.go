package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/load"
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
	keep     bool
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

With --runtime netns host, client and replicas are network namespaces of a world
of the run's own: it needs neither root nor a Docker engine, and changes nothing
on this machine. With auto, docker comes first, where it can do what is asked
for.

Claims, for --claim:
` + claimHelp(),
		Example: `  portlab run dnat --replicas 2 --requests 300
  portlab run dnat --weights 3,1 --vantage host
  portlab run reuseport --claim "share within 10%" --claim "no loss" --format json
  portlab run dnat --runtime netns --keep`,
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
	c.Flags().StringArrayVar(&f.claims, "claim", nil, "a `CLAIM` to hold the measurement against; may be repeated; refuted, the exit status is 1")
	c.Flags().BoolVar(&f.assert, "assert", false, "exit with status 1 if any claim is refuted, those made by default too")
	c.Flags().StringVar(&f.out, "out", "", "new or empty folder `DIR` for the report, none for no report (default portlab-results/TIME-STRATEGY)")
	c.Flags().BoolVar(&f.noReport, "no-report", false, "write no report: the same as --out none")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be done, as explain does, and change nothing")
	c.Flags().BoolVar(&f.keep, "keep", false, "keep everything up after the result, to be looked at with portlab enter, until Ctrl-C")
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
	t, err := a.trial(strategy, f.fleetFlags)
	if err != nil {
		return err
	}
	out, err := f.output(strategy)
	if err != nil {
		return err
	}
	t.Plan, t.Claims, t.Asked, t.Driver = f.plan, claims, asked, load.Simple{}
	passed, err := a.choose(ctx, t, f.runtime)
	if err != nil {
		return err
	}
	// What the strategy cannot describe is told before anything is made.
	if _, err := lab.Explain(ctx, t); err != nil {
		return err
	}
	t.Command = again(c, strategy, t.Runtime.Name(), f.plan.Seed)
	if !f.quiet {
		a.tellRuntime(t, passed)
	}
	switch {
	case f.dryRun:
		return a.explain(ctx, t, *f.format)
	case a.outside(t.Runtime):
		return a.handOver(ctx, t, passed)
	}
	return a.measure(ctx, t, out, f)
}

// output is where the report is to go; a dry run writes none.
func (f *runFlags) output(strategy string) (*output, error) {
	return planOutput(f.out, f.noReport || f.dryRun, strategy, time.Now())
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

func randomSeed() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read does not fail on Linux
	}
	// At most 32 bits: short enough to be typed again. Never 0, which asks for a random one.
	return uint64(binary.NativeEndian.Uint32(b[:])) + 1
}
