package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

const (
	// untilSettled is the word of --until.
	untilSettled = "settled"
	// mostUntilSettled is how many requests --until settled makes at most, unless
	// --requests or --duration says.
	mostUntilSettled = 100_000
)

// prepareUntil checks --until, and gives it its own bound on the requests.
func (f *runFlags) prepareUntil(c *cobra.Command) error {
	if f.until == "" {
		return nil
	}
	if f.until != untilSettled {
		return lab.Usagef("--until wants %s, not %q", untilSettled, f.until)
	}
	if given := c.Flags().Changed; !given("requests") && !given("duration") {
		f.plan.Requests = mostUntilSettled
	}
	return nil
}

// endWhenSettled has a trial's load end when its claims about shares are
// settled, if that was asked for. It returns a [lab.UsageError] where no test
// allows for that.
func (f *runFlags) endWhenSettled(t *lab.Trial) error {
	if f.until == "" {
		return nil
	}
	if null := t.Strategy.Needs().Null; !claim.Sequential(null) {
		return lab.Usagef("--until settled is for strategies whose connections are draws of their own, at random or by a hash of addresses and ports: %s", whyNotSequential(lab.FullName(t.Strategy), null))
	}
	if t.Plan.PerConnection == 0 {
		return lab.Usagef("--until settled counts connections, of which there are but a few where they are kept: leave --keep-alive and --streams out, or give --requests-per-connection")
	}
	t.Plan.UntilSettled, t.Monitor = true, claim.UntilSettled(t.Claims, t.Strategy.Needs().Null)
	return nil
}

func whyNotSequential(strategy string, null lab.Null) string {
	why := "there is no law that a test could hold them against"
	switch null {
	case lab.RoundRobin:
		why = "turns are certain after a few connections"
	case lab.Single:
		why = "one instance gets everything"
	case lab.HashAddress:
		why = "each client address counts once, and there are too few"
	}
	return fmt.Sprintf("with %s %s; say how many --requests instead", strategy, why)
}
