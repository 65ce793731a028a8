package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/portlab/portlab/lab"
)

const (
	mostLines      = 8  // that a reader can tell apart
	mostBackground = 64 // lines behind those, where there are more
)

// curvesOf chooses the lines of the latency plot, in the order in which they
// are drawn: one for each instance or, where there are many, a sheaf of them
// behind the fastest, the slowest and all together. It returns a [noPlotError] for
// fewer than two answers.
func curvesOf(r *lab.Result, samples lab.Samples) ([]curve, error) {
	if err := plotless(r); err != nil {
		return nil, err
	}
	byName := map[string]*lab.Distribution{}
	all := &lab.Distribution{}
	for s := range samples.All() {
		if !s.OK() {
			continue
		}
		if byName[s.Instance] == nil {
			byName[s.Instance] = &lab.Distribution{}
		}
		byName[s.Instance].Record(s.Latency())
		all.Record(s.Latency())
	}
	total := curve{name: "all", latency: all, style: draw.LineStyle{Color: black, Width: vg.Points(2)}}
	var each []curve
	for _, in := range r.Instances {
		if d := byName[in.Name]; d != nil && in.Name != "" {
			each = append(each, curve{name: in.Name, latency: d, style: lineStyle(len(each))})
		}
	}
	switch {
	case len(each) == 0:
		return []curve{total}, nil
	case len(each) <= mostLines:
		return each, nil
	}
	return sheaf(each, total), nil
}

// plotless is a [noPlotError] where there is nothing to draw.
func plotless(r *lab.Result) error {
	switch r.Latency.Count {
	case 0:
		return &noPlotError{"no request was answered"}
	case 1:
		return &noPlotError{"one answered request has no distribution"}
	}
	return nil
}

// sheaf draws some of many lines in the background.
func sheaf(each []curve, total curve) []curve {
	slices.SortStableFunc(each, func(a, b curve) int { return cmp.Compare(median(a), median(b)) })
	drawn := min(len(each), mostBackground)
	var curves []curve
	for i := range drawn {
		c := each[i*len(each)/drawn]
		c.name, c.style = "", draw.LineStyle{Color: paleGrey, Width: vg.Points(0.7)}
		if i == 0 {
			c.name = fmt.Sprintf("%d of %s", drawn, plural(len(each), "instance"))
		}
		curves = append(curves, c)
	}
	fastest, slowest := each[0], each[len(each)-1]
	fastest.name, fastest.style = extreme("fastest", fastest), lineStyle(0)
	slowest.name, slowest.style = extreme("slowest", slowest), lineStyle(1)
	return append(curves, total, fastest, slowest)
}

// extreme names a curve with its number of answers: of few, it says little.
func extreme(word string, c curve) string {
	return fmt.Sprintf("%s %s, n=%s", word, shorten(c.name, 8), whole(c.latency.Count()))
}

func median(c curve) time.Duration { return c.latency.Quantile(0.5) }
