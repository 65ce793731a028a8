package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/load"
)

// loadFlags are those of load.
type loadFlags struct {
	*planFlags
	*resultFlags
	instances []string
	ip        int
}

func (a *app) loadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "load URL...",
		Short: "offer load to a server of your own, measure and report",
		Long: `load makes requests of a server that runs already, and says how many were
answered, by which instances, how fast, and how sure that is. It changes
nothing. Offer load only to servers that you own.

A URL begins with http://, h2c:// (HTTP/2 with prior knowledge), ws://, tcp:// or
udp://. The last three are for servers that answer as portlab serve does, with
--protocol tcp or udp; TLS is not spoken. Of several URLs, each connection goes
to one at random.

Who answered is read from the header Portlab-Answer, from --instance-header, or
by --instance-pattern from the body. An instance that never answers is known
only from --instances.

Claims, for --claim:
` + claimHelp(),
		Example: `  portlab load http://127.0.0.1:8080/ --requests 1000
  portlab load http://127.0.0.1:8080/ --rate 500 --duration 10s --keep-alive
  portlab load http://web:8080/ --instance-header X-Served-By --instances web1,web2 --claim shares`,
		Args: atLeastOne("URL"),
	}
	f := &loadFlags{planFlags: addPlanFlags(c), resultFlags: addResultFlags(c, "load")}
	c.Flags().StringSliceVar(&f.instances, "instances", nil, "all instances by `NAME,NAME`, so that one that never answers is a zero (default those that answered)")
	c.Flags().IntVar(&f.ip, "ip", 0, "IP version to call a name by: 4 or 6; 0: whichever it has")
	c.RunE = func(c *cobra.Command, args []string) error { return a.doLoad(c, args, f) }
	return c
}

// doLoad checks all that was asked for before anything is sent.
func (a *app) doLoad(c *cobra.Command, urls []string, f *loadFlags) error {
	ctx := c.Context()
	if err := f.check(); err != nil {
		return err
	}
	claims, asked, err := f.judges(f.defaults())
	if err != nil {
		return err
	}
	to, err := findDestination(ctx, urls, lab.Family(f.ip))
	if err != nil {
		return err
	}
	f.plan.Path = to.path
	if f.plan.Host == "" && !headless(to.protocol) {
		f.plan.Host = to.host
	}
	t := &lab.Trial{Claims: claims, Asked: asked, Recognise: claim.Recognise, Vantage: to.vantage()}
	if t.Plan, err = f.resolve(c, to.protocol); err != nil {
		return err
	}
	// It carries no mark of a run: nothing that it leaves needs to be swept.
	if t.Driver, err = f.driver(ctx, t.Plan); err != nil {
		return err
	}
	out, err := f.output("load", false)
	if err != nil {
		return err
	}
	t.Command = again(c, urls, "--seed", strconv.FormatUint(t.Plan.Seed, 10))
	if !f.quiet {
		fmt.Fprintf(a.stderr, "load: %s\n", to)
	}
	return a.offer(ctx, t, to, out, f)
}

func (f *loadFlags) check() error {
	if err := checkServer(f.ip, f.instances); err != nil {
		return err
	}
	return f.resultFlags.check()
}

// checkServer checks what is said of a server that runs already.
func checkServer(ip int, instances []string) error {
	if ip != 0 && ip != int(lab.IPv4) && ip != int(lab.IPv6) {
		return lab.Usagef("--ip wants 4 or 6, not %d", ip)
	}
	for i, name := range instances {
		if name == "" || slices.Contains(instances[:i], name) {
			return lab.Usagef("--instances wants different names, joined by commas: %q is none, or there twice", name)
		}
	}
	return nil
}

// defaults are the claims that are always made: of the instances only if
// something is said about them.
func (f *loadFlags) defaults() []lab.Claim {
	all := []lab.Claim{claim.NoLoss{}}
	if len(f.instances) > 0 {
		all = append(all, claim.EveryInstance{})
	}
	if len(f.instances) > 0 || f.plan.InstanceHeader != "" || f.plan.InstancePattern != "" {
		all = append(all, claim.Shares{TolerancePercent: claim.DefaultTolerancePercent}, claim.LatencyIndependent{})
	}
	return all
}

// offer offers the load, judges it, and gives out its result.
func (a *app) offer(ctx context.Context, t *lab.Trial, to *destination, out *output, f *loadFlags) error {
	begun := time.Now()
	show := a.newDisplay(f.quiet, *f.color)
	t.Watch = show.event
	recorder, err := out.recorder()
	if err != nil {
		return err
	}
	defer recorder.Close()
	t.Recorder = recorder
	res := newLoadResult(ctx, t, to, begun)
	all, err := t.Offer(ctx, ownPlace{addresses: ownAddresses()}, to.targets, res)
	res.Timings.Load = time.Since(begun)
	if err != nil {
		show.end(false)
		return err
	}
	at := time.Now()
	show.event(lab.Event{Phase: lab.Judging})
	f.fold(t, res, all)
	res.Timings.Judge, res.Timings.Total = time.Since(at), time.Since(begun)
	show.end(true)
	if err := a.give(res, all, out, f.resultFlags); err != nil {
		return err
	}
	return verdict(res)
}

// ownPlace is where this process stands, with all addresses of this machine.
type ownPlace struct {
	load.Local
	addresses []netip.Addr
}

// Sources implements [lab.SourcePlace].
func (p ownPlace) Sources() []netip.Addr { return append(p.Local.Sources(), p.addresses...) }

// newLoadResult is what is known of a load before it.
func newLoadResult(ctx context.Context, t *lab.Trial, to *destination, begun time.Time) *lab.Result {
	first := to.targets[0]
	res := &lab.Result{
		SchemaVersion: lab.SchemaVersion, Run: lab.NewRunID(), Started: begun.UTC().Truncate(time.Millisecond),
		Command: t.Command, Strategy: "load", Summary: "load to " + to.String(),
		Runtime: lab.NoRuntime, Vantage: t.Vantage, Null: lab.UnknownNull, Plan: t.Plan,
		Family: familyOf(first.Addr()), Front: lab.Front{Address: first.Addr(), Port: first.Port()},
		Faults: map[lab.Fault]int{}, ClientAddress: lab.AddressUnknown,
	}
	if first.Addr().IsLoopback() {
		res.Front = lab.Front{Loopback: first.Addr(), Port: first.Port()}
	}
	if own, err := kernel.Own(); err == nil {
		res.Environment = kernel.Environment(ctx, own)
		_ = own.Close() // it was only read
	}
	noteVersion(&res.Environment)
	return res
}

// fold says what the samples say. The instances are those that were named
// beforehand, or else those that answered.
func (f *loadFlags) fold(t *lab.Trial, res *lab.Result, all lab.Samples) {
	names := f.instances
	if len(names) == 0 {
		for _, in := range lab.Measure(all, nil).Instances {
			names = append(names, in.Name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		res.Fleet = append(res.Fleet, lab.Replica{Instance: name, Weight: 1})
	}
	res.Replicas = len(res.Fleet)
	res.Verdicts = t.Judge(res, res.Fold(all, nil), all)
	switch {
	case len(names) == 0:
		res.Caveats = append(res.Caveats, "The answers do not say who gave them: --instance-header or --instance-pattern finds it out, if anything in them does.")
	case len(f.instances) == 0:
		res.Caveats = append(res.Caveats, "The instances are those that answered. One that never did is not known, and not counted as a zero: name them all with --instances.")
	}
	res.Caveats = append(res.Caveats, "What else the server and the way to it had to do meanwhile is not known.")
}
