package report

import (
	"strings"
	"unicode/utf8"

	"github.com/portlab/portlab/lab/compare"
)

// tight is a table whose headings may reach over the column at their right.
func (t *terminal) tight(g *grid) {
	widths := (&grid{aligns: g.aligns, headings: make([]string, len(g.headings)), rows: g.rows}).widths()
	for i := 1; i+1 < len(widths); i += 2 {
		widths[i+1] = max(widths[i+1], len(g.headings[i])-widths[i]-1)
	}
	var heading strings.Builder
	for i := 1; i+1 < len(widths); i += 2 {
		heading.WriteString("  " + pad(g.headings[i], widths[i]+1+widths[i+1], left))
	}
	t.named(g.headings[0], heading.String(), armColumn(g), bold)
	for _, row := range g.rows {
		var s strings.Builder
		for i := 1; i+1 < len(widths); i += 2 {
			s.WriteString("  " + pad(row[i], widths[i], right) + " " + pad(row[i+1], widths[i+1], left))
		}
		t.named(row[0], s.String(), armColumn(g), "")
	}
	t.line("")
}

// armColumn is the width of the first column.
func armColumn(g *grid) int {
	width := len(g.headings[0])
	for _, row := range g.rows {
		width = max(width, min(utf8.RuneCountInString(row[0]), armWidth))
	}
	return width
}

// named writes a row behind its name, or below it where that is too long.
func (t *terminal) named(name, rest string, width int, p paint) {
	if utf8.RuneCountInString(name) > width {
		t.line("%s", t.paint(shorten(name, comparisonWidth), p))
		name = ""
	}
	t.line("%s", t.paint(strings.TrimRight(pad(name, width, left)+rest, " "), p))
}

// matrix has a block for each few traits, since all of them have no room side by side.
func (t *terminal) matrix(d *digest) {
	arms := d.traitArms()
	if len(arms) == 0 {
		return
	}
	t.paragraph("", "What each can do", bold)
	names := d.traitNames()
	for len(names) > 0 {
		g := &grid{aligns: []align{left}, headings: []string{"strategy"}}
		for _, arm := range arms {
			g.add(printable(arm))
		}
		used, taken := 0, armWidth+2
		for _, name := range names {
			column, width := d.traitColumn(arms, name)
			if used > 0 && taken+width+2 > comparisonWidth {
				break
			}
			used, taken = used+1, taken+width+2
			g.aligns, g.headings = append(g.aligns, left), append(g.headings, shorten(d.traitTitle(name), traitWidth))
			for i := range g.rows {
				g.rows[i] = append(g.rows[i], column[i])
			}
		}
		names = names[used:]
		t.traitTable(g)
	}
}

func (t *terminal) traitTable(g *grid) {
	widths := g.widths()
	for i, row := range append([][]string{g.headings}, g.rows...) {
		var s strings.Builder
		for k := 1; k < len(row); k++ {
			s.WriteString("  " + pad(row[k], widths[k], left))
		}
		p := paint("")
		if i == 0 {
			p = bold
		}
		t.named(row[0], s.String(), armColumn(g), p)
	}
	t.line("")
}

// traitWidth are the columns that a trait may take.
const traitWidth = 24

func (d *digest) traitColumn(arms []string, name string) (cells []string, width int) {
	width = len([]rune(shorten(d.traitTitle(name), traitWidth)))
	for _, arm := range arms {
		text := none
		if found := d.TraitsOf(arm, name); len(found) > 0 {
			last := found[len(found)-1]
			text = shorten(orWord(last.Value, last.Answer), traitWidth)
			if compare.Contradicted(found) {
				text = "contradictory"
			}
		}
		cells, width = append(cells, text), max(width, len([]rune(text)))
	}
	return cells, width
}
