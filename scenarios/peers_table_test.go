package scenarios_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// table is what all rounds gave, by tool and load, in the order of the rounds.
type table map[[2]string][]measurement

func (t table) add(tool, cell string, m measurement) {
	t[[2]string{tool, cell}] = append(t[[2]string{tool, cell}], m)
}

// What is compared: a measurement of a tool over wrk's of the same round.
func rates(m, base measurement) float64   { return m.rate() / base.rate() }
func cpus(m, base measurement) float64    { return m.cpuPerRequest() / base.cpuPerRequest() }
func drivers(m, base measurement) float64 { return m.driverPerRequest() / base.cpuPerRequest() }

// ratios holds a tool against wrk, round by round. A round in which one of the
// two had no answers, or gave figures in doubt, has no ratio.
func (t table) ratios(tool, cell string, of func(m, base measurement) float64) []float64 {
	var ratios []float64
	base := t[[2]string{baseline, cell}]
	for i, m := range t[[2]string{tool, cell}] {
		if i < len(base) && m.sound() && base[i].sound() {
			ratios = append(ratios, of(m, base[i]))
		}
	}
	return ratios
}

// spread is the median, the least and the most.
func spread(x []float64) string {
	if len(x) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(x), slices.Min(x), slices.Max(x))
}

// absolute is the medians of a tool's sound measurements in one cell.
func (t table) absolute(tool, cell string) string {
	var rate, client, server, first []float64
	for _, m := range t[[2]string{tool, cell}] {
		if m.sound() {
			rate, client = append(rate, m.rate()), append(client, m.cpuPerRequest())
			server, first = append(server, m.server.Seconds()/float64(m.answered)), append(first, m.closedFirst)
		}
	}
	if len(rate) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f/s %s %s %.0f%%", median(rate), micros(median(client)), micros(median(server)), 100*median(first))
}

func micros(seconds float64) string { return fmt.Sprintf("%.0fus", 1e6*seconds) }

// String is the tables, as Markdown that can be read as it is.
func (t table) String() string {
	b := &strings.Builder{}
	fmt.Fprint(b, "Requests per second over wrk's of the same round: median (least to most)\n\n")
	writeTable(b, t.rows(func(tool, cell string) string { return spread(t.ratios(tool, cell, rates)) }))
	fmt.Fprint(b, "\nClient CPU time for each request over wrk's; \"driver\" is portlab's process that makes the requests alone\n\n")
	cpu := t.rows(func(tool, cell string) string { return spread(t.ratios(tool, cell, cpus)) })
	driver := []string{"driver"}
	for _, c := range cells {
		driver = append(driver, spread(t.ratios("portlab", c.name, drivers)))
	}
	writeTable(b, append(cpu, driver))
	fmt.Fprint(b, "\nMedians: requests per second; CPU time for each request, of the client and of the server; connections that the client closed first\n\n")
	writeTable(b, t.rows(t.absolute))
	t.troubles(b)
	return b.String()
}

// rows has one for each tool that took part, after a heading.
func (t table) rows(of func(tool, cell string) string) [][]string {
	rows := [][]string{{"concurrency"}}
	for _, c := range cells {
		rows[0] = append(rows[0], c.name)
	}
	for _, name := range order {
		if len(t[[2]string{name, cells[0].name}]) == 0 {
			continue
		}
		row := []string{name}
		for _, c := range cells {
			row = append(row, of(name, c.name))
		}
		rows = append(rows, row)
	}
	return rows
}

// troubles lists the measurements that count for nothing, and why.
func (t table) troubles(b *strings.Builder) {
	for _, name := range order {
		for _, c := range cells {
			for i, m := range t[[2]string{name, c.name}] {
				if m.trouble != "" {
					fmt.Fprintf(b, "\nNOT COUNTED: %s at %s, round %d: %s", name, c.name, i+1, m.trouble)
				}
			}
		}
	}
}

// writeTable writes rows as Markdown, the first as the heading, with columns
// in line.
func writeTable(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			fmt.Fprintf(b, "| %-*s ", width[i], cell)
		}
		fmt.Fprintln(b, "|")
	}
	line(rows[0])
	for _, w := range width {
		fmt.Fprint(b, "|-", strings.Repeat("-", w), "-")
	}
	fmt.Fprintln(b, "|")
	for _, row := range rows[1:] {
		line(row)
	}
}

// A ratio is of two measurements of the same round, and of sound ones only.
func TestRatiosOfPeers(t *testing.T) {
	made := func(answered int, trouble string) measurement {
		return measurement{outcome: outcome{answered: answered, elapsed: time.Second}, cpu: time.Second, trouble: trouble}
	}
	results := table{}
	for _, round := range []struct{ wrk, ab measurement }{
		{made(100, ""), made(50, "")},
		{made(1000, ""), made(2000, "")},
		{made(10, ""), made(90, "it failed")},
		{made(0, "it failed"), made(90, "")},
		{made(100, ""), made(100, "")},
	} {
		results.add("wrk", "16", round.wrk)
		results.add("ab", "16", round.ab)
	}
	if got := results.ratios("ab", "16", rates); !slices.Equal(got, []float64{.5, 2, 1}) {
		t.Errorf("rates: %v", got)
	}
	if got := results.ratios("ab", "16", cpus); !slices.Equal(got, []float64{2, .5, 1}) {
		t.Errorf("CPU times: %v", got)
	}
	if got := spread(results.ratios("ab", "16", rates)); got != "1.00 (0.50 to 2.00)" {
		t.Errorf("the spread is %q", got)
	}
}
