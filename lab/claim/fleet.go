package claim

import (
	"iter"
	"math"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// fleet is what the claims about distribution read off a measurement: the
// connections of the replicas, apart from those of strangers.
type fleet struct {
	names    []string
	counts   []int     // connections of each replica
	weights  []float64 // of each replica
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
		f.weights = append(f.weights, in.Weight)
		f.expected = append(f.expected, in.Expected)
		f.n += in.Connections
		f.weighed = f.weighed && in.Expected > 0
		f.equal = f.equal && math.Abs(in.Expected-f.expected[0]) < 1e-9
		sum += in.Expected
	}
	f.weighed = f.weighed && math.Abs(sum-1) < 1e-6
	return f
}

// recount leaves out the connections that a hash sends the way of one before
// them, and says how many these are: those of a pair of client and target
// address and port, or of a client address, that was used before.
func (f *fleet) recount(by lab.Null, samples lab.Samples) (repeated int) {
	index := map[string]int{}
	for i, name := range f.names {
		index[name] = i
	}
	counts, n := make([]int, len(f.counts)), 0
	seen := tuples{}
	for s := range connections(samples) {
		if s.Local.IsValid() && !seen.add(hashed(by, s)) {
			repeated++
			continue
		}
		if i, ok := index[s.Instance]; ok {
			counts[i]++
			n++
		}
	}
	// Where nothing is left out, the counts of the measurement stand: they know
	// connections that the samples do not.
	if repeated > 0 {
		f.counts, f.n = counts, n
	}
	return repeated
}

// hashed is what a hash sees of a sample: all of its addresses and ports, or
// the client's address alone.
func hashed(by lab.Null, s lab.Sample) (local, target netip.AddrPort) {
	if by == lab.HashAddress {
		return netip.AddrPortFrom(s.Local.Addr(), 0), netip.AddrPort{}
	}
	return s.Local, s.Target
}

// connections are the first answered sample of each connection, in the order
// in which they were due, where the answer says who gave it.
func connections(samples lab.Samples) iter.Seq[lab.Sample] {
	return func(yield func(lab.Sample) bool) {
		var seen lab.Bitset
		for s := range samples.All() {
			if s.OK() && s.Instance != "" && seen.Add(s.Connection) && !yield(s) {
				return
			}
		}
	}
}

// tuples is a set of pairs of client and target: a bit for each client port.
type tuples map[route]*lab.Bitset

type route struct {
	client netip.Addr
	target netip.AddrPort
}

// add says whether the pair is new.
func (t tuples) add(local, target netip.AddrPort) bool {
	r := route{local.Addr(), target}
	if t[r] == nil {
		t[r] = &lab.Bitset{}
	}
	return t[r].Add(int(local.Port()))
}
