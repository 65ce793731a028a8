package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// Bench writes a run in the Go benchmark format (golang.org/design/14313), which
// benchstat reads: configuration, units, and one line for the run with the
// metrics that runs are compared by ([compare.AllMetrics]) and the time for a
// request (ns/op), which is that of the load by the number of requests.
//
// The configuration says what must be the same for two runs to be compared, and
// nothing that differs from run to run.
func Bench(w io.Writer, r *lab.Result) error {
	b := newBenchmark(r.Environment)
	b.config("portlab-runtime", r.Runtime)
	b.config("portlab-vantage", string(r.Vantage))
	b.config("portlab-load", load(r.Plan))
	b.config("kernel", r.Environment.Kernel)
	b.config("cpu", r.Environment.CPU)
	b.units(compare.AllMetrics())
	b.run(r.FullName(), r.Replicas, r.Requests, r.Elapsed.Seconds(), compare.Values(r))
	_, err := io.WriteString(w, b.String())
	return err
}

// benchmark builds a file in the Go benchmark format.
type benchmark struct {
	strings.Builder
	metrics  []compare.Metric
	emulated bool
}

func newBenchmark(e lab.Environment) *benchmark {
	b := &benchmark{emulated: e.Emulated}
	if e.Emulated {
		b.config("portlab-emulated", "true")
	}
	return b
}

// timed is the unit of a figure of time, rate or cost. An emulator's has one of its
// own, as benchstat holds values of the same unit against each other.
func (b *benchmark) timed(unit string) string {
	if b.emulated {
		return emulated + "-" + unit
	}
	return unit
}

// config writes a line of configuration. What it says may come from outside.
func (b *benchmark) config(key, value string) {
	if value = strings.TrimSpace(printable(value)); value != "" {
		fmt.Fprintf(b, "%s: %s\n", key, value)
	}
}

// units says of each metric whether more of it is better.
func (b *benchmark) units(metrics []compare.Metric) {
	b.metrics = metrics
	b.WriteString("\n")
	for _, m := range metrics {
		better := "lower"
		if m.Higher {
			better = "higher"
		}
		fmt.Fprintf(b, "Unit %s better=%s\n", b.unit(m), better)
	}
	b.WriteString("\n")
}

// unit is that of a metric. A line may have each unit once, so one that several
// metrics share has the metric's name before it: latency-p50-ns.
func (b *benchmark) unit(m compare.Metric) string {
	if !m.HardwareBound() {
		return m.Unit
	}
	sharers := 0
	for _, other := range b.metrics {
		if other.Unit == m.Unit {
			sharers++
		}
	}
	if sharers == 1 {
		return b.timed(m.Unit)
	}
	return b.timed(strings.ReplaceAll(m.Name, "_", "-") + "-" + m.Unit)
}

// run writes the line of one run. Its name ends in a key and a value, since a
// number behind a hyphen there would be read as that of processors.
func (b *benchmark) run(strategy string, replicas, requests int, elapsed float64, values map[string]float64) {
	fmt.Fprintf(b, "BenchmarkPortlab/strategy=%s/replicas=%d %d", benchWord(strategy), replicas, requests)
	if requests > 0 {
		fmt.Fprintf(b, " %s %s", exactly(elapsed*1e9/float64(requests)), b.timed("ns/op"))
	}
	for _, m := range b.metrics {
		if v, known := values[m.Name]; known {
			fmt.Fprintf(b, " %s %s", exactly(v), b.unit(m))
		}
	}
	b.WriteString("\n")
}

// notInName is what would end a part of a benchmark's name, or the name.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_.,:=+-]+`)

func benchWord(s string) string { return orWord(notInName.ReplaceAllString(s, "_"), none) }
