package report

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// tableRows is how many instances a table of the report lists one by one.
const tableRows = 32

func (p *page) distribution(r *lab.Result) {
	p.heading(2, "Distribution of connections")
	if !served(r) {
		p.block("No connection is known to have reached a replica, so there is no distribution.")
		return
	}
	if r.CountedOutside {
		p.block("The answers do not say who gave them, so the connections were counted from outside: " +
			"they are the passive opens of each replica's network namespace. Requests are not known by instance.")
	}
	p.shares(r)
	p.block(fmt.Sprintf("![Share of connections by instance](%s)", sharesFile))
	for _, v := range r.Verdicts {
		if len(v.Shares) > 0 {
			p.figures(v)
		}
	}
}

// shares lists what each instance got or, of many, the extremes.
func (p *page) shares(r *lab.Result) {
	all := portions(r)
	if len(all) > tableRows {
		p.block(summary(byConnections(all)))
		p.block("The fewest and the most; " + resultFile + " has them all:")
		fewest, most := extremes(byConnections(all), 5)
		all = append(append([]portion{}, fewest...), most...)
	}
	p.table(p.sharesTable(r, all))
}

// figures writes a verdict's claim and what its test found.
func (p *page) figures(v lab.Verdict) {
	found := orWord(strings.Join(finding(v), ", "), "no test")
	p.block(fmt.Sprintf("%s, %s: %s.", prose(v.Claim), inline(string(v.Outcome)), inline(found)))
}

// summary describes sorted portions in one sentence.
func summary(sorted []portion) string {
	n := len(sorted)
	return fmt.Sprintf("Connections by instance, over %s: fewest %s, median %s, most %s.", plural(n, "instance"),
		whole(sorted[0].Connections), whole(sorted[(n-1)/2].Connections), whole(sorted[n-1].Connections))
}

func (p *page) sharesTable(r *lab.Result, all []portion) *grid {
	g := &grid{
		aligns:   []align{left, right, right, right, right, left},
		headings: []string{"instance", "connections", "requests", "share", "expected", intervalHeading(r)},
	}
	for _, in := range all {
		bounds := none
		if in.bounded {
			bounds = percent(in.low) + " to " + percent(in.high)
		}
		requests := whole(in.Requests)
		if r.CountedOutside {
			requests = none
		}
		g.add(cell(in.Name), whole(in.Connections), requests, percent(in.Share), percent(in.Expected), bounds)
	}
	return g
}

func intervalHeading(r *lab.Result) string {
	if v := sharesOf(r); v != nil {
		return confidence(*v) + "interval of the share"
	}
	return "interval of the share"
}
