package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// resultFlags are the flags that say what a measurement is held against and
// where its result goes: those that run and load share.
type resultFlags struct {
	claims     []string
	assert     bool
	out        string
	noReport   bool
	jobSummary *jobSummary
	format     *string
	color      *string
	quiet      bool
}

// addResultFlags adds them; named is what a report's folder is named after.
func addResultFlags(c *cobra.Command, named string) *resultFlags {
	f := &resultFlags{}
	c.Flags().StringArrayVar(&f.claims, "claim", nil, "a `CLAIM` to hold the measurement against; may be repeated; refuted, the exit status is 1")
	c.Flags().BoolVar(&f.assert, "assert", false, "exit with status 1 if any claim is refuted, those made by default too")
	c.Flags().StringVar(&f.out, "out", "", "new or empty folder `DIR` for the report, none for no report (default "+resultsDir+"/TIME-"+named+")")
	c.Flags().BoolVar(&f.noReport, "no-report", false, "write no report: the same as --out none")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	f.jobSummary = jobSummaryFlag(c)
	f.format, f.color = resultFormatFlag(c), colorFlag(c)
	var claims []string
	for _, form := range claim.Forms() {
		claims = append(claims, form.Text+"\t"+form.Meaning)
	}
	complete(c, "claim", claims...)
	return f
}

func claimHelp() string {
	var b strings.Builder
	for _, form := range claim.Forms() {
		fmt.Fprintf(&b, "  %-33s%s\n", form.Text, form.Meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// output is where the report is to go: nowhere, if there is to be none. A dry run
// has no result, and so none of its forms.
func (f *resultFlags) output(name string, dryRun bool) (*output, error) {
	if dryRun && *f.format != formatText && *f.format != formatJSON {
		return nil, lab.Usagef("--dry-run prints what would be done, and not a result: use --format text or json")
	}
	return planOutput(f.out, f.noReport || dryRun, name, time.Now())
}

func (f *resultFlags) check() error {
	if err := errors.Join(oneOf("format", *f.format, resultFormats...), f.jobSummary.check()); err != nil {
		return err
	}
	if f.noReport && f.out != "" && f.out != noOutput {
		return lab.Usagef("--no-report and --out %s contradict each other: leave one out", f.out)
	}
	return oneOf("color", *f.color, colorAuto, colorAlways, colorNever)
}

// judges are the claims that were asked for, then those that are always made,
// and how many of them decide the exit status.
func (f *resultFlags) judges(defaults []lab.Claim) (claims []lab.Claim, asked int, err error) {
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
	for _, c := range defaults {
		if !named[c.Name()] {
			claims = append(claims, c)
		}
	}
	if f.assert {
		asked = len(claims)
	}
	return claims, asked, nil
}
