package claim

import (
	"math"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// fleet is what the claims about distribution read off a measurement: the
// connections of the replicas, apart from those of strangers.
type fleet struct {
	names    []string
	counts   []int     // connections of each replica
	expected []float64 // share of each replica
	weighed  bool      // the expected shares are proper
	equal    bool      // and all the same
	n        int       // connections of the replicas

	strangers []string // instances that answered and are no replicas
	strange   int      // connections that they answered
}

func fleetOf(m lab.Measurement) fleet {
	f := fleet{equal: true, weighed: true}
	var sum float64
	for _, in := range m.Instances {
		if in.Weight == 0 && in.Expected == 0 {
			f.strangers = append(f.strangers, in.Name)
			f.strange += in.Connections
			continue
		}
		f.names = append(f.names, in.Name)
		f.counts = append(f.counts, in.Connections)
		f.expected = append(f.expected, in.Expected)
		f.n += in.Connections
		f.weighed = f.weighed && in.Expected > 0
		f.equal = f.equal && math.Abs(in.Expected-f.expected[0]) < 1e-9
		sum += in.Expected
	}
	f.weighed = f.weighed && math.Abs(sum-1) < 1e-6
	return f
}

// recount replaces the counts by those of the given connections.
func (f *fleet) recount(samples []lab.Sample) {
	index := map[string]int{}
	for i, name := range f.names {
		index[name] = i
	}
	clear(f.counts)
	f.n = 0
	for _, s := range samples {
		if i, ok := index[s.Instance]; ok {
			f.counts[i]++
			f.n++
		}
	}
}

// connections are the first answered sample of each connection, in the order
// in which they were due, where the answer says who gave it.
func connections(samples lab.Samples) []lab.Sample {
	var first []lab.Sample
	seen := map[int]bool{}
	for s := range samples.All() {
		if s.OK() && s.Instance != "" && !seen[s.Connection] {
			seen[s.Connection] = true
			first = append(first, s)
		}
	}
	return first
}

// freshTuples keeps the first connection of each pair of client and target
// address and port, and says how many it left out.
func freshTuples(samples []lab.Sample) (fresh []lab.Sample, repeated int) {
	type tuple struct{ local, target netip.AddrPort }
	seen := map[tuple]bool{}
	for _, s := range samples {
		t := tuple{s.Local, s.Target}
		if s.Local.IsValid() && seen[t] {
			repeated++
			continue
		}
		seen[t] = true
		fresh = append(fresh, s)
	}
	return fresh, repeated
}
