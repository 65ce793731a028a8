package claim

import (
	"fmt"
	"math"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// sharing says what became of requests that shared connections, beside the
// counts of connections, which decide; nothing where each had its own.
func sharing(m lab.Measurement, samples lab.Samples) string {
	answered := m.Requests - m.Failed()
	if m.Connections == 0 || answered <= m.Connections {
		return ""
	}
	var got []string
	for _, in := range m.Instances {
		got = append(got, fmt.Sprintf("%s %s", in.Name, thousands(in.Requests)))
	}
	beside := fmt.Sprintf("%s were made on %s, and shared as %s", count(answered, "request"), count(m.Connections, "connection"), list(got))
	if parted(samples) {
		return beside + ": those on one connection went to different instances, and each connection counts by its first"
	}
	return beside + ": those on one connection all went to the same instance, so that they are no draws of their own, and connections count"
}

// parted says whether two requests on one connection went to different instances.
func parted(samples lab.Samples) bool {
	index := map[string]int32{}
	var of []int32 // the instance of each connection, from 1
	for s := range samples.All() {
		if !s.OK() || s.Instance == "" || s.Connection < 0 {
			continue
		}
		i, ok := index[s.Instance]
		if !ok {
			i = int32(len(index) + 1)
			index[s.Instance] = i
		}
		for s.Connection >= len(of) {
			of = append(of, 0)
		}
		if of[s.Connection] == 0 {
			of[s.Connection] = i
		} else if of[s.Connection] != i {
			return true
		}
	}
	return false
}

// effective is how many independent connections say as much about the shares as
// these, where neighbours go to the same instance more often than chance has
// it. If each differs from chance only by the one before it, that is
// n (1-r)/(1+r), r being the correlation at lag one (Kish 1965, "Survey
// Sampling", on clusters; Priestley 1981, "Spectral Analysis and Time Series",
// 5.3, on the mean of a Markov chain).
func effective(e lab.Evidence, n int) int {
	sequence, _ := sequenceOf(e)
	o, err := stat.RunsTest(sequence, e.Plan.Seed)
	if err != nil || o.PMany >= Alpha {
		return n
	}
	r := (float64(o.Repeats) - o.Expected) / (float64(o.Pairs) - o.Expected)
	return max(int(math.Round(float64(n)*(1-r)/(1+r))), 1)
}

// widen makes the intervals those of fewer connections in the same proportions.
func (s *spread) widen(n int) {
	scaled := make([]int, len(s.counts))
	for i := range scaled {
		scaled[i] = int(math.Round(float64(n) * s.share(i)))
	}
	s.intervals = stat.SimultaneousShares(scaled, Confidence)
}
