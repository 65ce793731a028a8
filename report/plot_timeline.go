package report

import (
	"fmt"
	"image/color"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/portlab/portlab/lab"
)

// palePeach is behind the time in which requests failed.
var palePeach = color.RGBA{R: 252, G: 224, B: 206, A: 255}

// timeAxis is the name of the horizontal axis.
func timeAxis(e lab.Environment) string {
	return axis(e, "time at which requests were due (s)", "time due (s)")
}

// faultColors tell classes of faults apart.
var faultColors = []color.Color{vermilion, purple, black, orange, green, skyBlue, grey, blue}

// plotTimeline draws, one above the other, the rate of requests by what became
// of them and their latency, over the time at which they were due. It returns a
// [noPlotError] where there is no time to speak of.
func plotTimeline(r *lab.Result, samples lab.Samples) (picture, error) {
	t, err := timelineOf(r.Requests, samples)
	if err != nil {
		return picture{}, err
	}
	return pictureOf(func(f frame) (*chart, error) {
		f.height *= 0.65 // of each of the two
		upper, err := rateChart(f, t, r)
		if err != nil || r.Latency.Count == 0 {
			return upper, err
		}
		upper.X.Label.Text, upper.X.Tick.Marker = "", unnamed{} // the lower axis says it for both
		upper.lower, err = overTimeChart(f, t, r.Environment)
		return upper, err
	})
}

// rateChart shows requests a second, answered and failed by class.
func rateChart(f frame, t *timeline, r *lab.Result) (*chart, error) {
	c := newChart(f, "Requests over time", timeAxis(r.Environment), axis(r.Environment, "requests due (1/s)", "due (1/s)"))
	c.faultTimes(t)
	c.grid(false, true)
	most := 0
	add := func(name string, style draw.LineStyle, n func(slice) int) error {
		for _, s := range t.slices {
			most = max(most, n(s))
		}
		line, err := plotter.NewLine(t.rates(n))
		if err != nil {
			return fmt.Errorf("draw the requests over time: %w", err)
		}
		line.LineStyle, line.StepStyle = style, plotter.PostStep
		c.Add(line)
		c.explain(name, line)
		return nil
	}
	if err := add("answered", lineStyle(0), func(s slice) int { return s.answered }); err != nil {
		return nil, err
	}
	for i, class := range faultClasses(r) {
		style := draw.LineStyle{Color: faultColors[i%len(faultColors)], Width: vg.Points(1.4)}
		if err := add(shorten(string(class), 20), style, func(s slice) int { return s.faults[class] }); err != nil {
			return nil, err
		}
	}
	c.seconds(t)
	c.Y.Min, c.Y.Max, c.Y.Tick.Marker = 0, 1.08*float64(most)/t.width.Seconds(), evenly{}
	return c, nil
}

// rates are the steps of a number of requests in each slice, in 1/s.
func (t *timeline) rates(n func(slice) int) plotter.XYs {
	steps := make(plotter.XYs, len(t.slices)+1)
	for i := range steps {
		here := t.slices[min(i, len(t.slices)-1)] // the last step ends where its slice does
		steps[i] = plotter.XY{X: (time.Duration(i) * t.width).Seconds(), Y: float64(n(here)) / t.width.Seconds()}
	}
	return steps
}

// overTimeChart shows quantiles of the latency.
func overTimeChart(f frame, t *timeline, e lab.Environment) (*chart, error) {
	c := newChart(f, "", timeAxis(e), axis(e, "latency (ms, log scale)", "latency (ms)"))
	c.faultTimes(t)
	c.grid(false, true)
	for i, q := range []struct {
		name string
		of   func(lab.Quantiles) time.Duration
	}{
		{"highest", func(q lab.Quantiles) time.Duration { return q.Max }},
		{"p90", func(q lab.Quantiles) time.Duration { return q.P90 }},
		{"p50", func(q lab.Quantiles) time.Duration { return q.P50 }},
	} {
		style := draw.LineStyle{Color: []color.Color{grey, skyBlue, blue}[i], Width: vg.Points(1.4)}
		for _, run := range t.unbroken(q.of) {
			line, points, err := plotter.NewLinePoints(run)
			if err != nil {
				return nil, fmt.Errorf("draw the latency over time: %w", err)
			}
			line.LineStyle = style
			points.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: vg.Points(1.3), Shape: draw.CircleGlyph{}}
			c.Add(line, points)
		}
		c.explain(q.name, &plotter.Line{LineStyle: style})
	}
	low, high := t.latencies()
	c.seconds(t)
	c.Y.Min, c.Y.Max = math.Log10(milliseconds(low)/1.3), math.Log10(milliseconds(high)*1.3)
	c.Y.Tick.Marker = powers{}
	return c, nil
}

// latencies are the lowest median of a slice and the highest latency of all.
func (t *timeline) latencies() (low, high time.Duration) {
	low = math.MaxInt64
	for _, s := range t.slices {
		if s.latency.Count > 0 {
			low, high = min(low, s.latency.P50), max(high, s.latency.Max)
		}
	}
	return min(low, high), high
}

// seconds fits the horizontal axis to a timeline.
func (c *chart) seconds(t *timeline) {
	c.X.Min, c.X.Max = 0, (time.Duration(len(t.slices)) * t.width).Seconds()
	c.X.Tick.Marker = evenly{}
}

// unbroken are the points of a quantile, as decimal logarithms of ms, a list for each piece of time
// in which requests were answered.
func (t *timeline) unbroken(of func(lab.Quantiles) time.Duration) []plotter.XYs {
	var all []plotter.XYs
	broken := true
	for i, s := range t.slices {
		if s.latency.Count == 0 {
			broken = true
			continue
		}
		if broken {
			all, broken = append(all, nil), false
		}
		last := len(all) - 1
		all[last] = append(all[last], plotter.XY{X: t.middle(i).Seconds(), Y: math.Log10(milliseconds(of(s.latency)))})
	}
	return all
}

// unnamed are the ticks of an axis whose values another axis names.
type unnamed struct{ evenly }

// Ticks are those between low and high.
func (u unnamed) Ticks(low, high float64) []plot.Tick {
	ticks := u.evenly.Ticks(low, high)
	for i := range ticks {
		ticks[i].Label = ""
	}
	return ticks
}

// faultTimes colours the time in which requests failed.
func (c *chart) faultTimes(t *timeline) {
	band := faultBands{}
	for i, s := range t.slices {
		if len(s.faults) > 0 {
			band = append(band, [2]float64{(time.Duration(i) * t.width).Seconds(), (time.Duration(i+1) * t.width).Seconds()})
		}
	}
	if len(band) > 0 {
		c.Add(band)
		if c.Title.Text != "" { // once for both panels
			c.explain("some failed", band)
		}
	}
}

// faultBands are pieces of time, in seconds, behind the data of a plot.
type faultBands [][2]float64

// Plot implements [plot.Plotter].
func (b faultBands) Plot(to draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&to)
	for _, band := range b {
		to.FillPolygon(palePeach, []vg.Point{
			{X: x(band[0]), Y: to.Min.Y}, {X: x(band[1]), Y: to.Min.Y}, {X: x(band[1]), Y: to.Max.Y}, {X: x(band[0]), Y: to.Max.Y},
		})
	}
}

// Thumbnail implements [plot.Thumbnailer].
func (b faultBands) Thumbnail(to *draw.Canvas) {
	to.FillPolygon(palePeach, []vg.Point{
		{X: to.Min.X, Y: to.Min.Y}, {X: to.Max.X, Y: to.Min.Y}, {X: to.Max.X, Y: to.Max.Y}, {X: to.Min.X, Y: to.Max.Y},
	})
}
