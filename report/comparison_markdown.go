package report

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab/compare"
)

// ComparisonMarkdown writes report.md of a comparison. Its plots lie beside it.
func ComparisonMarkdown(w io.Writer, c *compare.Comparison) error {
	d, p := digestOf(c), &page{}
	p.heading(1, prose(d.title()))
	p.block(prose(fmt.Sprintf("A client on %s. %s.", standsAt(d.Vantage), capital(d.extent()))))
	p.comparisonDoubts(d)
	p.answer(d)
	p.advice(d)
	p.comparisonRatios(d)
	p.comparisonValues(d)
	p.pairs(d)
	p.matrix(d)
	p.comparisonClaims(d)
	p.method(d)
	p.runs(d)
	p.absentArms(d)
	p.environment(d.Environment)
	p.repeat(d)
	_, err := io.WriteString(w, strings.TrimRight(p.String(), "\n")+"\n")
	return err
}

func (p *page) comparisonDoubts(d *digest) {
	if noise := d.disturbances(); len(noise) > 0 {
		p.block("**The machine was not quiet. Ratios within a round hold up better than values.**")
		p.list(noise)
	}
	if doubts := d.doubts(); len(doubts) > 0 {
		p.block("**Read with care:**")
		p.list(doubts)
	}
}

// answer says who leads by each key metric.
func (p *page) answer(d *digest) {
	metrics, baseline := d.keyMetrics(), d.baseline()
	arms := d.contestants(d.present())
	if len(metrics) == 0 || len(arms) == 0 {
		return
	}
	p.heading(2, "Answer")
	g := &grid{aligns: []align{left, left, left, left}, headings: []string{"by", "best", "cannot be told from it", "last"}}
	for _, m := range metrics {
		best, alike := d.leaders(m, arms)
		if best == "" {
			continue
		}
		last := ""
		for _, arm := range d.ranked(m) {
			if slices.Contains(arms, arm) && arm != best && !slices.Contains(alike, arm) {
				last = d.armWithRatio(arm, m.Name, baseline)
			}
		}
		g.add(cell(m.Title), cell(d.armWithRatio(best, m.Name, baseline)), orWord(cell(some(alike, 4)), "none"), orWord(cell(last), none))
	}
	p.table(g)
	if baseline != "" {
		p.block(fmt.Sprintf("In brackets: the ratio to %s. Baselines are not ranked: they are what the others are held against.", inline(baseline)))
	}
}

func (d *digest) armWithRatio(arm, metric, baseline string) string {
	if e, ok := d.ratio(arm, metric, baseline); ok {
		return fmt.Sprintf("%s [%s]", arm, times(e.Median))
	}
	return arm
}

// How many metrics stand side by side.
const (
	ratioColumns = 4
	valueColumns = 3
)

func (p *page) comparisonRatios(d *digest) {
	first := d.baseline()
	if first == "" {
		return
	}
	p.heading(2, "Ratios")
	words := "Each is the median over rounds of the ratio within a round"
	if c := d.intervalConfidence(); c != "" {
		words += ", with an interval of " + c + " confidence"
	}
	p.block(words + ". Below 1 is less. `" + unsure + "` marks an arm that cannot be told from the baseline.")
	if len(d.comparable()) > 0 {
		p.block("![Ratios to the first baseline](" + forestFile + ")")
	}
	for _, b := range d.Baselines {
		if !slices.Contains(d.present(), b) {
			continue
		}
		p.heading(3, "To "+inline(b))
		for _, metrics := range inGroups(d.comparable(), ratioColumns) {
			p.ratioTable(d, b, metrics)
		}
	}
}

func (p *page) ratioTable(d *digest, baseline string, metrics []compare.Metric) {
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	for _, m := range metrics {
		g.aligns, g.headings = append(g.aligns, right), append(g.headings, cell(m.Title))
	}
	for _, arm := range d.present() {
		if arm == baseline {
			continue
		}
		row := []string{cell(arm)}
		for _, m := range metrics {
			text := none
			if e, ok := d.ratio(arm, m.Name, baseline); ok {
				text = cell(d.unsureMark(arm, m.Name, baseline) + estimated(e, times))
			}
			row = append(row, text)
		}
		g.add(row...)
	}
	p.table(g)
}

func (p *page) comparisonValues(d *digest) {
	p.heading(2, "Values")
	p.block("Medians over the runs. They move with the machine from round to round, which ratios do not.")
	for _, metrics := range inGroups(d.Metrics, valueColumns) {
		g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
		for _, m := range metrics {
			g.aligns, g.headings = append(g.aligns, right), append(g.headings, cell(m.Title))
		}
		for _, arm := range d.present() {
			row := []string{cell(arm)}
			for _, m := range metrics {
				text := none
				if s, ok := d.summaries[[2]string{arm, m.Name}]; ok {
					text = cell(estimated(s.Value, func(x float64) string { return measured(x, m.Unit) }))
				}
				row = append(row, text)
			}
			g.add(row...)
		}
		p.table(g)
	}
}

// mostUnsettled bounds the list of pairs that cannot be told apart.
const mostUnsettled = 12

func (p *page) pairs(d *digest) {
	if len(d.Pairs) == 0 || len(d.Metrics) == 0 {
		return
	}
	p.heading(2, "Who beats whom")
	p.block(fmt.Sprintf("Two arms that share a letter in a column cannot be told apart there; two that share none can "+
		"(Mann-Whitney over the runs, adjusted by Holm over all pairs of the metric, %s). The best has an a, and z comes before A. Rows are in the order of %s. `%s` has every pair.",
		percent(d.Stop.LookAlpha), inline(d.Metrics[0].Title), pairsFile))
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	letters := map[string]map[string]string{}
	for _, m := range d.Metrics {
		g.aligns, g.headings = append(g.aligns, left), append(g.headings, cell(m.Title))
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

// linked makes words a link to the report in a run's folder, if there is one.
func linked(words, folder string) string {
	if folder == "" {
		return words
	}
	return "[" + words + "](" + linkTo(path.Join(folder, reportFile)) + ")"
}

// linkTo writes a relative path as the destination of a link: what is not
// plain is escaped (RFC 3986, 2.1).
func linkTo(to string) string {
	var b strings.Builder
	for _, c := range []byte(to) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/=,+", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
