package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/portlab/portlab/lab"
)

const (
	textWidth = 100 // columns of the terminal at most
	textRows  = 16  // instances that are listed one by one
)

// Text writes what a terminal shows after a run: who got how many connections,
// what that means, how long it took. Lines are at most 100 columns wide. With
// color, outcomes are coloured (ECMA-48 SGR); nothing is told by colour alone.
func Text(w io.Writer, r *lab.Result, color bool) error {
	t := &terminal{color: color}
	t.title(r)
	t.doubts(r)
	t.counts(r)
	t.verdicts(r)
	t.behaviour(r)
	t.latency(r)
	t.facts(r)
	t.caveats(r)
	_, err := io.WriteString(w, t.String())
	return err
}

// terminal builds text for one.
type terminal struct {
	strings.Builder
	color bool
}

// paint is a way to show text: a parameter of SGR (ECMA-48, section 8.3.117).
type paint string

const (
	bold       paint = "1"
	redPaint   paint = "31"
	greenPaint paint = "32"
	amberPaint paint = "33"
)

func (t *terminal) paint(s string, p paint) string {
	if !t.color || p == "" {
		return s
	}
	return "\x1b[" + string(p) + "m" + s + "\x1b[0m"
}

func (t *terminal) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// wrapped writes text in lines that begin after a lead, which the first shows.
// It does not paint, so that lengths are what they look like.
func (t *terminal) wrapped(lead, s string) {
	indent := strings.Repeat(" ", len([]rune(lead)))
	for _, line := range wrap(strings.Fields(printable(s)), textWidth-len(indent)) {
		t.line("%s%s", lead, line)
		lead = indent
	}
}

// wrap lays words out in lines, and breaks a word that is wider than a line.
func wrap(words []string, width int) []string {
	var lines []string
	line := []rune{}
	for _, word := range words {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) > width {
			lines, line = append(lines, string(line)), line[:0]
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, w...)
		for len(line) > width {
			lines = append(lines, string(line[:width]))
			line = append([]rune{}, line[width:]...)
		}
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

// grid writes a table, indented, with no rules.
func (t *terminal) grid(g *grid) {
	widths := g.widths()
	for i, row := range append([][]string{g.headings}, g.rows...) {
		var b strings.Builder
		for c, s := range row {
			b.WriteString("  " + pad(s, widths[c], g.aligns[c]))
		}
		s := strings.TrimRight(b.String(), " ")
		if i == 0 {
			s = t.paint(s, bold)
		}
		t.line("%s", s)
	}
	t.line("")
}

func (t *terminal) title(r *lab.Result) {
	what, who := timed(r.Environment, r.FullName()+" on "+r.Runtime), "replica"
	if r.Runtime == lab.NoRuntime {
		what, who = timed(r.Environment, r.Summary), "instance"
	}
	s := fmt.Sprintf("%s, vantage %s: %s, %s", what, r.Vantage, plural(r.Requests, "request"), plural(r.Connections, "connection"))
	if r.Replicas > 0 { // else nothing is known of them
		s += ", " + plural(r.Replicas, who)
	}
	for _, line := range wrap(strings.Fields(printable(s)), textWidth) {
		t.line("%s", t.paint(line, bold))
	}
	t.line("")
}
