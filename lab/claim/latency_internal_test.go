package claim

import (
	"slices"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// Latencies are classed by the quartiles of them all.
func TestClassesOfLatency(t *testing.T) {
	for _, c := range []struct {
		name      string
		latencies []time.Duration
		want      []int // how many are in each class
	}{
		{"one", []time.Duration{5}, []int{1, 0, 0, 0}},
		{"eight", []time.Duration{8, 1, 2, 7, 3, 6, 4, 5}, []int{2, 2, 2, 2}},
		{"nine", []time.Duration{8, 1, 2, 7, 3, 6, 4, 5, 9}, []int{3, 2, 2, 2}},
		{"all equal", []time.Duration{4, 4, 4, 4, 4}, []int{5, 0, 0, 0}},
		{"ties", []time.Duration{1, 1, 1, 1, 1, 9, 9, 9}, []int{5, 0, 3, 0}},
	} {
		var all lab.SampleList
		for i, d := range c.latencies {
			all = append(all, lab.Sample{Request: i, Done: d, Instance: "foo"},
				lab.Sample{Request: i, Done: time.Hour, Instance: "foo", Fault: lab.Reset}, lab.Sample{Request: i, Done: time.Hour})
		}
		table, n := latencyTable(all)
		if n != len(c.latencies) || len(table) != 1 || !slices.Equal(table[0], c.want) {
			t.Errorf("%s: %v of %d, want %v", c.name, table, n, c.want)
		}
	}
}
