package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/report"
)

// reportFlags are the flags of report.
type reportFlags struct {
	csv        string
	out        string
	jobSummary *jobSummary
	format     *string
	color      *string
}

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report DIR [DIR...]",
		Short: "render a report again, from its raw data, or merge those of several runs",
		Long: `report reads result.json and samples.bin.gz of a run's folder, computes again
what can be computed from the samples, writes the report there again, and
prints the result. The verdicts are those of the run: its claims were fixed
before it.

Of several folders, whose runs must be of the same trial, it makes one report,
as if they had been one load, in a new folder; the same claims are held against
all of them together.

Of a comparison's folder it makes the comparison's report again, from what each
of its runs came to.

With --csv it writes the raw data as CSV, and nothing else.`,
		Example: `  portlab report portlab-results/latest
  portlab report portlab-results/latest --csv samples.csv
  portlab report portlab-results/latest --format junit
  portlab report monday tuesday --out both`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly("DIR")(c, args)
			}
			return nil
		},
	}
	f := &reportFlags{}
	c.Flags().StringVar(&f.csv, "csv", "", "write the raw data, a row for each request, as CSV to `FILE`; - is the standard output")
	c.Flags().StringVar(&f.out, "out", "", "new or empty folder `DIR` for the report of several runs")
	f.jobSummary = jobSummaryFlag(c)
	f.format, f.color = resultFormatFlag(c), colorFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := f.check(c, args); err != nil {
			return err
		}
		return a.report(c, args, f)
	}
	return c
}

func (f *reportFlags) check(c *cobra.Command, args []string) error {
	switch {
	case f.csv != "" && (f.out != "" || f.jobSummary.path != "" || c.Flags().Changed("format")):
		return lab.Usagef("--csv writes the raw data and nothing else: leave --out, --format and --job-summary out")
	case f.csv == "" && len(args) > 1 && f.out == "":
		return lab.Usagef("the report of several runs needs a folder of its own: name a new one with --out")
	case len(args) == 1 && f.out != "":
		return lab.Usagef("--out is for the report of several runs: that of one is written to its own folder")
	}
	return errors.Join(
		oneOf("format", *f.format, resultFormats...),
		f.jobSummary.check(),
		oneOf("color", *f.color, colorAuto, colorAlways, colorNever),
	)
}

// report reads the raw data of runs and gives them out in another form.
func (a *app) report(c *cobra.Command, dirs []string, f *reportFlags) error {
	if slices.ContainsFunc(dirs, report.IsComparison) {
		return a.reportComparison(dirs, f)
	}
	res, all, err := readAll(dirs)
	if err != nil {
		return err
	}
	if f.csv != "" {
		return a.writeCSV(f.csv, res, all)
	}
	if len(dirs) == 1 {
		res.Fold(all, res.Accepted())
		if err := report.Write(dirs[0], res, all); err != nil {
			return fmt.Errorf("write the report in %s: %w", dirs[0], err)
		}
		if err := giveBack(a.getenv, dirs[0], ""); err != nil {
			return fmt.Errorf("give the report to the user behind sudo: %w", err)
		}
		return a.giveAgain(res, f)
	}
	out, err := planOutput(f.out, false, "", time.Now())
	if err != nil {
		return err
	}
	res.Run, res.Command = lab.NewRunID(), append([]string{c.Root().Name(), c.Name()}, append(dirs, "--out", f.out)...)
	if err := judgeAgain(res, all); err != nil {
		return err
	}
	if _, err := out.write(res, all, a.getenv); err != nil {
		return err
	}
	return a.giveAgain(res, f)
}

// reportComparison renders a comparison again: its summaries from its rounds, and
// its report from both.
func (a *app) reportComparison(dirs []string, f *reportFlags) error {
	if len(dirs) > 1 || f.csv != "" {
		return lab.Usagef("a comparison has no raw data of its own and is not merged: name it alone and without --csv, or its runs")
	}
	dir := dirs[0]
	c, err := report.ReadComparison(dir)
	if err != nil {
		return err
	}
	c.Fold()
	if err := report.WriteComparison(dir, c); err != nil {
		return fmt.Errorf("write the report in %s: %w", dir, err)
	}
	if err := giveBack(a.getenv, dir, ""); err != nil {
		return fmt.Errorf("give the report to the user behind sudo: %w", err)
	}
	if err := f.jobSummary.add(a.getenv, func(w io.Writer) error { return report.ComparisonMarkdown(w, c) }); err != nil {
		return err
	}
	if err := a.printComparison(c, *f.format, *f.color); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	return nil
}

// giveAgain gives out a result whose report is written.
func (a *app) giveAgain(res *lab.Result, f *reportFlags) error {
	if err := f.jobSummary.add(a.getenv, func(w io.Writer) error { return report.Summary(w, res) }); err != nil {
		return err
	}
	if err := a.print(res, *f.format, *f.color); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// readAll reads the runs in folders, and merges them if there are several.
func readAll(dirs []string) (*lab.Result, lab.Samples, error) {
	var (
		runs  []*lab.Result
		loads []lab.Samples
	)
	for _, dir := range dirs {
		r, all, err := report.Read(dir)
		if err != nil {
			return nil, nil, err
		}
		runs, loads = append(runs, r), append(loads, all)
	}
	if len(runs) == 1 {
		return runs[0], loads[0], nil
	}
	merged, err := report.Merge(runs)
	return merged, lab.Concat(loads...), err
}

// judgeAgain folds the samples and holds the claims that a result was held
// against, by their names, against what that gives.
func judgeAgain(res *lab.Result, all lab.Samples) error {
	t := &lab.Trial{Plan: res.Plan, Vantage: res.Vantage, Recognise: claim.Recognise}
	for _, v := range res.Verdicts {
		c, err := claim.Parse(v.Claim)
		if err != nil {
			return fmt.Errorf("hold the claim of the runs against all of them: %w", err)
		}
		t.Claims = append(t.Claims, c)
		if v.Asked {
			t.Asked = len(t.Claims)
		}
	}
	res.Verdicts = t.Judge(res, res.Fold(all, res.Accepted()), all)
	return all.Err()
}

// writeCSV writes samples to a file; - is the standard output.
func (a *app) writeCSV(path string, res *lab.Result, all lab.Samples) error {
	if path == "-" {
		if err := buffered(a.stdout, res, all); !errors.Is(err, unix.EPIPE) {
			return err
		}
		return nil // whoever reads it, such as head(1), has had enough
	}
	f, err := os.Create(path)
	if err != nil {
		return lab.Usagef("cannot write CSV there: %v: name another file with --csv", err)
	}
	if err := errors.Join(buffered(f, res, all), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return giveBack(a.getenv, path, "")
}

func buffered(w io.Writer, res *lab.Result, all lab.Samples) error {
	b := bufio.NewWriter(w)
	if err := report.CSV(b, all, res.Environment.Emulated); err != nil {
		return err
	}
	return b.Flush()
}
