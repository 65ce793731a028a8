package report

import (
	"errors"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// outage is a load of one request a millisecond for 2 s. From 0.5 s to 0.75 s all
// are refused, and from 1 s on each takes 10 ms, which were 1 ms.
func outage() lab.SampleList {
	var all lab.SampleList
	for i := range 2000 {
		s := lab.Sample{Request: i, Connection: i, Due: 3*time.Second + time.Duration(i)*time.Millisecond, Instance: "foo"}
		s.Begun, s.Done = s.Due, s.Due+time.Millisecond
		switch {
		case i >= 500 && i < 750:
			s.Fault, s.Instance = lab.Refused, ""
		case i >= 1000:
			s.Done = s.Due + 10*time.Millisecond
		}
		all = append(all, s)
	}
	return all
}

func TestTimelineShowsWhenThingsHappened(t *testing.T) {
	samples := outage()
	line, err := timelineOf(len(samples), samples)
	if err != nil {
		t.Fatal(err)
	}
	answered, refused := 0, 0
	for i, s := range line.slices {
		from, to := time.Duration(i)*line.width, time.Duration(i+1)*line.width
		answered, refused = answered+s.answered, refused+s.faults[lab.Refused]
		if s.faults[lab.Refused] > 0 && (to < 500*time.Millisecond || from > 750*time.Millisecond) {
			t.Errorf("%d were refused from %s to %s", s.faults[lab.Refused], from, to)
		}
		want := time.Millisecond
		if from >= time.Second {
			want *= 10
		}
		across := from < time.Second && to > time.Second
		if s.latency.Count > 0 && s.latency.P50 != want && !across {
			t.Errorf("p50 is %s from %s to %s, want %s", s.latency.P50, from, to, want)
		}
	}
	if answered != 1750 || refused != 250 {
		t.Errorf("%d were answered and %d refused, want 1750 and 250", answered, refused)
	}
	if pieces := line.unbroken(func(q lab.Quantiles) time.Duration { return q.P50 }); len(pieces) != 2 {
		t.Errorf("the latency is in %d pieces, want one before and one after the outage", len(pieces))
	}
}

func TestTimelineHasFewSlices(t *testing.T) {
	for n, want := range map[int]int{2: 1, 39: 1, 40: 2, 300: 15, 2000: 100, 4000: mostSlices} {
		var samples lab.SampleList
		for i := range n {
			samples = append(samples, lab.Sample{Request: i, Due: time.Duration(i)})
		}
		line, err := timelineOf(n, samples)
		if err != nil || len(line.slices) != want {
			t.Errorf("%d requests: %d slices (%v), want %d", n, len(line.slices), err, want)
		}
	}
}

func TestTimelineNeedsTime(t *testing.T) {
	for _, samples := range []lab.SampleList{nil, {{}}, {{Request: 0}, {Request: 1}}} {
		_, err := timelineOf(len(samples), samples)
		if none, ok := errors.AsType[*noPlotError](err); !ok || none.reason == "" {
			t.Errorf("%d requests at once: error %v", len(samples), err)
		}
	}
}
