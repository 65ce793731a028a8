package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	gmtext "github.com/yuin/goldmark/text"

	"github.com/portlab/portlab/lab"
)

// document is a report as a code host would see it.
type document struct {
	headings []string
	tables   [][][]string // rows of cells, as shown
	kinds    map[string]int
	code     []string
}

func parse(t *testing.T, source []byte) document {
	t.Helper()
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(gmtext.NewReader(source))
	d := document{kinds: map[string]int{}}
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		d.kinds[n.Kind().String()]++
		switch n := n.(type) {
		case *ast.Heading:
			d.headings = append(d.headings, shown(n, source))
		case *extast.Table:
			d.tables = append(d.tables, nil)
		case *extast.TableRow, *extast.TableHeader:
			last := len(d.tables) - 1
			d.tables[last] = append(d.tables[last], cells(n, source))
		case *ast.FencedCodeBlock:
			d.code = append(d.code, string(n.Lines().Value(source)))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func cells(row ast.Node, source []byte) []string {
	var all []string
	for c := row.FirstChild(); c != nil; c = c.NextSibling() {
		all = append(all, shown(c, source))
	}
	return all
}

// shown is the text of a node as a reader sees it.
func shown(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(unescaped(c.Value(source)))
		case *ast.AutoLink: // of a bare address, which GFM makes a link to itself
			b.Write(c.Label(source))
		default:
			b.WriteString(shown(c, source))
		}
	}
	return b.String()
}

// unescaped undoes backslash escapes, which goldmark leaves to its renderer.
func unescaped(s []byte) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[i+1]) >= 0 {
			i++
		}
		out = append(out, s[i])
	}
	return out
}

func markdown(t *testing.T, r *lab.Result, samples lab.SampleList) []byte {
	t.Helper()
	plots, err := plotsOf(r, samples)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeMarkdown(&b, r, samples, plots); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSectionsStandInTheirOrder(t *testing.T) {
	want := []string{"Question", "Verdict", "Environment", "Path of a packet", "The same by hand",
		"Distribution of connections", "Latency", "Over time", "Faults", "Caveats", "Where the wall time went", "How to reproduce"}
	for _, f := range fixtures() {
		r, samples := f.make()
		want := slices.Clone(want)
		if r.Cost != nil {
			want = slices.Insert(want, slices.Index(want, "Faults"), "Cost")
		}
		if r.Client.Driver != "" {
			want = slices.Insert(want, slices.Index(want, "Faults"), "Client")
		}
		if len(r.Warnings) > 0 {
			want = slices.Insert(want, slices.Index(want, "Verdict"), "Warnings")
		}
		if diff := cmp.Diff(want, parse(t, markdown(t, r, samples)).headings[1:]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.name, diff)
		}
	}
}

var hostile = []string{
	"a|b", "line\nbreak", "<script>alert(1)</script>", "![x](http://example.org/x.png)", "[x](javascript:1)", "[x][y]",
	"`code`", "**bold**", "_it_ __b__", "~~gone~~", `back\`, `a\|b`, `\\|`, "&lt;b&gt;", "# heading", "- item", "1. one",
	"> quote", "---", "$x$", "| --- |", "[x]: http://example.org", "", " ", "http://example.org", "\x1b[31mred", "a\tb", "<!--",
}

// hostileResult has hostile text wherever text comes from outside.
func hostileResult(bad string) (*lab.Result, lab.SampleList) {
	r, samples := fixtures()[0].make()
	samples[0].Fault, samples[0].Detail = lab.Fault("odd "+bad), bad
	for i := range samples {
		if samples[i].Instance == "foo" {
			samples[i].Instance = "foo" + bad
		}
	}
	r.Fleet[0].Instance = "foo" + bad
	r.Fold(samples, nil)
	r.Verdicts[0].Shares[0].Instance = "foo" + bad
	r.Warnings, r.Client.Driver, r.Plan.Path = []string{bad}, "d"+bad, "/"+bad
	r.Image, r.Environment.Engine, r.Environment.Kernel = bad, bad, bad
	r.Strategy, r.Summary, r.Runtime = "s"+bad, bad, "r"+bad
	r.Name, r.Settings = "s"+bad, map[string]string{bad: bad}
	r.Behaviour = &lab.Behaviour{Name: lab.Pattern("like " + bad), Sentence: bad}
	r.Environment.Versions[bad] = bad
	r.Verdicts[0].Sentence, r.Verdicts[1].Claim, r.Verdicts[1].Warnings = bad, bad, []string{bad}
	r.Environment.Notes, r.Caveats, r.Path, r.Sources = []string{bad}, []string{bad}, []string{bad}, []string{bad}
	r.Shell, r.Command = []string{"echo '" + bad + "'", "```", "true"}, []string{bad}
	return r, samples
}

func TestHostileTextIsShownAndNotObeyed(t *testing.T) {
	plain := parse(t, markdown(t, first(hostileResult("x")), second(hostileResult("x"))))
	for _, bad := range hostile {
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			r, samples := hostileResult(bad)
			source := markdown(t, r, samples)
			if i := bytes.IndexFunc(source, func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' }); i >= 0 {
				t.Errorf("control character at %d", i)
			}
			d := parse(t, source)
			for _, kind := range []string{"Link", "RawHTML", "HTMLBlock", "Blockquote", "Strikethrough", "ThematicBreak", "TaskCheckBox"} {
				if d.kinds[kind] > 0 {
					t.Errorf("the text became %s", kind)
				}
			}
			for _, kind := range []string{"Heading", "Image", "Table", "TableHeader", "FencedCodeBlock", "CodeSpan", "Emphasis"} {
				if d.kinds[kind] != plain.kinds[kind] {
					t.Errorf("%d times %s, and with plain text %d", d.kinds[kind], kind, plain.kinds[kind])
				}
			}
			checkTables(t, d, bad)
		})
	}
}

func checkTables(t *testing.T, d document, bad string) {
	t.Helper()
	visible := strings.TrimSpace("foo" + printable(bad))
	for i, table := range d.tables {
		for _, row := range table {
			if len(row) != len(table[0]) {
				t.Errorf("table %d: a row of %d cells below %d headings: %q", i, len(row), len(table[0]), row)
			}
		}
	}
	named := func(table [][]string) bool {
		return slices.ContainsFunc(table, func(row []string) bool { return row[0] == visible })
	}
	if !slices.ContainsFunc(d.tables, named) {
		t.Errorf("no table has a row for %q", visible)
	}
}

func first(r *lab.Result, _ lab.SampleList) *lab.Result     { return r }
func second(_ *lab.Result, s lab.SampleList) lab.SampleList { return s }

func TestCommandsAreWholeAndQuoted(t *testing.T) {
	r, samples := fixtures()[0].make()
	r.Shell = append(r.Shell, "cat <<'EOF'\n```\nEOF")
	d := parse(t, markdown(t, r, samples))
	if want := strings.Join(r.Shell, "\n") + "\n"; d.code[0] != want {
		t.Errorf("commands:\n%s\nwant:\n%s", d.code[0], want)
	}
	if want := strings.Join(r.Undo, "\n") + "\n"; d.code[1] != want {
		t.Errorf("undo:\n%s\nwant:\n%s", d.code[1], want)
	}
	if want := "portlab run dnat --replicas 2 --path '/?delay=5ms&x='\\''1'\\'''\n"; d.code[2] != want {
		t.Errorf("command %q, want %q", d.code[2], want)
	}
}

func TestReportSpeaksOnlyOfPlotsThatAreThere(t *testing.T) {
	for _, f := range []fixture{fixtures()[0], fixtures()[2]} { // balanced, failed
		r, samples := f.make()
		dir := t.TempDir()
		if err := Write(dir, r, samples); err != nil {
			t.Fatal(err)
		}
		files := contents(t, dir)
		for _, plot := range []string{sharesFile, latencyFile, timelineFile} {
			_, there := files[plot]
			if spoken := strings.Contains(files[reportFile], "("+plot+")"); spoken != there {
				t.Errorf("%s: %s is there: %v; the report shows it: %v", f.name, plot, there, spoken)
			}
		}
	}
}
