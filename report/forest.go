package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/portlab/portlab/lab/compare"
)

// The size of a forest plot, in points: a row for each arm, and what is around them.
const (
	forestRow    = vg.Length(16)
	forestAround = vg.Length(70)
)

// plotForest draws the ratios to the first baseline with their intervals, one
// panel for each key metric, on logarithmic axes, the arms in the same order in
// all of them. It returns a [noPlotError] where there is no ratio.
func plotForest(d *digest) (picture, error) {
	return pictureOf(func(f frame) (*chart, error) { return forestChart(f, d) })
}

func forestChart(f frame, d *digest) (*chart, error) {
	baseline, metrics := d.baseline(), d.keyMetrics()
	has := d.comparable()
	metrics = slices.DeleteFunc(metrics, func(m compare.Metric) bool { return !slices.Contains(has, m) })
	if baseline == "" || len(metrics) == 0 {
		return nil, &noPlotError{"there is no ratio to a baseline"}
	}
	arms := slices.DeleteFunc(d.ranked(metrics[0]), func(arm string) bool { return arm == baseline })
	f.side, f.height = 0, forestAround+forestRow*vg.Length(len(arms)+1)
	var top *chart
	for _, m := range slices.Backward(metrics) {
		c, err := forestPanel(f, d, m, arms)
		if err != nil {
			return nil, err
		}
		c.lower, top = top, c
	}
	top.explain("median ratio and its interval", forestMark(blue))
	top.explain("cannot be told from "+shorten(baseline, 24), forestMark(grey))
	return top, nil
}

func forestMark(c color.Color) plot.Thumbnailer {
	return &plotter.Scatter{GlyphStyle: draw.GlyphStyle{Color: c, Radius: 3, Shape: draw.CircleGlyph{}}}
}

// ratioRow is one row of a panel.
type ratioRow struct {
	y float64
	compare.Estimate
}

// ratioRows are the rows of a panel as points with error bars.
type ratioRows []ratioRow

func (r ratioRows) Len() int                    { return len(r) }
func (r ratioRows) XY(i int) (float64, float64) { return r[i].Median, r[i].y }
func (r ratioRows) XError(i int) (float64, float64) {
	if r[i].Low == nil || r[i].High == nil {
		return 0, 0
	}
	return *r[i].Low - r[i].Median, *r[i].High - r[i].Median
}

func forestPanel(f frame, d *digest, m compare.Metric, arms []string) (*chart, error) {
	baseline := d.baseline()
	better := "left is better"
	if m.Higher {
		better = "right is better"
	}
	c := newChart(f, d.timed(m, m.Title), fmt.Sprintf("ratio to %s; %s", shorten(baseline, 20), better), "")
	c.grid(true, false)
	var told, alike ratioRows
	var names []plot.Tick
	low, high := 1.0, 1.0
	for i, arm := range arms {
		y := float64(len(arms) - i)
		names = append(names, plot.Tick{Value: y, Label: shorten(arm, forestName(f))})
		e, ok := d.ratio(arm, m.Name, baseline)
		if !ok || e.Median <= 0 {
			continue
		}
		low, high = widen(low, high, e)
		if d.alike(arm, baseline, m.Name) {
			alike = append(alike, ratioRow{y, e})
		} else {
			told = append(told, ratioRow{y, e})
		}
	}
	if err := c.forestRows(told, blue); err != nil {
		return nil, err
	}
	if err := c.forestRows(alike, grey); err != nil {
		return nil, err
	}
	// Last, since adding a plotter moves the axes. A range that holds no tick
	// would have no labels.
	c.X.Min, c.X.Max = min(low/1.03, 0.9), max(high*1.03, 1.1)
	c.X.Scale, c.X.Tick.Marker = plot.LogScale{}, ratioTicks{}
	c.Y.Min, c.Y.Max = 0.4, float64(len(arms))+0.6
	c.Y.Tick.Marker = plot.ConstantTicks(names)
	// Ticks that are not seen keep off names that are wider in another font than ours.
	c.Y.Tick.LineStyle.Color, c.Y.Tick.Length = color.White, vg.Length(longest(names))
	return c, c.one()
}

// forestName is how many characters a name may have at the left.
func forestName(f frame) int {
	if f.width < wide.width {
		return 20
	}
	return 36
}

// longest is the length of the longest name, in characters.
func longest(names []plot.Tick) int {
	n := 0
	for _, t := range names {
		n = max(n, utf8.RuneCountInString(t.Label))
	}
	return n
}

// widen widens a range by what is drawn of an estimate.
func widen(low, high float64, e compare.Estimate) (newLow, newHigh float64) {
	for _, x := range []*float64{&e.Median, e.Low, e.High} {
		if x != nil && *x > 0 {
			low, high = min(low, *x), max(high, *x)
		}
	}
	return low, high
}

func (c *chart) forestRows(rows ratioRows, in color.Color) error {
	if len(rows) == 0 {
		return nil
	}
	bars, err := plotter.NewXErrorBars(rows)
	if err != nil {
		return fmt.Errorf("draw the intervals of the ratios: %w", err)
	}
	bars.LineStyle = draw.LineStyle{Color: in, Width: vg.Points(1.4)}
	bars.CapWidth = vg.Points(5)
	points, err := plotter.NewScatter(rows)
	if err != nil {
		return fmt.Errorf("draw the ratios: %w", err)
	}
	points.GlyphStyle = draw.GlyphStyle{Color: in, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	c.Add(bars, points)
	return nil
}

// one draws the line on which an arm is as the baseline.
func (c *chart) one() error {
	line, err := plotter.NewLine(plotter.XYs{{X: 1, Y: c.Y.Min}, {X: 1, Y: c.Y.Max}})
	if err != nil {
		return fmt.Errorf("draw the line of the baseline: %w", err)
	}
	line.LineStyle = draw.LineStyle{Color: vermilion, Width: vg.Points(1.2), Dashes: []vg.Length{6, 3}}
	c.Add(line)
	return nil
}

// ratioTicks are the finest of a few steps of which not too many fit.
type ratioTicks struct{}

// Ticks are those between low and high, both above 0.
func (ratioTicks) Ticks(low, high float64) []plot.Tick {
	if high/low > 3 {
		return decades{}.Ticks(low, high)
	}
	const most = 8
	for _, step := range []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5} {
		first, last := math.Ceil(low/step), math.Floor(high/step)
		if last-first >= most {
			continue
		}
		var ticks []plot.Tick
		for i := first; i <= last; i++ {
			ticks = append(ticks, plot.Tick{Value: i * step, Label: figure(i*step, 3)})
		}
		return ticks
	}
	return decades{}.Ticks(low, high)
}
