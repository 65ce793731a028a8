package report

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/portlab/portlab/lab"
)

// nodes renders what a page shows otherwise than goldmark would.
type nodes struct{ plots map[string]picture }

// RegisterFuncs implements [renderer.NodeRenderer].
func (n *nodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, n.heading)
	r.Register(ast.KindImage, n.image)
	r.Register(ast.KindHTMLBlock, n.htmlBlock)
	r.Register(ast.KindRawHTML, skip)
	r.Register(extast.KindTable, n.table)
}

func skip(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

// heading has the links to all sections stand below the title.
func (n *nodes) heading(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	h := node.(*ast.Heading)
	if !entering {
		_, err := fmt.Fprintf(w, "</h%d>\n", h.Level)
		if h.Level == 1 && h.PreviousSibling() == nil && err == nil {
			_, err = w.WriteString(sections(h.Parent(), source))
		}
		return ast.WalkContinue, err
	}
	id, _ := h.AttributeString("id")
	name, _ := id.([]byte)
	_, err := fmt.Fprintf(w, "<h%d id=\"%s\">", h.Level, html.EscapeString(string(name)))
	return ast.WalkContinue, err
}

// image puts a plot into the page, once for wide and once for narrow screens.
func (n *nodes) image(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	words := html.EscapeString(plainText(node, source))
	p, ok := n.plots[string(node.(*ast.Image).Destination)]
	if !ok {
		_, err := w.WriteString(words)
		return ast.WalkSkipChildren, err
	}
	for _, x := range []struct {
		class string
		svg   []byte
	}{{"wide", p.wide}, {"narrow", p.narrow}} {
		if _, err := fmt.Fprintf(w, "<span class=\"plot %s\" role=\"img\" aria-label=\"%s\">%s</span>\n", x.class, words, inlineSVG(x.svg)); err != nil {
			return ast.WalkStop, err
		}
	}
	return ast.WalkSkipChildren, nil
}

// folding are the only lines of raw HTML that a page takes over: those by which
// [page.commands] folds a long list away.
var folding = regexp.MustCompile(`^(<details><summary>[\pL\pN ,.]+</summary>|</details>)\n?$`)

func (n *nodes) htmlBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	text := string(node.Lines().Value(source))
	if !entering || !folding.MatchString(text) {
		return ast.WalkSkipChildren, nil
	}
	_, err := w.WriteString(strings.TrimSpace(text) + "\n")
	return ast.WalkSkipChildren, err
}

// table has a table scroll in a box of its own, where it is too wide. The box
// can be reached by the keyboard, to be scrolled.
func (n *nodes) table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	tags := "<div class=\"scroll\" role=\"region\" aria-label=\"table\" tabindex=\"0\">\n<table>\n"
	if !entering {
		tags = "</table>\n</div>\n"
	}
	_, err := w.WriteString(tags)
	return ast.WalkContinue, err
}

// marker marks the outcomes of claims for the style sheet, and has links
// lead from page to page.
type marker struct{}

// outcomes are the words that a cell of a table or a headline says an outcome by.
var outcomes = map[string]lab.Outcome{
	"held": lab.Held, "refuted": lab.Refuted, "inconclusive": lab.Inconclusive,
	"broken": lab.Broken, "refused": lab.RefusedByHost, "unsupported": lab.Unsupported,
}

// Transform implements [parser.ASTTransformer].
func (marker) Transform(root *ast.Document, reader gmtext.Reader, _ parser.Context) {
	source := reader.Source()
	// The walk fails only where its function does.
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *extast.TableCell:
			words := plainText(n, source)
			if mark(n, words); utf8.RuneCountInString(words) > longCell {
				n.SetAttributeString("class", []byte("long"))
			}
		case *ast.Paragraph:
			if headline, ok := n.FirstChild().(*ast.Emphasis); ok && headline.NextSibling() == nil {
				word, _, _ := strings.Cut(plainText(headline, source), ".")
				mark(n, strings.ToLower(word))
			}
		case *ast.Link:
			n.Destination = []byte(pageBeside(string(n.Destination)))
		}
		return ast.WalkContinue, nil
	})
}

// longCell is from how many characters on a cell of a table is text to be read,
// which wants a column of some width.
const longCell = 24

// mark gives a node the class of an outcome, if its words are one.
func mark(n ast.Node, words string) {
	if o, ok := outcomes[words]; ok {
		n.SetAttributeString("class", []byte("outcome "+string(o)))
	}
}

// pageBeside is the page that lies beside a report in Markdown, for a relative
// link to one.
func pageBeside(to string) string {
	if strings.Contains(to, ":") || !strings.HasSuffix(to, "/"+reportFile) {
		return to
	}
	return strings.TrimSuffix(to, reportFile) + pageFile
}
