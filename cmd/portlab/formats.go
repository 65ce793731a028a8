package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/report"
)

// The further words of --format for results.
const (
	formatMarkdown = "markdown"
	formatJUnit    = "junit"
	formatBench    = "bench"
	formatCSV      = "csv"
)

// resultFormats are the words of --format for results.
var resultFormats = []string{formatText, formatJSON, formatMarkdown, formatJUnit, formatBench, formatCSV}

// resultFormatFlag adds --format to a command that prints the result of a run.
func resultFormatFlag(c *cobra.Command) *string {
	format := c.Flags().String("format", formatText, "how to print: text, json, markdown, junit, bench (for benchstat) or csv")
	complete(c, "format", resultFormats...)
	return format
}

// print writes a result to the standard output.
func (a *app) print(res *lab.Result, format, color string) error {
	write := map[string]func(io.Writer, *lab.Result) error{
		formatJSON: report.JSON, formatMarkdown: report.Summary, formatJUnit: report.JUnit,
		formatBench: report.Bench, formatCSV: report.SummaryCSV,
	}[format]
	if write == nil {
		return report.Text(a.stdout, res, a.colored(a.stdout, color))
	}
	return write(a.stdout, res)
}

// printComparison writes a comparison to the standard output.
func (a *app) printComparison(c *compare.Comparison, format, color string) error {
	write := map[string]func(io.Writer, *compare.Comparison) error{
		formatJSON: report.ComparisonJSON, formatMarkdown: report.ComparisonMarkdown, formatJUnit: report.ComparisonJUnit,
		formatBench: report.ComparisonBench, formatCSV: report.ComparisonCSV,
	}[format]
	if write == nil {
		return report.ComparisonText(a.stdout, c, a.colored(a.stdout, color))
	}
	return write(a.stdout, c)
}
