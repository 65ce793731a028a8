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
	byName := map[string][]time.Duration{}
	var all []time.Duration
	for s := range samples.All() {
		if s.OK() {
			byName[s.Instance] = append(byName[s.Instance], s.Latency())
			all = append(all, s.Latency())
		}
	}
	switch len(all) {
	case 0:
		return nil, &noPlotError{"no request was answered"}
	case 1:
		return nil, &noPlotError{"one answered request has no distribution"}
	}
	slices.Sort(all)
	total := curve{name: "all", latency: all, style: draw.LineStyle{Color: black, Width: vg.Points(2)}}
	var each []curve
	for _, in := range r.Instances {
		if d := byName[in.Name]; len(d) > 0 && in.Name != "" {
			slices.Sort(d)
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
	return fmt.Sprintf("%s: %s, n = %s", word, shorten(c.name, 8), whole(len(c.latency)))
}

func median(c curve) time.Duration { return c.latency[(len(c.latency)-1)/2] }
