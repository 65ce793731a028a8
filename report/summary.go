package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Summary writes a run in short as Markdown, with no picture: for the job summary of
// a CI server, a comment or a chat.
func Summary(w io.Writer, r *lab.Result) error {
	p := &page{}
	p.heading(2, prose(title(r)))
	p.block(fmt.Sprintf("%s on %s, by this load: %s.", plural(r.Requests, "request"), plural(r.Connections, "connection"), inline(load(r.Plan))))
	p.doubts(r)
	p.outcomes(r)
	p.behaviour(r)
	if served(r) {
		p.heading(3, "Distribution of connections")
		p.shares(r)
	}
	if r.Latency.Count > 0 {
		p.heading(3, "Latency")
		p.table(phases(r))
	}
	if n := failed(r); n > 0 {
		p.heading(3, "Faults")
		for _, f := range faultClasses(r) {
			fmt.Fprintf(p, "- %s: %s of %s\n", prose(string(f)), whole(r.Faults[f]), plural(r.Requests, "request"))
		}
		p.gap(n)
	}
	_, err := io.WriteString(w, strings.TrimRight(p.String(), "\n")+"\n")
	return err
}

// summaryColumns are those of [SummaryCSV]. Their names end in their units.
var summaryColumns = []string{
	"run", "strategy", "runtime", "vantage", "instance", "requests", "failed", "connections", "share", "expected_share",
	"latency_p50_ns", "latency_p90_ns", "latency_p99_ns", "latency_p999_ns", "latency_max_ns", emulated,
}

// SummaryCSV writes what a run came to as CSV (RFC 4180) with a header: a row for
// all instances together, whose instance is empty, and one for each. A field is
// empty where there is no such value.
func SummaryCSV(out io.Writer, r *lab.Result) error {
	w := csv.NewWriter(out)
	head := []string{string(r.Run), r.FullName(), r.Runtime, string(r.Vantage)}
	for i := range head {
		head[i] = printable(head[i])
	}
	row := func(fields ...string) []string { return append(append([]string{}, head...), fields...) }
	fieldsOf := func(q lab.Quantiles) []string { return append(latencyFields(q), asDigit(r.Environment.Emulated)) }
	all := [][]string{summaryColumns, append(row("", strconv.Itoa(r.Requests), strconv.Itoa(failed(r)),
		strconv.Itoa(r.Connections), "", ""), fieldsOf(r.Latency)...)}
	for _, in := range r.Instances {
		requests := strconv.Itoa(in.Requests)
		if r.CountedOutside {
			requests = ""
		}
		all = append(all, append(row(printable(in.Name), requests, "", strconv.Itoa(in.Connections),
			exactly(in.Share), exactly(in.Expected)), fieldsOf(in.Latency)...))
	}
	return w.WriteAll(all)
}

// exactly writes a number so that it can be read back as the same.
func exactly(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func latencyFields(q lab.Quantiles) []string {
	fields := make([]string, 5)
	if q.Count == 0 {
		return fields
	}
	for i, d := range []int64{int64(q.P50), int64(q.P90), int64(q.P99), int64(q.P999), int64(q.Max)} {
		fields[i] = strconv.FormatInt(d, 10)
	}
	return fields
}
