package report

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

func (p *page) comparisonClaims(d *digest) {
	if len(d.Verdicts) == 0 {
		return
	}
	p.heading(2, "Claims")
	g := &grid{
		aligns:   []align{left, left, left, left, left, right},
		headings: []string{"strategy", "claim", "outcome", "effect", "interval", "n"},
	}
	for _, v := range d.Verdicts {
		effect := none
		if v.Effect != nil {
			effect = strings.TrimSpace(cell(v.EffectName) + " " + figure(*v.Effect, 3))
		}
		g.add(cell(v.Arm), cell(v.Claim), cell(string(v.Outcome)), effect, interval(v.Verdict), whole(v.N))
	}
	p.table(g)
	var said []string
	for _, v := range d.Verdicts {
		if v.Sentence != "" {
			said = append(said, v.Arm+": "+v.Sentence)
		}
		for _, w := range v.Warnings {
			said = append(said, fmt.Sprintf("Warning, %s, %s: %s", v.Arm, v.Claim, w))
		}
		if v.Outcome == lab.Inconclusive && v.NeedN > v.N {
			said = append(said, fmt.Sprintf("%s, %s: %s rounds would settle it; there are %s.", v.Arm, v.Claim, whole(v.NeedN), whole(v.N)))
		}
	}
	p.list(said)
}

// method says how it was measured, so that another can judge it.
func (p *page) method(d *digest) {
	p.heading(2, "How it was measured")
	g := &grid{aligns: []align{left, left}, headings: []string{"what", "value"}}
	g.add("load of each run", cell(load(d.Plan)))
	g.add("runtime, vantage", cell(fmt.Sprintf("%s, %s (%s), IPv%d", d.Runtime, d.Vantage, standsAt(d.Vantage), d.Family)))
	g.add("rounds", cell(fmt.Sprintf("%s of %s at most. %s", whole(d.Stop.Done), whole(d.Stop.Planned), capital(d.Stop.Reason))))
	if len(d.Stop.Looks) > 0 {
		g.add("could have ended after", cell(strings.Trim(fmt.Sprint(d.Stop.Looks), "[]")))
	}
	g.add("significance", cell(fmt.Sprintf("%s over all looks and pairs of a metric, %s at each look", percent(d.Stop.Alpha), percent(d.Stop.LookAlpha))))
	g.add("order", cell(fmt.Sprintf("shuffled anew in each round and balanced, from seed %d", d.Seed)))
	for _, row := range noiseRows(d.Noise) {
		g.add(row[0], cell(row[1]))
	}
	p.table(g)
	p.block("What was compared:")
	var metrics []string
	for _, m := range d.Metrics {
		better := "less is better"
		if m.Higher {
			better = "more is better"
		}
		metrics = append(metrics, fmt.Sprintf("%s, in %s, %s: %s.", m.Title, m.Unit, better, strings.TrimRight(m.Meaning, ".")))
	}
	p.list(metrics)
}

func noiseRows(n compare.Noise) [][2]string {
	quiet := "quiet"
	if !n.Quiet {
		quiet = "not quiet"
	}
	rows := [][2]string{{"the machine", quiet}, {"spread of the baseline", percent(n.Spread) + " (interquartile range over median)"}}
	if n.Drift != nil && n.DriftP != nil {
		rows = append(rows, [2]string{"drift of the baseline", fmt.Sprintf("Kendall's tau %s, %s", figure(*n.Drift, 3), pValue(*n.DriftP))})
	}
	return append(rows, [2]string{"processor time of others",
		fmt.Sprintf("%s in the median run; stolen by the hypervisor %s in the worst", percent(n.OtherShare), percent(n.StolenShare))})
}

// runs links to every run, each with the metric that comes first in words.
func (p *page) runs(d *digest) {
	metrics := d.keyMetrics()
	if len(d.Rounds) == 0 {
		return
	}
	p.heading(2, "Runs")
	metric, shows := compare.Metric{}, "Each links to the run's own report."
	if len(metrics) > 0 {
		metric = metrics[0]
		shows = capital(inline(d.timed(metric, metric.Title))) + " of each run. " + shows
	}
	p.block(shows)
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	for _, r := range d.Rounds {
		g.aligns, g.headings = append(g.aligns, right), append(g.headings, "round "+whole(r.Number))
	}
	for _, arm := range d.present() {
		row := []string{cell(d.timed(metric, arm))}
		for _, r := range d.Rounds {
			row = append(row, d.runCell(r, arm, metric))
		}
		g.add(row...)
	}
	p.table(g)
	runs, rounds := d.failedRuns()
	var items []string
	for i, run := range runs {
		items = append(items, fmt.Sprintf("Round %d, %s failed: %s", rounds[i], run.Arm, run.Failed))
	}
	p.list(items)
}

func (d *digest) runCell(r compare.Round, arm string, m compare.Metric) string {
	for _, run := range r.Runs {
		if run.Arm != arm {
			continue
		}
		v, ok := run.Values[m.Name]
		switch {
		case run.Failed != "":
			return d.linked("failed", run.Folder)
		case ok:
			return d.linked(measured(v, m.Unit), run.Folder)
		}
		return d.linked(cell(string(run.ID)), run.Folder)
	}
	return none
}

func (p *page) absentArms(d *digest) {
	absent := d.absent()
	if len(absent) == 0 {
		return
	}
	p.heading(2, "What could not take part")
	for _, a := range absent {
		fmt.Fprintf(p, "- %s: %s\n", prose(a.Name), inline(a.Absent))
	}
	p.gap(len(absent))
}

func (p *page) repeat(d *digest) {
	p.heading(2, "How to reproduce")
	if len(d.Command) > 0 {
		words := make([]string, len(d.Command))
		for i, w := range d.Command {
			words[i] = quote(w)
		}
		p.block(fence([]string{strings.Join(words, " ")}))
	}
	p.block(fmt.Sprintf("Comparison %s, started %s. `portlab report` on this folder makes this report again from `%s`. "+
		"`benchstat -col /strategy %s` holds the arms against the first baseline as well.",
		prose(string(d.ID)), d.Started.UTC().Format("2006-01-02 15:04:05 MST"), comparisonFile, benchFile))
}
