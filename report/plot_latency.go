package report

import (
	"fmt"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/portlab/portlab/lab"
)

// plotLatency draws the empirical distribution function of the latency, a line
// for each instance. It returns a [noPlotError] where fewer than two requests were
// answered.
func plotLatency(r *lab.Result, samples lab.Samples) (picture, error) {
	curves, err := curvesOf(r, samples)
	if err != nil {
		return picture{}, err
	}
	return pictureOf(func(f frame) (*chart, error) { return latencyChart(f, r.Environment, curves) })
}

func latencyChart(f frame, e lab.Environment, curves []curve) (*chart, error) {
	c := newChart(f, "Latency of the answered requests",
		axis(e, "latency from the due time (ms, log scale)", "latency (ms, log scale)"), "requests answered within (%)")
	c.grid(true, true)
	lo, hi := time.Duration(math.MaxInt64), time.Duration(0)
	for _, cv := range curves {
		line, err := plotter.NewLine(logX(cv.points()))
		if err != nil {
			return nil, fmt.Errorf("draw the latency of %s: %w", cv.name, err)
		}
		line.LineStyle = cv.style
		line.StepStyle = plotter.PostStep
		c.Add(line)
		if cv.name != "" {
			c.explain(shorten(cv.name, 24), line)
		}
		lo, hi = min(lo, cv.latency.Rank(1)), max(hi, cv.latency.Rank(cv.latency.Count()))
	}
	// A little room on both sides; also where all latencies are the same.
	c.X.Min, c.X.Max = math.Log10(milliseconds(lo)/1.15), math.Log10(milliseconds(hi)*1.15)
	c.X.Tick.Marker = powers{}
	c.Y.Min, c.Y.Max = 0, 101
	c.Y.Tick.Marker = plot.ConstantTicks{
		{Value: 0, Label: "0"}, {Value: 25, Label: "25"}, {Value: 50, Label: "50"},
		{Value: 75, Label: "75"}, {Value: 90, Label: "90"}, {Value: 100, Label: "100"},
	}
	return c, nil
}

// milliseconds are at least a microsecond's, since the axis is logarithmic.
func milliseconds(d time.Duration) float64 {
	return float64(max(d, time.Microsecond)) / float64(time.Millisecond)
}

// curve is one line of the plot.
type curve struct {
	name    string            // in the legend; empty: not there
	latency *lab.Distribution // of something
	style   draw.LineStyle
}

// mostPoints bounds a line: more would not be seen.
const mostPoints = 400

// points are those of the empirical distribution function, in ms and per cent.
func (c curve) points() plotter.XYs {
	n := c.latency.Count()
	k := min(n, mostPoints)
	points := make(plotter.XYs, 0, k+1)
	points = append(points, plotter.XY{X: milliseconds(c.latency.Rank(1)), Y: 0})
	for i := 1; i <= k; i++ {
		rank := i * n / k // the last is n: the maximum is always there
		points = append(points, plotter.XY{X: milliseconds(c.latency.Rank(rank)), Y: 100 * float64(rank) / float64(n)})
	}
	return points
}

// decades are ticks at 1, 2 and 5 times each power of ten, or at the powers
// alone where the axis spans many.
type decades struct{}

// Ticks are those between min and max, both above 0.
func (decades) Ticks(low, high float64) []plot.Tick {
	steps := []float64{1, 2, 5}
	switch span := high / low; {
	case span > 1e4:
		steps = []float64{1}
	case span < 3:
		steps = []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}
	case span < 30:
		steps = []float64{1, 1.5, 2, 3, 5, 7}
	}
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, s := range steps {
			if v := s * math.Pow(10, e); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: figure(v, 4)})
			}
		}
	}
	return ticks
}

// powers are the ticks of an axis whose values are the decimal logarithms of what
// is shown. With [plot.LogScale] gonum would keep room for an axis's name where it
// does not stand.
type powers struct{}

// Ticks are those between low and high, which are logarithms.
func (powers) Ticks(low, high float64) []plot.Tick {
	ticks := decades{}.Ticks(math.Pow(10, low), math.Pow(10, high))
	for i := range ticks {
		ticks[i].Value = math.Log10(ticks[i].Value)
	}
	return ticks
}

// logX puts points on such an axis.
func logX(points plotter.XYs) plotter.XYs {
	for i := range points {
		points[i].X = math.Log10(points[i].X)
	}
	return points
}

func lineStyle(i int) draw.LineStyle {
	return draw.LineStyle{
		Color: lineColors[i%len(lineColors)], Width: vg.Points(1.6), Dashes: lineDashes[i%len(lineDashes)],
	}
}
