package report

import "fmt"

// mostUnsettled bounds the list of pairs that cannot be told apart.
const mostUnsettled = 12

func (p *page) pairs(d *digest) {
	if len(d.Pairs) == 0 || len(d.Metrics) == 0 {
		return
	}
	p.heading(2, "Who beats whom")
	p.block(fmt.Sprintf("Two arms that share a letter in a column cannot be told apart there; two that share none can "+
		"(Mann-Whitney over the runs, adjusted by Holm over all pairs of the metric, %s). The best has an a, and z comes before A. Rows are in the order of %s. `%s` has every pair.",
		percent(d.Stop.LookAlpha), inline(d.timed(d.Metrics[0], d.Metrics[0].Title)), pairsFile))
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	letters := map[string]map[string]string{}
	for _, m := range d.Metrics {
		g.aligns, g.headings = append(g.aligns, left), append(g.headings, cell(d.timed(m, m.Title)))
		letters[m.Name] = d.letters(m)
	}
	for _, arm := range d.ranked(d.Metrics[0]) {
		row := []string{cell(arm)}
		for _, m := range d.Metrics {
			row = append(row, orWord(letters[m.Name][arm], none))
		}
		g.add(row...)
	}
	p.table(g)
	unsettled := d.unsettled()
	if len(unsettled) == 0 {
		return
	}
	p.block("What more rounds would settle:")
	var items []string
	for _, pair := range unsettled[:min(len(unsettled), mostUnsettled)] {
		items = append(items, d.unsettledWords(pair))
	}
	if more := len(unsettled) - mostUnsettled; more > 0 {
		items = append(items, fmt.Sprintf("And %s more pairs: %s has them.", whole(more), pairsFile))
	}
	p.list(items)
}
