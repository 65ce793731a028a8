package report

import (
	"fmt"
	"io"
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
	p.definitions(d)
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
	if len(metrics) == 0 || len(arms) < 2 {
		return
	}
	p.heading(2, "Answer")
	if d.Environment.Emulated {
		p.block(notRanked)
		return
	}
	g := &grid{aligns: []align{left, left, left, left}, headings: []string{"by", "best", "as good, as far as can be told", "last"}}
	for _, m := range metrics {
		best, alike := d.leaders(m, arms)
		switch {
		case best == "":
			continue
		case len(alike) > 0 && len(alike) == len(d.contestants(d.ranked(m)))-1:
			g.add(cell(m.Title), "cannot be told", cell(some(append([]string{best}, alike...), 5)), none)
			continue
		}
		last := ""
		for _, arm := range d.ranked(m) {
			if slices.Contains(arms, arm) && arm != best && !slices.Contains(alike, arm) {
				last = d.armWithRatio(arm, m.Name, baseline)
			}
		}
		g.add(cell(m.Title), cell(d.armWithRatio(best, m.Name, baseline)), orWord(cell(some(alike, 4)), none), orWord(cell(last), none))
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
	for i, b := range slices.DeleteFunc(slices.Clone(d.Baselines), func(b string) bool { return !slices.Contains(d.present(), b) }) {
		p.folded(i > 0 && len(d.present()) > mostShown, "The same to another baseline", func() {
			p.heading(3, "To "+inline(b))
			for _, metrics := range inGroups(d.comparable(), ratioColumns) {
				p.ratioTable(d, b, metrics)
			}
		})
	}
}

// mostShown is from how many arms on tables that few readers need are folded away.
const mostShown = 12

// folded writes a part that a page and a code host fold away, if it is to be.
// The words are letters and spaces.
func (p *page) folded(away bool, words string, write func()) {
	if !away {
		write()
		return
	}
	p.block("<details><summary>" + words + "</summary>")
	write()
	p.block("</details>")
}

func (p *page) ratioTable(d *digest, baseline string, metrics []compare.Metric) {
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	for _, m := range metrics {
		g.aligns, g.headings = append(g.aligns, right), append(g.headings, cell(d.timed(m, m.Title)))
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
	p.folded(len(d.present()) > mostShown, "The value of each arm", func() {
		for _, metrics := range inGroups(d.Metrics, valueColumns) {
			p.valueTable(d, metrics)
		}
	})
}

func (p *page) valueTable(d *digest, metrics []compare.Metric) {
	g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
	for _, m := range metrics {
		g.aligns, g.headings = append(g.aligns, right), append(g.headings, cell(d.timed(m, m.Title)))
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
