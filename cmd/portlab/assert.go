package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/load"
)

// assertFlags are those of assert.
type assertFlags struct {
	counts, url   string
	weights       []float64
	shares        []float64
	tolerance     string
	alpha         float64
	strict        bool
	null          string
	workers       int
	perConnection int
	instances     []string
	probe         *planFlags // of which only a few are flags here
	ip            int
	format        *string
}

// assertNulls are the words of --null: how connections can be meant to be
// shared where all that is known is who answered.
var assertNulls = []string{
	string(lab.Random), string(lab.Hash), string(lab.RoundRobin), string(lab.LeastConnections), string(lab.AcceptRace), string(lab.UnknownNull),
}

func (a *app) assertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "assert",
		Short: "hold counts, or a server that runs already, against the shares that its instances are to have",
		Long: `assert says whether connections are shared as they should be, and how sure that
is, for a test in any language. It takes the counts of each instance, or asks a
URL, each request on a new connection. It changes nothing.

With --counts - it reads a line for each instance from the standard input: a name
and a count, in either order, as uniq -c prints them.

Counts must be of connections. Where they are of requests that shared
connections, say how many at most: --per-connection.

Exit status: 0 held, and 0 with a warning where it cannot be told (1 with
--strict); 1 refuted; 2 bad input. A balancer that shares as it should is refuted
in at most --alpha of runs. Do not run it again until it passes.`,
		Example: `  portlab assert --counts 158,142
  portlab assert --counts web1=301,web2=99 --weights 3,1 --tolerance 10%
  for i in $(seq 300); do curl -s http://127.0.0.1:8080/; done | sort | uniq -c | portlab assert --counts -
  portlab assert --url http://127.0.0.1:8080/ --requests 600 --instance-header X-Served-By --instances web1,web2`,
		Args: exactly(),
	}
	f := &assertFlags{format: formatFlag(c), probe: &planFlags{plan: defaultPlan(), client: load.Auto}}
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.doAssert(c.Context(), c, f) }
	return c
}

func (f *assertFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.counts, "counts", "", "`N,N` connections of each instance, or NAME=N,NAME=N; - reads lines from the standard input")
	fs.StringVar(&f.url, "url", "", "`URL` of a server of your own to ask instead")
	fs.Float64SliceVar(&f.weights, "weights", nil, "weights by which the instances are to share, `W,W`, such as 3,1 (default equal)")
	fs.Float64SliceVar(&f.shares, "shares", nil, "the same as shares, `S,S`, that sum to 1, such as 0.75,0.25")
	for _, name := range []string{"weights", "shares"} {
		fs.Lookup(name).DefValue = "" // else help shows []
	}
	fs.StringVar(&f.tolerance, "tolerance", strconv.Itoa(claim.DefaultTolerancePercent)+"%", "how far a share may be from the expected one, in `PERCENT` of the latter")
	fs.Float64Var(&f.alpha, "alpha", claim.Alpha, "the rate of false alarms: in how many runs a balancer that shares as it should is refuted, at most")
	fs.BoolVar(&f.strict, "strict", false, "exit with status 1 also where it cannot be told")
	fs.StringVar(&f.null, "null", string(lab.Random), "how connections are meant to be shared: "+alternatives(assertNulls))
	fs.IntVar(&f.workers, "workers", 1, "how many workers keep their own turn under --null round-robin")
	fs.IntVar(&f.perConnection, "per-connection", 1, "how many of the counted requests shared a connection, at most")
	fs.StringSliceVar(&f.instances, "instances", nil, "all instances at the URL by `NAME,NAME`, so that one that never answers is a zero (default those that answered)")
	p := &f.probe.plan
	fs.IntVar(&p.Requests, "requests", p.Requests, "how many requests to the URL")
	fs.StringVar(&p.InstanceHeader, "instance-header", "", "the `HEADER` of an answer that names who gave it, such as X-Served-By")
	fs.StringVar(&p.InstancePattern, "instance-pattern", "", "a regular `EXPRESSION` that finds in the body who gave the answer; its first group, if there is one")
	fs.DurationVar(&p.Timeout, "timeout", p.Timeout, "how long a request to the URL may take")
	fs.IntVar(&f.ip, "ip", 0, "IP version to call a name by: 4 or 6; 0: whichever it has")
	complete(c, "null", assertNulls...)
}

// doAssert checks all that was asked for before anything is read or sent.
func (a *app) doAssert(ctx context.Context, c *cobra.Command, f *assertFlags) error {
	shares, err := f.claim()
	if err != nil {
		return err
	}
	if err := f.check(c); err != nil {
		return err
	}
	var s *assertion
	if f.url != "" {
		s, err = a.assertURL(ctx, f, shares)
	} else {
		s, err = a.assertCounts(f, shares)
	}
	if err != nil {
		return err
	}
	if err := s.print(a.stdout, *f.format, shares); err != nil {
		return fmt.Errorf("print the verdict: %w", err)
	}
	return s.outcome(a.stderr, f.strict)
}

// claim is what is to be held.
func (f *assertFlags) claim() (claim.Shares, error) {
	text, isPercent := strings.CutSuffix(strings.TrimSpace(f.tolerance), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !isPercent || !(percent > 0 && percent <= 100) {
		return claim.Shares{}, lab.Usagef("--tolerance wants a part of the expected share above 0%% and up to 100%%, such as 20%%, not %q", f.tolerance)
	}
	if !(f.alpha > 0 && f.alpha < 0.5) {
		return claim.Shares{}, lab.Usagef("--alpha wants a rate above 0 and below 0.5, such as 0.01, not %v", f.alpha)
	}
	return claim.Shares{TolerancePercent: percent, Alpha: f.alpha}, nil
}

// ofURL are the flags that speak of a URL alone.
var ofURL = []string{"requests", "instances", "instance-header", "instance-pattern", "timeout", "ip"}

func (f *assertFlags) check(c *cobra.Command) error {
	if err := oneOf("format", *f.format, formatText, formatJSON); err != nil {
		return err
	}
	if err := oneOf("null", f.null, assertNulls...); err != nil {
		return err
	}
	given := c.Flags().Changed
	switch {
	case given("counts") == given("url"):
		return lab.Usagef("portlab assert wants --counts or --url, one of the two: such as --counts 158,142")
	case given("weights") && given("shares"):
		return lab.Usagef("--weights and --shares say the same: leave one out")
	case given("url") && given("per-connection"):
		return lab.Usagef("--per-connection is for --counts: each request to a URL has a connection of its own")
	case f.perConnection < 1:
		return lab.Usagef("--per-connection wants at least 1, not %d", f.perConnection)
	case f.workers < 1:
		return lab.Usagef("--workers wants at least 1, not %d", f.workers)
	case given("url") && len(f.expected()) > 0 && len(f.instances) == 0:
		return lab.Usagef("--weights and --shares need to know whose they are: name the instances at the URL with --instances, in the same order")
	}
	for _, name := range ofURL {
		if given(name) && given("counts") {
			return lab.Usagef("--%s is for --url", name)
		}
	}
	if err := checkServer(f.ip, f.instances); err != nil {
		return err
	}
	return f.checkShares()
}

func (f *assertFlags) checkShares() error {
	if len(f.shares) == 0 {
		return nil
	}
	var sum float64
	for _, s := range f.shares {
		sum += s
	}
	if sum < 0.999999 || sum > 1.000001 {
		return lab.Usagef("--shares must sum to 1, not to %.6g: give --weights where they need not", sum)
	}
	return nil
}

// expected are the weights or shares given; none: equal.
func (f *assertFlags) expected() []float64 { return append(f.weights, f.shares...) }
