package report

import (
	"io"

	"github.com/portlab/portlab/lab/compare"
)

// ComparisonMarkdown writes what the report.md of a comparison holds.
func ComparisonMarkdown(w io.Writer, c *compare.Comparison) error {
	return writeComparisonMarkdown(w, c)
}

// ComparisonJUnit writes the claims of a comparison as JUnit XML, a test case for
// each claim of each arm.
func ComparisonJUnit(w io.Writer, c *compare.Comparison) error {
	return writeComparisonJUnit(w, digestOf(c))
}

// ComparisonBench writes a comparison in the Go benchmark format, a line for each run.
func ComparisonBench(w io.Writer, c *compare.Comparison) error {
	return writeComparisonBench(w, digestOf(c))
}

// ComparisonCSV writes a comparison as CSV (RFC 4180) with a header, a row for
// each arm and metric.
func ComparisonCSV(w io.Writer, c *compare.Comparison) error {
	return writeSummaries(w, digestOf(c))
}
