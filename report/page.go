package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// page builds a Markdown document that also reads well as plain text.
type page struct{ strings.Builder }

func (p *page) heading(level int, s string) {
	p.block(strings.Repeat("#", level) + " " + s)
}

// block writes a paragraph of Markdown.
func (p *page) block(s string) {
	p.WriteString(strings.TrimRight(s, "\n"))
	p.WriteString("\n\n")
}

// list writes texts of outside as bullets.
func (p *page) list(items []string) {
	for _, item := range items {
		fmt.Fprintf(p, "- %s\n", prose(item))
	}
	p.gap(len(items))
}

// gap ends a list of n items.
func (p *page) gap(n int) {
	if n > 0 {
		p.WriteString("\n")
	}
}

// numbered writes texts of outside as numbered items.
func (p *page) numbered(items []string) {
	for i, item := range items {
		fmt.Fprintf(p, "%d. %s\n", i+1, prose(item))
	}
	p.gap(len(items))
}

// foldedLines is the length from which commands are folded away on a code host.
const foldedLines = 60

// commands writes lines for a shell.
func (p *page) commands(lines []string) {
	if len(lines) < foldedLines {
		p.block(fence(lines))
		return
	}
	p.block(fmt.Sprintf("<details><summary>%s lines</summary>", whole(len(lines))))
	p.block(fence(lines))
	p.block("</details>")
}

// align says on which side of its column a cell stands.
type align bool

const (
	left  align = false
	right align = true
)

// grid is a table of plain cells; every row has as many as there are headings.
type grid struct {
	aligns   []align
	headings []string
	rows     [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// widths are those of the columns, in characters.
func (g *grid) widths() []int {
	w := make([]int, len(g.headings))
	for _, row := range append([][]string{g.headings}, g.rows...) {
		for i, c := range row {
			w[i] = max(w[i], utf8.RuneCountInString(c))
		}
	}
	return w
}

// pad fills a cell up to its column's width.
func pad(s string, width int, a align) string {
	gap := strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
	if a == right {
		return gap + s
	}
	return s + gap
}

// table writes a grid as a table of GitHub Flavored Markdown. Cells must have
// been made safe by [cell].
func (p *page) table(g *grid) {
	widths := g.widths()
	p.row(g, widths, g.headings)
	rule := make([]string, len(widths))
	for i := range widths {
		widths[i] = max(widths[i], 3)
		rule[i] = strings.Repeat("-", widths[i])
		if g.aligns[i] == right {
			rule[i] = strings.Repeat("-", widths[i]-1) + ":"
		}
	}
	p.row(g, widths, rule)
	for _, r := range g.rows {
		p.row(g, widths, r)
	}
	p.WriteString("\n")
}

func (p *page) row(g *grid, widths []int, cells []string) {
	for i, c := range cells {
		p.WriteString("| " + pad(c, widths[i], g.aligns[i]) + " ")
	}
	p.WriteString("|\n")
}
