package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// words are the texts of an SVG, which must be well formed.
func words(t *testing.T, svg []byte) []string {
	t.Helper()
	var all []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for inText := false; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			inText = e.Name.Local == "text"
		case xml.CharData:
			if inText {
				all = append(all, string(e))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestPlotsAreDrawnOrTheReasonIsGiven(t *testing.T) {
	answered := func(latencies ...time.Duration) lab.SampleList {
		var all lab.SampleList
		for i, d := range latencies {
			all = append(all, lab.Sample{Request: i, Connection: i, Done: d, Instance: "foo"})
		}
		return all
	}
	for name, c := range map[string]struct {
		samples         lab.SampleList
		shares, latency bool
	}{
		"no sample":              {nil, false, false},
		"one sample":             {answered(time.Millisecond), true, false},
		"only faults":            {lab.SampleList{{Fault: lab.Refused}, {Request: 1, Connection: 1, Fault: lab.Reset}}, false, false},
		"all latencies the same": {answered(time.Millisecond, time.Millisecond), true, true},
		"no latency at all":      {answered(0, 0, 0), true, true},
		"from a ns to a day":     {answered(1, 24*time.Hour), true, true},
		"a clock that went back": {answered(-time.Second, time.Second), true, true},
		"nobody says who he is":  {lab.SampleList{{Done: 1e6}, {Request: 1, Connection: 1, Done: 2e6}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := baseResult()
			r.Fleet = []lab.Replica{{Instance: "foo", Weight: 1}, {Instance: "bar", Weight: 1}}
			r.Fold(c.samples, nil)
			r.Verdicts = []lab.Verdict{{Shares: shareIntervals(r)}}
			p, err := plotShares(r)
			drawn(t, c.shares, p, err)
			p, err = plotLatency(r, c.samples)
			drawn(t, c.latency, p, err)
			if err := Write(t.TempDir(), r, c.samples); err != nil {
				t.Error(err)
			}
		})
	}
}

func drawn(t *testing.T, want bool, p picture, err error) {
	t.Helper()
	if !want {
		if none, ok := errors.AsType[*noPlotError](err); !ok || none.reason == "" {
			t.Errorf("error %v, want the reason why there is no plot", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, svg := range [][]byte{p.wide, p.narrow} {
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
			t.Error("the plot has a number that is not finite")
		}
		if len(words(t, svg)) < 5 {
			t.Errorf("too few labels: %q", words(t, svg))
		}
	}
}

func TestPlotNamesAFewInstancesAndNumbersMany(t *testing.T) {
	for _, f := range fixtures() {
		r, samples := f.make()
		plots, err := plotsOf(r, samples)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range plots {
			for _, svg := range [][]byte{p.wide, p.narrow} {
				labels := words(t, svg)
				if len(labels) > 40 {
					t.Errorf("%s of %s: %d labels", name, f.name, len(labels))
				}
				if all := strings.Join(labels, "\n"); !strings.Contains(all, "(%)") && !strings.Contains(all, "(1/s)") {
					t.Errorf("%s of %s: no unit on the axis: %q", name, f.name, labels)
				}
			}
		}
	}
}

func TestCurveIsTheDistributionFunction(t *testing.T) {
	c := curve{latency: &lab.Distribution{}}
	for i := range lab.ExactDurations {
		c.latency.Record(time.Duration(i+1) * 10 * time.Microsecond)
	}
	points := c.points()
	if len(points) > mostPoints+1 {
		t.Errorf("%d points", len(points))
	}
	for _, p := range points[1:] {
		if math.Abs(p.X-p.Y) > 1e-9 { // evenly spread up to 100 ms: x ms are x per cent
			t.Errorf("%v%% within %v ms", p.Y, p.X)
		}
	}
	if last := points[len(points)-1]; last.X != 100 || last.Y != 100 {
		t.Errorf("the maximum is not there: %v", last)
	}
}

func TestTicksAreFewAndWithinTheAxis(t *testing.T) {
	for _, span := range [][2]float64{{0.001, 90_000_000}, {0.9, 1.1}, {0.5, 4}, {1, 80}, {0.87, 1.15}, {0.3, 2000}} {
		for name, ticks := range map[string]int{
			"decades": len(decades{}.Ticks(span[0], span[1])),
			"evenly":  len(evenly{}.Ticks(span[0], span[1])),
		} {
			if ticks < 1 || ticks > 16 {
				t.Errorf("%s: %d ticks on %v", name, ticks, span)
			}
		}
		for _, tick := range (decades{}).Ticks(span[0], span[1]) {
			if tick.Value < span[0] || tick.Value > span[1] {
				t.Errorf("a tick at %v on %v", tick.Value, span)
			}
		}
	}
}
