package report

import (
	"time"

	"github.com/portlab/portlab/lab"
)

const (
	mostSlices = 120 // of a timeline: more would not be seen
	// perSlice is how many requests a slice has on average, at the least: a rate
	// of fewer says more about their spacing than about the server.
	perSlice = 20
)

// timeline is what became of the requests by when they were due, in slices of
// the same length.
type timeline struct {
	begin, width time.Duration
	slices       []slice
}

// slice is the part of a load that was due within one piece of time.
type slice struct {
	answered int
	latency  lab.Quantiles // of those answered
	faults   map[lab.Fault]int
}

// middle is when half of the i-th slice has passed since the first request was due.
func (t *timeline) middle(i int) time.Duration { return time.Duration(i)*t.width + t.width/2 }

// timelineOf slices a load of n requests. Samples come in the order in which they were
// due, so that it needs the latencies of one slice at a time. It returns a
// [noPlotError] where there is no time between the requests.
func timelineOf(n int, samples lab.Samples) (*timeline, error) {
	first, last := dueRange(samples)
	if last <= first {
		return nil, &noPlotError{"the requests were not due one after the other"}
	}
	k := min(max(n/perSlice, 1), mostSlices)
	t := &timeline{begin: first, width: (last-first)/time.Duration(k) + 1, slices: make([]slice, k)}
	at, latency := 0, &lab.Distribution{}
	for s := range samples.All() {
		i := int((s.Due - first) / t.width)
		if i != at {
			t.slices[at].latency = latency.Quantiles()
			at, latency = i, &lab.Distribution{}
		}
		t.slices[i].add(&s, latency)
	}
	t.slices[at].latency = latency.Quantiles()
	return t, samples.Err()
}

func (c *slice) add(s *lab.Sample, latency *lab.Distribution) {
	if s.OK() {
		c.answered++
		latency.Record(s.Latency())
		return
	}
	if c.faults == nil {
		c.faults = map[lab.Fault]int{}
	}
	c.faults[s.Fault]++
}

// dueRange is when the first and the last request were due.
func dueRange(samples lab.Samples) (first, last time.Duration) {
	seen := false
	for s := range samples.All() {
		if !seen {
			first, seen = s.Due, true
		}
		last = s.Due
	}
	return first, last
}
