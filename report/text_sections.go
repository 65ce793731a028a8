package report

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

const (
	nameWidth = 24 // columns for an instance's name
	barWidth  = 30 // columns for the largest share
)

func (t *terminal) counts(r *lab.Result) {
	if !served(r) {
		if r.Runtime == lab.NoRuntime {
			return // of a server's instances nothing may be known
		}
		t.line("  No connection is known to have reached a replica.\n")
		return
	}
	all := portions(r)
	top := tallest(all, false)
	if len(all) > textRows {
		t.wrapped("  ", summary(byConnections(all)))
		t.line("")
		fewest, most := extremes(byConnections(all), 5)
		all = append(append([]portion{}, fewest...), most...)
	}
	g := &grid{
		aligns:   []align{left, right, right, right, left},
		headings: []string{"instance", "connections", "share", "expected", ""},
	}
	for _, in := range all {
		g.add(shorten(in.Name, nameWidth), whole(in.Connections), percent(in.Share), percent(in.Expected), bar(in.Share/top))
	}
	t.grid(g)
	if r.CountedOutside {
		t.wrapped("  ", "Counted from outside, in each replica's network namespace: the answers do not say who gave them.")
		t.line("")
	}
}

// bar draws a fraction of one to an eighth of a column.
func bar(fraction float64) string {
	const eighths = " ▏▎▍▌▋▊▉"
	n := int(fraction*barWidth*8 + 0.5)
	s := strings.Repeat("█", n/8)
	if n%8 > 0 {
		s += string([]rune(eighths)[n%8])
	}
	return s
}

// verdicts tells what the first means and what is not held, and the others
// briefly.
func (t *terminal) verdicts(r *lab.Result) {
	if len(r.Verdicts) == 0 {
		return
	}
	for i, v := range r.Verdicts {
		t.verdict(v, i == 0)
	}
	t.line("")
}

// behaviour tells what the balancer seems to do.
func (t *terminal) behaviour(r *lab.Result) {
	if b := r.Behaviour; b != nil {
		t.wrapped("  seems to be     ", string(b.Name)+": "+b.Sentence)
		t.line("")
	}
}

// outcomeWidth is the width of the longest outcome, inconclusive.
const outcomeWidth = 12

func (t *terminal) verdict(v lab.Verdict, headline bool) {
	indent := strings.Repeat(" ", outcomeWidth+4)
	width := textWidth - len(indent)
	var lines []string
	// What is held is one line; what is not, a person wants explained.
	if headline || v.Outcome != lab.Held {
		lines = wrap(strings.Fields(printable(orWord(v.Sentence, v.Claim))), width)
		lines = append(lines, wrap(listed(finding(v)), width)...)
	} else {
		lines = wrap(listed(append([]string{v.Claim}, gist(v)...)), width)
	}
	word := pad(shorten(string(v.Outcome), outcomeWidth), outcomeWidth, left)
	lead := "  " + t.paint(word, outcomePaint(v.Outcome)) + "  "
	for _, line := range lines {
		t.line("%s%s", lead, line)
		lead = indent
	}
	for _, w := range v.Warnings {
		t.wrapped(indent+"warning: ", w)
	}
}

// listed puts a comma after each part but the last, so that lines break
// between parts alone.
func listed(parts []string) []string {
	for i := range parts {
		parts[i] = printable(parts[i])
		if i < len(parts)-1 {
			parts[i] += ","
		}
	}
	return parts
}

func outcomePaint(o lab.Outcome) paint {
	switch o {
	case lab.Held:
		return greenPaint
	case lab.Refuted, lab.Broken:
		return redPaint
	}
	return amberPaint
}

func (t *terminal) latency(r *lab.Result) {
	if r.Latency.Count == 0 {
		return
	}
	g := quantileGrid("latency")
	if corrected(r) {
		addQuantiles(g, r.Environment, "all, from due", r.Latency)
		addQuantiles(g, r.Environment, "all, from begun", r.Response)
		addQuantiles(g, r.Environment, "lag until begun", r.Lag)
		if r.Service.Count > 0 {
			addQuantiles(g, r.Environment, "in the replica", r.Service)
		}
	} else {
		addQuantiles(g, r.Environment, "all", r.Latency)
	}
	rows := latencyRows(r)
	if len(r.Instances) > textRows {
		rows = nil
	}
	for _, in := range rows {
		addQuantiles(g, r.Environment, shorten(in.Name, nameWidth), in.Latency)
	}
	t.grid(g)
	if len(r.Instances) > textRows {
		t.medians(r)
	}
}

// medians sums up the latency of many instances.
func (t *terminal) medians(r *lab.Result) {
	sorted := byMedian(r.Instances)
	if len(sorted) == 0 {
		return
	}
	name := func(in lab.InstanceResult) string {
		return fmt.Sprintf("%s (%s)", span(in.Latency.P50), shorten(in.Name, nameWidth))
	}
	t.wrapped("  ", fmt.Sprintf("%s, over the %d that answered: lowest %s, median %s, highest %s.", timed(r.Environment, "p50 by instance"), len(sorted),
		name(sorted[0]), span(sorted[(len(sorted)-1)/2].Latency.P50), name(sorted[len(sorted)-1])))
	t.line("")
}

func (t *terminal) facts(r *lab.Result) {
	t.offered(r)
	if failed(r) > 0 {
		var parts []string
		for _, f := range faultClasses(r) {
			parts = append(parts, fmt.Sprintf("%s %s", string(f), whole(r.Faults[f])))
		}
		t.wrapped("  faults          ", fmt.Sprintf("%s of %s: %s",
			whole(failed(r)), plural(r.Requests, "request"), strings.Join(parts, ", ")))
	} else if r.Requests > 0 {
		t.line("  faults          none")
	}
	t.wrapped("  client address  ", addressSeen(r.ClientAddress))
	if s := impairedPath(r); s != "" {
		t.wrapped("  path            ", s)
	}
	if s := costs(r); s != "" {
		t.wrapped("  cost            ", s)
	}
}

func (t *terminal) caveats(r *lab.Result) {
	lead := "  caveats         "
	for _, c := range r.Caveats {
		t.wrapped(lead+"- ", c)
		lead = strings.Repeat(" ", len(lead))
	}
}
