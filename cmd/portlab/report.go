package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/report"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "render a run's report again, from its raw data",
		Long: `report reads result.json and samples.csv.gz of a run's folder, computes again
what can be computed from the samples, writes the report there again, and
prints the result. The verdicts are those of the run: its claims were fixed
before it.`,
		Example: "  portlab report portlab-results/latest",
		Args:    exactly("DIR"),
	}
	format, color := formatFlag(c), colorFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		err := errors.Join(
			oneOf("format", *format, formatText, formatJSON),
			oneOf("color", *color, colorAuto, colorAlways, colorNever),
		)
		if err != nil {
			return err
		}
		res, err := render(args[0])
		if err != nil {
			return err
		}
		if err := giveBack(a.getenv, args[0], ""); err != nil {
			return fmt.Errorf("give the report to the user behind sudo: %w", err)
		}
		return a.print(res, *format, *color)
	}
	return c
}

// render writes the report in dir again.
func render(dir string) (*lab.Result, error) {
	res, samples, err := report.Read(dir)
	if err != nil {
		return nil, err
	}
	res.Fold(samples, res.Accepted())
	if err := report.Write(dir, res, samples); err != nil {
		return nil, fmt.Errorf("write the report in %s: %w", dir, err)
	}
	return res, nil
}
