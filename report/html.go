package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// style is the whole style sheet of a page.
//
//go:embed html.css
var style string

// pageHead begins a page. Its policy (Content Security Policy Level 3) has the
// browser refuse every script and everything from elsewhere, whatever the text says.
const pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="portlab">
<title>%s</title>
<style>
%s</style>
</head>
<body>
<main>
`

const pageFoot = "</main>\n</body>\n</html>\n"

// writePage makes one HTML page, which needs nothing from elsewhere, of a
// report's Markdown. An image whose destination is the name of a plot is that
// plot, inline; of any other image, only the words are there. Raw HTML in the text
// is left out. A link to a report.md leads to the report.html beside it.
func writePage(w io.Writer, title string, markdown []byte, plots map[string]picture) error {
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(marker{}, 100))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(&nodes{plots: plots}, 100))),
	)
	root := md.Parser().Parse(gmtext.NewReader(markdown))
	var b bytes.Buffer
	fmt.Fprintf(&b, pageHead, html.EscapeString(printable(title)), style)
	if err := md.Renderer().Render(&b, markdown, root); err != nil {
		return fmt.Errorf("make a page of the report: %w", err)
	}
	b.WriteString(pageFoot)
	_, err := w.Write(b.Bytes())
	return err
}

// sections are the links to a document's headings of the second level.
func sections(root ast.Node, source []byte) string {
	var b strings.Builder
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok || h.Level != 2 {
			continue
		}
		id, _ := h.AttributeString("id")
		name, _ := id.([]byte)
		fmt.Fprintf(&b, "<li><a href=\"#%s\">%s</a></li>\n", html.EscapeString(string(name)), html.EscapeString(plainText(h, source)))
	}
	if b.Len() == 0 {
		return ""
	}
	return "<nav aria-label=\"sections\">\n<ul>\n" + b.String() + "</ul>\n</nav>\n"
}

// plainText is the text of a node without its markup.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(util.UnescapePunctuations(c.Value(source)))
		case *ast.AutoLink: // of a bare address
			b.Write(c.Label(source))
		default:
			b.WriteString(plainText(c, source))
		}
	}
	return b.String()
}

// paint finds a colour of a plot that the page's style may change. Text of a
// plot cannot look like it, since its quotes are escaped.
var (
	svgStyle = regexp.MustCompile(`style="[^"]*"`)
	svgColor = regexp.MustCompile(`(fill|stroke):#([0-9A-Fa-f]{6})`)
)

// inlineSVG makes a plot a part of a page: without its prologue, as large as
// there is room for, and with colours that the style sheet may exchange.
func inlineSVG(svg []byte) []byte {
	if i := bytes.Index(svg, []byte("<svg")); i >= 0 {
		svg = svg[i:]
	}
	svg = svgSize.ReplaceAll(svg, []byte("<svg aria-hidden=\"true\" "))
	return svgStyle.ReplaceAllFunc(svg, func(s []byte) []byte {
		return svgColor.ReplaceAll(s, []byte("$1:var(--c-$2,#$2)"))
	})
}

var svgSize = regexp.MustCompile(`^<svg width="[^"]*" height="[^"]*" `)
