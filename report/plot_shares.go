package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/portlab/portlab/lab"
)

// namedBars is how many bars have the room for their names.
const namedBars = 16

// boundedBars is how many bars have the room for their intervals.
const boundedBars = 100

// plotShares draws a bar for each instance's share of the connections, with
// its interval and the expected share. It returns a [noPlotError] where no
// connection reached an instance.
func plotShares(r *lab.Result) (picture, error) {
	return pictureOf(func(f frame) (*chart, error) { return sharesChart(f, r) })
}

func sharesChart(f frame, r *lab.Result) (*chart, error) {
	if !served(r) {
		return nil, &noPlotError{"no connection is known to have reached a replica"}
	}
	all := portions(r)
	c := newChart(f, "Connections by instance", "instance", "share of connections (%)")
	c.grid(false, true)
	c.Y.Tick.Marker, c.X.Tick.Marker = evenly{}, evenly{}
	if err := c.addBars(all); err != nil {
		return nil, err
	}
	if err := c.addIntervals(all, r); err != nil {
		return nil, err
	}
	if err := c.addExpected(all); err != nil {
		return nil, err
	}
	// Last, since adding a plotter moves the axes.
	c.Y.Min, c.Y.Max = 0, 108*tallest(all, len(all) <= boundedBars)
	c.X.Min, c.X.Max = 0.5, float64(len(all))+0.5
	c.nameBars(all)
	return c, nil
}

// tallest is the largest fraction that is drawn, with or without intervals.
func tallest(all []portion, intervals bool) float64 {
	top := 0.0
	for _, in := range all {
		top = max(top, in.Share, in.Expected)
		if intervals {
			top = max(top, in.high)
		}
	}
	return top
}

func (c *chart) addBars(all []portion) error {
	heights := make(plotter.Values, len(all))
	for i, in := range all {
		heights[i] = 100 * in.Share
	}
	room := float64(c.frame.data()) / float64(len(all))
	filled := 0.7
	if len(all) > namedBars {
		filled = 1 // a gap would be thinner than a pixel
	}
	bars, err := plotter.NewBarChart(heights, vg.Length(min(filled*room, 80)))
	if err != nil {
		return fmt.Errorf("draw the shares: %w", err)
	}
	bars.XMin, bars.Color, bars.LineStyle.Width = 1, skyBlue, 0
	c.Add(bars)
	c.explain("share", bars)
	return nil
}

func (c *chart) addExpected(all []portion) error {
	var steps plotter.XYs
	for i, in := range all {
		x, y := float64(i+1), 100*in.Expected
		steps = append(steps, plotter.XY{X: x - 0.5, Y: y}, plotter.XY{X: x + 0.5, Y: y})
	}
	line, err := plotter.NewLine(steps)
	if err != nil {
		return fmt.Errorf("draw the expected shares: %w", err)
	}
	line.LineStyle = draw.LineStyle{Color: vermilion, Width: vg.Points(1.5), Dashes: []vg.Length{6, 3}}
	c.Add(line)
	c.explain("expected share", line)
	return nil
}

// bounds are the error bars of portions, in per cent, around their shares.
type bounds []portion

func (b bounds) Len() int                    { return len(b) }
func (b bounds) XY(i int) (float64, float64) { return float64(i + 1), 100 * b[i].Share }
func (b bounds) YError(i int) (float64, float64) {
	if !b[i].bounded {
		return 0, 0
	}
	return 100 * (b[i].Share - b[i].low), 100 * (b[i].high - b[i].Share)
}

func (c *chart) addIntervals(all []portion, r *lab.Result) error {
	v := sharesOf(r)
	if v == nil || len(all) > boundedBars {
		return nil
	}
	bars, err := plotter.NewYErrorBars(bounds(all))
	if err != nil {
		return fmt.Errorf("draw the intervals: %w", err)
	}
	bars.LineStyle = draw.LineStyle{Color: black, Width: vg.Points(1.2)}
	bars.CapWidth = vg.Points(8)
	if len(all) > namedBars {
		bars.LineStyle, bars.CapWidth = draw.LineStyle{Color: grey, Width: vg.Points(0.4)}, 0
	}
	c.Add(bars)
	c.explain(confidence(*v)+"interval", &plotter.Line{LineStyle: bars.LineStyle})
	return nil
}

// nameBars puts names below the bars, or numbers where there are too many.
func (c *chart) nameBars(all []portion) {
	if len(all) > namedBars {
		c.X.Label.Text = fmt.Sprintf("instance, 1 to %d in the fleet's order", len(all))
		return
	}
	var ticks []plot.Tick
	longest := 0
	for i, in := range all {
		name := shorten(in.Name, 14)
		longest = max(longest, len([]rune(name)))
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: name})
	}
	c.X.Tick.Marker = plot.ConstantTicks(ticks)
	c.X.Tick.Length = 0
	const character = 6.3 // points, of the widest usual one
	if vg.Length(character*float64(longest*len(all))) > c.frame.data() {
		c.X.Tick.Label.Rotation = 0.6 // radians
		c.X.Tick.Label.XAlign, c.X.Tick.Label.YAlign = draw.XRight, draw.YTop
	}
}
