package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// ComparisonBench writes every run in the Go benchmark format
// (golang.org/design/14313), those of the first baseline first, so that
// `benchstat -col /strategy` holds the others against it. All lines have the
// comparison's number of replicas, as benchstat compares only what is otherwise
// the same.
func ComparisonBench(w io.Writer, c *compare.Comparison) error {
	d, b := digestOf(c), newBenchmark(c.Environment)
	b.config("portlab-runtime", d.Runtime)
	b.config("portlab-vantage", string(d.Vantage))
	b.config("portlab-load", load(d.Plan))
	b.config("kernel", d.Environment.Kernel)
	b.config("cpu", d.Environment.CPU)
	b.units(d.Metrics)
	for _, arm := range d.baselineFirst() {
		for _, r := range d.Rounds {
			for _, run := range r.Runs {
				if run.Arm == arm && run.Failed == "" {
					b.run(arm, d.Replicas, run.Requests, loadSeconds(run), run.Values)
				}
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// loadSeconds is how long a run's load was, by its throughput; 0 if nothing was answered.
func loadSeconds(r compare.Run) float64 {
	if t := r.Values[compare.Throughput]; t > 0 {
		return float64(r.Requests) * (1 - r.Values[compare.Loss]) / t
	}
	return 0
}

func (d *digest) baselineFirst() []string {
	first := d.baseline()
	arms := slices.DeleteFunc(d.present(), func(arm string) bool { return arm == first })
	return append([]string{first}, arms...)
}

// writeTable writes rows as CSV (RFC 4180), headings first.
func writeTable(w io.Writer, headings []string, rows [][]string) error {
	c := csv.NewWriter(w)
	if err := c.WriteAll(append([][]string{headings}, rows...)); err != nil {
		return fmt.Errorf("write a table as CSV: %w", err)
	}
	return nil
}

// ComparisonCSV writes the summaries as CSV (RFC 4180): a header, and a row for
// each arm, metric and baseline; one without a baseline has the value itself. The
// last column is 1 where an emulated processor bore on it ([compare.Metric.HardwareBound]).
func ComparisonCSV(w io.Writer, c *compare.Comparison) error {
	d := digestOf(c)
	var rows [][]string
	for _, s := range d.Summaries {
		m, _ := d.metric(s.Metric)
		mark := asDigit(d.Environment.Emulated && m.HardwareBound())
		rows = append(rows, append(append([]string{s.Arm, s.Metric, m.Unit, ""}, estimateFields(s.Value)...), mark))
		for _, b := range sortedKeys(s.Ratios) {
			rows = append(rows, append(append([]string{s.Arm, s.Metric, "ratio", b}, estimateFields(s.Ratios[b])...), mark))
		}
	}
	return writeTable(w, []string{"strategy", "metric", "unit", "baseline", "median", "low", "high", "confidence", "n", emulated}, rows)
}

func writePairs(w io.Writer, d *digest) error {
	var rows [][]string
	for _, p := range d.Pairs {
		m, _ := d.metric(p.Metric)
		row := append([]string{p.First, p.Second, p.Metric}, estimateFields(p.Ratio)...)
		rows = append(rows, append(row, exactNumber(p.PValue), exactNumber(p.Adjusted), string(p.Order), strconv.Itoa(p.NeedRound), exactNumber(p.Effect),
			asDigit(d.Environment.Emulated && m.HardwareBound())))
	}
	return writeTable(w, []string{"first", "second", "metric", "ratio", "low", "high", "confidence", "n",
		"p", "adjusted_p", "better", "need_rounds", "common_language", emulated}, rows)
}

// estimateFields are median, low, high, confidence and n; what is unknown is empty.
func estimateFields(e compare.Estimate) []string {
	if e.N == 0 {
		return []string{"", "", "", "", "0"}
	}
	confidence := ""
	if e.Confidence > 0 {
		confidence = exactNumber(&e.Confidence)
	}
	return []string{exactNumber(&e.Median), exactNumber(e.Low), exactNumber(e.High), confidence, strconv.Itoa(e.N)}
}

func exactNumber(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
}

// ComparisonJUnit writes JUnit XML, as [JUnit] does, with a test suite for each
// arm: that it took part, and the claims that it was held against.
func ComparisonJUnit(w io.Writer, c *compare.Comparison) error {
	d := digestOf(c)
	var suites []junitSuite
	for _, a := range d.Arms {
		s := newSuite(timed(d.Environment, a.Name+" on "+d.Runtime), d.Started, 0,
			property("comparison", string(d.ID)), property("vantage", string(d.Vantage)),
			property("replicas", whole(a.Replicas)), property("load", load(d.Plan)))
		s.markEmulated(d.Environment)
		class := "portlab." + className(&lab.Result{Strategy: a.Name})
		took := junitCase{Class: class, Name: "takes part", Seconds: seconds(0)}
		if a.Absent != "" {
			took.Skipped = &junitMessage{Message: printable(a.Absent)}
		}
		s.add(took)
		for _, v := range d.Verdicts {
			if v.Arm == a.Name {
				s.add(caseOf(class, v.Verdict))
			}
		}
		suites = append(suites, s)
	}
	return writeJUnit(w, suites)
}
