package report

import (
	"bytes"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// noPlotError says why these data have no plot.
type noPlotError struct{ reason string }

func (e *noPlotError) Error() string { return e.reason }

const (
	plotMargin  = vg.Length(8)  // that is left free around a plot, in points
	legendEntry = vg.Length(17) // of a legend, with the gap to the next, in points
)

// frame is what a plot is drawn into.
type frame struct {
	width, height vg.Length // of the plot without a legend below it
	side          vg.Length // for a legend at the right; 0: it is below
}

// The frames: as wide as the text of a code host and half as high, and for a
// telephone held upright, where smaller letters would not be read.
var (
	wide   = frame{width: 680, height: 340, side: 156}
	narrow = frame{width: 350, height: 280}
)

// data is how wide the part with the data is, about.
func (f frame) data() vg.Length { return f.width - f.side - 70 }

// The colours are those of Okabe and Ito, "Color Universal Design" (2008),
// which readers with any common colour blindness can tell apart. Yellow is left
// out: it is too pale for a thin line on white.
var (
	black      = color.RGBA{A: 255}
	orange     = color.RGBA{R: 230, G: 159, A: 255}
	skyBlue    = color.RGBA{R: 86, G: 180, B: 233, A: 255}
	green      = color.RGBA{G: 158, B: 115, A: 255}
	blue       = color.RGBA{G: 114, B: 178, A: 255}
	vermilion  = color.RGBA{R: 213, G: 94, A: 255}
	purple     = color.RGBA{R: 204, G: 121, B: 167, A: 255}
	grey       = color.RGBA{R: 120, G: 120, B: 120, A: 255}
	paleGrey   = color.RGBA{R: 205, G: 205, B: 205, A: 255}
	lineColors = []color.Color{blue, vermilion, green, purple, skyBlue, orange, black, grey}
	// A line that shares its colour's lightness with another still has its own dashes.
	lineDashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}}
)

var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// chart is a plot whose legend stands beside or below it, where it hides nothing.
type chart struct {
	*plot.Plot
	frame   frame
	legend  plot.Legend
	entries int    // of the legend
	lower   *chart // below it, with the same horizontal axis; nil: none
}

func newChart(f frame, title, x, y string) *chart {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font = font.From(sans, 14)
	p.Title.Padding = vg.Points(8)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = font.From(sans, 12)
		a.Label.Padding = vg.Points(4)
		a.Tick.Label.Font = font.From(sans, 11)
		a.Padding = 0
	}
	c := &chart{Plot: p, frame: f, legend: plot.NewLegend()}
	c.legend.TextStyle.Font = font.From(sans, 11)
	c.legend.Top, c.legend.Left = true, true
	c.legend.Padding = vg.Points(4)
	return c
}

// grid draws pale lines at the ticks of the axes.
func (c *chart) grid(vertical, horizontal bool) {
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{}
	g.Horizontal = draw.LineStyle{}
	pale := draw.LineStyle{Color: paleGrey, Width: vg.Points(0.5)}
	if vertical {
		g.Vertical = pale
	}
	if horizontal {
		g.Horizontal = pale
	}
	c.Add(g)
}

// evenly are ticks at multiples of 1, 2 or 5 times a power of ten: from four to nine.
type evenly struct{}

// Ticks are those between low and high.
func (evenly) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(high-low))) // fits one to ten times
	switch fits := (high - low) / step; {
	case fits < 2:
		step /= 5
	case fits < 5:
		step /= 2
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: figure(i*step, 4)})
	}
	return ticks
}

// explain adds an entry to the legend.
func (c *chart) explain(name string, how plot.Thumbnailer) {
	c.legend.Add(name, how)
	c.entries++
}

// panels are a chart and those below it.
func (c *chart) panels() []*chart {
	if c == nil {
		return nil
	}
	return append([]*chart{c}, c.lower.panels()...)
}

// below is the height of the legends that stand below the plot.
func (c *chart) below() vg.Length {
	if c.frame.side > 0 {
		return 0
	}
	n := 0
	for _, p := range c.panels() {
		n += p.entries
	}
	return legendEntry*vg.Length(n) + plotMargin
}

// height is that of the whole picture.
func (c *chart) height() vg.Length {
	return c.frame.height*vg.Length(len(c.panels())) + c.below()
}

func (c *chart) draw(to draw.Canvas) {
	to.SetColor(color.White)
	to.Fill(to.Rectangle.Path())
	inner := draw.Crop(to, plotMargin, -plotMargin, plotMargin, -plotMargin)
	data := draw.Crop(inner, 0, -c.frame.side, c.below(), 0)
	const indent = 30 // points: about where the data begin
	key := draw.Crop(inner, indent, 0, 0, c.below()-plotMargin-inner.Max.Y+inner.Min.Y)
	for i, part := range c.divide(data) {
		p := c.panels()[i]
		p.Plot.Draw(part)
		if c.frame.side > 0 {
			const title = 28 // points: the legend is level with the data, below it
			key = part
			key.Min.X, key.Max.X, key.Max.Y = data.Max.X+plotMargin, inner.Max.X, part.Max.Y-title
		}
		p.legend.Draw(key)
		key.Max.Y -= legendEntry * vg.Length(p.entries)
	}
}

// divide gives each panel its part of the canvas, with their data one above
// the other.
func (c *chart) divide(to draw.Canvas) []draw.Canvas {
	var rows [][]*plot.Plot
	for _, p := range c.panels() {
		rows = append(rows, []*plot.Plot{p.Plot})
	}
	if len(rows) == 1 {
		return []draw.Canvas{to}
	}
	var parts []draw.Canvas
	for _, row := range plot.Align(rows, draw.Tiles{Cols: 1, Rows: len(rows), PadY: plotMargin}, to) {
		parts = append(parts, row...)
	}
	return parts
}

// svg draws the chart as SVG. Its font is named, not embedded, since it
// would be fifty times as large as the rest; Arial and Helvetica have the same
// widths as Liberation Sans, so that labels fit wherever one of them is there.
func (c *chart) svg() ([]byte, error) {
	canvas := vgsvg.New(c.frame.width, c.height())
	c.draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(),
		[]byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// picture is a plot as SVG, in both frames.
type picture struct{ wide, narrow []byte }

// pictureOf draws a plot in both frames.
func pictureOf(draw func(frame) (*chart, error)) (picture, error) {
	var p picture
	for _, x := range []struct {
		to *[]byte
		in frame
	}{{&p.wide, wide}, {&p.narrow, narrow}} {
		c, err := draw(x.in)
		if err != nil {
			return picture{}, err
		}
		if *x.to, err = c.svg(); err != nil {
			return picture{}, err
		}
	}
	return p, nil
}

// shorten cuts text of outside so that it fits beside or below a plot.
func shorten(s string, most int) string {
	runes := []rune(printable(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}
