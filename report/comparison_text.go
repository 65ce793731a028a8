package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

const (
	comparisonWidth = 80 // columns at most
	armWidth        = 22 // for an arm's name; a longer one has a line to itself
	metricColumns   = 3  // metrics side by side
)

// ComparisonText writes what a terminal shows after a comparison: what casts
// doubt on it, the ratios to the first baseline, who can be told from whom,
// which to use, and what could not take part. Lines are at most 80 columns wide.
// With color, headings are coloured (ECMA-48 SGR); nothing is told by colour alone.
func ComparisonText(w io.Writer, c *compare.Comparison, color bool) error {
	d, t := digestOf(c), &terminal{color: color}
	t.paragraph("", d.title(), bold)
	t.paragraph("", "vantage "+string(d.Vantage)+", "+d.extent(), "")
	t.line("")
	t.comparisonDoubts(d)
	t.ratios(d)
	t.who(d)
	t.comparisonClaims(d)
	t.matrix(d)
	t.advice(d)
	t.missing(d)
	_, err := io.WriteString(w, t.String())
	return err
}

// paragraph writes text in lines of a comparison's width.
func (t *terminal) paragraph(lead, s string, p paint) {
	indent := strings.Repeat(" ", len([]rune(lead)))
	for _, line := range wrap(strings.Fields(printable(s)), comparisonWidth-len(indent)) {
		t.line("%s%s", lead, t.paint(line, p))
		lead = indent
	}
}

func (t *terminal) items(items []string) {
	for _, item := range items {
		t.paragraph("  - ", item, "")
	}
	if len(items) > 0 {
		t.line("")
	}
}

func (t *terminal) comparisonDoubts(d *digest) {
	if noise := d.disturbances(); len(noise) > 0 {
		t.paragraph("", "The machine was not quiet. Ratios hold up better than values.", amberPaint)
		t.items(noise)
	}
	if doubts := d.doubts(); len(doubts) > 0 {
		t.paragraph("", "Read with care:", amberPaint)
		t.items(doubts)
	}
}

// ratios are those to the first baseline, a few metrics side by side.
func (t *terminal) ratios(d *digest) {
	b := d.baseline()
	if b == "" {
		return
	}
	words := "Ratios to " + b + " within a round: the median"
	if c := d.intervalConfidence(); c != "" {
		words += " and its interval (" + c + ")"
	}
	t.paragraph("", words+". "+unsure+" cannot be told from "+b+".", "")
	t.line("")
	columns := metricColumns
	if d.Environment.Emulated {
		columns-- // their names are longer
	}
	for _, metrics := range inGroups(d.comparable(), columns) {
		g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
		for _, m := range metrics {
			g.aligns, g.headings = append(g.aligns, right, left), append(g.headings, d.timed(m, shorten(m.Name, 16)), "")
		}
		for _, arm := range d.present() {
			if arm != b {
				g.add(d.ratioRow(arm, b, metrics)...)
			}
		}
		t.tight(g)
	}
}

func (d *digest) ratioRow(arm, baseline string, metrics []compare.Metric) []string {
	row := []string{printable(arm)}
	for _, m := range metrics {
		e, ok := d.ratio(arm, m.Name, baseline)
		if !ok {
			row = append(row, none, "")
			continue
		}
		row = append(row, d.unsureMark(arm, m.Name, baseline)+times(e.Median), estimateInterval(e, times))
	}
	return row
}

// who says which is best, and what cannot be told.
func (t *terminal) who(d *digest) {
	if d.Environment.Emulated {
		t.paragraph("", notRanked, amberPaint)
		t.line("")
		return
	}
	arms := d.contestants(d.present())
	var items []string
	for _, m := range d.keyMetrics() {
		if len(arms) < 2 {
			break
		}
		best, alike := d.leaders(m, arms)
		switch {
		case best == "":
			continue
		case len(alike) > 0 && len(alike) == len(d.contestants(d.ranked(m)))-1:
			items = append(items, fmt.Sprintf("%s: cannot be told: %s.", m.Title, some(append([]string{best}, alike...), 5)))
			continue
		}
		s := fmt.Sprintf("%s: %s", m.Title, d.armWithRatio(best, m.Name, d.baseline()))
		if len(alike) > 0 {
			s += "; cannot be told from it: " + some(alike, 4)
		}
		items = append(items, s+".")
	}
	if len(items) > 0 {
		t.paragraph("", "The best by", bold)
		t.items(items)
	}
	if unsettled := d.unsettled(); len(unsettled) > 0 {
		words := fmt.Sprintf("%s of these metrics cannot be told apart. The nearest: %s", plural(len(unsettled), "pair"), d.unsettledWords(unsettled[0]))
		t.paragraph("", words, "")
		t.line("")
	}
}

func (t *terminal) comparisonClaims(d *digest) {
	for _, v := range d.Verdicts {
		word := pad(shorten(string(v.Outcome), outcomeWidth), outcomeWidth, left)
		lead := "  " + t.paint(word, outcomePaint(v.Outcome)) + "  "
		text := v.Arm + ": " + orWord(v.Sentence, v.Claim)
		if v.Outcome == lab.Inconclusive && v.NeedN > v.N {
			text += fmt.Sprintf(" %s rounds would settle it.", whole(v.NeedN))
		}
		for _, line := range wrap(strings.Fields(printable(text)), comparisonWidth-outcomeWidth-4) {
			t.line("%s%s", lead, line)
			lead = strings.Repeat(" ", outcomeWidth+4)
		}
	}
	if len(d.Verdicts) > 0 {
		t.line("")
	}
}

func (t *terminal) advice(d *digest) {
	if len(d.Advice) == 0 {
		return
	}
	t.paragraph("", "Which should I use?", bold)
	var items []string
	for _, a := range d.Advice {
		items = append(items, a.For+": "+a.Sentence)
	}
	t.items(items)
}

// missing are the runs that failed and the arms that could not take part.
func (t *terminal) missing(d *digest) {
	runs, rounds := d.failedRuns()
	var items []string
	for i, run := range runs {
		items = append(items, fmt.Sprintf("round %d, %s failed: %s", rounds[i], run.Arm, run.Failed))
	}
	absent := d.absent()
	slices.SortFunc(absent, func(a, b compare.Arm) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range absent {
		items = append(items, a.Name+" could not take part: "+a.Absent)
	}
	t.items(items)
	t.paragraph("", fmt.Sprintf("%s of %s rounds. %s", whole(d.Stop.Done), whole(d.Stop.Planned), capital(d.Stop.Reason)), "")
}
